// Shared memory: one struct per kernel, placed in the block's dynamic shared memory. Its arrays are dev::Shared<T, N>;
// the checked build puts a red zone behind each, for else an overrun of one array into the next would be a valid
// access.
//
//   struct Tiles { dev::Shared<bf16, 64, 32> a; dev::Shared<float, 64> bias; };
//   auto& tiles = dev::shared<Tiles>();                 // launched with sizeof(Tiles) bytes, taken in the kernel's own
//   file
#pragma once

#include "kernels/gpu/language.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"  // int template parameters as array sizes

#if !defined(CAMBIUM_CUDA) && !defined(__CUDACC__)

namespace cambium::simt {

// What a kernel takes its dynamic shared memory as. `construct` (null for a plain array) runs once per block, before
// anything uses it; `type` names the type as __PRETTY_FUNCTION__ does: "... [with Layout = Tiles]".
struct SharedLayout {
    std::size_t bytes;
    unsigned element_bytes;  // of a plain array; else 0
    const char* type;
    void (*construct)(void*);
};
void* shared_memory(const SharedLayout& layout, dev::Site site);
// A dev::Shared at `array`: T[extents[0]][...], `bytes` in all with the red zone behind.
void shared_array_made(const void* array, std::size_t bytes, unsigned element_bytes, const int* extents, int rank);
[[gnu::noinline]] void shared_index_error(const void* array, long long index, long long size);

inline constexpr std::size_t kRedZone = 128;  // a full row of banks, so that what follows keeps its banks

}  // namespace cambium::simt

#endif

namespace cambium::dev {

// An array of shared memory, T[First][Rest]...; aligned for 16-byte accesses and for ldmatrix.
template <class T, int First, int... Rest>
struct Shared;

template <class T, int... Sizes>
struct SharedElement {
    using Type = T;
};
template <class T, int First, int... Rest>
struct SharedElement<T, First, Rest...> {
    using Type = typename SharedElement<T, Rest...>::Type[First];
};

template <class T, int First, int... Rest>
struct alignas(16) Shared {
    using Element = typename SharedElement<T, Rest...>::Type;
    union {  // storage without a value, as on the device
        Element data[First];
    };

#if defined(__CUDACC__)
    CAMBIUM_HOST_DEVICE Element& operator[](long long index) { return data[index]; }
    CAMBIUM_HOST_DEVICE const Element& operator[](long long index) const { return data[index]; }
#elif defined(__SANITIZE_THREAD__)
    alignas(16) unsigned char red_zone[simt::kRedZone];

    static constexpr int kExtents[] = {First, Rest...};
    Shared() { simt::shared_array_made(this, sizeof *this, sizeof(T), kExtents, 1 + sizeof...(Rest)); }

    [[gnu::always_inline]] Element& operator[](long long index) {
        if (index < 0 || index > First) simt::shared_index_error(this, index, First);
        return *(&data[0] + index);
    }
    [[gnu::always_inline]] const Element& operator[](long long index) const {
        if (index < 0 || index > First) simt::shared_index_error(this, index, First);
        return *(&data[0] + index);
    }
#else
    Shared() {}
    Element& operator[](long long index) { return data[index]; }
    const Element& operator[](long long index) const { return data[index]; }
#endif
    // The first element, for address arithmetic over all dimensions.
    CAMBIUM_HOST_DEVICE T* begin() { return reinterpret_cast<T*>(&data[0]); }
    CAMBIUM_HOST_DEVICE const T* begin() const { return reinterpret_cast<const T*>(&data[0]); }
};

#if defined(CAMBIUM_DEVICE)

// The block's dynamic shared memory as a Layout. The launch must give at least sizeof(Layout) bytes.
template <class Layout>
CAMBIUM_DEVICE Layout& shared([[maybe_unused]] Site site = Site::here()) {
#if defined(__CUDACC__)
    extern __shared__ __align__(1024) unsigned char cambium_dynamic_shared[];
    return *reinterpret_cast<Layout*>(cambium_dynamic_shared);
#else
    static_assert(alignof(Layout) <= 1024, "shared memory is aligned to 1024 bytes");
    constexpr auto construct = [](void* memory) { new (memory) Layout; };
    return *static_cast<Layout*>(simt::shared_memory({sizeof(Layout), 0, __PRETTY_FUNCTION__, construct}, site));
#endif
}

// The same as a plain array of `count` elements, for sizes known only at the launch.
template <class T>
CAMBIUM_DEVICE T* shared_array([[maybe_unused]] std::size_t count, [[maybe_unused]] Site site = Site::here()) {
#if defined(__CUDACC__)
    extern __shared__ __align__(1024) unsigned char cambium_dynamic_shared[];
    return reinterpret_cast<T*>(cambium_dynamic_shared);
#else
    return static_cast<T*>(simt::shared_memory({count * sizeof(T), sizeof(T), __PRETTY_FUNCTION__, nullptr}, site));
#endif
}

#endif

}  // namespace cambium::dev

#pragma GCC diagnostic pop
