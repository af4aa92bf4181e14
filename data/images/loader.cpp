#include "data/images/loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <map>
#include <mutex>
#include <string_view>
#include <thread>

#include "data/images/decode.h"
#include "data/images/transforms.h"
#include "engine/base/fail.h"
#include "engine/base/parallel.h"

namespace cambium {

namespace {

std::uint32_t stream_of(std::string_view purpose) { return hash_name(purpose.data(), purpose.size()); }

// The sequence for one sample of one epoch: 2^20 epochs, 2^12 repeats within one and 2^32 samples keep apart.
RandomStream sample_stream(std::uint64_t seed, std::uint32_t purpose, std::int64_t epoch, Draw draw) {
    const std::uint64_t index = (static_cast<std::uint64_t>(epoch) << 44) |
                                (std::uint64_t{draw.repeat & 0xFFFu} << 32) | static_cast<std::uint32_t>(draw.sample);
    return RandomStream(seed, purpose, index);
}

void require_valid(const ImageSource& source, const LoaderOptions& options) {
    if (source.size() < 1) fail("cannot load photos: there are none");
    if (source.size() > std::numeric_limits<std::uint32_t>::max())
        fail("cannot load {} photos: more than 2^32", source.size());
    if (options.batch < 1) fail_usage("a batch of {} photos; at least 1 is needed", options.batch);
    if (options.batches_ahead < 1) fail_usage("{} batches ahead; at least 1 is needed", options.batches_ahead);
    if (options.threads < 0) fail_usage("{} loader threads", options.threads);
    if (options.epochs < 0) fail_usage("{} epochs", options.epochs);
    if (const auto* augmentation = std::get_if<Augmentation>(&options.transform)) require_valid(*augmentation);
    if (options.last_batch == LastBatch::drop && source.size() < options.batch)
        fail("cannot load photos: {} do not fill one batch of {}", source.size(), options.batch);
}

std::vector<Draw> shuffled(std::vector<Draw> order, RandomStream random) {
    for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
    return order;
}

// Draws with replacement, every class as often as its weight says and its photos equally often.
std::vector<Draw> balanced(const ImageSource& source, const std::vector<double>& class_weights, RandomStream random) {
    const auto count = static_cast<std::size_t>(source.size());
    std::map<int, std::size_t> members;
    for (std::size_t i = 0; i < count; ++i) ++members[source.label(static_cast<std::int64_t>(i))];
    std::vector<double> cumulative(count);
    double total = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const int label = source.label(static_cast<std::int64_t>(i));
        double weight = 1;
        if (!class_weights.empty()) {
            if (label < 0 || static_cast<std::size_t>(label) >= class_weights.size())
                fail_usage("balanced sampling: no weight for class {} ({} were given)", label, class_weights.size());
            weight = class_weights[static_cast<std::size_t>(label)];
        }
        if (!(weight >= 0 && weight < 1e30))
            fail_usage("balanced sampling: a weight of {} for class {}", weight, label);
        cumulative[i] = total += weight / static_cast<double>(members[label]);
    }
    if (!(total > 0)) fail_usage("balanced sampling: all class weights are zero");
    std::vector<std::uint32_t> drawn(count);
    std::vector<Draw> order(count);
    for (Draw& draw : order) {
        const auto at = std::ranges::upper_bound(cumulative, random.uniform() * total);
        const auto sample = std::min(static_cast<std::size_t>(at - cumulative.begin()), count - 1);
        draw = {static_cast<std::int64_t>(sample), drawn[sample]++};
    }
    return order;
}

}  // namespace

Image FileSource::image(std::int64_t index) const { return decode(samples_[static_cast<std::size_t>(index)].path); }

std::vector<Draw> epoch_order(const ImageSource& source, const LoaderOptions& options, std::int64_t epoch) {
    RandomStream random(options.seed, stream_of("loader order"), static_cast<std::uint64_t>(epoch));
    if (options.order == Order::balanced) return balanced(source, options.class_weights, random);
    std::vector<Draw> order(static_cast<std::size_t>(source.size()));
    for (std::size_t i = 0; i < order.size(); ++i) order[i].sample = static_cast<std::int64_t>(i);
    return options.order == Order::shuffled ? shuffled(std::move(order), random) : order;
}

