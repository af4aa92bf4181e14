#include "tools/training/plan.h"

#include <algorithm>
#include <cmath>

#include "engine/base/fail.h"
#include "engine/base/isa.h"
#include "engine/base/parallel.h"
#include "tools/common/weights_path.h"
#include "tools/training/builtin_weights.h"
#include "tools/training/step_graphs.h"

namespace cambium {
namespace {

// What a whole phase of full training may cost, in floating-point operations: about five minutes of two cores.
constexpr double budget = 4e13;
constexpr double imbalance = 3;  // above it the loss is weighted
constexpr std::int64_t reference_batch = 32;
constexpr const char* leaf_model = "leafnet";
constexpr const char* default_model = "resnet18";

// Collects the choices: a value given on the command line wins, and is no choice.
class Planner {
  public:
    Planner(const Request& request, const Dataset& data, const Start& start)
        : request_(request), data_(data), start_(start), recipe_(recipe(request.recipe)) {}

    TrainingConfig run() {
        config_.choices = start_.choices;
        config_.data = data_.name;
        config_.model = start_.architecture->name;
        config_.weights = start_.weights;
        config_.recipe = recipe_.name;
        config_.device = request_.device;
        config_.precision = request_.precision;
        config_.provider = request_.provider;
        config_.seed = request_.seed;
        config_.classes = data_.classes;
        config_.train_count = data_.train->size();
        config_.validation_count = data_.validation->size();
        config_.test_count = data_.test ? data_.test->size() : 0;
        config_.data_digest = list_digest(data_);
        config_.instruction_set = name_of(isa());
        config_.threads = thread_count();
        config_.label_smoothing = request_.label_smoothing.value_or(0);
        config_.clip = request_.clip.value_or(0);
        config_.average_decay = request_.average.value_or(0);
        config_.dropout = request_.dropout;
        config_.patience = request_.patience.value_or(0);
        config_.save_every = request_.save_every.value_or(1000);
        check_ranges();
        choose_size();
        choose_batch();
        choose_balance();
        for (const RecipePhase& phase : recipe_.phases) plan_phase(phase, &phase == &recipe_.phases.back());
        return std::move(config_);
    }

  private:
    void choice(std::string what, std::string value, std::string reason) {
        config_.choices.push_back({std::move(what), std::move(value), std::move(reason)});
    }

    void check_ranges() const {
        const auto within = [](const char* option, std::optional<double> value, double low, double high) {
            if (value && !(*value >= low && *value <= high)) {
                fail_usage("--{} {} is outside [{}, {}]", option, *value, low, high);
            }
        };
        within("lr", request_.rate, 1e-12, 100);
        within("label-smoothing", request_.label_smoothing, 0, 0.999);
        within("dropout", request_.dropout, 0, 0.999);
        within("ema", request_.average, 0, 0.999999);
        within("momentum", request_.momentum, 0, 0.9999);
        within("warmup", request_.warmup, 0, 1);
        const auto positive = [](const char* option, std::optional<int> value) {
            if (value && *value < 1) fail_usage("--{} {} makes no sense; it must be at least 1", option, *value);
        };
        positive("epochs", request_.epochs);
        positive("batch", request_.batch);
        positive("accumulate", request_.accumulate);
        positive("save-every", request_.save_every);
    }

    void choose_size() {
        config_.preprocessing = start_.preprocessing;
        const int own = config_.preprocessing.crop;
        if (request_.size && *request_.size != own) {
            if (*request_.size < 16)
                fail_usage("--size {} is too small; images need at least 16 pixels", *request_.size);
            const double scale = static_cast<double>(*request_.size) / own;
            config_.preprocessing.crop = *request_.size;
            config_.preprocessing.resize = static_cast<int>(std::lround(config_.preprocessing.resize * scale));
        } else if (!request_.size) {
            choice("image size", fmt::format("{} px", own),
                   start_.source ? "the network was pretrained at this size" : "it is the architecture's usual size");
        }
        config_.augment = request_.augment == Request::Augment::on;
        const double jitter = request_.jitter.value_or(0);
        config_.augmentation = Augmentation{.size = config_.preprocessing.crop,
                                            .interpolation = config_.preprocessing.interpolation,
                                            .brightness = jitter,
                                            .contrast = jitter,
                                            .saturation = jitter,
                                            .hue = jitter / 4,
                                            .erase = request_.erase.value_or(0),
                                            .mixup = request_.mixup.value_or(0),
                                            .cutmix = request_.cutmix.value_or(0)};
        require_valid(config_.augmentation);
    }

