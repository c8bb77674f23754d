/* The wall clock, moved for every program that is started with this preloaded; the monotonic one stays as it is.

   For .ci/dates: whether a test depends on the date is seen by running it on another one. libfaketime hangs where somebody
   waits until a moment of the wall clock, which the kernel does not move: here such moments are moved back on their way.
   How far it is moved stands in the file that CLOCK_SHIFT names, as nanoseconds in eight bytes, so that it can be moved
   again while programs run. The times of files are the kernel's and are not moved. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static const int64_t none = 0;
static const volatile int64_t *shift = NULL;

/* Take the shift from this file from now on. Called by .ci/clock/moved_clock.py; at first it is that of the environment. */
void clock_shift_file(const char *path) {
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *found = file < 0 ? MAP_FAILED : mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    shift = found == MAP_FAILED ? &none : found;
}

static int64_t shifted(void) {
    if (!shift) clock_shift_file(getenv("CLOCK_SHIFT"));
    return *shift;
}

static void move(struct timespec *moment, int64_t by) {
    int64_t nanoseconds = moment->tv_nsec + by % SECOND;
    moment->tv_sec += by / SECOND + (nanoseconds >= SECOND) - (nanoseconds < 0);
    moment->tv_nsec = (nanoseconds + SECOND) % SECOND;
}

static int on_the_wall(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec *moment) {
    int failed = (int)syscall(SYS_clock_gettime, clock, moment);
    if (!failed && on_the_wall(clock)) move(moment, shifted());
    return failed;
}

int gettimeofday(struct timeval *restrict moment, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    moment->tv_sec = now.tv_sec;
    moment->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (seconds) *seconds = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *moment, int base) {
    return base == TIME_UTC && !clock_gettime(CLOCK_REALTIME, moment) ? base : 0;
}

/* Waits until a moment. Who waits on a condition does not say by which clock: no monotonic one has run for 30 years. */

static struct timespec kernels(const struct timespec *until, int wall) {
    struct timespec moved = *until;
    if (wall) move(&moved, -shifted());
    return moved;
}

static void *next(const char *name) {
    void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2"); /* of two versions of pthread_cond_timedwait, not the oldest */
    return found ? found : dlsym(RTLD_NEXT, name);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    struct timespec moved = kernels(until, 1);
    int (*real)(sem_t *, const struct timespec *) = next("sem_timedwait");
    return real(semaphore, &moved);
}

int sem_clockwait(sem_t *restrict semaphore, clockid_t clock, const struct timespec *restrict until) {
    struct timespec moved = kernels(until, on_the_wall(clock));
    int (*real)(sem_t *, clockid_t, const struct timespec *) = next("sem_clockwait");
    return real(semaphore, clock, &moved);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
    struct timespec moved = kernels(until, 1);
    int (*real)(pthread_mutex_t *, const struct timespec *) = next("pthread_mutex_timedlock");
    return real(mutex, &moved);
}

int pthread_cond_timedwait(
    pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict until
) {
    struct timespec moved = kernels(until, until->tv_sec > 946684800);
    int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *) = next("pthread_cond_timedwait");
    return real(condition, mutex, &moved);
}

int pthread_cond_clockwait(
    pthread_cond_t *restrict condition,
    pthread_mutex_t *restrict mutex,
    clockid_t clock,
    const struct timespec *restrict until
) {
    struct timespec moved = kernels(until, on_the_wall(clock));
    int (*real)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *) = next("pthread_cond_clockwait");
    return real(condition, mutex, clock, &moved);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *length, struct timespec *left) {
    struct timespec moved = kernels(length, (flags & TIMER_ABSTIME) && on_the_wall(clock));
    int (*real)(clockid_t, int, const struct timespec *, struct timespec *) = next("clock_nanosleep");
    return real(clock, flags, &moved, left);
}

/* What gRPC waits with: a futex, without the C library's help. */
long syscall(long number, ...) {
    static long (*real)(long, ...);
    if (!real) real = dlsym(RTLD_NEXT, "syscall");
    long given[6];
    struct timespec moved;
    va_list arguments;
    va_start(arguments, number);
    for (int index = 0; index < 6; index++) given[index] = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_futex && (given[1] & FUTEX_CLOCK_REALTIME) && given[3]) {
        moved = kernels((const struct timespec *)given[3], 1);
        given[3] = (long)&moved;
    }
    return real(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
