// Loader: worker threads decode, crop and resize photos into batches ahead of their use. Which photos a batch holds and
// what is drawn for them is a function of (seed, epoch, batch) alone: threads only decide when it is ready, so a run
// can stop at any batch and resume there with the same bits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "data/images/augment.h"
#include "data/images/folder.h"
#include "data/images/image.h"
#include "data/images/preprocessing.h"
#include "engine/tensor/tensor.h"

namespace cambium {

// Where photos come from: files, or a generator. All functions are called from several threads at once.
class ImageSource {
  public:
    virtual ~ImageSource() = default;
    virtual std::int64_t size() const = 0;
    virtual int label(std::int64_t index) const = 0;
    virtual Image image(std::int64_t index) const = 0;  // may throw: the loader passes it on with its batch
};

class FileSource final : public ImageSource {
  public:
    explicit FileSource(std::vector<Sample> samples) : samples_(std::move(samples)) {}
    std::int64_t size() const override { return static_cast<std::int64_t>(samples_.size()); }
    int label(std::int64_t index) const override { return samples_[static_cast<std::size_t>(index)].label; }
    Image image(std::int64_t index) const override;
    const std::vector<Sample>& samples() const { return samples_; }

  private:
    std::vector<Sample> samples_;
};

enum class Order : std::uint8_t {
    sequential,  // as the source lists them
    shuffled,    // every photo once an epoch
    balanced,    // as many draws as photos, with replacement, classes weighted
};
enum class LastBatch : std::uint8_t { keep, drop };  // the smaller one at the end of an epoch

struct LoaderOptions {
    std::int64_t batch = 32;
    Order order = Order::sequential;
    LastBatch last_batch = LastBatch::keep;
    std::uint64_t seed = 0;
    std::int64_t epochs = 0;  // 0: without end
    // Evaluation of every photo, or random crops with a table of what the device does next.
    std::variant<Preprocessing, Augmentation> transform = Preprocessing{};
    // Order::balanced: how often a class is drawn, relative to the others; empty: all equally often.
    std::vector<double> class_weights{};
    int threads = 0;        // workers; 0: thread_count()
    int batches_ahead = 3;  // finished or in work beyond the one in use: bounds the memory
};

// A place between two batches. Position {e, b} is before batch b of epoch e, both from 0.
struct LoaderPosition {
    std::int64_t epoch = 0, batch = 0;
    friend bool operator==(const LoaderPosition&, const LoaderPosition&) = default;
};

struct Batch {
    Tensor images;                                // u8 [N, side, side, 3]
    Tensor labels;                                // i32 [N]
    std::vector<std::int64_t> indices;            // of the samples in the source
    std::vector<AugmentParameters> augmentation;  // one per row; empty in evaluation
    LoaderPosition position;                      // of this batch
    bool ends_epoch = false;
};

class Loader {
  public:
    // Starts the workers at `start`. Throws UsageError on options that make no sense, Error if the source is empty, if
    // not one batch can be filled, or if `start` is not a place of this loader.
    Loader(std::shared_ptr<const ImageSource> source, LoaderOptions options, LoaderPosition start = {});
    ~Loader();  // stops the workers, without waiting for more than the photos they are at
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    // The next batch; nothing after the last epoch. Rethrows what reading a photo of this batch threw (that of the
    // first such row); after that, and ever after, the same again.
    std::optional<Batch> next();

    LoaderPosition position() const;  // of the batch that next() gives: what a checkpoint stores
    std::int64_t batches_per_epoch() const;

    // Seconds spent waiting in next() over seconds since the first call of next() or the last restart_clock().
    double wait_share() const;
    void restart_clock();

  private:
    class Workers;
    std::unique_ptr<Workers> workers_;
};

// The samples of one epoch in the order in which a loader gives them; `repeat` counts earlier draws of the same sample.
struct Draw {
    std::int64_t sample = 0;
    std::uint32_t repeat = 0;
    friend bool operator==(const Draw&, const Draw&) = default;
};
std::vector<Draw> epoch_order(const ImageSource& source, const LoaderOptions& options, std::int64_t epoch);

}  // namespace cambium
