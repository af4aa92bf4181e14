// cuBLASLt's functions as this project calls them, computing on the CPU in double from nothing but what the descriptors
// say: column-major matrices, leading dimensions, transposes. So a test without a GPU proves that they say the right
// thing. What they must not be given is answered with an error, as the library would.
#include <cublasLt.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <span>
#include <vector>

#include "engine/base/numeric.h"

namespace {

using cambium::bf16;

struct Layout {
    cudaDataType type;
    std::int64_t rows, columns, stride;
    double read(const void* data, std::int64_t row, std::int64_t column) const {
        const std::int64_t at = column * stride + row;
        if (type == CUDA_R_32F) return static_cast<double>(static_cast<const float*>(data)[at]);
        return static_cast<double>(static_cast<float>(static_cast<const bf16*>(data)[at]));
    }
    void write(void* data, std::int64_t row, std::int64_t column, double value) const {
        const std::int64_t at = column * stride + row;
        if (type == CUDA_R_32F) {
            static_cast<float*>(data)[at] = static_cast<float>(value);
        } else {
            static_cast<bf16*>(data)[at] = bf16(static_cast<float>(value));
        }
    }
};

struct Product {
    cublasComputeType_t compute;
    cudaDataType scale;
    std::map<int, std::vector<unsigned char>> attributes;
    template <class T>
    T get(cublasLtMatmulDescAttributes_t name, T fallback) const {
        const auto found = attributes.find(name);
        if (found == attributes.end()) return fallback;
        T value{};
        std::memcpy(&value, found->second.data(), sizeof value);
        return value;
    }
};

struct Preference {
    std::map<int, std::uint64_t> limits;
};

const Layout& of(cublasLtMatrixLayout_t layout) { return *reinterpret_cast<const Layout*>(layout); }
const Product& of(cublasLtMatmulDesc_t product) { return *reinterpret_cast<const Product*>(product); }

std::size_t size_of_attribute(cublasLtMatmulDescAttributes_t name) {
    return name == CUBLASLT_MATMUL_DESC_BIAS_POINTER ? sizeof(void*) : sizeof(std::int32_t);
}

// Whether types and shapes go together: op(A) [m, k], op(B) [k, n], D [m, n].
bool is_consistent(const Product& p, const Layout& a, const Layout& b, const Layout& d) {
    const bool ta = p.get(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_N) == CUBLAS_OP_T;
    const bool tb = p.get(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N) == CUBLAS_OP_T;
    const std::int64_t m = ta ? a.columns : a.rows, k = ta ? a.rows : a.columns;
    const bool shapes = (tb ? b.columns : b.rows) == k && (tb ? b.rows : b.columns) == d.columns && d.rows == m;
    const bool low = a.type == CUDA_R_16BF;
    const bool types = a.type == b.type && p.scale == CUDA_R_32F && (low || d.type == CUDA_R_32F) &&
                       (p.compute == CUBLAS_COMPUTE_32F || (!low && p.compute == CUBLAS_COMPUTE_32F_FAST_TF32));
    const bool strides = a.stride >= a.rows && b.stride >= b.rows && d.stride >= d.rows;
    return shapes && types && strides;
}

constexpr std::size_t workspace = 4096;
enum Algorithm : int { refuses = 7, works = 66 };
std::uint64_t handles = 0;

}  // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
    ++handles;
    *handle = reinterpret_cast<cublasLtHandle_t>(&handles);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t) { return CUBLAS_STATUS_SUCCESS; }
