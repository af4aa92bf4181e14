// The loader: the same batches for any number of threads and from any place, errors where they belong, a clean end.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include "data/images/loader.h"
#include "engine/base/error.h"
#include "engine/base/fail.h"

using namespace cambium;

namespace {

// Small images that can be told apart, some slower than others; `broken` throws.
class TestSource final : public ImageSource {
  public:
    explicit TestSource(std::int64_t size, std::int64_t broken = -1) : size_(size), broken_(broken) {}
    std::int64_t size() const override { return size_; }
    int label(std::int64_t index) const override { return index % 4 == 0 ? 1 : 0; }
    Image image(std::int64_t index) const override {
        ++made;
        if (index % 7 == 3) std::this_thread::sleep_for(std::chrono::microseconds(300));
        if (index == broken_) fail("cannot read photo {}", index);
        Image image({static_cast<int>(12 + index % 5), 9});
        for (std::size_t i = 0; i < image.bytes(); ++i)
            image.pixels()[i] = static_cast<std::uint8_t>(i * 7 + static_cast<std::size_t>(index) * 31);
        return image;
    }
    mutable std::atomic<int> made{0};

  private:
    std::int64_t size_, broken_;
};

LoaderOptions training(int threads) {
    return {.batch = 8,
            .order = Order::shuffled,
            .seed = 5,
            .epochs = 3,
            .transform = Augmentation{.size = 8, .brightness = 0.3, .erase = 0.3, .mixup = 0.2},
            .threads = threads,
            .batches_ahead = 2};
}

bool equal(const Batch& a, const Batch& b) {
    return std::ranges::equal(a.images.bytes(), b.images.bytes()) &&
           std::ranges::equal(a.labels.bytes(), b.labels.bytes()) && a.indices == b.indices &&
           a.augmentation.size() == b.augmentation.size() &&
           std::memcmp(a.augmentation.data(), b.augmentation.data(),
                       a.augmentation.size() * sizeof(AugmentParameters)) == 0 &&
           a.position == b.position && a.ends_epoch == b.ends_epoch;
}

std::vector<Batch> all_of(Loader& loader) {
    std::vector<Batch> batches;
    while (auto batch = loader.next()) batches.push_back(std::move(*batch));
    return batches;
}

std::vector<Batch> all_of(const LoaderOptions& options, std::int64_t size, LoaderPosition start = {}) {
    Loader loader(std::make_shared<TestSource>(size), options, start);
    return all_of(loader);
}

std::string error_of(Loader& loader) {
    try {
        loader.next();
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

}  // namespace

TEST_CASE("1, 2 and 8 threads give the same batches") {
    const auto expected = all_of(training(1), 37);
    CHECK(expected.size() == 15);
    for (int threads : {2, 8}) CHECK(std::ranges::equal(all_of(training(threads), 37), expected, equal));
}

TEST_CASE("a loader resumes at any batch, epochs' ends included") {
    const auto expected = all_of(training(2), 37);
    for (std::int64_t start = 0; start <= 15; ++start) {
        CAPTURE(start);
        const auto rest = all_of(training(2), 37, {start / 5, start % 5});
        CHECK(std::ranges::equal(rest, std::span(expected).subspan(static_cast<std::size_t>(start)), equal));
    }
    CHECK(std::ranges::equal(all_of(training(2), 37, {0, 5}), std::span(expected).subspan(5), equal));
}

TEST_CASE("position() is the place to resume at") {
    const auto expected = all_of(training(2), 37);
    Loader loader(std::make_shared<TestSource>(37), training(2));
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(loader.position() == expected[i].position);
        CHECK(equal(*loader.next(), expected[i]));
    }
    CHECK(loader.position() == LoaderPosition{3, 0});
    CHECK(!loader.next());
}

TEST_CASE("an epoch holds every photo once, in another order than the last") {
    const auto batches = all_of(training(2), 37);
    std::vector<std::int64_t> epochs[3];
    for (const Batch& batch : batches) {
        auto& seen = epochs[batch.position.epoch];
        seen.insert(seen.end(), batch.indices.begin(), batch.indices.end());
        CHECK(batch.ends_epoch == (batch.position.batch == 4));
        CHECK(batch.indices.size() == (batch.ends_epoch ? 5 : 8));
        CHECK(batch.images.shape() == Shape{batch.ends_epoch ? 5 : 8, 8, 8, 3});
    }
    CHECK(epochs[0] != epochs[1]);
    CHECK(epochs[1] != epochs[2]);
    for (auto& seen : epochs) {
        std::ranges::sort(seen);
        REQUIRE(seen.size() == 37);
        for (std::int64_t i = 0; i < 37; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
    }
}

TEST_CASE("evaluation goes through the photos in order, without augmentation") {
    const LoaderOptions options{
        .batch = 10, .epochs = 1, .transform = Preprocessing{.resize = 9, .crop = 8}, .threads = 3};
    const auto batches = all_of(options, 23);
    REQUIRE(batches.size() == 3);
    CHECK(batches[2].indices == std::vector<std::int64_t>{20, 21, 22});
    CHECK(batches[0].augmentation.empty());
    CHECK(batches[1].labels.values<std::int32_t>()[2] == 1);  // photo 12
}

TEST_CASE("the last smaller batch is dropped if asked") {
    LoaderOptions options = training(2);
    options.last_batch = LastBatch::drop;
    CHECK(all_of(options, 37).size() == 12);
    CHECK_THROWS_AS(all_of(options, 7), Error);
}

TEST_CASE("balanced sampling draws classes by weight, and a photo drawn twice is cropped anew") {
    LoaderOptions options = training(2);
    options.order = Order::balanced;
    const TestSource source(400);
    const auto share = [&] {  // of class 1, which a quarter of the photos are
        double ones = 0;
        for (std::int64_t epoch = 0; epoch < 5; ++epoch)
            for (const Draw& draw : epoch_order(source, options, epoch)) ones += source.label(draw.sample);
        return ones / 2000;
    };
    CHECK(std::abs(share() - 0.5) < 0.05);  // 4.5 standard deviations
    options.class_weights = {3, 1};
    CHECK(std::abs(share() - 0.25) < 0.045);
    CHECK(epoch_order(source, options, 1) == epoch_order(source, options, 1));
    CHECK(std::ranges::any_of(epoch_order(source, options, 1), [](const Draw& draw) { return draw.repeat > 0; }));
    const auto expected = all_of(options, 37);
    options.threads = 8;
    CHECK(std::ranges::equal(all_of(options, 37), expected, equal));
    options.class_weights = {0, 0};
    CHECK_THROWS_AS(epoch_order(source, options, 0), UsageError);
    options.class_weights = {1};
    CHECK_THROWS_AS(epoch_order(source, options, 0), UsageError);
}

TEST_CASE("an unreadable photo fails its batch, after the batches before it, and the loader stays failed") {
    LoaderOptions options{.batch = 4, .epochs = 1, .transform = Preprocessing{.resize = 0, .crop = 8}};
    for (int threads : {1, 4}) {
        options.threads = threads;
        Loader loader(std::make_shared<TestSource>(40, 10), options);
        CHECK(loader.next());
        CHECK(loader.next());
        CHECK(error_of(loader) == "cannot read photo 10");
        CHECK(error_of(loader) == "cannot read photo 10");
    }
}

TEST_CASE("the queue is bounded, and a loader that is dropped early stops") {
    const auto source = std::make_shared<TestSource>(100'000);
    {
        Loader loader(source, training(4));
        CHECK(loader.next());
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        CHECK(source->made <= 8 * 3);  // one batch used, two ahead
        CHECK(loader.wait_share() > 0.0);
        CHECK(loader.wait_share() < 1.0);
        loader.restart_clock();
        CHECK(loader.wait_share() == 0.0);
    }
    CHECK(source.use_count() == 1);
}

TEST_CASE("options and places that make no sense are refused") {
    const auto source = std::make_shared<TestSource>(10);
    CHECK_THROWS_AS(Loader(source, {.batch = 0}), UsageError);
    CHECK_THROWS_AS(Loader(source, {.batches_ahead = 0}), UsageError);
    CHECK_THROWS_AS(Loader(source, {.transform = Augmentation{.flip = 2}}), UsageError);
    CHECK_THROWS_AS(Loader(source, {.batch = 5}, {0, 3}), Error);
    CHECK_THROWS_AS(Loader(source, {.batch = 5}, {-1, 0}), Error);
    CHECK_THROWS_AS(Loader(std::make_shared<TestSource>(0), {}), Error);
}
