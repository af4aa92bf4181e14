#include "tools/training/phase_run.h"

#include <cstring>

#include "engine/base/fail.h"
#include "engine/optim/optimizer.h"
#include "models/load.h"
#include "tools/training/interrupt.h"

namespace cambium {
namespace {

constexpr std::string_view counter_suffix = ".num_batches_tracked";
constexpr std::string_view mean_suffix = ".running_mean";

bool belongs_to_network(const EntrySpec& spec) {
    return spec.role == Role::parameter || spec.role == Role::statistic || spec.name.ends_with(counter_suffix);
}

// Rows copied into a batch of fixed size, the rest zero.
Tensor padded(const Tensor& rows, std::int64_t batch) {
    if (rows.shape()[0] == batch) return rows.clone();
    Tensor result(rows.shape().with(0, batch), rows.dtype());
    std::memcpy(result.bytes().data(), rows.bytes().data(), rows.bytes().size());
    return result;
}

}  // namespace

PhaseRun::PhaseRun(const TrainerOptions& options, const PhaseConfig& phase, Store& store)
    : options_(options),
      store_(store),
      graphs_(options.config, phase, *options.start.architecture),
      feature_(graphs_.from_features() ? graphs_.feature_shape() : Shape{}),
      graph_(graphs_.train(options.config.batch, feature_)) {
    declare();
}

void PhaseRun::declare() {
    const auto add = [&](const Graph& graph) {
        for (const auto& [name, spec] : graph.entries()) {
            if (spec.role != Role::average) store_.declare(spec, options_.config.seed);
        }
        start_averages(graph, store_);
        for (const auto& [name, value] : graph.assigned()) changing_.insert(name);
    };
    add(graph_);
    if (options_.config.accumulate > 1) add(graphs_.apply());
}

std::vector<std::string> PhaseRun::changing() const {
    std::vector<std::string> names;
    for (const std::string& name : store_.names()) {
        const bool counter = name.ends_with(counter_suffix);
        const std::string norm = counter ? name.substr(0, name.size() - counter_suffix.size()) : "";
        if (changing_.contains(name) || (counter && changing_.contains(norm + std::string(mean_suffix)))) {
            names.push_back(name);
        }
    }
    return names;
}

std::vector<std::string> PhaseRun::fixed() const {
    const std::vector<std::string> changing = this->changing();
    const std::set<std::string> others(changing.begin(), changing.end());
    std::vector<std::string> names;
    for (const std::string& name : store_.names()) {
        if (!others.contains(name)) names.push_back(name);
    }
    return names;
}

std::vector<std::string> PhaseRun::changing_network() const {
    std::vector<std::string> names;
    for (const std::string& name : changing()) {
        if (belongs_to_network(store_.entry(name).spec)) names.push_back(name);
    }
    return names;
}

Program PhaseRun::compiled(const Graph& graph) {
    return compile(graph, store_, options_.backend, {.precision = options_.precision});
}

Program& PhaseRun::train_program(std::int64_t batch) {
    const auto found = train_.find(batch);
    if (found != train_.end()) return found->second;
    return train_.emplace(batch, compiled(batch == options_.config.batch ? graph_ : graphs_.train(batch, feature_)))
        .first->second;
}

Program& PhaseRun::feature_program() {
    if (!feature_program_) {
        feature_program_ = std::make_unique<Program>(compiled(graphs_.features(options_.config.evaluation_batch)));
    }
    return *feature_program_;
}

Program& PhaseRun::evaluation_program() {
    if (!evaluate_) {
        evaluate_ = std::make_unique<Program>(compiled(graphs_.evaluate(options_.config.evaluation_batch, feature_)));
    }
    return *evaluate_;
}

std::string PhaseRun::operators() {
    std::string text;
    const auto list = [&](std::string_view title, const Program& program) {
        text += fmt::format("{}\n", title);
        for (const Program::Line& line : program.summary()) {
            text += fmt::format("  {:4} {:32} {:5} {}\n", line.count, line.op, line.dtype, line.provider);
        }
    };
    if (graphs_.from_features()) list("features", feature_program());
    list("training step", train_program(options_.config.batch));
    return text;
}

void PhaseRun::prepare() {
    if (!graphs_.from_features()) return;
    features_of(options_.data.train);
    features_of(options_.data.validation);
}

const Tensor& PhaseRun::features_of(const std::shared_ptr<const ImageSource>& source) {
    const auto found = features_.find(source.get());
    if (found != features_.end()) return found->second;
    if (!cache_) {
        cache_ = std::make_unique<FeatureCache>(options_.cache, feature_program(), store_,
                                                graphs_.features(options_.config.evaluation_batch),
                                                options_.config.preprocessing);
    }
    Tensor features = cache_->features(source, [&](std::int64_t done, std::int64_t total) {
        options_.watcher.features(done, total);
        if (interrupted()) throw Interrupted();
    });
    return features_.emplace(source.get(), std::move(features)).first->second;
}

std::unique_ptr<Feed> PhaseRun::feed(LoaderPosition at) const {
    const std::shared_ptr<const ImageSource>& source = options_.data.train;
    if (graphs_.from_features()) return make_feature_feed(source, features_.at(source.get()), options_.config, at);
    return make_image_feed(source, options_.config, at);
}

void PhaseRun::set(Program& program, const char* name, double value) const {
    if (program.has_input(name)) program.set(name, value);
}

void PhaseRun::micro_batch(const FeedBatch& batch, const Scalars& scalars) {
    Program& program = train_program(batch.rows());
    program.set(graphs_.from_features() ? features_input : images_input, batch.values);
    program.set(labels_input, batch.labels);
    if (graphs_.augments()) program.set(table_input, batch.table);
    if (graphs_.mixes()) program.set(targets_input, batch.targets);
    set(program, learning_rate_input, scalars.learning_rate);
    set(program, average_rate_input, scalars.average_rate);
    set(program, dropout_step_input, static_cast<double>(scalars.dropout_step));
    program.run();
}

void PhaseRun::apply(const Scalars& scalars) {
    if (options_.config.accumulate == 1) return;
    if (!apply_) apply_ = std::make_unique<Program>(compiled(graphs_.apply()));
    set(*apply_, learning_rate_input, scalars.learning_rate);
    set(*apply_, average_rate_input, scalars.average_rate);
    apply_->run();
}

void PhaseRun::count(std::int64_t batches) {
    if (batches > 0) count_batches(graph_, store_, batches);
}

Answers PhaseRun::answers(const std::shared_ptr<const ImageSource>& source) {
    const std::int64_t batch = options_.config.evaluation_batch, count = source->size();
    const auto classes = static_cast<std::size_t>(graphs_.classes());
    Program& program = evaluation_program();
    Answers answers{Tensor({count, graphs_.classes()}, DType::f32), {}};
    std::size_t done = 0;
    const auto answer = [&](const Tensor& rows) {
        program.set(graphs_.from_features() ? features_input : images_input, padded(rows, batch));
        program.run();
        const Tensor logits = program.get("logits").converted(DType::f32);
        const auto values = logits.values<float>().first(static_cast<std::size_t>(rows.shape()[0]) * classes);
        std::copy(values.begin(), values.end(),
                  answers.logits.values<float>().begin() + static_cast<std::ptrdiff_t>(done * classes));
        done += static_cast<std::size_t>(rows.shape()[0]);
    };
    for (std::int64_t i = 0; i < count; ++i) answers.labels.push_back(source->label(i));
    if (graphs_.from_features()) {
        const Tensor& features = features_of(source);
        const std::size_t size = features.bytes().size() / static_cast<std::size_t>(count);
        for (std::int64_t begin = 0; begin < count; begin += batch) {
            Tensor rows(features.shape().with(0, std::min(batch, count - begin)), DType::f32);
            std::memcpy(rows.bytes().data(), features.bytes().data() + static_cast<std::size_t>(begin) * size,
                        rows.bytes().size());
            answer(rows);
        }
        return answers;
    }
    Loader loader(source, {.batch = batch, .epochs = 1, .transform = options_.config.preprocessing});
    while (const std::optional<Batch> photos = loader.next()) answer(photos->images);
    return answers;
}

}  // namespace cambium