size_t cublasLtGetVersion() { return 130100; }
const char* cublasLtGetStatusString(cublasStatus_t status) {
    return status == CUBLAS_STATUS_NOT_SUPPORTED ? "not supported" : "invalid value";
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* product, cublasComputeType_t compute,
                                        cudaDataType scale) {
    *product = reinterpret_cast<cublasLtMatmulDesc_t>(new Product{compute, scale, {}});
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
    delete reinterpret_cast<Product*>(product);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t name,
                                              const void* value, size_t bytes) {
    if (bytes != size_of_attribute(name)) return CUBLAS_STATUS_INVALID_VALUE;
    const auto* from = static_cast<const unsigned char*>(value);
    reinterpret_cast<Product*>(product)->attributes[name].assign(from, from + bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t stride) {
    *layout = reinterpret_cast<cublasLtMatrixLayout_t>(
        new Layout{type, static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns), stride});
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    delete reinterpret_cast<Layout*>(layout);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
    *preference = reinterpret_cast<cublasLtMatmulPreference_t>(new Preference);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    delete reinterpret_cast<Preference*>(preference);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t name, const void* value,
                                                    size_t bytes) {
    const bool wide = name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
    if (bytes != (wide ? sizeof(std::uint64_t) : sizeof(std::uint32_t))) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&reinterpret_cast<Preference*>(preference)->limits[name], value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t product, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                              cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference,
                                              int wanted, cublasLtMatmulHeuristicResult_t* found, int* count) {
    auto limits = reinterpret_cast<Preference*>(preference)->limits;
    if (c != d || wanted < 2 || !is_consistent(of(product), of(a), of(b), of(d))) return CUBLAS_STATUS_INVALID_VALUE;
    if (limits[CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES] < workspace) return CUBLAS_STATUS_INVALID_VALUE;
    *count = 2;
    for (int i = 0; i < 2; ++i) {  // the first guess is one that then refuses to run
        found[i] = {};
        found[i].algo.data[0] = i == 0 ? refuses : works;
        found[i].workspaceSize = workspace;
        found[i].state = CUBLAS_STATUS_SUCCESS;
    }
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algorithm,
                                                    cublasLtMatmulAlgoConfigAttributes_t name, void* value,
                                                    size_t bytes, size_t* written) {
    if (name != CUBLASLT_ALGO_CONFIG_ID || bytes != sizeof(int)) return CUBLAS_STATUS_INVALID_VALUE;
    *static_cast<int*>(value) = static_cast<int>(algorithm->data[0]);
    *written = bytes;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t product, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm, void* space,
                              size_t bytes, cudaStream_t stream) {
    const Product& p = of(product);
    const Layout &la = of(a_layout), &lb = of(b_layout), &lc = of(c_layout), &ld = of(d_layout);
    if (handle == nullptr || stream == nullptr || space == nullptr || bytes < workspace) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (!is_consistent(p, la, lb, ld)) return CUBLAS_STATUS_INVALID_VALUE;
    if (algorithm->data[0] != works) return CUBLAS_STATUS_NOT_SUPPORTED;
    std::memset(space, 0xff, bytes);
    const bool ta = p.get(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_N) == CUBLAS_OP_T;
    const bool tb = p.get(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N) == CUBLAS_OP_T;
    const auto epilogue = p.get(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_DEFAULT);
    const auto* bias = p.get<const void*>(CUBLASLT_MATMUL_DESC_BIAS_POINTER, nullptr);
    const bool adds_bias = (epilogue & CUBLASLT_EPILOGUE_BIAS) != 0;
    if (adds_bias && bias == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    const auto factor = static_cast<double>(*static_cast<const float*>(alpha)),
               kept = static_cast<double>(*static_cast<const float*>(beta));
    const std::int64_t depth = ta ? la.rows : la.columns;
    const Layout row{ld.type, ld.rows, 1, ld.rows};
    for (std::int64_t j = 0; j < ld.columns; ++j) {
        for (std::int64_t i = 0; i < ld.rows; ++i) {
            double sum = 0;
            for (std::int64_t k = 0; k < depth; ++k) {
                sum += (ta ? la.read(a, k, i) : la.read(a, i, k)) * (tb ? lb.read(b, j, k) : lb.read(b, k, j));
            }
            sum *= factor;
            if (kept != 0) sum += kept * lc.read(c, i, j);
            if (adds_bias) sum += row.read(bias, i, 0);
            if ((epilogue & CUBLASLT_EPILOGUE_RELU) != 0) sum = std::max(sum, 0.0);
            ld.write(d, i, j, sum);
        }
    }
    return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
