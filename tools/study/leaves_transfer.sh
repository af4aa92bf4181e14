#!/usr/bin/env bash
# leaves_transfer.sh PROGRAM [WORK]: what does pretraining gain on the built-in sample, and where does it stop to?
#
# The same network learns the target species from its pretrained weights and from random ones, with the same photos, the
# same number of steps and five seeds. The rate of each is chosen on the validation photos, from the same five; what is
# reported is the accuracy on the test photos. Once for the sample as it is, once with the dial far from the source's domain.
set -euo pipefail
program=$(readlink -f "$1")
work=${2:-runs/leaves-transfer}
epochs=20 seeds="1 2 3 4 5"
mkdir -p "$work"

# The first value of a field in a result.json.
field() { sed -n "s/^ *\"$2\": \([0-9.e-]*\),*$/\1/p" "$1" | sed -n "${3:-1}p"; }

train() {  # FOLDER DATA RECIPE RATE SEED
    [[ -f $work/$1/result.json ]] && return
    rm -rf "${work:?}/$1"
    "$program" finetune "$2" --recipe "$3" --model leafnet --epochs "$epochs" --lr "$4" --seed "$5" --out "$work/$1" \
        > /dev/null 2> "$work/$1.log" || { cat "$work/$1.log" >&2; exit 1; }
}

# The rate of the best mean validation accuracy over two seeds; the rates themselves are printed with it.
sweep() {  # NAME DATA RECIPE RATES...
    local name=$1 data=$2 recipe=$3 best=0 chosen='' rate seed mean
    shift 3
    for rate in "$@"; do
        for seed in 1 2; do train "$name-lr$rate-$seed" "$data" "$recipe" "$rate" "$seed"; done
        mean=$(for seed in 1 2; do field "$work/$name-lr$rate-$seed/result.json" val_top1; done | awk '{ s += $1 } END { print s / NR }')
        echo "  rate $rate: validation $mean" >&2
        if awk -v a="$mean" -v b="$best" 'BEGIN { exit !(a > b) }'; then best=$mean chosen=$rate; fi
    done
    echo "$chosen"
}

# Prints mean and standard deviation of the test accuracy over the seeds.
measure() {  # NAME DATA RECIPE RATE
    local seed
    for seed in $seeds; do train "$1-lr$4-$seed" "$2" "$3" "$4" "$seed"; done
    for seed in $seeds; do field "$work/$1-lr$4-$seed/result.json" top1; done |
        awk '{ s += $1; q += $1 * $1 } END { m = s / NR; print m, sqrt((q - NR * m * m) / (NR - 1)) }'
}

printf '%-10s %-12s %8s %10s %8s\n' domain start rate 'test top-1' spread
for domain in near far; do
    data=leaves
    [[ $domain == near ]] || data='leaves:target?dial=2'
    for start in pretrained scratch; do
        recipe=full
        [[ $start == pretrained ]] || recipe=scratch
        rate=$(sweep "$domain-$start" "$data" "$recipe" 0.003 0.01 0.03 0.1 0.3)
        read -r mean spread < <(measure "$domain-$start" "$data" "$recipe" "$rate")
        printf '%-10s %-12s %8s %9.1f%% %7.1f%%\n' "$domain" "$start" "$rate" "$(awk "BEGIN { print 100 * $mean }")" \
            "$(awk "BEGIN { print 100 * $spread }")"
    done
done
