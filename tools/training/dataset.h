// Dataset: the photos of a run, whatever they come from. DATA is a folder, a CSV manifest, or the built-in sample:
//   leaves                          few pictures of the target's species, a little off the source's domain
//   leaves:source                   what the shipped network is pretrained on
//   leaves:target?dial=1.5&train=8  with the domain dial, pictures per class (train, val, test), seed and size changed
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/images/folder.h"
#include "data/images/loader.h"

namespace cambium {

struct Dataset {
    std::string name;  // DATA, an existing path made absolute
    std::vector<std::string> classes;
    std::shared_ptr<const ImageSource> train{}, validation{}, test{};  // test: null where the data have none
    std::string split{};                                               // how the sets came about, one sentence
    std::vector<LeftOut> left_out{};
    std::vector<SharedPhoto> shared{};  // photos of the training set that another set holds too
    std::vector<std::string> notes{};   // what else a person should know
    bool built_in = false;
};

struct DatasetOptions {
    std::uint64_t seed = 0;  // of a split
    Unreadable unreadable = Unreadable::refuse;
};

// Throws Error where the data cannot be used, UsageError for a wrong name of the sample.
Dataset open_dataset(const std::string& data, const DatasetOptions& options = {});

// What can be found wrong with DATA without opening a photo: nothing there, no class folders, one class. Throws as
// open_dataset() does.
void require_dataset(const std::string& data);

// All that a person should know before training on it, in sentences: `left_out`, `shared` (the first few of each) and
// `notes`.
std::vector<std::string> worth_knowing(const Dataset& dataset);

// True for the names of the built-in sample.
bool is_leaves(const std::string& data);

// How many samples of each class a source has.
std::vector<std::int64_t> class_counts(const ImageSource& source, std::size_t classes);

// What identifies a sample: a digest of the file's bytes, or of the pixels where there is no file.
std::string sample_key(const ImageSource& source, std::int64_t index);

// What a sample is called in reports: its path, or "train 12" of the built-in sample.
std::string sample_name(const ImageSource& source, std::int64_t index);

// Of the names, labels and order of all samples: equal digests mean equal lists.
std::string list_digest(const Dataset& dataset);

// Some samples of another source.
class SubsetSource final : public ImageSource {
  public:
    SubsetSource(std::shared_ptr<const ImageSource> all, std::vector<std::int64_t> indices)
        : all_(std::move(all)), indices_(std::move(indices)) {}
    std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
    int label(std::int64_t index) const override { return all_->label(of(index)); }
    Image image(std::int64_t index) const override { return all_->image(of(index)); }

  private:
    std::int64_t of(std::int64_t index) const { return indices_[static_cast<std::size_t>(index)]; }
    std::shared_ptr<const ImageSource> all_;
    std::vector<std::int64_t> indices_;
};

}  // namespace cambium
