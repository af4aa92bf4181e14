#!/usr/bin/env bash
# A project outside the tree finds the installed package, checks its own kernel from its own test, and fails on a planted
# race; the mended kernel passes. Usage: outside_project.sh BUILD_FOLDER
set -euo pipefail
build=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" > "$work/install.log"
mkdir "$work/project"
cd "$work/project"

cat > CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.25)
project(reverse LANGUAGES CXX)
enable_testing()
find_package(cambium REQUIRED)
cambium_simt_test(reverse KERNELS reverse.cu SOURCES reverse_test.cpp)
EOF
cat > reverse_test.cpp <<'EOF'
#include <cstdio>
#include <exception>
#include <vector>
std::vector<float> reverse(const std::vector<float>& values);
int main() try {
    std::vector<float> values(256);
    for (int i = 0; i < 256; ++i) values[i] = float(i);
    const std::vector<float> reversed = reverse(values);
    for (int i = 0; i < 256; ++i) {
        if (reversed[i] != values[255 - i]) return std::puts("wrong"), 1;
    }
    return 0;
} catch (const std::exception& error) {
    return std::puts(error.what()), 1;
}
EOF
cat > reverse.cu <<'EOF'
#include <vector>
#include "kernels/gpu.h"
namespace dev = cambium::dev;

struct Line {
    dev::Shared<float, 256> value;
};

__global__ void reverse_kernel(float* out, const float* in) {
    auto& line = dev::shared<Line>();
    line.value[threadIdx.x] = in[threadIdx.x];
    // BARRIER
    out[threadIdx.x] = line.value[255 - threadIdx.x];
}

std::vector<float> reverse(const std::vector<float>& values) {
    dev::Stream stream;
    dev::Buffer<float> in(values, stream, "in"), out(values.size(), "out");
    dev::launch(reverse_kernel, dim3(1), dim3(256), sizeof(Line), stream, out.data(), in.data());
    std::vector<float> result(values.size());
    out.download(result, stream);
    return result;
}
EOF

cmake -G Ninja -S . -B build -DCMAKE_PREFIX_PATH="$work/prefix" > configure.log || { cat configure.log; exit 1; }
cmake --build build > build.log || { cat build.log; exit 1; }
if ctest --test-dir build -R '^reverse.check$' --output-on-failure > race.log 2>&1; then
    echo "the planted race went unseen"
    cat race.log
    exit 1
fi
for expected in "race-in-block in kernel reverse_kernel on shared Line, array 1 [128]" "reverse.cu:11" "reverse.cu:13" "__syncthreads()"; do
    grep -qF "$expected" race.log || { echo "the report does not say: $expected"; cat race.log; exit 1; }
done

sed -i 's|// BARRIER|__syncthreads();|' reverse.cu
cmake --build build > build.log || { cat build.log; exit 1; }
ctest --test-dir build --output-on-failure > mended.log 2>&1 || { cat mended.log; exit 1; }

# What CUDA has and simt has not is answered by the place to read, not by a parse error.
echo '#include "kernels/gpu.h"
__global__ void plain(float* out) { __shared__ float a[4]; a[0] = 1; out[0] = a[0]; }' > plain.cu
if "${CXX:-c++}" -std=c++20 -x c++ -fsyntax-only -I"$work/prefix/include/cambium" plain.cu 2> plain.log; then
    echo "__shared__ compiles"
    exit 1
fi
grep -qF "kernels/simt/README.md" plain.log || { echo "the error for __shared__ names no page"; cat plain.log; exit 1; }
echo "outside project: the planted race is reported, the mended kernel passes"
