// cuDNN's graph API as this project calls it, computing convolutions and attention on the CPU in double from nothing
// but what the descriptors say: sizes, strides, types. Attributes of the wrong type, graphs whose sizes do not fit, and
// descriptors that are used before they are finalized are errors. As with the library, nothing goes from bf16 to f32.
#include <cudnn.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <deque>
#include <map>
#include <span>
#include <vector>

#include "tests/engine/vendor/fake_descriptor.h"

namespace {

using fake::Descriptor, fake::View;

const Descriptor& of(cudnnBackendDescriptor_t descriptor) { return *static_cast<const Descriptor*>(descriptor); }

std::size_t size_of(cudnnBackendAttributeType_t type) {
    switch (type) {
        case CUDNN_TYPE_INT64:
        case CUDNN_TYPE_HANDLE:
        case CUDNN_TYPE_VOID_PTR:
        case CUDNN_TYPE_BACKEND_DESCRIPTOR:
            return 8;
        case CUDNN_TYPE_BOOLEAN:
            return 1;
        default:
            return 4;
    }
}

// What each attribute that is set here must be.
cudnnBackendAttributeType_t type_of(cudnnBackendAttributeName_t name) {
    switch (name) {
        case CUDNN_ATTR_TENSOR_DATA_TYPE:
        case CUDNN_ATTR_CONVOLUTION_COMP_TYPE:
            return CUDNN_TYPE_DATA_TYPE;
        case CUDNN_ATTR_CONVOLUTION_CONV_MODE:
            return CUDNN_TYPE_CONVOLUTION_MODE;
        case CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA:
        case CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA:
        case CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA:
        case CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA:
        case CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA:
        case CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA:
            return CUDNN_TYPE_FLOAT;
        case CUDNN_ATTR_TENSOR_IS_BY_VALUE:
        case CUDNN_ATTR_TENSOR_IS_VIRTUAL:
            return CUDNN_TYPE_BOOLEAN;
        case CUDNN_ATTR_POINTWISE_MODE:
            return CUDNN_TYPE_POINTWISE_MODE;
        case CUDNN_ATTR_REDUCTION_OPERATOR:
            return CUDNN_TYPE_REDUCTION_OPERATOR_TYPE;
        case CUDNN_ATTR_POINTWISE_MATH_PREC:
        case CUDNN_ATTR_MATMUL_COMP_TYPE:
        case CUDNN_ATTR_REDUCTION_COMP_TYPE:
            return CUDNN_TYPE_DATA_TYPE;
        case CUDNN_ATTR_OPERATIONGRAPH_HANDLE:
        case CUDNN_ATTR_EXECUTION_PLAN_HANDLE:
            return CUDNN_TYPE_HANDLE;
        case CUDNN_ATTR_ENGINEHEUR_MODE:
            return CUDNN_TYPE_HEUR_MODE;
        case CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS:
        case CUDNN_ATTR_VARIANT_PACK_WORKSPACE:
            return CUDNN_TYPE_VOID_PTR;
        case CUDNN_ATTR_TENSOR_UNIQUE_ID:
        case CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT:
        case CUDNN_ATTR_TENSOR_DIMENSIONS:
        case CUDNN_ATTR_TENSOR_STRIDES:
        case CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS:
        case CUDNN_ATTR_CONVOLUTION_DILATIONS:
        case CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES:
        case CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS:
        case CUDNN_ATTR_CONVOLUTION_POST_PADDINGS:
        case CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS:
            return CUDNN_TYPE_INT64;
        default:
            return CUDNN_TYPE_BACKEND_DESCRIPTOR;
    }
}

struct Convolution {
    const Descriptor* geometry;
    View x, w, y;
    std::vector<std::int64_t> stride, dilation, before, after;

    Convolution(const Descriptor& operation, int conv, int x_name, int w_name, int y_name)
        : geometry(operation.part(conv)),
          x(*operation.part(x_name)),
          w(*operation.part(w_name)),
          y(*operation.part(y_name)),
          stride(geometry->all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES)),
          dilation(geometry->all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS)),
          before(geometry->all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS)),
          after(geometry->all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS)) {}

    std::int64_t groups() const { return x.sizes[1] / w.sizes[1]; }
    bool is_consistent() const {
        const auto spatial = [&](std::size_t axis) {
            const std::int64_t room =
                x.sizes[axis + 2] + before[axis] + after[axis] - dilation[axis] * (w.sizes[axis + 2] - 1) - 1;
            return room >= 0 && y.sizes[axis + 2] == room / stride[axis] + 1;
        };
        return x.sizes.size() == 4 && w.sizes.size() == 4 && y.sizes.size() == 4 && x.sizes[1] % w.sizes[1] == 0 &&
               w.sizes[0] % groups() == 0 && y.sizes[1] == w.sizes[0] && y.sizes[0] == x.sizes[0] && spatial(0) &&
               spatial(1) &&
               geometry->one<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) == CUDNN_CROSS_CORRELATION &&
               geometry->one<std::int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS) == 2;
    }
};

