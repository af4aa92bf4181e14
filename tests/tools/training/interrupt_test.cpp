// Signals, each in a process of its own: before there is anything to save, after, and twice.
#include "tools/training/interrupt.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

namespace cambium {
namespace {

// What a child that does `work` ends with: its exit status, or minus the signal that ended it.
int ends_with(const std::function<void()>& work) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        work();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

TEST_CASE("a signal before training ends the process with 130, one during it raises a flag, a second ends it") {
    for (const int signal : {SIGINT, SIGTERM}) {
        CHECK(ends_with([&] {
                  catch_interrupts();
                  std::raise(signal);
              }) == 130);
        CHECK(ends_with([&] {
                  catch_interrupts();
                  save_on_interrupt();
                  if (interrupted()) _exit(1);
                  std::raise(signal);
                  _exit(interrupted() ? 7 : 2);
              }) == 7);
        CHECK(ends_with([&] {
                  catch_interrupts();
                  save_on_interrupt();
                  std::raise(signal);
                  std::raise(signal);
              }) == -signal);
        CHECK(ends_with([&] {  // a shell's & lets its children ignore SIGINT
                  std::signal(signal, SIG_IGN);
                  catch_interrupts();
                  std::raise(signal);
              }) == 130);
    }
}

}  // namespace cambium