    void choose_batch() {
        const std::int64_t photos = data_.train->size();
        if (request_.batch) {
            config_.batch = std::min<std::int64_t>(*request_.batch, photos);
            if (*request_.batch > photos) {
                choice("batch", std::to_string(photos),
                       fmt::format("there are no more photos to train on; {} were asked for", *request_.batch));
            }
        } else {
            config_.batch = 4;
            while (config_.batch < reference_batch && config_.batch * 2 * 8 <= photos) config_.batch *= 2;
            config_.batch = std::min(config_.batch, photos);
            choice("batch", std::to_string(config_.batch),
                   config_.batch == reference_batch
                       ? "large enough for steady gradients, small enough for memory"
                       : fmt::format("{} photos then give at least eight steps an epoch", photos));
        }
        const std::int64_t most = (photos + config_.batch - 1) / config_.batch;
        config_.accumulate = std::min<std::int64_t>(request_.accumulate.value_or(1), most);
        if (request_.accumulate && *request_.accumulate > most) {
            choice("accumulate", std::to_string(most),
                   fmt::format("{} of {} hold all {} photos; {} were asked for", most == 1 ? "a batch" : "batches",
                               config_.batch, photos, *request_.accumulate));
        }
    }

    void choose_balance() {
        const std::vector<std::int64_t> counts = class_counts(*data_.train, data_.classes.size());
        const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
        const double ratio = static_cast<double>(*most) / static_cast<double>(std::max<std::int64_t>(*least, 1));
        if (ratio <= imbalance || request_.balance == Request::Balance::off) return;
        for (const std::int64_t count : counts) {
            config_.class_weights.push_back(
                static_cast<double>(data_.train->size()) /
                (static_cast<double>(counts.size()) * static_cast<double>(std::max<std::int64_t>(count, 1))));
        }
        config_.criterion = Criterion::balanced_accuracy;
        choice("loss", "weighted by inverse class frequency",
               fmt::format("the largest class has {:.1f} times the photos of the smallest", ratio));
        choice("selection", "balanced accuracy", "plain accuracy would reward ignoring the small classes");
    }

    Selection selection(const RecipePhase& phase) const {
        Selection result;
        if (!request_.train.empty()) result.train = request_.train;
        if (phase.scope == Scope::head) result.train = {std::string(start_.architecture->head_name) + ".*"};
        result.freeze = request_.freeze;
        return result;
    }

    // The reason for the number of epochs is a budget in operations, not in seconds: the same on every machine.
    std::int64_t choose_epochs(const RecipePhase& phase, bool last) {
        if (last && request_.epochs) return *request_.epochs;
        if (phase.epochs > 0) {
            choice(fmt::format("epochs ({})", phase.name), std::to_string(phase.epochs),
                   "features are computed once, so later epochs cost almost nothing");
            return phase.epochs;
        }
        const double forward =
            forward_flops(*start_.architecture, config_.preprocessing, static_cast<std::int64_t>(data_.classes.size()));
        const double epoch = 3 * forward * static_cast<double>(data_.train->size());
        const auto paid = static_cast<std::int64_t>(std::min(1e6, budget / epoch));
        const std::int64_t epochs = std::clamp<std::int64_t>(paid, phase.least, phase.most);
        choice(
            fmt::format("epochs ({})", phase.name), std::to_string(epochs),
            fmt::format("one costs {:.2g} TFLOP; the recipe spends {:.0f} TFLOP, but at least {} and at most {} epochs",
                        epoch * 1e-12, budget * 1e-12, phase.least, phase.most));
        return epochs;
    }

    double choose_rate(const RecipePhase& phase, bool last, OptimizerKind optimizer) {
        if (last && request_.rate) return *request_.rate;
        const std::int64_t together = std::min(config_.batch * config_.accumulate, data_.train->size());
        const double share = static_cast<double>(together) / reference_batch;
        const double rate = phase.rate * std::sqrt(share);
        choice(fmt::format("rate ({})", phase.name), fmt::format("{:.3g}", rate),
               fmt::format("the recipe's {:.3g} for {} at {} photos a step, times the square root of {}/{}", phase.rate,
                           name_of(optimizer), reference_batch, together, reference_batch));
        return rate;
    }

    bool choose_norms(const RecipePhase& phase) {
        if (phase.scope == Scope::head || request_.norms == Request::Norms::trained) return false;
        if (request_.norms == Request::Norms::frozen) return true;
        return recipe_.start == Recipe::Start::pretrained && config_.batch < 8;
    }

