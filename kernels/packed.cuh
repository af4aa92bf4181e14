// Runs of Width neighbouring activations, f32 or bf16, for kernels that memory bounds: moved as one access of 16 bytes
// where channels allow it, else element by element, and computed with as f32.
#pragma once

#include <type_traits>

#include "kernels/gpu.h"

namespace cambium::dev {

// Elements of T in 16 bytes, the widest access there is.
template <class T>
inline constexpr int kWide = 16 / static_cast<int>(sizeof(T));

template <class T, int Width>
struct Packed {
    std::conditional_t<Width == 1, T, Vector<T, Width == 1 ? kWide<T> : Width>> raw;

    CAMBIUM_DEVICE float operator[](int i) const {
        if constexpr (Width == 1) {
            return static_cast<float>(raw);
        } else {
            return static_cast<float>(raw[i]);
        }
    }
};

template <int Width, class T>
CAMBIUM_DEVICE Packed<T, Width> load_packed(const T* address) {
    return load_vector<Packed<T, Width>>(address);
}

template <class T, int Width>
CAMBIUM_DEVICE void store_packed(T* address, const float (&values)[Width]) {
    if constexpr (Width == 1) {
        *address = T(values[0]);
    } else {
        Vector<T, Width> elements;
#pragma unroll
        for (int i = 0; i < Width; ++i) elements[i] = T(values[i]);
        store_vector(address, elements);
    }
}

// Width parameters or sums, which are f32: 16 bytes at a time where there are as many.
template <int Width>
CAMBIUM_DEVICE void load_floats(const float* address, float (&values)[Width]) {
    if constexpr (Width % 4 == 0) {
#pragma unroll
        for (int i = 0; i < Width; i += 4) {
            const auto four = load_vector<Vector<float, 4>>(address + i);
#pragma unroll
            for (int j = 0; j < 4; ++j) values[i + j] = four[j];
        }
    } else {
#pragma unroll
        for (int i = 0; i < Width; ++i) values[i] = address[i];
    }
}
template <int Width>
CAMBIUM_DEVICE void store_floats(float* address, const float (&values)[Width]) {
    if constexpr (Width % 4 == 0) {
#pragma unroll
        for (int i = 0; i < Width; i += 4) {
            store_vector(address + i, Vector<float, 4>{{values[i], values[i + 1], values[i + 2], values[i + 3]}});
        }
    } else {
#pragma unroll
        for (int i = 0; i < Width; ++i) address[i] = values[i];
    }
}

}  // namespace cambium::dev
