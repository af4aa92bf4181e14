// Row-major matrices are cuBLASLt's column-major ones transposed, so D' = op(B)' op(A)': the operands change places,
// M and N too, and the bias of a column becomes cuBLASLt's bias of a row.
#include "engine/backends/gpu/vendor_blas.h"

#include <cublasLt.h>

#include <array>

#include "engine/backends/gpu/vendor_library.h"
#include "engine/base/fail.h"

namespace cambium::gpu {
namespace {

constexpr int most_candidates = 16;
constexpr std::size_t most_workspace = 64 << 20;  // twice what NVIDIA advises for Hopper
constexpr std::uint32_t alignment = 16;

cudaDataType_t type_of(DType dtype) { return dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

constexpr std::array files{"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"};

struct Functions {
    Functions() : library("cuBLASLt", "CAMBIUM_CUBLASLT", files) {
        library.find(create, "cublasLtCreate");
        library.find(destroy, "cublasLtDestroy");
        library.find(version, "cublasLtGetVersion");
        library.find(status_text, "cublasLtGetStatusString");
        library.find(create_product, "cublasLtMatmulDescCreate");
        library.find(destroy_product, "cublasLtMatmulDescDestroy");
        library.find(set_product, "cublasLtMatmulDescSetAttribute");
        library.find(create_layout, "cublasLtMatrixLayoutCreate");
        library.find(destroy_layout, "cublasLtMatrixLayoutDestroy");
        library.find(create_preference, "cublasLtMatmulPreferenceCreate");
        library.find(destroy_preference, "cublasLtMatmulPreferenceDestroy");
        library.find(set_preference, "cublasLtMatmulPreferenceSetAttribute");
        library.find(heuristic, "cublasLtMatmulAlgoGetHeuristic");
        library.find(algorithm, "cublasLtMatmulAlgoConfigGetAttribute");
        library.find(matmul, "cublasLtMatmul");
    }
    void check(cublasStatus_t status, const char* what) const {
        if (status != CUBLAS_STATUS_SUCCESS) fail("cuBLASLt failed in {}: {}", what, status_text(status));
    }

    Library library;
    decltype(&cublasLtCreate) create = nullptr;
    decltype(&cublasLtDestroy) destroy = nullptr;
    decltype(&cublasLtGetVersion) version = nullptr;
    decltype(&cublasLtGetStatusString) status_text = nullptr;
    decltype(&cublasLtMatmulDescCreate) create_product = nullptr;
    decltype(&cublasLtMatmulDescDestroy) destroy_product = nullptr;
    decltype(&cublasLtMatmulDescSetAttribute) set_product = nullptr;
    decltype(&cublasLtMatrixLayoutCreate) create_layout = nullptr;
    decltype(&cublasLtMatrixLayoutDestroy) destroy_layout = nullptr;
    decltype(&cublasLtMatmulPreferenceCreate) create_preference = nullptr;
    decltype(&cublasLtMatmulPreferenceDestroy) destroy_preference = nullptr;
    decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference = nullptr;
    decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic = nullptr;
    decltype(&cublasLtMatmulAlgoConfigGetAttribute) algorithm = nullptr;
    decltype(&cublasLtMatmul) matmul = nullptr;
};

// What a product is to cuBLASLt. The bias' address is part of the description, hence every call has one of its own.
class Description {
  public:
    Description(const Functions& lt, const BlasProduct& p) : lt_(lt) {
        const auto compute = p.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
        lt.check(lt.create_product(&product, compute, CUDA_R_32F), "cublasLtMatmulDescCreate");
        set(CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
        set(CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
        set(CUBLASLT_MATMUL_DESC_EPILOGUE, p.bias   ? (p.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS)
                                           : p.relu ? CUBLASLT_EPILOGUE_RELU
                                                    : CUBLASLT_EPILOGUE_DEFAULT);
        first = matrix(p.operands, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n);
        second = matrix(p.operands, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k);
        result = matrix(p.result, p.m, p.n);
    }
    ~Description() {
        for (cublasLtMatrixLayout_t layout : {first, second, result}) {
            if (layout != nullptr) lt_.destroy_layout(layout);
        }
        if (product != nullptr) lt_.destroy_product(product);
    }
    Description(const Description&) = delete;
    Description& operator=(const Description&) = delete;

    template <class T>
    void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
        lt_.check(lt_.set_product(product, attribute, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
    }

    cublasLtMatmulDesc_t product = nullptr;
    cublasLtMatrixLayout_t first = nullptr, second = nullptr, result = nullptr;

  private:
    // Stored row-major [rows, columns].
    cublasLtMatrixLayout_t matrix(DType dtype, std::int64_t rows, std::int64_t columns) const {
        cublasLtMatrixLayout_t layout = nullptr;
        lt_.check(lt_.create_layout(&layout, type_of(dtype), static_cast<std::uint64_t>(columns),
                                    static_cast<std::uint64_t>(rows), columns),
                  "cublasLtMatrixLayoutCreate");
        return layout;
    }
    const Functions& lt_;
};

class Preference {
  public:
    explicit Preference(const Functions& lt) : lt_(lt) {
        lt.check(lt.create_preference(&value), "cublasLtMatmulPreferenceCreate");
        set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{most_workspace});
        for (const auto operand :
             {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
              CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
            set(operand, alignment);
        }
    }
    ~Preference() { lt_.destroy_preference(value); }
    Preference(const Preference&) = delete;
    Preference& operator=(const Preference&) = delete;
    cublasLtMatmulPreference_t value = nullptr;

  private:
    template <class T>
    void set(cublasLtMatmulPreferenceAttributes_t attribute, const T& setting) {
        lt_.check(lt_.set_preference(value, attribute, &setting, sizeof setting),
                  "cublasLtMatmulPreferenceSetAttribute");
    }
    const Functions& lt_;
};

std::string text_of(std::size_t version) {
    return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

struct Call {
    Call(const Functions& lt, const BlasProduct& product) : description(lt, product) {}
    Description description;
    std::array<void*, 5> operands{};
    void* workspace = nullptr;
};

}  // namespace

struct Blas::State {
    Functions lt;
    cublasLtHandle_t handle = nullptr;
    ~State() {
        if (handle != nullptr) lt.destroy(handle);
    }
};

class Blas::Plan final : public VendorPlan {
  public:
    Plan(std::shared_ptr<const State> state, const BlasProduct& product, const cublasLtMatmulHeuristicResult_t& found,
         void* stream)
        : state_(std::move(state)), product_(product), algorithm_(found.algo), stream_(stream) {
        workspace_bytes = found.workspaceSize;
        int id = -1;
        std::size_t written = 0;
        state_->lt.algorithm(&algorithm_, CUBLASLT_ALGO_CONFIG_ID, &id, sizeof id, &written);
        name = fmt::format("cuBLASLt {} algorithm {}", text_of(state_->lt.version()), id);
    }
    std::function<void()> bind(std::span<void* const> operands, void* workspace) const override {
        const auto call = std::make_shared<Call>(state_->lt, product_);
        std::ranges::copy(operands, call->operands.begin());
        call->workspace = workspace;
        if (product_.bias) {
            const void* bias = call->operands[3];
            call->description.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
        }
        return [this, call] { run(*call); };
    }

  private:
    void run(const Call& call) const {
        const auto& [a, b, d, bias, c] = call.operands;
        const Description& what = call.description;
        const float one = 1, beta = product_.add ? 1 : 0;
        const Functions& lt = state_->lt;
        lt.check(lt.matmul(state_->handle, what.product, &one, b, what.first, a, what.second, &beta,
                           product_.add ? c : d, what.result, d, what.result, &algorithm_, call.workspace,
                           workspace_bytes, static_cast<cudaStream_t>(stream_)),
                 "cublasLtMatmul");
    }
    std::shared_ptr<const State> state_;
    BlasProduct product_;
    cublasLtMatmulAlgo_t algorithm_;
    void* stream_;
};

Blas::Blas() : state_(std::make_shared<State>()) {}
Blas::~Blas() = default;

std::string Blas::version() const { return text_of(state_->lt.version()); }

std::unique_ptr<VendorPlan> Blas::fastest(const BlasProduct& product, Trial& trial, void* stream) {
    const Functions& lt = state_->lt;
    if (state_->handle == nullptr) lt.check(lt.create(&state_->handle), "cublasLtCreate");
    Description what(lt, product);
    if (product.bias) {  // heuristics look at the address' alignment only
        const void* aligned = reinterpret_cast<const void*>(std::uintptr_t{256});
        what.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, aligned);
    }
    const Preference preference(lt);
    std::array<cublasLtMatmulHeuristicResult_t, most_candidates> found{};
    int count = 0;
    const cublasStatus_t status = lt.heuristic(state_->handle, what.product, what.first, what.second, what.result,
                                               what.result, preference.value, most_candidates, found.data(), &count);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return nullptr;
    lt.check(status, "cublasLtMatmulAlgoGetHeuristic");
    std::vector<std::unique_ptr<VendorPlan>> plans;
    for (const auto& one : std::span(found).first(static_cast<std::size_t>(count))) {
        if (one.state != CUBLAS_STATUS_SUCCESS) continue;
        plans.push_back(std::make_unique<Plan>(state_, product, one, stream));
    }
    const auto bytes = [](std::int64_t rows, std::int64_t columns, DType dtype) {
        return static_cast<std::size_t>(rows * columns) * size_of(dtype);
    };
    const std::size_t result = bytes(product.m, product.n, product.result);
    const std::array<std::size_t, 5> sizes{
        bytes(product.m, product.k, product.operands), bytes(product.k, product.n, product.operands), result,
        product.bias ? bytes(1, product.n, product.result) : 0, product.add ? result : 0};
    return gpu::fastest(std::move(plans), sizes, trial);
}

}  // namespace cambium::gpu
