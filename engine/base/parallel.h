// parallel_for: the only way our own loops use several threads. With OpenMP it shares the threads of oneDNN; without,
// it keeps a small pool of std::threads, which ThreadSanitizer can follow. The split depends only on (count, threads),
// so that a result never depends on timing.
#pragma once

#include <cstdint>
#include <functional>

namespace cambium {

// Threads that loops use. Starts as the processors this process may run on (affinity and cgroup limits respected).
int thread_count();
void set_thread_count(int threads);

// Calls body(begin, end) on disjoint ranges that cover [0, count), at most one range per thread, each at least `grain`
// long (but for the last). The first exception thrown by a range is rethrown here after all ranges have ended. A nested
// call runs in the calling thread.
void parallel_for(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace cambium
