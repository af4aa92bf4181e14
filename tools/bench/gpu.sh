#!/usr/bin/env bash
# What to run on a machine with a GPU and no network, in two halves:
#
#   tools/bench/gpu.sh pack FILE.tar.gz     here: puts what preset `cuda` built, and the libraries it needs, into one file
#   tools/bench/gpu.sh [run] [OPTIONS]      there: within eight minutes, one JSON and one table into a results folder
#
#     --bundle FILE    what `pack` wrote; without it, build/cuda of this tree
#     --results DIR    where to write; else tools/bench/results
#     --only STEPS     a list such as "conformance,step"; else all
#     --dry-run        prints each step, its limit and its command, and runs none
#
# Every step has a limit of its own, and the script goes on where one fails: the JSON says of each how it ended. Exit
# status 0 where all steps passed, 1 where one did not, 2 for wrong usage. Nothing changes the card's settings.
set -uo pipefail
script=$(readlink -f "${BASH_SOURCE[0]}") here=${script%/*}
root=$(cd "$here/../.." && pwd)

say() { echo "gpu.sh: $*" >&2; }
die() { say "$@"; exit 1; }
usage() { say "$@"; sed -n '2,14s/^# \{0,1\}//p' "$script" >&2; exit 2; }

# The programs, modules and tests of preset cuda, with every library but the C library itself, which must be the
# machine's own. Paths in it are those of this tree.
pack() {
    [[ $# -eq 1 ]] || usage "pack takes the name of one file"
    local build=$root/build/cuda file
    [[ -x $build/tools/cambium ]] || die "there is no $build/tools/cambium; build it first: CAMBIUM_PRESET=cuda ./cambium --version"
    [[ -x $build/tests/simt/simt_conformance_cuda && -x $build/tests/engine/test_gpu ]] ||
        die "the programs for the GPU are not built: ninja -C $build cuda_programs test_gpu"
    stage=$(mktemp -d) || exit 1
    trap 'rm -rf "$stage"' EXIT
    mkdir -p "$stage/libraries" "$stage/build/cuda"
    (cd "$build" && find tools tests modules kernels -type f \( -perm -u+x -o -name '*.so' \) -print0 |
        tar --null -T - -cf -) | tar -xf - -C "$stage/build/cuda" || die "could not copy the programs"
    find "$stage/build" -type f -exec ldd {} + 2> /dev/null | awk '/=> \// { print $3 }' | sort -u |
        grep -vE "^$build/|/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*|libcuda|libnvidia[^/]*)\.so" |
        while read -r file; do cp -L "$file" "$stage/libraries/"; done
    mkdir -p "$stage/tools/bench" && cp "$here"/*.sh "$here"/*.py "$stage/tools/bench/"
    git -C "$root" describe --always --dirty --exclude='*' > "$stage/commit" 2> /dev/null || echo unknown > "$stage/commit"
    tar -czf "$1" -C "$stage" . || die "could not write $1"
    say "$1 holds $(find "$stage" -type f | wc -l) files, $(du -h "$1" | cut -f1)"
}

bundle='' results=$here/results only='' dry=0
parse() {
    while [[ $# -gt 0 ]]; do
        case $1 in
            --bundle | --results | --only)
                [[ $# -ge 2 ]] || usage "$1 takes a value"
                case $1 in --bundle) bundle=$2 ;; --results) results=$2 ;; --only) only=$2 ;; esac
                shift 2 ;;
            --dry-run) dry=1; shift ;;
            *) usage "there is no option $1" ;;
        esac
    done
}

# Sets `tree` to where programs, tests and golden files lie.
unpack() {
    tree=$root
    if [[ -n $bundle && $dry -eq 0 ]]; then
        tree=$work/tree
        mkdir -p "$tree"
        tar -xzf "$bundle" -C "$tree" || die "could not unpack $bundle"
        export LD_LIBRARY_PATH=$tree/libraries:$tree/build/cuda/modules:$tree/build/cuda/kernels${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    fi
    build=$tree/build/cuda
    cambium=$build/tools/cambium
}

wants() { [[ -z $only || ,$only, == *,$1,* ]]; }

# step NAME SECONDS COMMAND...: runs it, keeps what it printed, and notes how it ended.
failed=() ran=0
step() {
    local name=$1 limit=$2 status=0 start seconds
    shift 2
    wants "${name%%:*}" || return 0
    ran=$((ran + 1))
    if [[ $dry -eq 1 ]]; then
        printf '%-28s %4s s  %s\n' "$name" "$limit" "${*//$root\//}"
        return 0
    fi
    start=$EPOCHREALTIME
    (cd "$tree" && timeout --kill-after=5 "$limit" "$@") > "$work/$name.out" 2> "$work/$name.err" < /dev/null || status=$?
    seconds=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$status" "$seconds" "$limit" "$*" >> "$work/steps"
    [[ $status -eq 0 ]] || failed+=("$name")
    say "$name: $(case $status in 0) echo passed ;; 124 | 137) echo "stopped at its limit" ;; *) echo "failed with $status: $(tail -n 1 "$work/$name.err" | cut -c1-160)" ;; esac), $seconds s"
}

