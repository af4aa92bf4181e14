#!/usr/bin/env bash
# kill_resume.sh PROGRAM [WORK]: a run that is killed with SIGKILL and resumed must equal one that was not, byte for byte:
# all of state/, model.safetensors and every field of metrics.jsonl outside "time". 20 kills: 14 at random moments, 6 at
# named points (inside a write, before and after a rename, at the change of phase). The run uses everything that holds
# state between steps: augmentation, dropout, weight averages, accumulation, and checkpoints that do not divide the epoch.
#
# A random moment is counted from the run's first state, which --resume needs, and lies within the time that the runs so
# far have shown training to take: each run that is over before its kill shortens that time, and is tried again.
set -euo pipefail
program=$(readlink -f "$1")
work=${2:-$(mktemp -d)}
mkdir -p "$work"
cd "$work"
export CAMBIUM_CACHE=$work/cache
data='leaves?train=12&val=4&test=2&size=64'
recipe=(--recipe gradual --weights start/model.safetensors --size 64 --batch 4 --accumulate 2 --epochs 2 --ema 0.9
    --dropout 0.3 --save-every 4 --seed 3)
least_in_epoch=4 # resumes in the middle of an epoch that all this must lead to

say() { echo "kill_resume: $*"; }
timeless() { sed 's/,"time":{[^}]*}//' "$1/metrics.jsonl"; }
same() {
    diff -r whole/state "$1/state" && cmp whole/model.safetensors "$1/model.safetensors" &&
        diff <(timeless whole) <(timeless "$1")
}
train() { exec "$program" finetune "$data" "${recipe[@]}" --out "$1"; }
finished() { grep -qs '"finished": true' "$1/state/state.json"; }
# Starts a run in folder $1 and returns once it has a state, or has died; its process is $run.
begin() {
    rm -rf "$1"
    train "$1" 2> "$1.log" &
    run=$!
    while [[ ! -f $1/config.json ]] && kill -0 "$run" 2> /dev/null; do sleep 0.01; done
}

killed=0 middle=0
# Resumes the run that was killed in "run", and compares.
resume() {
    local what=$1 at
    killed=$((killed + 1))
    "$program" finetune --resume run 2> resume.log
    at=$(sed -n 's/.*resumed at \(.*\)/\1/p' resume.log)
    [[ -z $at || $at == *"batch 0" ]] || middle=$((middle + 1))
    same run || { say "$what: the resumed run differs"; exit 1; }
    say "$what: equal${at:+ (resumed at $at)}"
}

rm -rf start
"$program" finetune "$data" --recipe scratch --model squeezenet1_1 --size 64 --epochs 1 --batch 8 --out start 2> start.log
begin whole
began=$EPOCHREALTIME
wait "$run"
length=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
say "an uninterrupted run takes $length s from its first state to its end"

RANDOM=7
while [[ $killed -lt 14 ]]; do
    moment=$(awk -v r=$RANDOM -v t="$length" 'BEGIN { print r / 32768 * t }')
    begin run
    sleep "$moment"
    { kill -KILL "$run" && wait "$run"; } 2> /dev/null || true
    if finished run; then
        length=$moment
        say "a run was over $moment s after its first state: the next kills come earlier"
    else
        resume "kill $moment s after the first state"
    fi
done
for point in write:300 before-rename:9 after-rename:12 phase-end:1 phase-change:1 save:5; do
    rm -rf run
    { (CAMBIUM_FAILPOINT=$point train run 2> run.log); } 2> /dev/null || true
    finished run && { say "the run never came to $point"; exit 1; }
    [[ -f run/config.json ]] || { say "$point came before there was anything to resume"; exit 1; }
    resume "kill at $point"
done
[[ $middle -ge $least_in_epoch ]] ||
    { say "only $middle resumes were in the middle of an epoch; at least $least_in_epoch are needed"; exit 1; }
say "$killed kills, all equal; $middle resumed in the middle of an epoch"
