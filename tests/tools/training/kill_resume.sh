#!/usr/bin/env bash
# kill_resume.sh PROGRAM [WORK]: a run that is killed with SIGKILL and resumed must equal one that was not, byte for byte:
# all of state/, model.safetensors and every field of metrics.jsonl outside "time". 20 kills: 14 at random moments, 6 at
# named points (inside a write, before and after a rename, at the change of phase). The run uses everything that holds
# state between steps: augmentation, dropout, weight averages, accumulation, and checkpoints that do not divide the epoch.
set -euo pipefail
program=$(readlink -f "$1")
work=${2:-$(mktemp -d)}
mkdir -p "$work"
cd "$work"
export CAMBIUM_CACHE=$work/cache
data='leaves?train=12&val=4&test=2&size=64'
recipe=(--recipe gradual --weights start/model.safetensors --size 64 --batch 4 --accumulate 2 --epochs 2 --ema 0.9
    --dropout 0.3 --save-every 4 --seed 3)

say() { echo "kill_resume: $*"; }
timeless() { sed 's/,"time":{[^}]*}//' "$1/metrics.jsonl"; }
same() {
    diff -r whole/state "$1/state" && cmp whole/model.safetensors "$1/model.safetensors" &&
        diff <(timeless whole) <(timeless "$1")
}

rm -rf start whole run
"$program" finetune "$data" --recipe scratch --model squeezenet1_1 --size 64 --epochs 1 --batch 8 --out start 2> start.log
began=$EPOCHREALTIME
"$program" finetune "$data" "${recipe[@]}" --out whole 2> whole.log
length=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
say "an uninterrupted run takes $length s"

killed=0 middle=0
# Starts a run in "run" under the given environment, lets it die, resumes it, compares.
attempt() {
    local what=$1
    rm -rf run
    shift
    "$@" > /dev/null 2>&1 || true
    if [[ -f run/result.json ]] && grep -q '"finished": true' run/state/state.json; then
        say "$what: the run was over before the kill"
        return 1
    fi
    killed=$((killed + 1))
    if [[ -f run/config.json ]]; then
        "$program" finetune --resume run 2> resume.log
    else  # killed before there was anything to resume
        rm -rf run
        "$program" finetune "$data" "${recipe[@]}" --out run 2> resume.log
    fi
    local at
    at=$(sed -n 's/.*resumed at \(.*\)/\1/p' resume.log)
    [[ -z $at || $at == *"batch 0" ]] || middle=$((middle + 1))
    same run || { say "$what: the resumed run differs"; exit 1; }
    say "$what: equal${at:+ (resumed at $at)}"
}

RANDOM=7
shot=0
while [[ $shot -lt 14 ]]; do
    moment=$(awk -v r=$RANDOM -v t="$length" 'BEGIN { print 0.05 + r / 32768 * t * 0.95 }')
    if attempt "kill after $moment s" timeout -s KILL "$moment" "$program" finetune "$data" "${recipe[@]}" --out run; then
        shot=$((shot + 1))
    fi
done
for point in write:6 before-rename:9 after-rename:12 phase-end:1 phase-change:1 save:5; do
    attempt "kill at $point" env CAMBIUM_FAILPOINT=$point "$program" finetune "$data" "${recipe[@]}" --out run
done
[[ $middle -gt 0 ]] || { say "no resume was in the middle of an epoch"; exit 1; }
say "$killed kills, all equal; $middle resumed in the middle of an epoch"