// The queue is a ring of batches. Workers take tickets, one per photo, in the order of the epoch; whoever takes a
// batch's first ticket sets the batch up. One mutex guards everything but the pixels, of which every row has one
// writer.
class Loader::Workers {
  public:
    Workers(std::shared_ptr<const ImageSource> source, LoaderOptions options, LoaderPosition start)
        : source_(std::move(source)), options_(std::move(options)) {
        require_valid(*source_, options_);
        const std::int64_t full = source_->size() / options_.batch, rest = source_->size() % options_.batch;
        batches_per_epoch_ = full + (rest > 0 && options_.last_batch == LastBatch::keep ? 1 : 0);
        if (start.epoch < 0 || start.batch < 0 || start.batch > batches_per_epoch_)
            fail("cannot resume loading at epoch {}, batch {}: an epoch has {} batches", start.epoch, start.batch,
                 batches_per_epoch_);
        next_ = consumed_ = start.epoch * batches_per_epoch_ + start.batch;
        end_ = options_.epochs > 0 ? options_.epochs * batches_per_epoch_ : std::numeric_limits<std::int64_t>::max();
        order_ = epoch_order(*source_, options_, next_ / batches_per_epoch_);  // throws here, not in a worker
        order_epoch_ = next_ / batches_per_epoch_;
        ring_.resize(static_cast<std::size_t>(options_.batches_ahead));
        const int threads = options_.threads > 0 ? options_.threads : thread_count();
        for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
    }

    ~Workers() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        room_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

    std::optional<Batch> next() {
        std::unique_lock lock(mutex_);
        const auto begin = Clock::now();
        if (!clock_started_) clock_start_ = begin, clock_started_ = true;
        if (failure_) std::rethrow_exception(failure_);
        if (consumed_ >= end_) return std::nullopt;
        Slot& slot = slot_of(consumed_);
        ready_.wait(lock, [&] { return slot.number == consumed_ && slot.left == 0; });
        waited_ += Clock::now() - begin;
        if (slot.error) {
            failure_ = slot.error;
            stopping_ = true;
            room_.notify_all();
            std::rethrow_exception(failure_);
        }
        Batch batch = std::move(slot.batch);
        slot = {};
        ++consumed_;
        room_.notify_all();
        return batch;
    }

    LoaderPosition position() const {
        const std::lock_guard lock(mutex_);
        return position_of(consumed_);
    }

    std::int64_t batches_per_epoch() const { return batches_per_epoch_; }

    double wait_share() const {
        const std::lock_guard lock(mutex_);
        const double total = std::chrono::duration<double>(Clock::now() - clock_start_).count();
        return clock_started_ && total > 0 ? std::min(1.0, std::chrono::duration<double>(waited_).count() / total)
                                           : 0.0;
    }

    void restart_clock() {
        const std::lock_guard lock(mutex_);
        clock_started_ = false;
        waited_ = {};
    }

  private:
    using Clock = std::chrono::steady_clock;

    struct Slot {
        std::int64_t number = -1;  // of the batch in it, counted over all epochs
        std::int64_t left = 0;     // rows not yet finished
        Batch batch;
        std::vector<Draw> draws;
        std::exception_ptr error;
        std::size_t error_row = 0;
    };

    Slot& slot_of(std::int64_t number) { return ring_[static_cast<std::size_t>(number) % ring_.size()]; }
    LoaderPosition position_of(std::int64_t number) const {
        return {number / batches_per_epoch_, number % batches_per_epoch_};
    }

    void work() {
        std::unique_lock lock(mutex_);
        while (true) {
            room_.wait(lock, [this] {
                return stopping_ || next_ >= end_ ||
                       (!opening_ && (row_ > 0 || next_ < consumed_ + options_.batches_ahead));
            });
            if (stopping_ || next_ >= end_) return;
            Slot& slot = slot_of(next_);
            if (row_ == 0 && !open(lock, slot)) continue;
            const auto row = static_cast<std::size_t>(row_++);
            if (row + 1 == slot.draws.size()) {
                ++next_;
                row_ = 0;
            }
            lock.unlock();
            std::exception_ptr error;
            try {
                fill(slot, row);
            } catch (...) {
                error = std::current_exception();
            }
            lock.lock();
            if (error && (!slot.error || row < slot.error_row)) {
                slot.error = error;
                slot.error_row = row;
            }
            if (--slot.left == 0) ready_.notify_all();
        }
    }

