// Stray accesses: beyond buffers, arrays and types, through pointers that a kernel may not use, to memory that is gone.
#include <vector>

#include "tests/simt/planted/planted.h"

namespace cambium::planted {
namespace {

template <bool bug>
__global__ void read_one_too_many(int* out, const int* in) {
    out[threadIdx.x] = in[threadIdx.x + (bug ? 1 : 0)];  // bug: read_one_too_many
}
template <bool bug>
__global__ void write_one_too_many(int* out, const int* in) {
    const unsigned i = threadIdx.x;
    if (bug || i < 256) out[i] = in[i % 256];  // bug: write_one_too_many
}
template <bool bug>
__global__ void read_before_begin(int* out, const int* in) {
    const int i = static_cast<int>(threadIdx.x);
    out[i] = bug || i > 0 ? in[i - 1] : 0;  // bug: read_before_begin
}
template <bool bug>
__global__ void vector_tail(int* out, const int* in) {  // 255 elements are 63 vectors and a rest
    const unsigned i = threadIdx.x;
    if (i < (bug ? 64 : 63)) {
        const int4 v = dev::load_vector<int4>(in + 4 * i);  // bug: vector_tail
        out[i] = v.x + v.y + v.z + v.w;
    }
}
void run_vector_tail(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> in = ramp(255, stream), out(64, "output");
    dev::launch(bug ? vector_tail<true> : vector_tail<false>, dim3(1), dim3(64), 0, stream, out.data(), in.data());
    stream.synchronize();
}
template <bool bug>
__global__ void wrong_stride(int* out, const int* in, int rows, int columns) {
    const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
    out[y * columns + x] = in[bug ? x * columns + y : y * columns + x];  // bug: wrong_stride
}
void run_wrong_stride(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> in = ramp(8 * 32, stream), out(8 * 32, "output");
    dev::launch(bug ? wrong_stride<true> : wrong_stride<false>, dim3(1), dim3(32, 8), 0, stream,
                dev::writes(out.data(), "output", {8, 32}), dev::reads(in.data(), "input", {8, 32}), 8, 32);
    stream.synchronize();
}

template <bool bug>
__global__ void shared_overrun_by_one(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t + (bug ? 1 : 0)] = in[t];  // bug: shared_overrun_by_one
    __syncthreads();
    out[t] = s.a[bug ? 255 : t];
}
template <bool bug>
__global__ void shared_overrun_by_far(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.b[t] = in[t];
    __syncthreads();
    if (bug && t == 3) s.a[300] = 1;  // bug: shared_overrun_by_far
    __syncthreads();
    out[t] = s.b[t];
}
template <bool bug>
__global__ void shared_negative_index(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const int t = static_cast<int>(threadIdx.x);
    s.b[bug ? t - 1 : t] = in[t];  // bug: shared_negative_index
    __syncthreads();
    out[t] = bug ? 0 : s.b[t];
}
struct Matrix {
    dev::Shared<int, 8, 32> rows;
    dev::Shared<int, 32> tail;
};
struct Flag {
    dev::Shared<bool, 1> last;
};
template <bool bug>
__global__ void shared_row_overrun(int* out, const int* in) {  // the column runs into the next row
    auto& s = dev::shared<Matrix>();
    const unsigned x = threadIdx.x % 32, y = threadIdx.x / 32;
    s.rows[y][x + (bug ? 1 : 0)] = in[threadIdx.x];  // bug: shared_row_overrun
    __syncthreads();
    out[threadIdx.x] = s.rows[y][bug ? 1 : x];
}
void run_shared_row_overrun(bool bug) {
    run_simple(bug ? shared_row_overrun<true> : shared_row_overrun<false>, dim3(1), dim3(256), sizeof(Matrix));
}
template <bool bug>
__global__ void beyond_dynamic_shared(int* out, const int* in) {
    int* s = dev::shared_array<int>(64);
    const unsigned t = threadIdx.x;
    if (bug || t < 64) s[t] = in[t];  // bug: beyond_dynamic_shared
    __syncthreads();
    out[t] = s[t % 64];
}
void run_beyond_dynamic_shared(bool bug) {
    run_simple(bug ? beyond_dynamic_shared<true> : beyond_dynamic_shared<false>, dim3(1), dim3(128), 64 * sizeof(int));
}

template <bool bug>
__global__ void beyond_what_was_taken(int* out, const int* in) {  // the launch gives more than the kernel takes
    int* s = dev::shared_array<int>(64);
    const unsigned t = threadIdx.x;
    s[t + (bug ? 1 : 0)] = in[t];  // bug: beyond_what_was_taken
    __syncthreads();
    out[t] = s[bug ? 1 : t];
}
template <bool bug>
__global__ void one_byte_too_far(int* out, const int*) {  // the array ends before its alignment does
    auto& s = dev::shared<Flag>();
    bool* const flag = s.last.begin();
    if (threadIdx.x < (bug ? 2u : 1u)) flag[threadIdx.x] = true;  // bug: one_byte_too_far
    __syncthreads();
    out[threadIdx.x] = flag[0] ? 1 : 0;
}
void run_one_byte_too_far(bool bug) {
    run_simple(bug ? one_byte_too_far<true> : one_byte_too_far<false>, dim3(1), dim3(32), sizeof(Flag));
}
template <bool bug>
__global__ void two_shared_structs(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();  // bug: two_shared_structs
    const unsigned t = threadIdx.x;
    s.a[t] = in[t];
    if (bug) dev::shared<Matrix>().tail[t] = 0;  // bug: two_shared_structs
    __syncthreads();
    out[t] = s.a[t ^ 1];
}
__device__ int total = 0;
template <bool bug>
__global__ void device_variable(int* out, const int* in) {
    atomicAdd(bug ? &total : out, in[threadIdx.x]);  // bug: device_variable
}
template <bool bug>
__global__ void register_array_overrun(int* out, const int* in) {
    int window[4];
    for (int i = 0; i < 4; ++i) window[i] = in[i];
    int sum = 0;
    for (int i = 0; i < (bug ? 5 : 4); ++i) sum += window[i];  // bug: register_array_overrun
    out[threadIdx.x] = sum;
}
template <bool bug>
__global__ void register_index_from_data(int* out, const int* in) {
    int counts[8] = {};
    for (int i = 0; i < 16; ++i) counts[in[i] % (bug ? 9 : 8)] += 1;  // bug: register_index_from_data
    out[threadIdx.x] = counts[threadIdx.x % 8];
}

template <bool bug>
__global__ void misaligned_vector(int* out, const int* in) {
    const int4 v = dev::load_vector<int4>(in + 4 * threadIdx.x + (bug ? 1 : 0));  // bug: misaligned_vector
    out[threadIdx.x] = v.x;
}
template <bool bug>
__global__ void misaligned_shared_vector(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    for (unsigned i = t; i < 256; i += blockDim.x) s.a[i] = in[i];
    __syncthreads();
    const int* const pair = &s.a[3 * t + (bug || t % 2 == 0 ? 0 : 1)];
    const int2 v = *reinterpret_cast<const int2*>(pair);  // bug: misaligned_shared_vector
    out[t] = v.x + v.y;
}
struct Halves {
    dev::Shared<bf16, 16, 24> rows;
};
template <bool bug>
__global__ void misaligned_ldmatrix(int* out, const int*) {
    auto& s = dev::shared<Halves>();
    for (unsigned i = threadIdx.x; i < 16 * 24; i += 32) s.rows.begin()[i] = bf16(1.0f);
    __syncwarp();
    std::uint32_t reg[1][4];
    const auto row = [&](int) { return &s.rows[threadIdx.x % 16][threadIdx.x / 16 * 8 + (bug ? 2 : 0)]; };
    dev::load_matrices<false>(reg, row);  // bug: misaligned_ldmatrix
    out[threadIdx.x] = static_cast<int>(reg[0][0]);
}
void run_misaligned_ldmatrix(bool bug) {
    run_simple(bug ? misaligned_ldmatrix<true> : misaligned_ldmatrix<false>, dim3(1), dim3(32), sizeof(Halves));
}
template <bool bug>
__global__ void misaligned_cp_async(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    dev::cp_async<16>(&s.a[4 * t], in + 4 * t + (bug ? 2 : 0));  // bug: misaligned_cp_async
    dev::cp_async_commit();
    dev::cp_async_wait<0>();
    __syncthreads();
    out[t] = s.a[t];
}

template <bool bug>
__global__ void null_pointer(int* out, const int* in) {
    const int* source = bug ? nullptr : in;
    out[threadIdx.x] = source[threadIdx.x];  // bug: null_pointer
}
template <bool bug>
__global__ void host_pointer(int* out, const int* in) {
    out[threadIdx.x] = in[threadIdx.x];  // bug: host_pointer
}
void run_host_pointer(bool bug) {
    dev::Stream stream;
    std::vector<int> host(64, 1);
    dev::Buffer<int> device(host, stream, "input"), out(64, "output");
    dev::launch(host_pointer<true>, dim3(1), dim3(64), 0, stream, out.data(), bug ? host.data() : device.data());
    stream.synchronize();
}
struct Parameters {
    int* out;
    const int* const* sources;  // an array of pointers, which must itself be device memory
};
__global__ void nested_host_pointer(Parameters p) {
    p.out[threadIdx.x] = p.sources[0][threadIdx.x];  // bug: nested_host_pointer
}
void run_nested_host_pointer(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> in = ramp(64, stream), out(64, "output");
    const std::vector<const int*> sources{in.data()};
    dev::Buffer<const int*> device_sources(sources, stream, "sources");
    dev::launch(nested_host_pointer, dim3(1), dim3(64), 0, stream,
                Parameters{out.data(), bug ? sources.data() : device_sources.data()});
    stream.synchronize();
}
__global__ void host_write(int* out) { out[threadIdx.x] = 1; }  // bug: host_write
void run_host_write(bool bug) {
    dev::Stream stream;
    std::vector<int> host(64, 0);
    dev::Buffer<int> out(64, "output");
    dev::launch(host_write, dim3(1), dim3(64), 0, stream, bug ? host.data() : out.data());
    stream.synchronize();
}

__global__ void read_buffer(int* out, const int* in) { out[threadIdx.x] = in[threadIdx.x]; }  // bug: read_buffer
void use_after_free(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> out(64, "output");
    dev::Buffer<int> in = ramp(64, stream);
    const int* address = in.data();
    if (bug) {
        const dev::Buffer<int> gone = std::move(in);
    }
    dev::launch(read_buffer, dim3(1), dim3(64), 0, stream, out.data(), address);
    stream.synchronize();
}
void use_after_free_and_reuse(bool bug) {  // the next allocation must not take the place of the one just released
    dev::Stream stream;
    dev::Buffer<int> out(64, "output");
    dev::Buffer<int> in = ramp(64, stream);
    const int* address = in.data();
    if (bug) {
        const dev::Buffer<int> gone = std::move(in);
    }
    const dev::Buffer<int> next = ramp(64, stream, "next");
    dev::launch(read_buffer, dim3(1), dim3(64), 0, stream, out.data(), address);
    stream.synchronize();
}
void double_release(bool bug) {
    void* pointer = dev::allocate(64, "twice");
    dev::release(pointer);
    if (bug) dev::release(pointer);
}

struct Pointers {
    dev::Shared<const int*, 4> local;
    dev::Shared<int, 4> value;
};
template <bool bug>
__global__ void pointer_to_local(int* out, const int* in) {
    auto& s = dev::shared<Pointers>();
    int mine[2] = {in[threadIdx.x], 1};
    if (threadIdx.x == 0) {
        s.local[0] = mine;
        s.value[0] = mine[0];
    }
    __syncthreads();
    out[threadIdx.x] = bug ? s.local[0][0] : s.value[0];  // bug: pointer_to_local
}
void run_pointer_to_local(bool bug) {
    run_simple(bug ? pointer_to_local<true> : pointer_to_local<false>, dim3(1), dim3(64), sizeof(Pointers));
}
template <bool bug>
__global__ void big_local_array(int* out, const int* in) {  // bug: big_local_array
    constexpr int kSize = bug ? 100000 : 100;
    int big[kSize];
    for (int i = 0; i < kSize; i += 10) big[i] = in[i % 256];
    out[threadIdx.x] = big[in[threadIdx.x % 2] * 10];
}

template <bool bug>
__global__ void read_only_load_of_written(int* out, const int* in) {
    int* const cell = out + threadIdx.x;
    *cell = in[threadIdx.x];                             // bug: read_only_load_of_written
    const int value = bug ? dev::load_nc(cell) : *cell;  // bug: read_only_load_of_written
    out[threadIdx.x] = value + 1;
}
__global__ void write_to_input(const int* in) {
    const_cast<int*>(in)[threadIdx.x] = 1;  // bug: write_to_input
}
void run_write_to_input(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> in = ramp(64, stream);
    if (bug) {
        dev::launch(write_to_input, dim3(1), dim3(64), 0, stream, dev::reads(in.data(), "in", {64}));
    } else {
        dev::launch(write_to_input, dim3(1), dim3(64), 0, stream, dev::writes(in.data(), "in", {64}));
    }
    stream.synchronize();
}

template <bool bug>
__global__ void shared_struct_too_big(int* out, const int*) {
    auto& s = dev::shared<Arrays>();  // bug: shared_struct_too_big
    s.a[threadIdx.x] = 1;
    out[threadIdx.x] = s.a[threadIdx.x];
}
void run_shared_struct_too_big(bool bug) {
    run_simple(shared_struct_too_big<true>, dim3(1), dim3(64), bug ? 1024 : sizeof(Arrays));
}
void run_too_much_shared_memory(bool bug) {
    run_simple(shared_struct_too_big<false>, dim3(1), dim3(64), bug ? 300 << 10 : 200 << 10);
}

using simt::Kind;
constexpr Case kCases[] = {
    {"read_one_too_many", Kind::out_of_bounds, CAMBIUM_SIMPLE(read_one_too_many, 1, 256)},
    {"write_one_too_many", Kind::out_of_bounds, CAMBIUM_SIMPLE(write_one_too_many, 1, 288)},
    {"read_before_begin", Kind::out_of_bounds, CAMBIUM_SIMPLE(read_before_begin, 1, 256)},
    {"vector_tail", Kind::out_of_bounds, run_vector_tail},
    {"wrong_stride", Kind::out_of_bounds, run_wrong_stride},
    {"shared_overrun_by_one", Kind::shared_overrun, CAMBIUM_SIMPLE(shared_overrun_by_one, 1, 256)},
    {"shared_overrun_by_far", Kind::shared_overrun, CAMBIUM_SIMPLE(shared_overrun_by_far, 1, 64)},
    {"shared_negative_index", Kind::shared_overrun, CAMBIUM_SIMPLE(shared_negative_index, 1, 64)},
    {"shared_row_overrun", Kind::array_overrun, run_shared_row_overrun},
    {"beyond_dynamic_shared", Kind::shared_overrun, run_beyond_dynamic_shared},
    {"beyond_what_was_taken", Kind::shared_overrun, CAMBIUM_SIMPLE(beyond_what_was_taken, 1, 64)},
    {"one_byte_too_far", Kind::shared_overrun, run_one_byte_too_far},
    {"two_shared_structs", Kind::shared_memory_reuse, CAMBIUM_SIMPLE(two_shared_structs, 1, 32)},
    {"device_variable", Kind::host_memory, CAMBIUM_SIMPLE(device_variable, 1, 32)},
    {"register_array_overrun", Kind::array_overrun, CAMBIUM_SIMPLE(register_array_overrun, 1, 32)},
    {"register_index_from_data", Kind::array_overrun, CAMBIUM_SIMPLE(register_index_from_data, 1, 32)},
    {"misaligned_vector", Kind::misaligned, CAMBIUM_SIMPLE(misaligned_vector, 1, 32)},
    {"misaligned_shared_vector", Kind::misaligned, CAMBIUM_SIMPLE(misaligned_shared_vector, 1, 32)},
    {"misaligned_ldmatrix", Kind::misaligned, run_misaligned_ldmatrix},
    {"misaligned_cp_async", Kind::misaligned, CAMBIUM_SIMPLE(misaligned_cp_async, 1, 32)},
    {"null_pointer", Kind::null_pointer, CAMBIUM_SIMPLE(null_pointer, 1, 32)},
    {"host_pointer", Kind::host_memory, run_host_pointer},
    {"nested_host_pointer", Kind::host_memory, run_nested_host_pointer},
    {"host_write", Kind::host_memory, run_host_write},
    {.name = "use_after_free", .kind = Kind::use_after_free, .run = use_after_free, .mark = "read_buffer"},
    {.name = "use_after_free_and_reuse",
     .kind = Kind::use_after_free,
     .run = use_after_free_and_reuse,
     .mark = "read_buffer"},
    {.name = "double_release", .kind = Kind::invalid_release, .run = double_release, .mark = ""},
    {"pointer_to_local", Kind::foreign_local_memory, run_pointer_to_local},
    {"big_local_array", Kind::local_memory_exhausted, CAMBIUM_SIMPLE(big_local_array, 1, 32)},
    {"read_only_load_of_written", Kind::stale_read_only_load, CAMBIUM_SIMPLE(read_only_load_of_written, 1, 32)},
    {"write_to_input", Kind::undeclared_write, run_write_to_input},
    {"shared_struct_too_big", Kind::shared_memory_size, run_shared_struct_too_big},
    {.name = "too_much_shared_memory", .kind = Kind::shared_memory_size, .run = run_too_much_shared_memory, .mark = ""},
};

}  // namespace

std::span<const Case> memory_cases() { return kCases; }

}  // namespace cambium::planted