Convolution convolution_of(const Descriptor& graph) {
    const Descriptor& o = *graph.part(CUDNN_ATTR_OPERATIONGRAPH_OPS);
    if (o.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR) {
        Convolution c(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y);
        return c;
    }
    if (o.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR) {
        Convolution c(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY);
        return c;
    }
    Convolution c(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY);
    return c;
}

// Of the result; the other two are operands.
enum class Result : std::uint8_t { x, w, y };
Result result_of(const Descriptor& graph) {
    switch (graph.part(CUDNN_ATTR_OPERATIONGRAPH_OPS)->type) {
        case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
            return Result::y;
        case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
            return Result::x;
        default:
            return Result::w;
    }
}

// Every product that the convolution is a sum of, added where the result is.
void compute(const Convolution& c, Result result, const std::map<std::int64_t, void*>& data) {
    void *x = data.at(c.x.id), *w = data.at(c.w.id), *y = data.at(c.y.id);
    const View& out = result == Result::x ? c.x : result == Result::w ? c.w : c.y;
    void* to = result == Result::x ? x : result == Result::w ? w : y;
    std::vector<double> sums(static_cast<std::size_t>(out.sizes[0] * out.sizes[1] * out.sizes[2] * out.sizes[3]));
    const std::int64_t group_k = c.w.sizes[0] / c.groups();
    for (std::int64_t n = 0; n < c.y.sizes[0]; ++n)
        for (std::int64_t k = 0; k < c.y.sizes[1]; ++k)
            for (std::int64_t p = 0; p < c.y.sizes[2]; ++p)
                for (std::int64_t q = 0; q < c.y.sizes[3]; ++q)
                    for (std::int64_t i = 0; i < c.w.sizes[1]; ++i)
                        for (std::int64_t r = 0; r < c.w.sizes[2]; ++r)
                            for (std::int64_t s = 0; s < c.w.sizes[3]; ++s) {
                                const std::int64_t h = p * c.stride[0] - c.before[0] + r * c.dilation[0],
                                                   v = q * c.stride[1] - c.before[1] + s * c.dilation[1];
                                if (h < 0 || v < 0 || h >= c.x.sizes[2] || v >= c.x.sizes[3]) continue;
                                const std::array<std::int64_t, 4> at_x{n, k / group_k * c.w.sizes[1] + i, h, v},
                                    at_w{k, i, r, s}, at_y{n, k, p, q};
                                double& sum = sums[static_cast<std::size_t>(out.at(result == Result::x   ? at_x
                                                                                   : result == Result::w ? at_w
                                                                                                         : at_y))];
                                sum += result == Result::x   ? c.y.read(y, at_y) * c.w.read(w, at_w)
                                       : result == Result::w ? c.x.read(x, at_x) * c.y.read(y, at_y)
                                                             : c.x.read(x, at_x) * c.w.read(w, at_w);
                            }
    for (std::size_t i = 0; i < sums.size(); ++i) out.write(to, static_cast<std::int64_t>(i), sums[i]);
}

std::vector<const Descriptor*> operations_of(const Descriptor& graph) {
    return graph.all<const Descriptor*>(CUDNN_ATTR_OPERATIONGRAPH_OPS);
}
bool is_attention(const Descriptor& graph) {
    return operations_of(graph)[0]->type == CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR;
}
bool is_composed(const Descriptor& graph) { return operations_of(graph).size() > 1; }

// Sizes are [batch, heads, tokens, values]; the statistics have one value.
struct Attention {
    View q, k, v, y, lse;
    std::int64_t scale;
    explicit Attention(const Descriptor& o)
        : q(*o.part(CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC)),
          k(*o.part(CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC)),
          v(*o.part(CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC)),
          y(*o.part(CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC)),
          lse(*o.part(CUDNN_ATTR_OPERATION_SDPA_FWD_STATSDESC)),
          scale(o.part(CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC)->one<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID)) {}
    bool is_consistent() const {
        const auto statistics = std::vector<std::int64_t>{q.sizes[0], q.sizes[1], q.sizes[2], 1};
        return q.sizes == k.sizes && q.sizes == v.sizes && q.sizes == y.sizes && lse.sizes == statistics &&
               q.type == CUDNN_DATA_BFLOAT16 && y.type == q.type && lse.type == CUDNN_DATA_FLOAT && q.sizes[3] % 8 == 0;
    }
};

