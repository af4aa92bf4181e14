// ldmatrix and mma.sync: 32 lanes meet once per tile; the arithmetic is a plain loop over rows that the compiler
// vectorises (matrix_kernel.cpp, built per instruction set).
#include <cstring>

#include "kernels/simt/detector.h"
#include "kernels/simt/matrix_kernel.h"
#include "kernels/simt/runtime.h"

namespace cambium::simt {
namespace {

struct LoadArgument {
    const MatrixLoad* loads;
    int count;
    bool transposed;
};

void complete_load(void** arguments, unsigned) {
    const int count = static_cast<LoadArgument*>(arguments[0])->count;
    const bool transposed = static_cast<LoadArgument*>(arguments[0])->transposed;
    for (int n = 0; n < count; ++n) {
        for (unsigned matrix = 0; matrix < 4; ++matrix) {
            std::uint16_t rows[8][8];
            for (unsigned r = 0; r < 8; ++r) {
                std::memcpy(rows[r], static_cast<LoadArgument*>(arguments[matrix * 8 + r])->loads[n].row, 16);
            }
            for (unsigned lane = 0; lane < kWarp; ++lane) {
                const unsigned g = lane / 4, t = lane % 4 * 2;
                const std::uint32_t low = transposed ? rows[t][g] : rows[g][t];
                const std::uint32_t high = transposed ? rows[t + 1][g] : rows[g][t + 1];
                static_cast<LoadArgument*>(arguments[lane])->loads[n].registers[matrix] = low | high << 16;
            }
        }
    }
}

void complete_mma(void** arguments, unsigned) {
    const MmaTile* tiles[kWarp];
    for (unsigned lane = 0; lane < kWarp; ++lane) tiles[lane] = static_cast<const MmaTile*>(arguments[lane]);
    multiply_tile(tiles);
}

}  // namespace

void load_matrices(const MatrixLoad* loads, int count, bool transposed, dev::Site where) {
    const SiteId site = site_of(where);
    if (worker->checked()) {
        count_instruction(*worker, "ldmatrix", site, static_cast<unsigned>(count));
        for (int n = 0; n < count; ++n) {
            if (!check_matrix_row(loads[n].row, site)) worker->abandon();
        }
    }
    LoadArgument argument{loads, count, transposed};
    meet(0xffffffffu, "ldmatrix", true, &argument, complete_load, site);
}

void mma_tile(const MmaTile& tile, dev::Site where) {
    const SiteId site = site_of(where);
    if (worker->checked()) {
        count_instruction(*worker, "mma", site, static_cast<unsigned>(tile.mi * tile.nj));
        check_fragments(tile, site);
    }
    meet(0xffffffffu, "mma", true, const_cast<MmaTile*>(&tile), complete_mma, site);
}

}  // namespace cambium::simt
