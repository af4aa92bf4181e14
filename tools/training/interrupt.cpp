#include "tools/training/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <string_view>

namespace cambium {
namespace {

volatile std::sig_atomic_t saves = 0, flag = 0;

// Of what a signal handler may call.
void write_line(std::string_view text) { static_cast<void>(!write(STDERR_FILENO, text.data(), text.size())); }

extern "C" void on_signal(int signal) {
    if (saves == 0) {
        write_line("\ncambium: interrupted before training began; there was nothing to save\n");
        _exit(130);
    }
    write_line("\ncambium: stopping after this step; a second signal stops at once, without saving\n");
    flag = 1;
    std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_interrupts() {
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
}

void save_on_interrupt() { saves = 1; }

bool interrupted() { return flag != 0; }

}  // namespace cambium
