// PhaseRun: one phase at work. Programs are compiled once per batch size and bound to the run's Store; the last,
// smaller batch of an epoch gets its own.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tools/training/feature_cache.h"
#include "tools/training/feed.h"
#include "tools/training/step_graphs.h"
#include "tools/training/trainer.h"

namespace cambium {

class PhaseRun {
  public:
    PhaseRun(const TrainerOptions& options, const PhaseConfig& phase, Store& store);

    const PhaseConfig& config() const { return graphs_.phase; }
    const PhaseGraphs& graphs() const { return graphs_; }
    // Entries of the store that this phase changes, and all others.
    std::vector<std::string> changing() const;
    std::vector<std::string> fixed() const;
    // Of the changing ones, those that belong to the network.
    std::vector<std::string> changing_network() const;

    // Computes the features of a phase that trains on them, of all sets that it needs.
    void prepare();
    std::unique_ptr<Feed> feed(LoaderPosition at) const;

    struct Scalars {
        double learning_rate = 0, average_rate = 0;
        std::int64_t dropout_step = 0;
    };
    void micro_batch(const FeedBatch& batch, const Scalars& scalars);
    void apply(const Scalars& scalars);  // with accumulation: ends an update
    // Adds to the batch counters of the norms that this phase trains.
    void count(std::int64_t batches);

    // Answers for a whole set, in its order.
    Answers answers(const std::shared_ptr<const ImageSource>& source);

    Program& train_program(std::int64_t batch);
    Program& feature_program();
    Program& evaluation_program();
    // What computes in this phase: a line for each operator, dtype and provider, with their number.
    std::string operators();

  private:
    Program compiled(const Graph& graph);
    const Tensor& features_of(const std::shared_ptr<const ImageSource>& source);
    void set(Program& program, const char* name, double value) const;
    void declare();

    const TrainerOptions& options_;
    Store& store_;
    PhaseGraphs graphs_;
    Shape feature_;  // of one sample
    Graph graph_;    // the training step at the full batch
    std::set<std::string> changing_;
    std::map<std::int64_t, Program> train_;
    std::unique_ptr<Program> apply_, evaluate_, feature_program_;
    std::unique_ptr<FeatureCache> cache_;
    std::map<const ImageSource*, Tensor> features_;
};

}  // namespace cambium
