# For .ci/matrix and .ci/dates: a row for each run of the suite, and a table of them in the end.

rows=()
worst=0

# row NAME RESULT: what became of it, in words.
row() { rows+=("$(printf '%-28s %s' "$1" "$2")"); }

# suite NAME LOG COMMAND...: run it, with its output in a file, and remember how it went.
suite() {
    local name=$1 log=$2 began=$SECONDS
    shift 2
    echo "$name: $log"
    if "$@" >"$log" 2>&1; then
        row "$name" "passed  $(summary "$log")"
    else
        worst=1
        row "$name" "FAILED  $(summary "$log") ($(((SECONDS - began) / 60)) min)"
        grep -E '^(FAILED|ERROR) ' "$log" | cut -c1-200 || tail -n 3 "$log"
    fi
}

# The last line that pytest says, such as "706 passed, 1 skipped in 310.12s (0:05:10)".
summary() { grep -aoE '([0-9]+ [a-z]+, )*[0-9]+ [a-z]+ in [0-9.]+s.*' "$1" | tail -n 1 | tr -d '=' || true; }

table() {
    printf '\n'
    printf '%s\n' "${rows[@]}"
    exit "$worst"
}
