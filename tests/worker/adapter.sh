#!/bin/sh
# The operator's program of these tests: adapter.sh PROGRAM [WHAT]. It answers well, or does what WHAT says.
# $TEST_BED is the directory of the test; $TEST_BED/trained gets a line for each training.
set -eu
program=$1
what=${2:-answer}
job=$(sed -n 's/^ *"job_id": "\([^"]*\)".*/\1/p' job.json | head -1)

data() {
    echo "a,b" > bars.csv
    cat > result.tmp <<END
{"data_range": {"from": "2025-01-01T00:00:00Z", "until": "2025-06-01T00:00:00Z"}, "rows": 3, "files": ["bars.csv"]}
END
}

train() {
    data=$(sed -n 's/^ *"data": "\([^"]*\)".*/\1/p' job.json | tail -1)
    test -s "$data/bars.csv"
    echo "model of $job" > model.bin
    mkdir -p parts
    echo "part of $job" > "parts/a b.bin"
    echo "$job" >> "$TEST_BED/trained"
    cat > result.tmp <<END
{"artifacts": ["model.bin", "parts/a b.bin"], "train_metrics": {"auc": 0.7}, "feature_count": 2,
 "data_range": {"from": "2025-01-01T00:00:00Z", "until": "2025-06-01T00:00:00Z"}}
END
}

evaluate() {
    artifacts=$(sed -n 's/^ *"artifacts": "\([^"]*\)".*/\1/p' job.json | tail -1)
    grep -q "model of" "$artifacts/model.bin"
    grep -q "part of" "$artifacts/parts/a b.bin"
    cat > result.tmp <<END
{"kind": "walk_forward", "returns": {"first_day": "2025-06-02", "values": [0.01, -0.004, 0.006, 0.002, -0.003, 0.004]}}
END
}

hook() {
    sed -n 's/^ *"version": "\([^"]*\)".*/\1/p' job.json | head -1 >> "$TEST_BED/hooked"
    echo '{"message": "reloaded"}' > result.tmp
}

echo "$program of $job begins"
echo "and complains" >&2
case $what in
answer) $program ;;
slow) echo '{"progress": 0.5, "message": "half"}' > progress.json; sleep "${SLOW:-0.5}"; $program ;;
wait) $program; echo "$job" >> "$TEST_BED/waits"; until [ -e "$TEST_BED/go" ]; do sleep 0.05; done ;;
none) exit 0 ;;
wait_loud)
    $program
    echo "$job" >> "$TEST_BED/waits"
    until [ -e "$TEST_BED/go" ]; do sleep 0.05; done
    seq 1 300000
    ;;
once)
    # The first time it hangs.
    if mkdir "$TEST_BED/first" 2> /dev/null; then
        echo "$job" >> "$TEST_BED/waits"
        sleep 1000
    fi
    $program
    ;;
loud)
    head -c 64M /dev/zero | tr '\\0' x
    echo
    seq 1 2000000
    $program
    ;;
big)
    $program
    truncate -s 256M big.bin
    sed 's/"model.bin", /"model.bin", "big.bin", /' result.tmp > result.more
    mv result.more result.tmp
    ;;
eat) head -c 512M /dev/zero | tail ;;
fork)
    # Should nobody put it out, it stops growing.
    printf '[ $(ls /proc | grep -c "^[0-9]") -gt 1500 ] && exec sleep 1000\nsetsid sh bomb & sh bomb & wait\n' > bomb
    sh bomb
    ;;
half) printf '{"rows": 3, "data_ra' > result.json; exit 0 ;;
huge) truncate -s 200M result.json; exit 0 ;;
fail) echo "it does not work" >&2; exit 7 ;;
hang) sleep 1000 ;;
stubborn)
    trap '' TERM
    # A grandchild of its own session, whose parent is gone.
    setsid sh -c 'trap "" TERM; (trap "" TERM; echo $$ > '"$TEST_BED"'/grandchild; while :; do sleep 1; done) &' &
    while :; do sleep 1; done
    ;;
esac
mv result.tmp result.json
echo "$program of $job is done"
