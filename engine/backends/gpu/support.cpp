#include "engine/backends/gpu/support.h"

#include <fmt/format.h>

#include "engine/backends/gpu/epilogue.h"
#include "engine/backends/gpu/prepare.h"
#include "engine/backends/rules.h"
#include "kernels/attention/attention.h"

namespace cambium::gpu {
namespace {

// The letters are explained at Rule.
constexpr Rule rules[] = {
    {"conv2d", "ff", "f", Epilogues::any_and_moments},
    {"conv2d", "bb", "r", Epilogues::any_and_moments},
    {"conv2d_input_gradient", "ff", "f"},
    {"conv2d_input_gradient", "bb", "r"},
    {"conv2d_filter_gradient", "ff", "f"},
    {"conv2d_filter_gradient", "bb", "f"},
    {"matmul", "ff", "f", Epilogues::any},
    {"matmul", "bb", "r", Epilogues::any},
    {"batch_norm", "aff", "aff", Epilogues::any},
    {"batch_norm_apply", "affff", "a", Epilogues::any},
    {"batch_norm_gradient", "aafff", "aff"},
    {"batch_norm_relu_gradient", "aaafff", "affa"},
    {"batch_norm_scale", "ff", "f"},
    {"batch_norm_shift", "fff", "f"},
    {"scale_filter", "ff", "f"},
    {"layer_norm", "aff", "aff"},
    {"layer_norm_gradient", "aafff", "aff"},
    {"attention", "ai?", "af"},
    {"attention_gradient", "aaafi?", "a"},
    {"embedding", "fi", "r"},
    {"embedding_gradient", "ri", "f"},
    {"max_pool2d", "a", "au"},
    {"max_pool2d_gradient", "au", "a"},
    {"avg_pool2d", "a", "a"},
    {"avg_pool2d_gradient", "a", "a"},
    {"adaptive_avg_pool2d", "a", "a"},
    {"adaptive_avg_pool2d_gradient", "a", "a"},
    {"reduce_sum", "r", "f"},
    {"channel_dot", "aa", "f"},
    {"global_norm", "f+", "f"},
    {"convert", "r", "r"},
    {"convert", "i", "f"},
    {"convert", "u", "f"},
    {"augment", "uf", "r"},
    {"normalize", "u", "r"},
    {"add", "aa", "a"},
    {"multiply", "aa", "a"},
    {"scale", "a", "a"},
    {"lerp", "fff", "f"},
    {"add_bias", "af", "a"},
    {"scale_shift", "aff?", "a"},
    {"relu", "a", "a"},
    {"relu_gradient", "aa", "a"},
    {"gelu", "a", "a"},
    {"gelu_gradient", "aa", "a"},
    {"dropout", "ai", "a"},
    {"guard", "xxf", "x"},
    {"increment", "i", "i"},
    {"concat", "x+", "x"},
    {"slice", "x", "x"},
    {"pad", "x", "x"},
    {"reshape", "x", "x"},
    {"transpose", "x", "x"},
    {"broadcast", "x", "x"},
    {"softmax", "f", "f"},
    {"softmax_gradient", "ff", "f"},
    {"softmax_cross_entropy", "flf?", "ff"},
    {"softmax_cross_entropy_gradient", "fflf?", "f"},
    {"top_k_count", "fi", "f"},
    {"clip_scale", "fff", "f"},
    {"sgd_update", "ffff", "f"},
    {"sgd_update", "fffff", "ff"},
    {"adam_update", "ffffffi", "fff"},
};

// Heads larger than what the kernels keep of a token.
std::optional<std::string> missing_size(const NodeSpec& node) {
    const bool forward = std::holds_alternative<ops::Attention>(node.op);
    if (!forward && !std::holds_alternative<ops::AttentionGradient>(node.op)) return std::nullopt;
    const std::int64_t size = node.inputs[forward ? 0 : 1].tensor.shape[4];
    if (size <= attention::kMostSize) return std::nullopt;
    return fmt::format("no {} with heads of {} values ({} at most)", operator_name(node), size, attention::kMostSize);
}

}  // namespace

std::optional<std::string> missing_from_table(const NodeSpec& node, const Options& options) {
    if (auto missing = missing_from(rules, node)) return missing;
    if (auto missing = missing_size(node)) return missing;
    if (auto missing = missing_epilogue(node)) return missing;
    return missing_moments(node, options);
}

}  // namespace cambium::gpu
