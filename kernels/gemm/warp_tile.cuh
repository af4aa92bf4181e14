// What one warp computes: M x N elements of D in registers, by tensor cores or, in exact f32, by the ordinary cores.
// Both load fragments of A and B for a step of kDepth along k, multiply them, and name the row and column of what they
// hold; a fragment's load and the last one's product overlap.
#pragma once

#include "kernels/gpu.h"

namespace cambium::gemm {

using dev::Major;

// `at_a(m, k)` and `at_b(k, n)` below are addresses in shared memory of elements of the warp's tile.
template <class T, Major major_a, Major major_b, int M, int N>
class TensorCoreTile {
  public:
    static constexpr int kDepth = dev::kMmaDepth<T>;
    static constexpr int kBlocksN = N / 8;
    static constexpr int kElements = M * N / 32;  // in this lane
    static constexpr int kRun = 2;                // so many successive elements are neighbours in a row
    struct Fragments {
        dev::FragmentA<T, M / 16> a;
        dev::FragmentB<T, N / 8> b;
    };
    template <class AtA, class AtB>
    CAMBIUM_DEVICE static void load(Fragments& f, AtA&& at_a, AtB&& at_b) {
        dev::load_fragments<major_a>(f.a, at_a);
        dev::load_fragments<major_b>(f.b, at_b);
    }
    CAMBIUM_DEVICE void clear() { dev::clear(sum_); }
    CAMBIUM_DEVICE void multiply(Fragments& f) {
        if constexpr (sizeof(T) == 4) {
            dev::round_to_tf32(f.a);
            dev::round_to_tf32(f.b);
        }
        dev::mma_tile<T>(sum_, f.a, f.b);
    }
    CAMBIUM_DEVICE float& element(int e) { return sum_.value[e / (4 * kBlocksN)][e / 4 % kBlocksN][e % 4]; }
    CAMBIUM_DEVICE static int row(int e) { return dev::accumulator_row(e / (4 * kBlocksN), e % 4); }
    CAMBIUM_DEVICE static int column(int e) { return dev::accumulator_column(e / 4 % kBlocksN, e % 4); }
    // For pipeline.cuh's slices: four rows of eight columns are written together.
    CAMBIUM_DEVICE static int swizzle(int row) { return row % 4 * 2; }

  private:
    dev::Accumulator<M / 16, N / 8> sum_;
};

// Lane l computes M/8 rows and N/4 columns, chosen so that the 8 lanes which shared memory serves at once read 8
// different 16-byte chunks of A and one of B.
template <Major major_a, Major major_b, int M, int N>
class CoreTile {
  public:
    static constexpr int kDepth = 4;  // one 16-byte load along k
    static constexpr int kRows = M / 8, kColumns = N / 4;
    static constexpr int kElements = kRows * kColumns;
    static constexpr int kRun = 4;

    struct Fragments {
        float a[kRows][kDepth];
        float b[kDepth][kColumns];
    };
    template <class AtA, class AtB>
    CAMBIUM_DEVICE static void load(Fragments& f, AtA&& at_a, AtB&& at_b) {
        if constexpr (major_a == Major::k) {
            for (int i = 0; i < kRows; ++i) {
                const float4 v = dev::load_vector<float4>(at_a(row_of(i), 0));
                f.a[i][0] = v.x, f.a[i][1] = v.y, f.a[i][2] = v.z, f.a[i][3] = v.w;
            }
        } else {
            for (int i = 0; i < kRows; i += 4) {
                for (int k = 0; k < kDepth; ++k) {
                    const float4 v = dev::load_vector<float4>(at_a(row_of(i), k));
                    f.a[i][k] = v.x, f.a[i + 1][k] = v.y, f.a[i + 2][k] = v.z, f.a[i + 3][k] = v.w;
                }
            }
        }
        if constexpr (major_b == Major::k) {
            for (int j = 0; j < kColumns; ++j) {
                const float4 v = dev::load_vector<float4>(at_b(0, column_of(j)));
                f.b[0][j] = v.x, f.b[1][j] = v.y, f.b[2][j] = v.z, f.b[3][j] = v.w;
            }
        } else {
            for (int j = 0; j < kColumns; j += 4) {
                for (int k = 0; k < kDepth; ++k) {
                    const float4 v = dev::load_vector<float4>(at_b(k, column_of(j)));
                    f.b[k][j] = v.x, f.b[k][j + 1] = v.y, f.b[k][j + 2] = v.z, f.b[k][j + 3] = v.w;
                }
            }
        }
    }
    CAMBIUM_DEVICE void clear() {
        for (int e = 0; e < kElements; ++e) element(e) = 0.0f;
    }
    CAMBIUM_DEVICE void multiply(const Fragments& f) {
        for (int k = 0; k < kDepth; ++k) {
            for (int i = 0; i < kRows; ++i) {
                for (int j = 0; j < kColumns; ++j) sum_[i][j] += f.a[i][k] * f.b[k][j];
            }
        }
    }
    CAMBIUM_DEVICE float& element(int e) { return sum_[e / kColumns][e % kColumns]; }
    CAMBIUM_DEVICE static int row(int e) { return row_of(e / kColumns); }
    CAMBIUM_DEVICE static int column(int e) { return column_of(e % kColumns); }
    // For pipeline.cuh's slices: four columns of eight rows are written together, and these are the rows' numbers.
    CAMBIUM_DEVICE static int swizzle(int row) { return (major_a == Major::k ? row : row / 4) % 8; }

  private:
    CAMBIUM_DEVICE static int row_of(int i) {
        const int lane = static_cast<int>(dev::lane_index()) % 8;
        return major_a == Major::k ? lane + 8 * i : 4 * lane + 32 * (i / 4) + i % 4;
    }
    CAMBIUM_DEVICE static int column_of(int j) {
        return 4 * (static_cast<int>(dev::lane_index()) / 8) + 16 * (j / 4) + j % 4;
    }
    float sum_[kRows][kColumns];
};

}  // namespace cambium::gemm
