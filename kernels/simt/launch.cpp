// Launches, streams, events and copies. Everything runs when it is enqueued; what a GPU might overlap is kept apart by
// the streams' clocks (state.h).
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <new>

#include "engine/base/fail.h"
#include "engine/base/parallel.h"
#include "kernels/simt/address.h"
#include "kernels/simt/memory.h"
#include "kernels/simt/report_log.h"
#include "kernels/simt/state.h"
#include "kernels/simt/watchdog.h"

namespace cambium::simt {
namespace {

using Recorded = std::vector<std::function<void(dev::Stream&)>>;
struct StreamState {
    std::uint32_t number;
    StreamClock known;
    Recorded* recording = nullptr;  // where its operations go instead of running
};
struct EventState {
    StreamClock known;
    std::chrono::steady_clock::time_point time{};
    bool recorded = false;
};

std::atomic<std::uint32_t> stream_count{0};
StreamClock host_knows;  // the host's own clock: what it has synchronised with
constexpr std::uint64_t kNothing = 14695981039346656037ull;
std::uint64_t digest = kNothing;
std::map<std::string, std::uint64_t> digest_by_buffer;
Statistics totals;
thread_local const Launch* running = nullptr;
std::mutex one_at_a_time;  // operations

void join_streams(StreamClock& to, const StreamClock& from) {
    if (to.size() < from.size()) to.resize(from.size(), 0);
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = std::max(to[i], from[i]);
}

StreamState& state_of(const dev::Stream& stream) { return *static_cast<StreamState*>(stream.handle()); }

thread_local bool recording = false;  // by this thread

// Whether `operation` was recorded, and so must not run now.
template <class Operation>
bool record(dev::Stream& stream, Operation&& operation) {
    Recorded* const recorded = state_of(stream).recording;
    if (recorded == nullptr) return false;
    recorded->emplace_back(std::forward<Operation>(operation));
    return true;
}

// Wraps one operation of a stream in the clocks. One at a time, whatever thread of the host asks.
template <class Body>
void as_operation(dev::Stream& stream, const void* kernel, const char* name, dim3 grid, dim3 block, Body&& body) {
    const std::lock_guard lock(one_at_a_time);
    if (!is_checked()) {
        body();
        return;
    }
    StreamState& s = state_of(stream);
    join_streams(s.known, host_knows);
    Detector& d = Detector::instance();
    d.begin_operation(s.number, s.known, kernel, name, grid, block);
    body();
    const Epoch last = d.end_operation();
    if (s.known.size() <= s.number) s.known.resize(s.number + 1, 0);
    s.known[s.number] = last;
}

void validate(const Launch& l) {
    const std::uint64_t threads = std::uint64_t{l.block.x} * l.block.y * l.block.z;
    if (threads == 0 || threads > kMaxThreads) {
        fail("cannot launch {}: a block of {} x {} x {} threads; a block has 1 to {}", function_name(l.kernel),
             l.block.x, l.block.y, l.block.z, kMaxThreads);
    }
    if (l.grid.x == 0 || l.grid.y == 0 || l.grid.z == 0 || l.grid.y > 65535 || l.grid.z > 65535) {
        fail("cannot launch {}: a grid of {} x {} x {} blocks; extents start at 1, y and z end at 65535",
             function_name(l.kernel), l.grid.x, l.grid.y, l.grid.z);
    }
}

// The checked build's red zones come on top of what the kernel asks for on the device.
constexpr std::size_t kRedZoneAllowance = 8 << 10;

bool shared_memory_fits(const Launch& l) {
    if (l.shared_bytes <= kSharedLimit + (is_checked() ? kRedZoneAllowance : 0)) return true;
    add_report({.kind = Kind::shared_memory_size,
                .first_site = kNoSite,
                .first = Party{.action = "launch", .place = {}, .kernel = function_name(l.kernel), .is_copy = true},
                .second = std::nullopt,
                .object = "",
                .detail = fmt::format("the launch asks for {} bytes of shared memory; a block has {} (sm_90)",
                                      l.shared_bytes, kSharedLimit),
                .advice = "use a smaller tile or fewer stages"});
    return false;
}

void run_checked(const Launch& l, std::uint64_t blocks) {
    static Worker single(0);
    Detector& d = Detector::instance();
    d.argument_low_ = reinterpret_cast<std::uintptr_t>(l.arguments);
    d.argument_high_ = d.argument_low_ + l.argument_bytes;
    const Watchdog watchdog(options().watchdog_seconds);
    const std::uint64_t before = single.switches(), accesses = d.accesses_;
    for (std::uint64_t b = 0; b < blocks; ++b) single.run_block(l, b, true);
    totals.switches += single.switches() - before;
    totals.accesses += d.accesses_ - accesses;
}

// One worker per thread of parallel_for; each takes the next block until none is left.
void run_fast(const Launch& l, std::uint64_t blocks) {
    static std::vector<std::unique_ptr<Worker>> workers;
    const std::int64_t count = std::min<std::int64_t>(thread_count(), static_cast<std::int64_t>(blocks));
    while (static_cast<std::int64_t>(workers.size()) < count) {
        workers.push_back(std::make_unique<Worker>(static_cast<unsigned>(workers.size()) + 1));
    }
    std::atomic<std::uint64_t> next{0}, switches{0};
    parallel_for(count, 1, [&](std::int64_t begin, std::int64_t) {
        Worker& w = *workers[static_cast<std::size_t>(begin)];
        running = &l;
        const std::uint64_t before = w.switches();
        for (std::uint64_t b; (b = next.fetch_add(1)) < blocks;) w.run_block(l, b, false);
        switches += w.switches() - before;
        running = nullptr;
    });
    totals.switches += switches;
}

void check_range(const void* device, std::size_t bytes, const char* what) {
    if (bytes != 0 && !is_live_range(device, bytes)) {
        fail("cannot {} {} bytes at {}: the range does not lie within one live allocation", what, bytes, device);
    }
}

void mark(const void* device, std::size_t bytes) {
    if (is_checked())
        std::memset(Detector::instance().state_of(reinterpret_cast<std::uintptr_t>(device)), kReady, bytes);
}

void check_copied_out(const void* device, std::size_t bytes, const char* name, dev::Site where) {
    const SiteId site = site_of(where);
    if (!is_checked() || !options().parts.initialisation) return;
    const auto address = reinterpret_cast<std::uintptr_t>(device);
    const std::uint8_t* state = Detector::instance().state_of(address);
    std::size_t first = bytes, count = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
        if (state[i] == kReady) continue;
        first = std::min(first, i);
        ++count;
    }
    if (count == 0) return;
    add_report({.kind = Kind::uninitialised_global,
                .first_site = site,
                .first = Party{.action = "read", .place = place_of(site), .kernel = name, .is_copy = true},
                .second = std::nullopt,
                .object = describe_address(address + first, 0),
                .detail = fmt::format("nobody has written {} of the {} bytes, the first of them here", count, bytes),
                .advice = "let the kernel write all of its output, or copy only what it writes"});
}

void add_to_digest(const void* host, std::size_t bytes, const std::string& buffer) {  // FNV-1a
    const std::lock_guard lock(one_at_a_time);
    std::uint64_t& of_buffer = digest_by_buffer.try_emplace(buffer, kNothing).first->second;
    const auto* const data = static_cast<const unsigned char*>(host);
    for (std::size_t i = 0; i < bytes; ++i) {
        digest = (digest ^ data[i]) * 1099511628211ull;
        of_buffer = (of_buffer ^ data[i]) * 1099511628211ull;
    }
}

// CAMBIUM_SIMT_SEED chooses the schedule. CAMBIUM_SIMT_JSON, CAMBIUM_SIMT_SARIF and CAMBIUM_SIMT_DIGEST name files that
// are written when the process ends: what launches have thrown, and a digest of what was copied to the host by buffer.
struct Environment {
    Environment() {
        thrown_reports();  // lives longer than this
        if (const char* seed = std::getenv("CAMBIUM_SIMT_SEED")) options().seed = std::strtoull(seed, nullptr, 10);
    }
    ~Environment() {
        if (const char* path = std::getenv("CAMBIUM_SIMT_DIGEST")) {
            std::ofstream file(path);
            for (const auto& [name, value] : digest_by_buffer) file << name << ": " << value << '\n';
        }
        if (const char* path = std::getenv("CAMBIUM_SIMT_JSON")) std::ofstream(path) << to_json(thrown_reports());
        if (const char* path = std::getenv("CAMBIUM_SIMT_SARIF")) std::ofstream(path) << to_sarif(thrown_reports());
    }
} environment;

}  // namespace

