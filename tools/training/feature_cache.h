// Feature cache: what the frozen part of a network says about each photo, computed once. An entry is keyed by the
// photo's bytes, and the folder it lies in by everything else that decides its bits: weights, the compiled graph with
// its providers, preprocessing, precision, instruction set and thread count. So a changed photo costs one entry, and
// any other change a new folder.
//
// Features are computed by one program of fixed batch, padded, whose rows do not depend on one another: a photo's
// features are the same bits whichever photos are computed beside it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "data/images/loader.h"
#include "engine/graph/program.h"

namespace cambium {

// "onednn-2.6 x86-64-v4 threads=2": what stands for the machine in keys.
std::string machine_key();

struct FeatureReport {
    std::int64_t cached = 0, computed = 0;
};

class FeatureCache {
  public:
    // `program` has the input "images" u8 [batch, side, side, 3] and the output "features"; `weights` are the entries
    // that it reads from the store. An empty folder name keeps nothing on disk.
    FeatureCache(const std::filesystem::path& folder, Program& program, const Store& store, const Graph& graph,
                 const Preprocessing& preprocessing);

    using Tick = std::function<void(std::int64_t done, std::int64_t total)>;  // after each batch; may throw
    // Features of all samples of `source`, f32 [N, ...], in its order. If it is ended by an exception, what was
    // computed until then is kept.
    Tensor features(std::shared_ptr<const ImageSource> source, const Tick& tick);
    const FeatureReport& report() const { return report_; }
    const std::filesystem::path& folder() const { return folder_; }

  private:
    void load();
    void compute(const std::shared_ptr<const ImageSource>& source, const std::vector<std::int64_t>& wanted,
                 const std::vector<std::string>& keys, const Tick& tick);
    void keep(std::span<const std::string> keys);
    std::filesystem::path folder_;
    Program& program_;
    Preprocessing preprocessing_;
    Shape batch_shape_;  // of the output
    std::map<std::string, Tensor> entries_;
    FeatureReport report_;
};

}  // namespace cambium