    void plan_phase(const RecipePhase& from, bool last) {
        PhaseConfig phase{.name = std::string(from.name), .selection = selection(from), .optimizer = from.optimizer};
        if (last && !request_.optimizer.empty()) phase.optimizer = optimizer_kind(request_.optimizer);
        phase.momentum = request_.momentum.value_or(0.9);
        phase.weight_decay = request_.weight_decay.value_or(from.weight_decay);
        phase.layer_decay = last ? request_.layer_decay.value_or(from.layer_decay) : from.layer_decay;
        phase.norms_frozen = choose_norms(from);
        phase.epochs = choose_epochs(from, last);
        const std::int64_t photos = data_.train->size();
        const std::int64_t rest = photos % config_.batch;
        choose_input(phase);
        if (rest > 0 && phase.input == PhaseConfig::Input::images && rest_is_useless(phase, rest)) {
            config_.drop_last_batch = true;
            choice("last batch", "dropped",
                   fmt::format("its {} of {} photos would leave single values to a batch norm", rest, photos));
        }
        phase.batches_per_epoch = photos / config_.batch + (rest > 0 && !config_.drop_last_batch ? 1 : 0);
        phase.updates_per_epoch = (phase.batches_per_epoch + config_.accumulate - 1) / config_.accumulate;
        const double rate = choose_rate(from, last, phase.optimizer);
        const std::int64_t steps = phase.updates_per_epoch * phase.epochs;
        const double warmup = request_.warmup.value_or(from.warmup);
        phase.schedule = {
            .kind = request_.schedule.empty() ? Schedule::Kind::cosine : schedule_kind(request_.schedule),
            .rate = rate,
            .total_steps = steps,
            .warmup_steps = static_cast<std::int64_t>(warmup * static_cast<double>(steps)),
            .interval = std::max<std::int64_t>(1, steps / 3),
        };
        config_.phases.push_back(std::move(phase));
    }

    bool rest_is_useless(const PhaseConfig& phase, std::int64_t rest) const {
        const PhaseGraphs graphs(config_, phase, *start_.architecture);
        return leaves_single_values(graphs.train(config_.batch, {}), config_.batch, rest);
    }

    // What is trained may be the head alone: then the rest is a fixed function of the photo, and is computed once.
    void choose_input(PhaseConfig& phase) {
        const PhaseGraphs graphs(config_, phase, *start_.architecture);
        const Graph graph = graphs.evaluate(1, {});
        std::vector<std::string> names;
        for (const auto& [name, spec] : graph.entries()) {
            if (spec.role == Role::parameter) names.push_back(name);
        }
        require_effective(phase.selection, names);
        const std::vector<std::string> trainable = graphs.parameters().trained;
        if (trainable.empty()) fail_usage("--train, --freeze and --norms leave no parameter to train");
        const bool head_only = std::all_of(trainable.begin(), trainable.end(), [&](const std::string& name) {
            return in_head(*start_.architecture, name);
        });
        if (head_only) phase.input = PhaseConfig::Input::features;
    }

    const Request& request_;
    const Dataset& data_;
    const Start& start_;
    const Recipe& recipe_;
    TrainingConfig config_;
};

Start start_from(const std::string& model, const std::filesystem::path& weights) {
    Start start;
    start.source = std::make_unique<Source>(open_source(weights, model));
    start.architecture = start.source->architecture;
    start.preprocessing = start.source->preprocessing;
    start.weights = std::filesystem::absolute(weights).lexically_normal().string();
    return start;
}

Start random_start(const std::string& model) {
    Start start;
    start.architecture = &architecture(model);
    start.preprocessing = start.architecture->preprocessing;
    return start;
}

}  // namespace

Start find_start(const Request& request) {
    const bool leaves = is_leaves(request.data);
    const std::string fallback = leaves ? leaf_model : default_model;
    if (recipe(request.recipe).start == Recipe::Start::random) {
        if (!request.weights.empty()) {
            fail_usage("--recipe scratch starts from random weights; leave --weights out, or take --recipe full");
        }
        Start start = random_start(request.model.empty() ? fallback : request.model);
        if (request.model.empty()) start.choices.push_back({"model", fallback, "it is the default for these data"});
        return start;
    }
    if (!request.weights.empty()) return start_from(request.model, weights_path(request.weights));
    const std::string model = request.model.empty() ? fallback : std::string(architecture(request.model).name);
    Start start = start_from(model, model == leaf_model ? builtin_weights(model) : weights_path(model));
    if (request.model.empty()) {
        start.choices.push_back({"model", model,
                                 leaves ? "it was pretrained on the sample's source species"
                                        : "small enough for a CPU, and known to transfer well"});
    }
    return start;
}

Start find_start(const TrainingConfig& config) {
    return config.weights.empty() ? random_start(config.model) : start_from(config.model, config.weights);
}

TrainingConfig plan(const Request& request, const Dataset& data, const Start& start) {
    return Planner(request, data, start).run();
}

double forward_flops(const Architecture& architecture, const Preprocessing& preprocessing, std::int64_t classes) {
    Graph graph;
    build_network(architecture, image_input(graph, 1, preprocessing), {.classes = classes});
    double total = 0;
    for (const Node& node : graph.nodes()) total += cost(node.op, graph.specs(node.inputs), graph.specs(node.outputs));
    return total;
}

}  // namespace cambium
