#include "engine/base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace cambium {
namespace {

// A container's CPU quota (cgroup v2 cpu.max, "quota period") can be smaller than its affinity mask.
int quota_limit() {
    std::ifstream file("/sys/fs/cgroup/cpu.max");
    std::string quota;
    double period = 0;
    if (!(file >> quota >> period) || quota == "max" || period <= 0) return 1 << 20;
    return std::max(1, static_cast<int>(std::stod(quota) / period + 0.5));
}

int available_processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    int count = 0;
    if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
    if (count <= 0) count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    return std::min(count, quota_limit());
}

std::atomic<int>& thread_setting() {
    static std::atomic<int> setting{available_processors()};
    return setting;
}

thread_local bool inside_parallel_region = false;

struct Split {
    std::int64_t count;
    int parts;
    std::int64_t begin(int part) const { return count * part / parts; }
};

Split split(std::int64_t count, std::int64_t grain) {
    const std::int64_t wanted = std::max<std::int64_t>(1, count / std::max<std::int64_t>(1, grain));
    return {count, static_cast<int>(std::min<std::int64_t>(wanted, thread_count()))};
}

// Runs one part, keeping the first exception so that it can be rethrown on the calling thread.
struct Guarded {
    std::mutex mutex;
    std::exception_ptr first;
    void operator()(const Split& s, int part, const std::function<void(std::int64_t, std::int64_t)>& body) {
        const bool outer = inside_parallel_region;
        inside_parallel_region = true;
        try {
            body(s.begin(part), s.begin(part + 1));
        } catch (...) {
            const std::lock_guard lock(mutex);
            if (!first) first = std::current_exception();
        }
        inside_parallel_region = outer;
    }
};

#if !defined(_OPENMP)
// Threads that wait for work. One caller at a time owns the pool; others run their loop alone.
class Pool {
  public:
    static Pool& instance() {
        static Pool pool;
        return pool;
    }
    bool try_run(int parts, const std::function<void(int)>& work) {
        const std::unique_lock owner(owner_, std::try_to_lock);
        if (!owner) return false;
        {
            const std::lock_guard lock(mutex_);
            while (static_cast<int>(threads_.size()) < parts - 1) {
                threads_.emplace_back([this, index = static_cast<int>(threads_.size()) + 1] { wait_for_work(index); });
            }
            work_ = &work;
            parts_ = parts;
            pending_ = parts - 1;
            ++generation_;
        }
        start_.notify_all();
        work(0);
        std::unique_lock lock(mutex_);
        done_.wait(lock, [this] { return pending_ == 0; });
        work_ = nullptr;
        return true;
    }
    ~Pool() {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
        }
        start_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

  private:
    void wait_for_work(int index) {
        std::uint64_t seen = 0;
        std::unique_lock lock(mutex_);
        while (true) {
            start_.wait(lock, [&] { return stop_ || (generation_ != seen && work_ != nullptr); });
            if (stop_) return;
            seen = generation_;
            if (index >= parts_) continue;
            const std::function<void(int)>& work = *work_;
            lock.unlock();
            work(index);
            lock.lock();
            if (--pending_ == 0) done_.notify_one();
        }
    }

    std::mutex owner_, mutex_;
    std::condition_variable start_, done_;
    std::vector<std::thread> threads_;
    const std::function<void(int)>* work_ = nullptr;
    int parts_ = 0, pending_ = 0;
    std::uint64_t generation_ = 0;
    bool stop_ = false;
};
#endif

}  // namespace

int thread_count() { return thread_setting().load(std::memory_order_relaxed); }

void set_thread_count(int threads) {
    thread_setting().store(std::max(1, threads), std::memory_order_relaxed);
#if defined(_OPENMP)
    omp_set_num_threads(std::max(1, threads));
#endif
}

void parallel_for(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& body) {
    if (count <= 0) return;
    const Split s = split(count, grain);
    Guarded guarded;
    if (s.parts == 1 || inside_parallel_region) {
        body(0, count);
        return;
    }
#if defined(_OPENMP)
#pragma omp parallel for num_threads(s.parts) schedule(static, 1)
    for (int part = 0; part < s.parts; ++part) guarded(s, part, body);
#else
    const std::function<void(int)> work = [&](int part) { guarded(s, part, body); };
    if (!Pool::instance().try_run(s.parts, work)) {
        for (int part = 0; part < s.parts; ++part) guarded(s, part, body);
    }
#endif
    if (guarded.first) std::rethrow_exception(guarded.first);
}

}  // namespace cambium