# cuDNN and cuBLASLt where PyTorch brings them and the system has none.
find_vendor() {
    local library
    for library in CUDNN:libcudnn.so.9 CUBLASLT:libcublasLt.so.1[23]; do
        ldconfig -p 2> /dev/null | grep -q "${library#*:}" && continue
        library=CAMBIUM_${library%%:*}=$(python3 -c "import glob, sys, torch
print(next(iter(glob.glob(torch.__path__[0] + '/../nvidia/*/lib/' + sys.argv[1])), ''))" "${library#*:}" 2> /dev/null)
        [[ ${library#*=} ]] && export "${library?}"
    done
}

# Limits add up to 479 s of the eight minutes.
steps() {
    local sanitizer
    sanitizer=$(command -v compute-sanitizer || echo "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer")
    step devices 10 "$cambium" devices --json
    step conformance 20 "$build/tests/simt/simt_conformance_cuda"
    step tests 65 env CAMBIUM_GPU=cuda "$build/tests/engine/test_gpu"
    step vendor:tests 25 env CAMBIUM_GPU=cuda "$build/tests/engine/vendor/test_vendor"
    # Every kernel family's own test; 77 is what a program without a GPU would end with.
    step families 50 bash -c 'for program in "$1"/tests/kernels/*/test_*_cuda; do "$program" || exit; done' families "$build"
    for tool in memcheck racecheck; do
        step "sanitizer:$tool" 25 env CAMBIUM_GPU=cuda CAMBIUM_OPERATOR=conv2d "$sanitizer" --tool "$tool" \
            --error-exitcode 1 "$build/tests/engine/test_gpu" --test-case="*integers*"
    done
    step kernels 75 "$cambium" bench kernels --device cuda --model resnet50 --batch 64 --vendor-seconds 20 --json
    step vendor:resnet50 25 "$cambium" bench step --device cuda --provider vendor --precision bf16 --seconds 4 --json \
        --model resnet50 --batch 256
    local model
    for model in resnet18:256 resnet50:256 vit_b_16:128; do  # ours and PyTorch's in turn, minute by minute
        step "step:${model%:*}" 18 "$cambium" bench step --device cuda --precision bf16 --seconds 4 --json \
            --model "${model%:*}" --batch "${model#*:}"
        step "torch:${model%:*}" 35 python3 tools/bench/torch_step.py --seconds 2 --model "${model%:*}" --batch "${model#*:}"
    done
}

run() {
    parse "$@"
    [[ -z $bundle || -f $bundle ]] || die "there is no $bundle; 'gpu.sh pack' writes one"
    work=$(mktemp -d) || exit 1
    trap 'rm -rf "$work"' EXIT
    unpack
    if [[ $dry -eq 0 ]]; then
        command -v nvidia-smi > /dev/null || die "there is no nvidia-smi here, hence no NVIDIA driver; --dry-run shows what would run"
        nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit --format=csv,noheader > "$work/gpu" 2> "$work/gpu.err" ||
            die "the NVIDIA driver does not answer: $(head -n 1 "$work/gpu.err" "$work/gpu" | grep -v '^==>' | grep . | head -n 1)"
        [[ -x $cambium ]] || die "there is no $cambium; build preset cuda, or give --bundle FILE"
    fi
    [[ $dry -eq 1 ]] || find_vendor
    steps
    [[ $ran -gt 0 ]] || usage "there is no step in '$only'"
    [[ $dry -eq 0 ]] || return 0
    mkdir -p "$results" || exit 1
    python3 "$here/gpu_report.py" "$work" "$tree" "$results" || die "the results could not be written; what the steps printed is lost with $work"
    [[ ${#failed[@]} -eq 0 ]] || die "failed: ${failed[*]}"
}

case ${1:-run} in
    pack) pack "${@:2}" ;;
    run) run "${@:2}" ;;
    -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$script" ;;
    -*) run "$@" ;;
    *) usage "there is no command '$1'" ;;
esac