void attend(const Attention& a, const std::map<std::int64_t, void*>& data) {
    const auto factor = static_cast<double>(*static_cast<const float*>(data.at(a.scale)));
    const auto tokens = static_cast<std::size_t>(a.q.sizes[2]);
    for (std::int64_t n = 0; n < a.q.sizes[0]; ++n)
        for (std::int64_t h = 0; h < a.q.sizes[1]; ++h)
            for (std::int64_t i = 0; i < a.q.sizes[2]; ++i) {
                std::vector<double> weights(tokens);
                double sum = 0;
                for (std::size_t j = 0; j < tokens; ++j) {
                    double score = 0;
                    for (std::int64_t d = 0; d < a.q.sizes[3]; ++d)
                        score += a.q.read(data.at(a.q.id), {n, h, i, d}) *
                                 a.k.read(data.at(a.k.id), {n, h, static_cast<std::int64_t>(j), d});
                    sum += weights[j] = std::exp(factor * score);
                }
                a.lse.write(data.at(a.lse.id), a.lse.at({n, h, i, 0}), std::log(sum));
                for (std::int64_t d = 0; d < a.q.sizes[3]; ++d) {
                    double y = 0;
                    for (std::size_t j = 0; j < tokens; ++j)
                        y += weights[j] / sum * a.v.read(data.at(a.v.id), {n, h, static_cast<std::int64_t>(j), d});
                    a.y.write(data.at(a.y.id), a.y.at({n, h, i, d}), y);
                }
            }
}

// What the heuristics list: engines that must not be taken, one that refuses to become a plan, one that refuses to run,
// and the one that works.
enum Engine : std::int64_t { narrows = 1, uses_tensor_cores, adds_in_bf16, cannot_be_built, cannot_run, works };
std::vector<cudnnBackendNumericalNote_t> notes_of(std::int64_t engine) {
    if (engine == narrows) return {CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS};
    if (engine == uses_tensor_cores) return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE};
    if (engine == adds_in_bf16) return {CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION};
    return {};
}
constexpr int index_name = -1;  // of the engine, kept beside the attributes that the library has

template <class T>
cudnnStatus_t answer(const std::vector<T>& values, std::int64_t wanted, std::int64_t* count, void* to) {
    *count = static_cast<std::int64_t>(values.size());
    if (to != nullptr) std::memcpy(to, values.data(), static_cast<std::size_t>(std::min(wanted, *count)) * sizeof(T));
    return CUDNN_STATUS_SUCCESS;
}

void become(Descriptor& part, std::int64_t engine, const Descriptor& graph) {
    const auto put = [&](int name, const auto& value) {
        const auto* from = reinterpret_cast<const unsigned char*>(&value);
        part.attributes[name] = {CUDNN_TYPE_INT64, {from, from + sizeof value}};
    };
    const Descriptor* address = &graph;
    put(index_name, engine);
    put(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, address);
    part.finalized = true;
}

int handle = 0;
bool has_stream = false;
constexpr std::size_t workspace = 512;

}  // namespace