void refuse_in_recording(const char* what) {
    if (recording) fail("cannot {} while a stream is recorded", what);
}

const void* running_kernel() { return running == nullptr ? nullptr : running->kernel; }
std::string kernel_name() { return running == nullptr ? "" : function_name(running->kernel); }

void launch(const Launch& l) {
    validate(l);
    if (current != nullptr) fail("cannot launch {} from inside a kernel", function_name(l.kernel));
    if (state_of(l.stream).recording != nullptr) {
        record(l.stream, [kernel = l.kernel, grid = l.grid, block = l.block, shared_bytes = l.shared_bytes,
                          call = l.call, kept = l.keep(l.arguments), bytes = l.argument_bytes, keep = l.keep,
                          declared = current_declarations()](dev::Stream& stream) {
            declare_again(declared);
            launch({kernel, grid, block, shared_bytes, stream, call, kept.get(), bytes, keep});
        });
        forget_declarations();
        return;
    }
    const std::uint64_t blocks = std::uint64_t{l.grid.x} * l.grid.y * l.grid.z;
    running = &l;
    if (shared_memory_fits(l)) {
        as_operation(l.stream, l.kernel, "launch", l.grid, l.block, [&] {
            if (is_checked()) {
                run_checked(l, blocks);
            } else {
                run_fast(l, blocks);
            }
        });
        totals.blocks += blocks;
    }
    running = nullptr;
    forget_declarations();
    throw_reports();
}

