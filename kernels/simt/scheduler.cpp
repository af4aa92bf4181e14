// Fibers and who runs next. A thread runs until it waits or ends; then the next ready lane of its warp, else the next
// warp. With a seed any ready thread may be next. Nothing here knows what the threads wait for.
#include <sys/mman.h>

#include <bit>
#include <boost/context/detail/fcontext.hpp>

#include "engine/base/fail.h"
#include "kernels/simt/detector.h"
#include "kernels/simt/runtime.h"

namespace cambium::simt {

namespace context = boost::context::detail;

thread_local Fiber* current = nullptr;
thread_local Worker* worker = nullptr;

unsigned char* reserve(std::uintptr_t address, std::size_t bytes) {
    void* wanted = reinterpret_cast<void*>(address);
    void* memory = mmap(wanted, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (address != 0 ? MAP_FIXED_NOREPLACE : 0), -1, 0);
    if (memory == MAP_FAILED || (address != 0 && memory != wanted)) {
        fail("cannot reserve {} MB of address space at {:#x} for simt: {}; is a limit set (ulimit -v)?", bytes >> 20,
             address, memory == MAP_FAILED ? "mmap refused" : "it is in use");
    }
    return static_cast<unsigned char*>(memory);
}

Worker::Worker(unsigned index)
    : index_(index),
      stacks_(reserve(kStackBase + index * kWorkerStacks, kWorkerStacks)),
      shared_(reserve(kSharedBase + index * kSharedStride, kSharedStride)) {
    fibers_.resize(kMaxThreads);
}

Worker::~Worker() {
    munmap(stacks_, kWorkerStacks);
    munmap(shared_, kSharedStride);
}

std::uint32_t Worker::random() {  // xorshift32 (Marsaglia 2003)
    random_state_ ^= random_state_ << 13;
    random_state_ ^= random_state_ >> 17;
    random_state_ ^= random_state_ << 5;
    return random_state_;
}

void Worker::enter(void* self) { static_cast<Worker*>(self)->fiber_loop(); }

void Worker::make_context(Fiber& fiber, unsigned rank) {
    unsigned char* low = stacks_ + rank * kStackStride;
    if (fiber.stack_low == 0) mprotect(low, kGuardBytes, PROT_NONE);
    fiber.stack_low = reinterpret_cast<std::uintptr_t>(low) + kGuardBytes;
    fiber.stack_high = reinterpret_cast<std::uintptr_t>(low) + kStackStride;
    // Tops of different colour, else every stack's hot lines fall into the same cache sets.
    const std::uintptr_t top = fiber.stack_high - rank * 5 % 61 * 64;
    fiber.context = context::make_fcontext(reinterpret_cast<void*>(top), kStackBytes, [](context::transfer_t from) {
        static_cast<Fiber*>(from.data)->context = from.fctx;
        enter(worker);
    });
}

// Leaves the current fiber (or home) for the target; returns when somebody switches back.
void Worker::switch_to(Fiber& target) {
    Fiber* from = current;
    if (from == &target) return;
    current = &target;
    ++switches_;
    const context::transfer_t back = context::jump_fcontext(target.context, from == nullptr ? &home_ : from);
    static_cast<Fiber*>(back.data)->context = back.fctx;
}

int Worker::pick_at_random() {
    const unsigned warps = block_.warps, start = random() % warps;
    for (unsigned i = 0; i < warps; ++i) {
        const unsigned warp = (start + i) % warps;
        if (ready_[warp] == 0) continue;
        const std::uint32_t above = ready_[warp] & ~((1u << (random() % kWarp)) - 1u);
        return static_cast<int>(warp * kWarp) + std::countr_zero(above != 0 ? above : ready_[warp]);
    }
    return -1;
}

int Worker::pick(bool others_first) {
    if (seed_ != 0) return pick_at_random();
    const unsigned warps = block_.warps, warp = current->warp;
    const std::uint32_t above = current->lane == 31 ? 0u : ready_[warp] & ~((2u << current->lane) - 1u);
    if (above != 0) return static_cast<int>(warp * kWarp) + std::countr_zero(above);
    if (!others_first && ready_[warp] != 0) return static_cast<int>(warp * kWarp) + std::countr_zero(ready_[warp]);
    for (unsigned i = 1; i <= warps; ++i) {
        const unsigned other = (warp + i) % warps;
        if (ready_[other] != 0) return static_cast<int>(other * kWarp) + std::countr_zero(ready_[other]);
    }
    return -1;
}

void Worker::next() {
    const int rank = pick(false);
    if (rank < 0) {
        report_deadlock(*this);
        abandon();
    }
    switch_to(fibers_[static_cast<unsigned>(rank)]);
}

void Worker::wait(State state, const char* operation, SiteId site) {
    Fiber& fiber = *current;
    fiber.state = state;
    fiber.operation = operation;
    fiber.site = site;
    ready_[fiber.warp] &= ~(1u << fiber.lane);
    next();
    fiber.state = State::ready;
}

void Worker::poll(const char* operation, SiteId site) {
    Fiber& fiber = *current;
    fiber.state = State::polling;
    fiber.operation = operation;
    fiber.site = site;
    if (progress_ != seen_progress_) {
        seen_progress_ = progress_;
        idle_polls_ = 0;
    } else if (++idle_polls_ > (checked_ ? 1ull << 18 : 1ull << 24)) {  // the fast run does not see plain stores
        unsigned working = 0;  // ready, but not in a polling loop: it may yet write what the others wait for
        for (unsigned rank = 0; rank < fiber_count_; ++rank) {
            working += fibers_[rank].state == State::ready ? 1u : 0u;
        }
        if (working == 0 || idle_polls_ > (1ull << 28)) {
            report_deadlock(*this);
            abandon();
        }
    }
    const int rank = pick(true);
    switch_to(fibers_[static_cast<unsigned>(rank)]);
    fiber.state = State::ready;
}

void Worker::abandon() {
    abandoned_ = true;
    static thread_local Fiber discarded;  // where home stores the context that nobody will resume
    current = nullptr;
    context::jump_fcontext(home_.context, &discarded);
    __builtin_unreachable();
}

void Worker::finish() {
    Fiber& fiber = *current;
    perform_all_copies(fiber);
    fiber.state = State::done;
    ready_[fiber.warp] &= ~(1u << fiber.lane);
    --live_;
    --block_.live;
    ++progress_;
    thread_exited(*this, fiber);
    if (live_ == 0) {
        switch_to(home_);
    } else {
        next();
    }
}

void Worker::fiber_loop() {
    for (;;) {
        launch_->call(launch_->arguments);
        finish();
    }
}

void Worker::prepare(std::uint64_t linear_block) {
    const dim3 grid = launch_->grid, dimensions = launch_->block;
    const unsigned threads = dimensions.x * dimensions.y * dimensions.z, warps = (threads + kWarp - 1) / kWarp;
    block_ = {};
    block_.index = {static_cast<unsigned>(linear_block % grid.x), static_cast<unsigned>(linear_block / grid.x % grid.y),
                    static_cast<unsigned>(linear_block / grid.x / grid.y)};
    block_.threads = block_.live = live_ = threads;
    block_.warps = warps;
    block_.shared = shared_ + 1024;  // below it a red zone too
    fiber_count_ = threads;
    ready_.assign(warps, 0);
    collectives_.assign(warps * 4, {});
    idle_polls_ = 0;
    for (unsigned t = 0; t < threads; ++t) {
        Fiber& fiber = fibers_[t];
        if (fiber.context == nullptr) make_context(fiber, t);
        fiber.thread = {t % dimensions.x, t / dimensions.x % dimensions.y, t / dimensions.x / dimensions.y};
        fiber.block = block_.index;
        fiber.linear = t;
        fiber.lane = t % kWarp;
        fiber.warp = t / kWarp;
        fiber.state = State::ready;
        fiber.site = kNoSite;
        fiber.misaligned = false;
        ready_[fiber.warp] |= 1u << fiber.lane;
    }
}

void Worker::run_block(const Launch& launch, std::uint64_t linear_block, bool checked) {
    launch_ = &launch;
    checked_ = checked;
    seed_ = options().seed;
    if (seed_ != 0) {
        random_state_ =
            static_cast<std::uint32_t>((seed_ * 0x9E3779B97F4A7C15ull + linear_block * 0xBF58476D1CE4E5B9ull) >> 32) |
            1u;
    }
    worker = this;
    prepare(linear_block);
    begin_block(*this, linear_block);
    const int first = seed_ != 0 ? pick_at_random() : 0;
    abandoned_ = false;
    home_.context = nullptr;
    current = nullptr;
    switch_to(fibers_[static_cast<unsigned>(first)]);
    current = nullptr;
    end_block(*this);
    if (abandoned_) {  // the fibers stand somewhere inside the kernel: begin anew with fresh contexts
        for (Fiber& fiber : fibers_) {
            fiber.context = nullptr;
            fiber.async = {};
        }
    }
}

}  // namespace cambium::simt
