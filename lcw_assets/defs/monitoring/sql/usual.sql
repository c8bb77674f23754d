-- One row: the least that each phase took in a window, and how busy the machine was in the median of its cycles.
SELECT *
FROM (
    SELECT
        min(queue_s) FILTER (queue_s >= 0) AS queue_s,
        min(start_s) FILTER (start_s >= 0) AS start_s,
        min(pull_s) FILTER (pull_s >= 0) AS pull_s,
        min(handover_s) FILTER (handover_s >= 0) AS handover_s,
        min(lock_wait_s) FILTER (lock_wait_s >= 0) AS lock_wait_s,
        min(store_s) FILTER (store_s >= 0) AS store_s
    FROM ops.cycles
    WHERE started_at >= $start AND started_at < $end
), (
    SELECT
        median(cpu) AS cpu,
        median(processors) AS processors,
        median(load) AS load,
        median(memory) AS memory
    FROM ops.machine_during($start, $end)
)