void* shared_memory(const SharedLayout& layout, dev::Site where) {
    Block& block = worker->block();
    const SiteId site = site_of(where);
    if (layout.bytes > worker->launch()->shared_bytes) {
        report_shared_size(layout, worker->launch()->shared_bytes, site);
        worker->abandon();
    }
    const bool is_first = block.layout_site == kNoSite;
    if (worker->checked()) {
        if (!is_first && layout.construct != block.layout.construct) report_second_layout(block, layout, site);
        if (layout.bytes > block.layout.bytes) on_shared_memory_taken(*worker, block.layout.bytes, layout.bytes);
    }
    if (is_first) {
        block.layout = layout;
        block.layout_site = site;
        if (layout.construct != nullptr) layout.construct(block.shared);
    }
    block.layout.bytes = std::max(block.layout.bytes, layout.bytes);
    return block.shared;
}

void set_workers(int workers) { set_thread_count(workers); }
std::uint64_t output_digest() { return digest; }
void reset_output_digest() { digest = kNothing; }
Statistics statistics() { return totals; }

}  // namespace cambium::simt

namespace cambium::dev {

using simt::as_operation;

Stream::Stream() : handle_(new simt::StreamState{simt::stream_count++, {}}) {}
Stream::~Stream() { delete static_cast<simt::StreamState*>(handle_); }
void Stream::synchronize() {
    simt::refuse_in_recording("wait for a stream");
    simt::join_streams(simt::host_knows, simt::state_of(*this).known);
    simt::throw_reports();
}

Event::Event() : handle_(new simt::EventState) {}
Event::~Event() { delete static_cast<simt::EventState*>(handle_); }
void Event::record(Stream& stream) {
    simt::refuse_in_recording("record an event");
    auto& event = *static_cast<simt::EventState*>(handle_);
    event = {simt::state_of(stream).known, std::chrono::steady_clock::now(), true};
}
void Event::make_wait(Stream& stream) const {
    simt::refuse_in_recording("wait for an event");
    const auto& event = *static_cast<const simt::EventState*>(handle_);
    if (event.recorded) simt::join_streams(simt::state_of(stream).known, event.known);
}
void Event::synchronize() const {
    simt::refuse_in_recording("wait for an event");
    simt::join_streams(simt::host_knows, static_cast<const simt::EventState*>(handle_)->known);
}
double Event::milliseconds_since(const Event& start) const {
    const auto &a = *static_cast<const simt::EventState*>(start.handle_),
               &b = *static_cast<const simt::EventState*>(handle_);
    if (!a.recorded || !b.recorded) fail("cannot measure the time between two events: one was not recorded");
    return std::chrono::duration<double, std::milli>(b.time - a.time).count();
}

Graph::Graph(Stream& stream, const std::function<void()>& enqueue) {
    simt::refuse_in_recording("record a stream");
    auto recorded = std::make_unique<simt::Recorded>();
    simt::StreamState& state = simt::state_of(stream);
    const auto end = [&] { state.recording = nullptr, simt::recording = false; };
    state.recording = recorded.get(), simt::recording = true;
    try {
        enqueue();
    } catch (...) {
        end();
        throw;
    }
    end();
    handle_ = recorded.release();
}
Graph::~Graph() { delete static_cast<simt::Recorded*>(handle_); }
void Graph::replay(Stream& stream) const {
    simt::refuse_in_recording("replay a recording");
    for (const auto& operation : *static_cast<const simt::Recorded*>(handle_)) operation(stream);
}
std::size_t Graph::size() const { return static_cast<const simt::Recorded*>(handle_)->size(); }

HostBuffer::HostBuffer(std::size_t bytes) : bytes_(bytes) {
    simt::refuse_in_recording("allocate");
    data_ = ::operator new(bytes, std::align_val_t(256));
}
HostBuffer::~HostBuffer() { ::operator delete(data_, std::align_val_t(256)); }

void copy_to_device(void* device, const void* host, std::size_t bytes, Stream& stream, Site site) {
    simt::refuse_in_recording("copy from the host");
    simt::check_range(device, bytes, "copy to the device");
    as_operation(stream, nullptr, "copy_to_device", dim3(1), dim3(1), [&] {
        if (simt::is_checked()) {
            simt::Detector::instance().check_copy(reinterpret_cast<std::uintptr_t>(device), bytes, true,
                                                  simt::site_of(site));
        }
    });
    if (bytes != 0) std::memcpy(device, host, bytes);
    simt::mark(device, bytes);
    simt::throw_reports();
}

void copy_to_host(void* host, const void* device, std::size_t bytes, Stream& stream, Site site) {
    simt::refuse_in_recording("copy to the host");
    simt::check_range(device, bytes, "copy to the host");
    as_operation(stream, nullptr, "copy_to_host", dim3(1), dim3(1), [&] {
        if (simt::is_checked()) {
            simt::Detector::instance().check_copy(reinterpret_cast<std::uintptr_t>(device), bytes, false,
                                                  simt::site_of(site));
        }
    });
    simt::check_copied_out(device, bytes, "copy_to_host", site);
    if (bytes != 0) std::memcpy(host, device, bytes);
    const auto allocation = simt::allocation_near(reinterpret_cast<std::uintptr_t>(device));
    simt::add_to_digest(host, bytes, allocation ? allocation->name : "");
    stream.synchronize();
}

void copy_on_device(void* target, const void* source, std::size_t bytes, Stream& stream, Site site) {
    simt::check_range(target, bytes, "copy on the device");
    simt::check_range(source, bytes, "copy on the device");
    if (simt::record(stream, [=](Stream& s) { copy_on_device(target, source, bytes, s, site); })) return;
    as_operation(stream, nullptr, "copy_on_device", dim3(1), dim3(1), [&] {
        if (!simt::is_checked()) return;
        simt::Detector::instance().check_copy(reinterpret_cast<std::uintptr_t>(source), bytes, false,
                                              simt::site_of(site));
        simt::Detector::instance().check_copy(reinterpret_cast<std::uintptr_t>(target), bytes, true,
                                              simt::site_of(site));
    });
    simt::check_copied_out(source, bytes, "copy_on_device", site);
    if (bytes != 0) std::memmove(target, source, bytes);
    simt::mark(target, bytes);
    simt::throw_reports();
}

void fill_bytes(void* device, unsigned char value, std::size_t bytes, Stream& stream, Site site) {
    simt::check_range(device, bytes, "fill");
    if (simt::record(stream, [=](Stream& s) { fill_bytes(device, value, bytes, s, site); })) return;
    as_operation(stream, nullptr, "fill_bytes", dim3(1), dim3(1), [&] {
        if (simt::is_checked()) {
            simt::Detector::instance().check_copy(reinterpret_cast<std::uintptr_t>(device), bytes, true,
                                                  simt::site_of(site));
        }
    });
    if (bytes != 0) std::memset(device, value, bytes);
    simt::mark(device, bytes);
    simt::throw_reports();
}

int device_count() { return 1; }
DeviceInfo device_info() { return {.name = "CUDA kernels on the processor"}; }
std::size_t shared_memory_limit() { return simt::kSharedLimit; }

}  // namespace cambium::dev
