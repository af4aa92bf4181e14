#include "engine/backends/cpu/support.h"

#include "engine/backends/rules.h"

namespace cambium::cpu {
namespace {

// The letters are explained at Rule.
constexpr Rule rules[] = {
    {"conv2d", "aa", "r", Epilogues::any},
    {"conv2d_input_gradient", "aa", "r"},
    {"conv2d_filter_gradient", "aa", "f"},
    {"matmul", "aa", "r", Epilogues::any},
    {"convert", "r", "r"},
    {"convert", "i", "f"},
    {"convert", "u", "f"},
    {"augment", "uf", "r"},
    {"normalize", "u", "r", Epilogues::any},
    {"add", "rr", "r", Epilogues::any},
    {"multiply", "rr", "r", Epilogues::any},
    {"scale", "r", "r", Epilogues::any},
    {"lerp", "rrf", "r"},
    {"add_bias", "rf", "r", Epilogues::any},
    {"scale_shift", "rff?", "r", Epilogues::any},
    {"channel_dot", "rr", "f"},
    {"relu", "r", "r"},
    {"relu_gradient", "rr", "r"},
    {"gelu", "r", "r"},
    {"gelu_gradient", "rr", "r"},
    {"dropout", "ri", "r"},
    {"guard", "xxf", "x"},
    {"increment", "i", "i"},
    {"batch_norm", "rff", "rff", Epilogues::any},
    {"batch_norm_apply", "rffff", "r", Epilogues::any},
    {"batch_norm_gradient", "rrfff", "rff"},
    {"batch_norm_relu_gradient", "aaafff", "affa"},
    {"batch_norm_scale", "ff", "f"},
    {"batch_norm_shift", "fff", "f"},
    {"scale_filter", "ff", "f"},
    {"layer_norm", "rff", "rff"},
    {"layer_norm_gradient", "rrfff", "rff"},
    {"attention", "ri?", "rf"},
    {"attention_gradient", "rrrfi?", "r"},
    {"embedding", "fi", "r"},
    {"embedding_gradient", "ri", "f"},
    {"max_pool2d", "a", "au"},
    {"max_pool2d_gradient", "au", "a"},
    {"avg_pool2d", "a", "a"},
    {"avg_pool2d_gradient", "a", "a"},
    {"adaptive_avg_pool2d", "a", "a"},
    {"adaptive_avg_pool2d_gradient", "a", "a"},
    {"concat", "x+", "x"},
    {"slice", "x", "x"},
    {"pad", "x", "x"},
    {"reshape", "x", "x"},
    {"transpose", "x", "x"},
    {"broadcast", "x", "x"},
    {"reduce_sum", "r", "f"},
    {"global_norm", "r+", "f"},
    {"softmax", "r", "r"},
    {"softmax_gradient", "rr", "r"},
    {"softmax_cross_entropy", "flf?", "ff"},
    {"softmax_cross_entropy_gradient", "fflf?", "r"},
    {"top_k_count", "fi", "f"},
    {"clip_scale", "fff", "f"},
    {"sgd_update", "ffff", "f"},
    {"sgd_update", "fffff", "ff"},
    {"adam_update", "ffffffi", "fff"},
};

}  // namespace

std::optional<std::string> missing_from_table(const NodeSpec& node) { return missing_from(rules, node); }

}  // namespace cambium::cpu
