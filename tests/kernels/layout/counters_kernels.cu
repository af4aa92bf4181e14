#include "tests/kernels/layout/counters_kernels.h"

#include "kernels/layout/transpose.cuh"

namespace cambium::test {
namespace {

template <class T, class W, int E, bool Swizzled>
std::vector<std::uint32_t> run_instance(std::uint32_t rows, std::uint32_t columns) {
    using namespace layout;
    TiledView view{};
    view.columns = columns / E, view.rows = rows;
    view.column_tiles = Divisor(view.columns / kTileWords);
    view.row_tiles = Divisor(rows / (kTileWords * E));
    view.tiles = view.column_tiles.value() * view.row_tiles.value();
    view.x_row = columns, view.y_column = rows;
    view.others.rank = 1, view.others.count = 1;
    dev::Stream stream;
    std::vector<T> host(std::size_t{rows} * columns);
    for (std::size_t i = 0; i < host.size(); ++i) host[i] = static_cast<T>(i);
    const dev::Buffer<T> x(host, stream, "x");
    dev::Buffer<T> y(host.size(), "y");
    dev::launch(transpose_tiles<T, W, E, Swizzled>, dim3(view.tiles), dim3(kThreads), sizeof(Tile<W, E>), stream, view,
                y.data(), x.data());
    y.download(host, stream);
    return {host.begin(), host.end()};
}

template <bool Swizzled>
std::vector<std::uint32_t> run_kind(TileKind kind, std::uint32_t rows, std::uint32_t columns) {
    switch (kind) {
        case TileKind::byte:
            return run_instance<std::uint8_t, std::uint8_t, 1, Swizzled>(rows, columns);
        case TileKind::half:
            return run_instance<std::uint16_t, std::uint16_t, 1, Swizzled>(rows, columns);
        case TileKind::pair_of_halves:
            return run_instance<std::uint16_t, std::uint32_t, 2, Swizzled>(rows, columns);
        case TileKind::word:
            return run_instance<std::uint32_t, std::uint32_t, 1, Swizzled>(rows, columns);
    }
    return {};
}

}  // namespace

std::vector<std::uint32_t> run_transposition(TileKind kind, bool swizzled, std::uint32_t rows, std::uint32_t columns) {
    return swizzled ? run_kind<true>(kind, rows, columns) : run_kind<false>(kind, rows, columns);
}

}  // namespace cambium::test
