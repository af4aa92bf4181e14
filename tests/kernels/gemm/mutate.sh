#!/bin/sh
# Mutates the tuned kernel one line at a time and says who notices: the checker, only the results, only the counters, or
# nobody.   tests/kernels/gemm/mutate.sh BUILD_DIRECTORY [NUMBER...]
# The build directory must be Ninja's, with the target gemm_mutant built. The table of kernels/gemm/README.md is this
# script's output, explained. Not part of CI: it compiles a module per mutation.
set -eu
build=$(cd "$1" && pwd) && shift
chosen=" $* "
root=$(cd "$(dirname "$0")/../../.." && pwd)
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT

# The compile and the link command of the unmutated module, as the build has them.
ninja -C "$build" -t commands gemm_mutant_check > "$work/commands"
compile=$(grep -e ' -c .*mutant_kernels\.cu$' "$work/commands" | tail -n 1)
link=$(grep -e '-shared .*libgemm_mutant_check\.so' "$work/commands" | tail -n 1)
program=$(find "$build" -type f -name gemm_mutant | head -n 1)

number=0
# mutate FILE 'WHAT IT DOES' 'SED EXPRESSION': runs one mutation, which must change exactly one line.
mutate() {
    number=$((number + 1))
    case "$chosen" in "  " | *" $number "*) ;; *) return 0 ;; esac
    rm -rf "$work/kernels" && mkdir -p "$work/kernels"
    cp -r "$root/kernels/gemm" "$work/kernels/"
    sed "$3" "$root/kernels/gemm/$1" > "$work/kernels/gemm/$1"
    changed=$(diff "$root/kernels/gemm/$1" "$work/kernels/gemm/$1" | grep -c '^>') || true
    if [ "$changed" != 1 ]; then
        echo "$number. $2: the expression changed $changed lines of $1, not one" >&2
        exit 1
    fi
    printf '%2d. %s (%s)\n' "$number" "$2" "$1"
    object=$work/mutant.o module=$work/libgemm_mutant_check.so
    mutated=$(printf '%s' "$compile" | sed "s| -I| -I$work -I|; s| -o [^ ]*| -o $object|; s| -MF [^ ]*| -MF $work/mutant.d|")
    if ! (cd "$build" && sh -c "$mutated") > "$work/log" 2>&1; then
        echo "    does not compile: $(head -n 1 "$work/log")"
        return 0
    fi
    linked=$(printf '%s' "$link" | sed "s| -o [^ ]*libgemm_mutant_check\.so| -o $module|; s|[^ ]*mutant_kernels\.cu\.o|$object|")
    (cd "$build" && sh -c "$linked") > "$work/log" 2>&1
    status=0
    LD_PRELOAD="$module" timeout 300 "$program" > "$work/found" 2> "$work/log" || status=$?
    if [ "$status" -gt 1 ]; then
        echo "    ended with status $status: $(tail -n 1 "$work/log")"
    else
        sed 's/^/    /' "$work/found"
    fi
}

# The pipeline
mutate pipeline.cuh "the wait for the next tile lets one group too many fly" \
    '/else if (tile + 1 < tiles/,/__syncthreads/s/cp_async_wait<kStages - 2>/cp_async_wait<kStages - 1>/'
mutate pipeline.cuh "the first wait lets one group too many fly" \
    '/; ++tile) start(tile);$/,/__syncthreads/s/cp_async_wait<kStages - 2>/cp_async_wait<kStages - 1>/'
mutate pipeline.cuh "no barrier after the wait for the next tile" \
    '/else if (tile + 1 < tiles/,/load_step/s/__syncthreads();//'
mutate pipeline.cuh "no barrier after the first wait" \
    '/; ++tile) start(tile);$/,/load_step/s/^    __syncthreads();//'
mutate pipeline.cuh "groups are not committed" 's/dev::cp_async_commit();.*//'
mutate pipeline.cuh "the copy ahead writes to the stage being read" \
    's/if (step == 0) start(tile + kStages - 1)/if (step == 0) start(tile + kStages)/'
mutate pipeline.cuh "one tile fewer before the loop" 's/tile < kStages - 1; ++tile) start/tile < kStages - 2; ++tile) start/'
mutate pipeline.cuh "fragments are not double-buffered" 's/load_step<Tiling>(fragments\[(step + 1) % 2\]/load_step<Tiling>(fragments[step % 2]/'
mutate pipeline.cuh "two stages instead of three" 's/kStages = 3/kStages = 2/'
# Shared memory
mutate operand.cuh "no swizzle" 's/if (!Swizzled) return 0;/return 0;/'
mutate operand.cuh "a swizzle of four rows instead of eight" 's/? 4 : 8;/? 4 : 4;/'
mutate operand.cuh "the copy forgets the swizzle" 's/tile + Tile::offset(row, column), source/tile + row * Tile::kColumns + column, source/'
mutate operand.cuh "the copy reads beyond the last row" 's/row0 + row < stored.rows ?/row0 + row <= stored.rows ?/'
mutate operand.cuh "columns beyond the edge are copied" 's/left < Tile::kChunk ? static_cast<int>(left)/left < 0 ? static_cast<int>(left)/'
mutate operand.cuh "half of the tile is not copied" 's/c < Tile::kRows \* Tile::kChunks;/c < Tile::kRows * Tile::kChunks \/ 2;/'
# Split-K
mutate pipeline.cuh "no fence before arriving" '/__threadfence();$/{x;s/^/x/;/^x$/{x;s/__threadfence();//;b};x}'
mutate pipeline.cuh "no fence after arriving" '/__threadfence();$/{x;s/^/x/;/^xx$/{x;s/__threadfence();//;b};x}'
mutate pipeline.cuh "no barrier between the partial sums and the arrival" '/warp.element(e);$/,/if (threadIdx/s/^    __syncthreads();//'
mutate pipeline.cuh "the last but one block adds the parts" 's/(parts - 1)) return false/(parts - 2)) return false/'
mutate pipeline.cuh "the arrival counter is counted without an atomic" \
    's/= atomicAdd(arrived, 1u);/= (*arrived)++;/'
# Epilogue and indices
mutate tuned.cuh "rows beyond the edge are stored" 's/work.row + row < p.m ? p.n : 0/p.n/'
mutate epilogue.cuh "runs are stored where rows are not aligned to them" 's/if (p.store_elements < Count || /if (/'
mutate pipeline.cuh "the parts of K overlap by a tile" 's/first = part \* length, rest/first = part * length - (part > 0), rest/'
mutate pipeline.cuh "bands of tiles are walked in another order" 's/kBand = 8/kBand = 4/'
# The turn-around of the sums
mutate pipeline.cuh "no barrier before the stages become slices" 's/__syncthreads();  \/\/ nobody reads the stages any more//'
mutate pipeline.cuh "no wait between writing a slice and reading it" '/__syncwarp();$/{x;s/^/x/;/^x$/{x;s/__syncwarp();//;b};x}'
mutate pipeline.cuh "no wait before a slice is written again" '/__syncwarp();$/{x;s/^/x/;/^xx$/{x;s/__syncwarp();//;b};x}'
mutate pipeline.cuh "no swizzle of the slices" 's/(c \/ kRun ^ Tiling::WarpTile::swizzle(r))/c \/ kRun/'
