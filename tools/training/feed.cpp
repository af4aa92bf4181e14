#include "tools/training/feed.h"

#include <algorithm>
#include <cstring>

#include "data/images/augment.h"
#include "engine/base/fail.h"

namespace cambium {
namespace {

LoaderOptions options_of(const TrainingConfig& config) {
    LoaderOptions options{.batch = config.batch,
                          .order = Order::shuffled,
                          .last_batch = config.drop_last_batch ? LastBatch::drop : LastBatch::keep,
                          .seed = config.seed};
    if (config.augment) {
        options.transform = config.augmentation;
    } else {
        options.transform = config.preprocessing;
    }
    return options;
}

class ImageFeed final : public Feed {
  public:
    ImageFeed(std::shared_ptr<const ImageSource> source, const TrainingConfig& config, LoaderPosition at)
        : loader_(std::move(source), options_of(config), at),
          classes_(static_cast<int>(config.classes.size())),
          mixes_(config.augmentation.mixup > 0 || config.augmentation.cutmix > 0) {}

    FeedBatch next() override {
        std::optional<Batch> batch = loader_.next();
        if (!batch) fail("the loader ended, which an endless one must not");
        FeedBatch result{
            .values = std::move(batch->images), .labels = std::move(batch->labels), .ends_epoch = batch->ends_epoch};
        if (!batch->augmentation.empty()) {
            result.table = to_table(batch->augmentation);
            if (mixes_) result.targets = mixed_labels(result.labels, batch->augmentation, classes_);
        }
        return result;
    }
    double wait_share() const override { return loader_.wait_share(); }
    void restart_clock() override { loader_.restart_clock(); }

  private:
    Loader loader_;
    int classes_;
    bool mixes_;
};

class FeatureFeed final : public Feed {
  public:
    FeatureFeed(std::shared_ptr<const ImageSource> source, const Tensor& features, const TrainingConfig& config,
                LoaderPosition at)
        : source_(std::move(source)), features_(features), options_(options_of(config)), at_(at) {
        order_ = epoch_order(*source_, options_, at_.epoch);
    }

    FeedBatch next() override {
        const auto batch = static_cast<std::size_t>(options_.batch);
        const std::size_t begin = static_cast<std::size_t>(at_.batch) * batch;
        const std::size_t rows = std::min(batch, order_.size() - begin);
        FeedBatch result{Tensor(features_.shape().with(0, static_cast<std::int64_t>(rows)), DType::f32),
                         Tensor({static_cast<std::int64_t>(rows)}, DType::i32)};
        const std::size_t size = result.values.bytes().size() / rows;
        for (std::size_t row = 0; row < rows; ++row) {
            const std::int64_t sample = order_[begin + row].sample;
            std::memcpy(result.values.bytes().data() + row * size,
                        features_.bytes().data() + static_cast<std::size_t>(sample) * size, size);
            result.labels.values<std::int32_t>()[row] = source_->label(sample);
        }
        const std::size_t left = order_.size() - begin - rows;
        ++at_.batch;
        if (left == 0 || (left < batch && options_.last_batch == LastBatch::drop)) {
            result.ends_epoch = true;
            at_ = {at_.epoch + 1, 0};
            order_ = epoch_order(*source_, options_, at_.epoch);
        }
        return result;
    }
    double wait_share() const override { return 0; }
    void restart_clock() override {}

  private:
    std::shared_ptr<const ImageSource> source_;
    const Tensor& features_;
    LoaderOptions options_;
    LoaderPosition at_;
    std::vector<Draw> order_;
};

}  // namespace

std::unique_ptr<Feed> make_image_feed(std::shared_ptr<const ImageSource> source, const TrainingConfig& config,
                                      LoaderPosition at) {
    return std::make_unique<ImageFeed>(std::move(source), config, at);
}

std::unique_ptr<Feed> make_feature_feed(std::shared_ptr<const ImageSource> source, const Tensor& features,
                                        const TrainingConfig& config, LoaderPosition at) {
    return std::make_unique<FeatureFeed>(std::move(source), features, config, at);
}

}  // namespace cambium