    // Sets up batch `next_`, without the lock while memory is taken: nobody else touches the slot or the order
    // meanwhile. False if that failed: the batch then holds the error.
    bool open(std::unique_lock<std::mutex>& lock, Slot& slot) {
        opening_ = true;
        const std::int64_t number = next_;
        lock.unlock();
        Slot opened;
        try {
            opened = prepared(number);
        } catch (...) {
            opened.error = std::current_exception();
        }
        opened.number = number;
        lock.lock();
        opening_ = false;
        slot = std::move(opened);
        if (slot.error) {
            ++next_;
            ready_.notify_all();
        }
        room_.notify_all();
        return !slot.error;
    }

    Slot prepared(std::int64_t number) {
        const LoaderPosition position = position_of(number);
        if (position.epoch != order_epoch_) {
            order_ = epoch_order(*source_, options_, position.epoch);
            order_epoch_ = position.epoch;
        }
        const auto first = static_cast<std::size_t>(position.batch * options_.batch);
        const auto rows = std::min(static_cast<std::size_t>(options_.batch), order_.size() - first);
        const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(first);
        Slot slot;
        slot.left = static_cast<std::int64_t>(rows);
        slot.draws.assign(begin, begin + static_cast<std::ptrdiff_t>(rows));
        Batch& batch = slot.batch;
        const std::int64_t side = this->side();
        batch.images = Tensor({slot.left, side, side, 3}, DType::u8);
        batch.labels = Tensor({slot.left}, DType::i32);
        batch.position = position;
        batch.ends_epoch = position.batch + 1 == batches_per_epoch_;
        for (std::size_t i = 0; i < rows; ++i) {
            batch.indices.push_back(slot.draws[i].sample);
            batch.labels.values<std::int32_t>()[i] = source_->label(slot.draws[i].sample);
        }
        if (const auto* augmentation = std::get_if<Augmentation>(&options_.transform)) {
            for (const Draw& draw : slot.draws) {
                RandomStream random = sample_stream(options_.seed, stream_of("augmentation"), position.epoch, draw);
                batch.augmentation.push_back(draw_parameters(*augmentation, random));
            }
            RandomStream random(options_.seed, stream_of("mixing"), static_cast<std::uint64_t>(number));
            draw_mixing(*augmentation, random, batch.augmentation);
        }
        return slot;
    }

    int side() const {
        if (const auto* augmentation = std::get_if<Augmentation>(&options_.transform)) return augmentation->size;
        return std::get<Preprocessing>(options_.transform).crop;
    }

    void fill(Slot& slot, std::size_t row) const {
        const Draw draw = slot.draws[row];
        const Image image = source_->image(draw.sample);
        const auto pixels = slot.batch.images.values<std::uint8_t>();
        const std::size_t bytes = pixels.size() / slot.draws.size();
        const auto out = pixels.subspan(row * bytes, bytes);
        const auto* augmentation = std::get_if<Augmentation>(&options_.transform);
        if (augmentation == nullptr)
            return prepare_for_evaluation(image, std::get<Preprocessing>(options_.transform), out);
        RandomStream random = sample_stream(options_.seed, stream_of("crop"), slot.batch.position.epoch, draw);
        resized_crop(image, draw_crop(image.size(), *augmentation, random), augmentation->size,
                     augmentation->interpolation, out);
    }

    const std::shared_ptr<const ImageSource> source_;
    const LoaderOptions options_;
    std::int64_t batches_per_epoch_ = 0, end_ = 0;

    mutable std::mutex mutex_;
    std::condition_variable room_, ready_;  // for workers: something to do; for next(): a batch is complete
    std::vector<Slot> ring_;
    std::int64_t next_ = 0, row_ = 0;  // the next ticket
    std::int64_t consumed_ = 0;        // batches given out, counted from the start of epoch 0
    bool opening_ = false, stopping_ = false;
    std::exception_ptr failure_;
    std::vector<Draw> order_;  // of order_epoch_; written only by the worker that opens a batch
    std::int64_t order_epoch_ = 0;
    bool clock_started_ = false;
    Clock::time_point clock_start_{};
    Clock::duration waited_{};
    std::vector<std::thread> threads_;  // last: they use all of the above
};

Loader::Loader(std::shared_ptr<const ImageSource> source, LoaderOptions options, LoaderPosition start)
    : workers_(std::make_unique<Workers>(std::move(source), std::move(options), start)) {}
Loader::~Loader() = default;
std::optional<Batch> Loader::next() { return workers_->next(); }
LoaderPosition Loader::position() const { return workers_->position(); }
std::int64_t Loader::batches_per_epoch() const { return workers_->batches_per_epoch(); }
double Loader::wait_share() const { return workers_->wait_share(); }
void Loader::restart_clock() { workers_->restart_clock(); }

}  // namespace cambium
