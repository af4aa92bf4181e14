// Feed: training batches one after another, from photos or from features that were computed before. Both give the same
// samples in the same order: a function of (seed, epoch).
#pragma once

#include <memory>
#include <optional>

#include "data/images/loader.h"
#include "tools/training/config.h"

namespace cambium {

struct FeedBatch {
    Tensor values;     // u8 [n, side, side, 3] or f32 [n, ...]
    Tensor labels;     // i32 [n]
    Tensor table{};    // f32 [n, 20] where photos are augmented: what the step changes in them
    Tensor targets{};  // f32 [n, classes] where photos are mixed
    bool ends_epoch = false;
    std::int64_t rows() const { return labels.count(); }
};

class Feed {
  public:
    virtual ~Feed() = default;
    virtual FeedBatch next() = 0;  // without end: epochs follow one another
    virtual double wait_share() const = 0;
    virtual void restart_clock() = 0;
};

// Photos, cropped at random if the configuration augments them; all else that it changes is in the batch's table.
// Starts before batch `at.batch` of epoch `at.epoch`.
std::unique_ptr<Feed> make_image_feed(std::shared_ptr<const ImageSource> source, const TrainingConfig& config,
                                      LoaderPosition at);
// Rows of `features` [N, ...], which must outlive the feed.
std::unique_ptr<Feed> make_feature_feed(std::shared_ptr<const ImageSource> source, const Tensor& features,
                                        const TrainingConfig& config, LoaderPosition at);

}  // namespace cambium
