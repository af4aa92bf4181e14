// parallel_for: what is covered, by how many, and what happens when a range throws. Under the preset `thread` this is
// the std::thread pool, and ThreadSanitizer watches.
#include "engine/base/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using namespace cambium;

namespace {

// Restores the thread count on leaving a test.
class Threads {
  public:
    explicit Threads(int count) : before_(thread_count()) { set_thread_count(count); }
    ~Threads() { set_thread_count(before_); }
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;

  private:
    int before_;
};

using Ranges = std::set<std::pair<std::int64_t, std::int64_t>>;

Ranges ranges_of(std::int64_t count, std::int64_t grain) {
    Ranges ranges;
    std::mutex mutex;
    parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
        const std::lock_guard lock(mutex);
        ranges.emplace(begin, end);
    });
    return ranges;
}

}  // namespace

TEST_CASE("ranges cover the count exactly, at most one per thread, none shorter than the grain") {
    for (const int threads : {1, 2, 3, 8}) {
        const Threads setting(threads);
        for (const std::int64_t count : {1, 2, 7, 64, 1000}) {
            for (const std::int64_t grain : {1, 3, 64, 5000}) {
                const Ranges ranges = ranges_of(count, grain);
                std::int64_t next = 0;
                for (const auto& [begin, end] : ranges) {
                    CHECK(begin == next);
                    if (ranges.size() > 1) CHECK(end - begin >= grain);
                    next = end;
                }
                CHECK(next == count);
                CHECK(static_cast<int>(ranges.size()) <= threads);
                CHECK(ranges == ranges_of(count, grain));
            }
        }
    }
}

TEST_CASE("nothing is called for an empty range") {
    CHECK(ranges_of(0, 1).empty());
    CHECK(ranges_of(-5, 1).empty());
}

TEST_CASE("a grain below one counts as one") {
    const Threads setting(4);
    CHECK(ranges_of(4, 0).size() == 4);
}

TEST_CASE("writes of all ranges are seen after the loop") {
    const Threads setting(8);
    for (int repeat = 0; repeat < 200; ++repeat) {
        std::vector<int> values(997);
        parallel_for(997, 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) values[static_cast<std::size_t>(i)] = static_cast<int>(i);
        });
        REQUIRE(std::accumulate(values.begin(), values.end(), 0) == 997 * 996 / 2);
    }
}

TEST_CASE("an exception is rethrown to the caller once all ranges have ended, and the next loop works") {
    for (const int threads : {1, 4}) {
        const Threads setting(threads);
        std::atomic<int> ended{0};
        CHECK_THROWS_WITH_AS(parallel_for(4, 1,
                                          [&](std::int64_t begin, std::int64_t end) {
                                              ended += static_cast<int>(end - begin);
                                              if (begin == 0) throw std::runtime_error("from a range");
                                          }),
                             "from a range", std::runtime_error);
        CHECK(ended == 4);
        CHECK(static_cast<int>(ranges_of(4, 1).size()) == threads);
    }
}

TEST_CASE("every range may throw; one of the exceptions arrives") {
    const Threads setting(8);
    for (int repeat = 0; repeat < 50; ++repeat) {
        CHECK_THROWS_AS(parallel_for(8, 1, [](std::int64_t, std::int64_t) { throw std::out_of_range("each"); }),
                        std::out_of_range);
    }
}

TEST_CASE("a nested loop runs in the calling thread, as one range") {
    const Threads setting(4);
    std::atomic<int> outer{0}, inner{0};
    parallel_for(4, 1, [&](std::int64_t, std::int64_t) {
        ++outer;
        const std::thread::id self = std::this_thread::get_id();
        parallel_for(100, 1, [&](std::int64_t begin, std::int64_t end) {
            if (std::this_thread::get_id() == self && begin == 0 && end == 100) ++inner;
        });
    });
    CHECK(outer == 4);
    CHECK(inner == 4);
}

TEST_CASE("an exception out of a nested loop passes through both") {
    const Threads setting(4);
    const auto throwing = [](std::int64_t, std::int64_t) { throw std::logic_error("inner"); };
    CHECK_THROWS_WITH_AS(parallel_for(4, 1, [&](std::int64_t, std::int64_t) { parallel_for(4, 1, throwing); }), "inner",
                         std::logic_error);
}

TEST_CASE("several threads may run loops at once") {
    const Threads setting(4);
    std::vector<std::int64_t> sums(6);
    {
        std::vector<std::jthread> callers;
        for (std::size_t caller = 0; caller < sums.size(); ++caller) {
            callers.emplace_back([&sums, caller] {
                for (int repeat = 0; repeat < 50; ++repeat) {
                    std::atomic<std::int64_t> sum{0};
                    parallel_for(100, 1, [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t i = begin; i < end; ++i) sum += i;
                    });
                    sums[caller] += sum;
                }
            });
        }
    }
    for (const std::int64_t sum : sums) CHECK(sum == 50 * 4950);
}

TEST_CASE("the thread count is at least one") {
    CHECK(thread_count() >= 1);
    const Threads setting(0);
    CHECK(thread_count() == 1);
}
