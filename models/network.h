// Builder: what model functions are written with. A layer declares its parameters under torchvision's names, with the
// axis order that files have and the initial values that torchvision gives them, and appends its operators to the
// graph.
//
// Frozen layers behave as in evaluation: a batch norm whose gamma and beta are frozen uses its running statistics and
// leaves them alone, and dropout before a frozen layer is off. What precedes the first trainable parameter is therefore
// a fixed function of the image, whose results can be cached.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/ops/functions.h"

namespace cambium {

enum class Mode : std::uint8_t { evaluation, training };

struct NetworkOptions {
    Mode mode = Mode::evaluation;
    std::int64_t classes = 0;  // size of the head; 0: the architecture's own
    // Which parameters train, by name; asked in Mode::training only. Empty: all of them.
    std::function<bool(std::string_view)> trainable{};
    std::optional<double> dropout{};  // instead of the model's own rate
    std::uint32_t seed = 0;           // of dropout
    std::optional<Value> step{};      // dropout's counter, i32 []; needed where a model trains with dropout
};

// A value inside a network that has a name: "stem", "layer1" ... "layer4", "features". For detection, segmentation and
// studies of features.
struct Tap {
    std::string name;
    Value value;
};

// The new value of a running statistic. It is assigned after the loss is known: assign_statistics().
struct StatisticUpdate {
    Value entry, value;
};

struct Network {
    Value features;         // what the head reads
    Value logits;           // [N, classes]
    std::vector<Tap> taps;  // in the order of the forward pass; the last two are "features" and "logits"
    std::vector<StatisticUpdate> statistics;

    Value tap(std::string_view name) const;  // throws UsageError naming the taps there are
};

// Assigns the running statistics of a network in training; where `guard` (the loss) is not finite they keep their
// values.
void assign_statistics(const Network& network, std::optional<Value> guard = {});

// Initial weights. `pytorch` is U(+-1/sqrt(fan in)), what torch.nn gives where a model does not choose; he_* is He et
// al. (2015) for ReLU: variance 2 / fan; lecun_normal has variance 1 / fan in; xavier_uniform is Glorot & Bengio
// (2010): variance 2 / (fan in + fan out).
enum class Init : std::uint8_t {
    pytorch,
    he_normal_fan_out,
    he_normal_fan_in,
    he_uniform_fan_in,
    lecun_normal,
    xavier_uniform,
    normal_001,
    zero
};
enum class Bias : std::uint8_t { none, pytorch, zero, near_zero };  // near_zero: N(0, 1e-6)

struct Convolution {
    std::int64_t channels = 0;  // of the output
    ops::Pair kernel{1, 1};
    ops::Pair stride{1, 1}, padding{0, 0};
    Bias bias = Bias::none;
    Init init = Init::he_normal_fan_out;
};

struct Dense {
    std::int64_t outputs = 0;
    Init init = Init::pytorch;
    Bias bias = Bias::pytorch;
    FileLayout layout{};
};

struct SelfAttention {
    std::int64_t sequences = 0;  // N of the N L rows
    std::int64_t heads = 1;
    ops::AttentionMask mask = ops::AttentionMask::none;
};

class Builder {
  public:
    Builder(Graph& graph, NetworkOptions options) : graph_(graph), options_(std::move(options)) {}

    Graph& graph() const { return graph_; }
    std::int64_t classes() const { return options_.classes; }

    // x [N, H, W, C]; declares NAME.weight and, if asked for, NAME.bias.
    Value convolution(const std::string& name, Value x, const Convolution& attributes);
    // x [N, I]; declares NAME.weight and, if asked for, NAME.bias.
    Value dense(const std::string& name, Value x, const Dense& attributes);
    // Declares NAME.weight (gamma), NAME.bias (beta), NAME.running_mean and NAME.running_var. Statistics move by a
    // tenth towards those of the batch, the variance unbiased, as PyTorch has it.
    Value batch_norm(const std::string& name, Value x, double epsilon = 1e-5);
    // Over the last axis; declares NAME.weight (gamma) and NAME.bias (beta).
    Value layer_norm(const std::string& name, Value x, double epsilon = 1e-5);
    // x [N L, E], the tokens of N sequences one after the other; declares what torch.nn.MultiheadAttention has:
    // NAME.in_proj_weight [3 E, E] (queries, keys, values), NAME.in_proj_bias, NAME.out_proj.weight and .bias.
    Value self_attention(const std::string& name, Value x, const SelfAttention& attributes);
    // A parameter that is no layer's weight: a class token, the embedding of positions.
    Value learned(const std::string& name, Shape shape, const Initializer& initializer);
    // Active in training if the layer `next` that reads it is trained.
    Value dropout(const std::string& name, Value x, double rate, const std::string& next);
    Value relu(Value x) const { return cambium::relu(x); }
    Value gelu(Value x) const { return cambium::gelu(x); }

    // Names a value; a model function taps its stages and, at last, "features".
    void tap(std::string name, Value value) { taps_.push_back({std::move(name), value}); }
    Value last_tap() const { return taps_.back().value; }
    Network finish(Value logits);

  private:
    bool trains(const std::string& parameter) const;
    Value parameter(const std::string& name, Shape shape, const Initializer& initializer,
                    const FileLayout& layout = {});
    Value biased(const std::string& name, Value y, Bias bias, double fan_in);
    Value statistic(const std::string& name, Shape shape, double value);

    Graph& graph_;
    NetworkOptions options_;
    std::vector<Tap> taps_;
    std::vector<StatisticUpdate> statistics_;
};

}  // namespace cambium
