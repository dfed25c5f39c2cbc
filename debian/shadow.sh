# Names the unit file that takes the place of our service and runs something else: the predecessor's has the same name and
# lies in a directory that wins over ours. An administrator's changed copy of ours runs quantum-clm, and a mask is no file.
# `quantum-clm takeover` decides the same by what systemd shows (tests/fixtures/whose_unit.txt has the cases of both).
shadow() {
    for unit in /etc/systemd/system/quantum-clm.service /usr/local/lib/systemd/system/quantum-clm.service; do
        if [ -f "$unit" ] && ! grep -Eq '^ExecStart[[:space:]]*=[[:space:]]*[-@:+!|]*"?([^[:space:]"]*/)?quantum-clm"?[[:space:]]+(.*[[:space:]])?serve([[:space:]]|$)' "$unit"; then
            echo "$unit"
            return
        fi
    done
}
