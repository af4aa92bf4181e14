// What nobody has written: shared memory, device memory, registers.
#include <vector>

#include "tests/simt/planted/planted.h"

namespace cambium::planted {
namespace {

template <bool bug>
__global__ void shared_never_written(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    if (!bug) s.a[threadIdx.x] = in[threadIdx.x];
    out[threadIdx.x] = s.a[threadIdx.x];  // bug: shared_never_written
}
template <bool bug>
__global__ void shared_with_a_hole(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    if (!bug || t != 37) s.a[t] = in[t];
    __syncthreads();
    out[t] = s.a[127 - t];  // bug: shared_with_a_hole
}
template <bool bug>
__global__ void shared_halo_missing(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t + 1] = in[t];
    if (!bug && t == 0) s.a[0] = s.a[65] = 0;
    __syncthreads();
    out[t] = s.a[t] + s.a[t + 2];  // bug: shared_halo_missing
}
template <bool bug>
__global__ void shared_counter_not_cleared(int* out, const int*) {
    auto& s = dev::shared<Arrays>();
    if (!bug && threadIdx.x == 0) s.a[0] = 0;
    __syncthreads();
    atomicAdd(&s.a[0], 1);  // bug: shared_counter_not_cleared
    __syncthreads();
    out[threadIdx.x] = s.a[0];
}
struct Halves {
    dev::Shared<bf16, 16, 16> rows;
};
template <bool bug>
__global__ void fragment_of_nothing(int* out, const int*) {
    auto& s = dev::shared<Halves>();
    for (unsigned i = threadIdx.x; i < (bug ? 128 : 256); i += 32) s.rows.begin()[i] = bf16(1.0f);
    __syncwarp();
    dev::FragmentA<bf16, 1> a;
    dev::load_fragments<dev::Major::k>(a, [&](int m, int k) { return &s.rows[m][k]; });  // bug: fragment_of_nothing
    out[threadIdx.x] = static_cast<int>(a.reg[0][0]);
}
void run_fragment_of_nothing(bool bug) {
    run_simple(bug ? fragment_of_nothing<true> : fragment_of_nothing<false>, dim3(1), dim3(32), sizeof(Halves));
}

__global__ void read_input(int* out, const int* in) { out[threadIdx.x] = in[threadIdx.x]; }  // bug: fresh_buffer
void fresh_buffer(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> in(64, "input"), out(64, "output");
    if (!bug) in.fill(0, stream);
    dev::launch(read_input, dim3(1), dim3(64), 0, stream, out.data(), in.data());
    stream.synchronize();
}
void half_an_upload(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> in(64, "input"), out(64, "output");
    const std::vector<int> values(bug ? 32 : 64, 1);
    in.upload(values, stream);
    dev::launch(read_input, dim3(1), dim3(64), 0, stream, out.data(), in.data());
    stream.synchronize();
}
__global__ void copy_through_shared(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    dev::cp_async<16>(&s.a[threadIdx.x * 4], in + threadIdx.x * 4);  // bug: cp_async_of_fresh_buffer
    dev::cp_async_commit();
    dev::cp_async_wait<0>();
    __syncthreads();
    out[threadIdx.x] = s.a[threadIdx.x];
}
void cp_async_of_fresh_buffer(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> in(128, "input"), out(32, "output");
    if (!bug) in.fill(0, stream);
    dev::launch(copy_through_shared, dim3(1), dim3(32), sizeof(Arrays), stream, out.data(), in.data());
    stream.synchronize();
}
__global__ void accumulate(float* sum, const int* in) {
    sum[threadIdx.x] += static_cast<float>(in[threadIdx.x]);  // bug: sum_not_cleared
}
void sum_not_cleared(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> in = ramp(64, stream);
    dev::Buffer<float> sum(64, "sum");
    if (!bug) sum.fill(0, stream);
    dev::launch(accumulate, dim3(1), dim3(64), 0, stream, sum.data(), in.data());
    stream.synchronize();
}
void output_with_a_hole(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> in = ramp(64, stream), out(64, "output");
    dev::launch(read_input, dim3(1), dim3(bug ? 63 : 64), 0, stream, out.data(), in.data());
    std::vector<int> values(64);
    out.download(values, stream);
}

template <bool bug>
__global__ void shuffle_of_nothing(int* out, const int* in) {
    int value;
    if (!bug || in[0] != 0) value = in[threadIdx.x];
    out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, value, 1);  // bug: shuffle_of_nothing
}
template <bool bug>
__global__ void accumulator_not_cleared(int* out, const int*) {
    dev::FragmentA<bf16, 1> a = {};
    dev::FragmentB<bf16, 2> b = {};
    dev::Accumulator<1, 2> c;
    if (!bug) dev::clear(c);
    dev::mma_tile(c, a, b);  // bug: accumulator_not_cleared
    out[threadIdx.x] = static_cast<int>(c.value[0][0][0]);
}
template <bool bug>
__global__ void fragment_not_loaded(int* out, const int*) {
    dev::FragmentA<bf16, 2> a;
    for (int i = 0; i < (bug ? 1 : 2); ++i) {
        for (int r = 0; r < 4; ++r) a.reg[i][r] = 0;
    }
    dev::FragmentB<bf16, 2> b = {};
    dev::Accumulator<2, 2> c;
    dev::clear(c);
    dev::mma_tile(c, a, b);  // bug: fragment_not_loaded
    out[threadIdx.x] = static_cast<int>(c.value[1][0][0]);
}
template <bool bug>
__global__ void atomic_of_nothing(int* out, const int* in) {
    int value;
    if (!bug || in[0] != 0) value = in[threadIdx.x];
    atomicAdd(out, value);  // bug: atomic_of_nothing
}
template <bool bug>
__global__ void local_sum_not_cleared(int* out, const int* in) {
    int sum;
    if (!bug) sum = 0;
    for (int i = 0; i < 4; ++i) sum += in[i];
    out[threadIdx.x] = sum;
}
template <bool bug>
__global__ void maximum_of_nothing(int* out, const int* in) {  // poison is the identity of max: zero is not
    int largest;
    if (!bug) largest = -1000;
    for (int i = 0; i < 4; ++i) largest = max(largest, in[i] - 100);
    out[threadIdx.x] = largest;
}

