// SIGSEGV and SIGBUS arrive on a stack of their own, because a fiber's may be what overflowed. The timer's signal
// arrives on the fiber's stack; where it finds no progress in kernel code it reports the place and gives the block up.
#include "kernels/simt/watchdog.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

#include <cmath>
#include <cstdlib>
#include <memory>

#include "kernels/simt/report_log.h"

namespace cambium::simt {
namespace {

constexpr std::size_t kSignalStack = 256 << 10;
std::uint64_t seen_switches = 0;
const void* seen_fiber = nullptr;

std::uintptr_t program_counter(void* context) {
    return static_cast<std::uintptr_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
}

void unblock(int signal_number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void on_crash(int number, siginfo_t* info, void* context) {
    if (current == nullptr || worker == nullptr || !worker->checked()) {
        signal(number, SIG_DFL);  // not ours: let it crash again
        return;
    }
    const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    // A vector instruction faults, without an address, on what the kernel's alignment check has just reported.
    if (info->si_code == SI_KERNEL && current->misaligned) {
        unblock(number);
        worker->abandon();
    }
    const SiteId site = site_of(program_counter(context) + 1);
    const bool overflow = address - (current->stack_low - kGuardBytes) < kGuardBytes;
    add_report({.kind = overflow ? Kind::local_memory_exhausted : Kind::host_memory,
                .first_site = site,
                .first = party_of(*current, overflow ? "use of local memory" : "access", site),
                .second = std::nullopt,
                .object = fmt::format("address {:#x}", address),
                .detail = overflow ? fmt::format("local variables need more than {} KB", kStackBytes >> 10)
                                   : "no memory is there",
                .advice = overflow ? "keep big arrays in shared or device memory" : "check the pointer and the index"});
    unblock(number);
    worker->abandon();
}

void on_timer(int number, siginfo_t*, void* context) {
    if (current == nullptr || worker == nullptr) return;
    if (worker->switches() != seen_switches || current != seen_fiber) {
        seen_switches = worker->switches();
        seen_fiber = current;
        return;
    }
    const SiteId site = site_of(program_counter(context) + 1);
    const Place place = place_of(site);
    // Only where the kernel itself runs: the detector's own state must not be left half changed.
    if (place.file.empty() || place.file.find("kernels/simt/") != std::string::npos) return;
    add_report(
        {.kind = Kind::stuck_thread,
         .first_site = site,
         .first = party_of(*current, "loop", site),
         .second = std::nullopt,
         .object = "",
         .detail = fmt::format("it has run for {} seconds without meeting another thread", options().watchdog_seconds),
         .advice = "a loop that waits must read a volatile or dev::load_strong; see options().watchdog_seconds"});
    unblock(number);
    worker->abandon();
}

// What the program had installed before the launch (a test framework has handlers of its own).
struct Previous {
    struct sigaction segv, bus, alarm;
    stack_t stack;
} previous;

void install_handlers() {
    static const std::unique_ptr<unsigned char[]> stack(new unsigned char[kSignalStack]);
    stack_t alternate{};
    alternate.ss_sp = stack.get();
    alternate.ss_size = kSignalStack;
    sigaltstack(&alternate, &previous.stack);
    struct sigaction crash {};
    crash.sa_sigaction = on_crash;
    crash.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &crash, &previous.segv);
    sigaction(SIGBUS, &crash, &previous.bus);
    struct sigaction timer {};
    timer.sa_sigaction = on_timer;
    timer.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGALRM, &timer, &previous.alarm);
}

void restore_handlers() {
    sigaction(SIGSEGV, &previous.segv, nullptr);
    sigaction(SIGBUS, &previous.bus, nullptr);
    sigaction(SIGALRM, &previous.alarm, nullptr);
    sigaltstack(&previous.stack, nullptr);
}

void set_timer(double seconds) {
    itimerval interval{};
    interval.it_interval.tv_sec = static_cast<time_t>(std::floor(seconds));
    interval.it_interval.tv_usec = static_cast<suseconds_t>((seconds - std::floor(seconds)) * 1e6);
    interval.it_value = interval.it_interval;
    setitimer(ITIMER_REAL, &interval, nullptr);
}

}  // namespace

Watchdog::Watchdog(double seconds) {
    install_handlers();
    seen_fiber = nullptr;
    if (seconds > 0) set_timer(seconds);
}

Watchdog::~Watchdog() {
    set_timer(0);
    restore_handlers();
}

}  // namespace cambium::simt
