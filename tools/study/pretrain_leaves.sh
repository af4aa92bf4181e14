#!/usr/bin/env bash
# pretrain_leaves.sh PROGRAM [OUT]: trains the network that is shipped as data/leaves/leafnet.safetensors, from random weights
# on the sample's 24 source species, and puts it there. The same machine gives the same bits; another gives the same accuracy
# within a point.
set -euo pipefail
program=$1
out=${2:-runs/leafnet-pretraining}
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
"$program" finetune leaves:source --recipe scratch --model leafnet --out "$out"
cp "$out/model.safetensors" "$root/data/leaves/leafnet.safetensors"