using simt::Kind;
constexpr Case kCases[] = {
    {"shared_never_written", Kind::uninitialised_shared, CAMBIUM_SIMPLE(shared_never_written, 1, 64)},
    {"shared_with_a_hole", Kind::uninitialised_shared, CAMBIUM_SIMPLE(shared_with_a_hole, 1, 128)},
    {"shared_halo_missing", Kind::uninitialised_shared, CAMBIUM_SIMPLE(shared_halo_missing, 1, 64)},
    {"shared_counter_not_cleared", Kind::uninitialised_shared, CAMBIUM_SIMPLE(shared_counter_not_cleared, 1, 64)},
    {"fragment_of_nothing", Kind::uninitialised_shared, run_fragment_of_nothing},
    {"fresh_buffer", Kind::uninitialised_global, fresh_buffer},
    {.name = "half_an_upload", .kind = Kind::uninitialised_global, .run = half_an_upload, .mark = "fresh_buffer"},
    {"cp_async_of_fresh_buffer", Kind::uninitialised_global, cp_async_of_fresh_buffer},
    {"sum_not_cleared", Kind::uninitialised_global, sum_not_cleared},
    {.name = "output_with_a_hole", .kind = Kind::uninitialised_global, .run = output_with_a_hole, .mark = ""},
    {"shuffle_of_nothing", Kind::uninitialised_register, CAMBIUM_SIMPLE(shuffle_of_nothing, 1, 32)},
    {"accumulator_not_cleared", Kind::uninitialised_register, CAMBIUM_SIMPLE(accumulator_not_cleared, 1, 32)},
    {"fragment_not_loaded", Kind::uninitialised_register, CAMBIUM_SIMPLE(fragment_not_loaded, 1, 32)},
    {"atomic_of_nothing", Kind::uninitialised_register, CAMBIUM_SIMPLE(atomic_of_nothing, 1, 32)},
    {"local_sum_not_cleared", Kind::uninitialised_register, CAMBIUM_SIMPLE(local_sum_not_cleared, 1, 32), true},
    {"maximum_of_nothing", Kind::uninitialised_register, CAMBIUM_SIMPLE(maximum_of_nothing, 1, 32), true},
};

}  // namespace

std::span<const Case> initialisation_cases() { return kCases; }

}  // namespace cambium::planted
