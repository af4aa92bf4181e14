// Weight files into a Store and back. Nothing is skipped in silence: every tensor of the file and every parameter of
// the graph ends up in exactly one list of the report.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/formats/weights.h"
#include "engine/graph/graph.h"
#include "models/architectures.h"

namespace cambium {

// What a head of another size means: an error, or a new head with its initial values (for fine-tuning). `renew` takes a
// new head even where the file's would fit, since its classes are other ones.
enum class HeadPolicy : std::uint8_t { require, replace_if_other_size, renew };

struct LoadReport {
    struct Difference {
        std::string name;
        Shape in_file, in_model;  // in the file's axis order
    };
    std::vector<std::string> matched, missing, left_over;
    std::vector<Difference> differing;  // outside the head, or anywhere under HeadPolicy::require
    std::vector<std::string> new_head;  // parameters of the head that keep their initial values
    std::int64_t classes_in_file = 0;   // size of the file's head; 0 if it has none

    bool complete() const { return missing.empty() && differing.empty(); }
    // "161 tensors match; the head fc (1000 classes) is replaced by a new one for 2; left over: ..."
    std::string text() const;
};

// Compares names and shapes, and reads nothing. Where torchvision has changed names, a file may have the former ones
// (Architecture::renamings); reports call tensors by today's.
LoadReport match(const WeightsFile& weights, const Graph& graph, const Architecture& architecture,
                 HeadPolicy head = HeadPolicy::require);

// Throws Error if the report is not complete: it names the first tensors that do not fit and the architecture that
// would.
void require_complete(const WeightsFile& weights, const LoadReport& report, const Architecture& architecture);

// Writes every matching tensor into the store, whose entries `graph` has declared (declare_entries); f16, bf16 and f64
// become the store's reals. Batch counters ("num_batches_tracked") become entries of their own, for save_weights().
// Throws Error if they do not all fit, as require_complete().
LoadReport load_weights(const WeightsFile& weights, const Graph& graph, Store& store, const Architecture& architecture,
                        HeadPolicy head = HeadPolicy::require);

// Architectures whose tensors outside the head are all in the file in the same shape, best first: the one that uses
// most of the file.
std::vector<const Architecture*> fitting_architectures(const WeightsFile& weights);

// Parameters, statistics and batch counters of `graph` in file layout and torchvision's names: what a state_dict holds.
std::vector<WeightsEntry> weights_entries(const Graph& graph, const Store& store);

// What the ending of `path` stands for: safetensors, or a PyTorch zip for .pt, .pth and .th. Throws UsageError for any
// other.
WeightsFormat format_to_write(const std::filesystem::path& path);
void write_weights(const std::filesystem::path& path, std::span<const WeightsEntry> entries, const TensorSource& source,
                   const Metadata& metadata);
void save_weights(const std::filesystem::path& path, const Graph& graph, const Store& store, const Metadata& metadata);

// Adds to the batch counter of every norm whose statistics `graph` moves; to be called before saving, with the steps
// since the last call.
void count_batches(const Graph& graph, Store& store, std::int64_t batches);

}  // namespace cambium
