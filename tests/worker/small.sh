#!/bin/sh
# A program that costs next to nothing: small.sh PROGRAM. It leaves somebody behind who ignores SIGTERM, in a session of
# its own, whose parent is gone. $TEST_BED/trained gets a line for each training that came to its end.
program=$1
while read -r key value; do
    case $key in
    '"job_id":') job=${value#\"} job=${job%%\"*} ;;
    esac
done < job.json
(trap '' TERM HUP; setsid sleep 999 &)
sleep "0.$(($$ % 40))"
echo "$program of $job"
case $program in
data)
    echo 1 > bars.csv
    echo '{"data_range": {"from": "2025-01-01T00:00:00Z", "until": "2025-06-01T00:00:00Z"}, "rows": 3, "files": ["bars.csv"]}'
    ;;
train)
    echo "model of $job" > model.bin
    echo '{"artifacts": ["model.bin"], "feature_count": 2, "data_range": {"from": "2025-01-01T00:00:00Z", "until": "2025-06-01T00:00:00Z"}}'
    ;;
evaluate)
    echo '{"kind": "walk_forward", "returns": {"first_day": "2025-06-02", "values": [0.01, -0.004, 0.006, 0.002, -0.003, 0.004]}}'
    ;;
esac > result.json
# The last that it does.
if [ "$program" = train ]; then echo "$job" >> "$TEST_BED/trained"; fi