extern "C" {

size_t cudnnGetVersion() { return 91900; }
const char* cudnnGetErrorString(cudnnStatus_t status) {
    return status == CUDNN_STATUS_NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED" : "CUDNN_STATUS_BAD_PARAM";
}
cudnnStatus_t cudnnCreate(cudnnHandle_t* made) {
    *made = reinterpret_cast<cudnnHandle_t>(&handle);
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t) { return CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnSetStream(cudnnHandle_t, cudaStream_t stream) {
    has_stream = stream != nullptr;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* made) {
    *made = new Descriptor{type, false, {}};
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
    delete static_cast<Descriptor*>(descriptor);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void* values) {
    auto& to = *static_cast<Descriptor*>(descriptor);
    if (to.finalized || type != type_of(name)) return CUDNN_STATUS_BAD_PARAM;
    const auto* from = static_cast<const unsigned char*>(values);
    to.attributes[name] = {type, {from, from + static_cast<std::size_t>(count) * size_of(type)}};
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
        for (const Descriptor* part : to.all<const Descriptor*>(name)) {
            if (!part->finalized) return CUDNN_STATUS_BAD_PARAM;
        }
    }
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {  // the library copies parts; the caller may destroy them at once
        static std::deque<Descriptor> kept;
        std::vector<const Descriptor*> copies;
        for (const Descriptor* part : to.all<const Descriptor*>(name)) copies.push_back(&kept.emplace_back(*part));
        std::memcpy(to.attributes[name].bytes.data(), copies.data(), copies.size() * sizeof copies[0]);
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
    auto& d = *static_cast<Descriptor*>(descriptor);
    if (d.type == CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
        if (d.one<void*>(CUDNN_ATTR_OPERATIONGRAPH_HANDLE) == nullptr) return CUDNN_STATUS_BAD_PARAM;
        const bool fits = is_composed(d)    ? true
                          : is_attention(d) ? Attention(*d.part(CUDNN_ATTR_OPERATIONGRAPH_OPS)).is_consistent()
                                            : convolution_of(d).is_consistent();
        if (!fits) return CUDNN_STATUS_BAD_PARAM;
    }
    if (d.type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR && !is_composed(*d.part(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH)) &&
        !is_attention(*d.part(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH))) {
        const Convolution c = convolution_of(*d.part(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH));
        if (c.x.type != c.y.type || c.x.type != c.w.type) return CUDNN_STATUS_NOT_SUPPORTED;
    }
    if (d.type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
        const auto engine = d.part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)->one<std::int64_t>(index_name);
        if (engine == cannot_be_built) return CUDNN_STATUS_NOT_SUPPORTED;
    }
    d.finalized = true;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(const cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t, int64_t wanted, int64_t* count, void* to) {
    const Descriptor& d = of(descriptor);
    if (!d.finalized) return CUDNN_STATUS_NOT_INITIALIZED;
    const auto parts = std::span(static_cast<Descriptor**>(to), static_cast<std::size_t>(wanted));
    switch (name) {
        case CUDNN_ATTR_ENGINEHEUR_RESULTS:
            *count = works;
            for (std::int64_t i = 0; i < works; ++i) {
                become(*parts[static_cast<std::size_t>(i)], i + 1, *d.part(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH));
            }
            return CUDNN_STATUS_SUCCESS;
        case CUDNN_ATTR_ENGINECFG_ENGINE:
            *count = 1;
            become(*parts[0], d.one<std::int64_t>(index_name), *d.part(CUDNN_ATTR_ENGINE_OPERATION_GRAPH));
            return CUDNN_STATUS_SUCCESS;
        case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
            return answer(notes_of(d.one<std::int64_t>(index_name)), wanted, count, to);
        case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
            return answer(d.all<std::int64_t>(index_name), wanted, count, to);
        case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
            return answer<std::int64_t>({workspace}, wanted, count, to);
        default:
            return CUDNN_STATUS_BAD_PARAM;
    }
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack) {
    if (!of(plan).finalized || !of(pack).finalized || !has_stream) return CUDNN_STATUS_BAD_PARAM;
    const Descriptor& config = *of(plan).part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    const auto engine = config.one<std::int64_t>(index_name);
    if (engine == cannot_run) return CUDNN_STATUS_NOT_SUPPORTED;
    auto* space = of(pack).one<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
    const auto ids = of(pack).all<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    const auto addresses = of(pack).all<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
    const Descriptor& graph = *config.part(CUDNN_ATTR_ENGINE_OPERATION_GRAPH);
    const std::size_t tensors = is_composed(graph) ? 13 : is_attention(graph) ? 6 : 3;
    if (space == nullptr || ids.size() != tensors || addresses.size() != tensors) return CUDNN_STATUS_BAD_PARAM;
    std::memset(space, 0xff, workspace);
    std::map<std::int64_t, void*> data;
    for (std::size_t i = 0; i < tensors; ++i) data[ids[i]] = addresses[i];
    if (is_composed(graph) && (engine == works || engine == uses_tensor_cores)) {
        fake::run_operations(operations_of(graph), data);
    } else if (is_attention(graph) && (engine == works || engine == uses_tensor_cores)) {
        attend(Attention(*graph.part(CUDNN_ATTR_OPERATIONGRAPH_OPS)), data);
    } else if (engine == works || engine == uses_tensor_cores) {
        Convolution c = convolution_of(graph);
        c.x.rounds = c.w.rounds = c.y.rounds = engine == uses_tensor_cores;
        compute(c, result_of(graph), data);
    } else {  // one whose arithmetic nobody asked for: what it leaves is no result
        for (void* address : addresses) std::memset(address, 0xff, 1);
    }
    return CUDNN_STATUS_SUCCESS;
}

}  // extern "C"
