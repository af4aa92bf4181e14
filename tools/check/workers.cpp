// Each worker has a socket to this process: a task's number goes in, a length and a result come out. A socket that
// closes is a worker that died.
#include "tools/check/workers.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <utility>

#include "engine/base/fail.h"

namespace cambium {
namespace {

volatile std::sig_atomic_t interrupted = 0;

extern "C" void on_interrupt(int) { interrupted = 1; }

bool send_all(int socket, const void* data, std::size_t bytes) {
    const char* from = static_cast<const char*>(data);
    while (bytes > 0) {
        const ssize_t sent = send(socket, from, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return false;
        from += sent;
        bytes -= static_cast<std::size_t>(sent);
    }
    return true;
}

// What there is, at most `bytes`; 0 at the end of the stream, and where it is broken.
std::size_t receive_some(int socket, char* data, std::size_t bytes) {
    for (;;) {
        const ssize_t count = recv(socket, data, bytes, 0);
        if (count >= 0) return static_cast<std::size_t>(count);
        if (errno != EINTR) return 0;
    }
}

std::string cause_of_death(int status) {
    if (!WIFSIGNALED(status)) return fmt::format("exit status {}", WEXITSTATUS(status));
    const int signal = WTERMSIG(status);
    return fmt::format("signal {} ({}{})", signal, strsignal(signal),
                       signal == SIGKILL ? ", as where memory runs out" : "");
}

}  // namespace

Workers::Workers(std::size_t most, Work work) : most_(most), work_(std::move(work)) {
    interrupted = 0;
    previous_[0] = std::signal(SIGINT, on_interrupt);
    previous_[1] = std::signal(SIGTERM, on_interrupt);
}

Workers::~Workers() {
    for (const auto& worker : workers_) {
        kill(worker->process, SIGKILL);
        close(worker->socket);
        waitpid(worker->process, nullptr, 0);
    }
    std::signal(SIGINT, previous_[0]);
    std::signal(SIGTERM, previous_[1]);
}

void Workers::start() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        fail("cannot start a worker process: {}; give a smaller --jobs", std::strerror(errno));
    const pid_t process = fork();
    if (process < 0) {
        const int error = errno;
        close(ends[0]);
        close(ends[1]);
        fail("cannot start a worker process: {}; give a smaller --jobs", std::strerror(error));
    }
    if (process == 0) {
        close(ends[0]);
        serve(ends[1]);
    }
    close(ends[1]);  // so that only the worker holds it, and its death is the end of the stream
    workers_.push_back(std::make_unique<Worker>(Worker{process, ends[0], std::nullopt, {}}));
}

// The worker's life. A terminal sends SIGINT to it too; its end is up to the process that started it.
void Workers::serve(int socket) const {
    std::signal(SIGINT, SIG_IGN);
    std::signal(SIGTERM, SIG_IGN);
    for (const auto& other : workers_) close(other->socket);
    Task task = 0;
    while (recv(socket, &task, sizeof task, MSG_WAITALL) == sizeof task) {
        std::string result;
        try {
            result = work_(task);
        } catch (const std::exception&) {
            _exit(1);
        }
        const std::uint64_t length = result.size();
        if (!send_all(socket, &length, sizeof length) || !send_all(socket, result.data(), result.size())) break;
    }
    _exit(0);
}

void Workers::bury(Worker& worker, const Done& done) {
    int status = 0;
    kill(worker.process, SIGKILL);  // where it only closed its socket
    waitpid(worker.process, &status, 0);
    close(worker.socket);
    const std::optional<Task> task = worker.task;
    std::erase_if(workers_, [&](const auto& one) { return one.get() == &worker; });
    if (task) done(*task, {}, cause_of_death(status));
}

void Workers::receive(Worker& worker, const Done& done) {
    std::array<char, 65536> part;
    const std::size_t count = receive_some(worker.socket, part.data(), part.size());
    if (count == 0) {
        bury(worker, done);
        return;
    }
    worker.received.append(part.data(), count);
    std::uint64_t length = 0;
    if (worker.received.size() < sizeof length) return;
    std::memcpy(&length, worker.received.data(), sizeof length);
    if (worker.received.size() - sizeof length < length) return;
    std::string result = worker.received.substr(sizeof length);
    worker.received.clear();
    const Task task = *std::exchange(worker.task, std::nullopt);
    done(task, std::move(result), std::nullopt);
}

bool Workers::run(std::span<const Task> tasks, const Done& done) {
    std::size_t next = 0;
    for (;;) {
        const auto busy_now = std::ranges::count_if(workers_, [](const auto& one) { return one->task.has_value(); });
        const std::size_t wanted = static_cast<std::size_t>(busy_now) + tasks.size() - next;
        while (workers_.size() < std::min(most_, wanted)) start();
        std::vector<pollfd> waiting;
        std::vector<Worker*> busy;
        for (const auto& worker : workers_) {
            if (!worker->task && next < tasks.size()) {
                worker->task = tasks[next++];
                // One that cannot be reached is dead, which receive() sees.
                send_all(worker->socket, &*worker->task, sizeof(Task));
            }
            if (!worker->task) continue;
            waiting.push_back({worker->socket, POLLIN, 0});
            busy.push_back(worker.get());
        }
        if (waiting.empty()) return true;
        constexpr int milliseconds = 100;  // a signal may come before poll()
        const int ready = poll(waiting.data(), waiting.size(), milliseconds);
        if (interrupted != 0) return false;
        if (ready < 0 && errno != EINTR) fail("cannot wait for worker processes: {}", std::strerror(errno));
        for (std::size_t i = 0; ready > 0 && i < waiting.size(); ++i) {
            if (waiting[i].revents != 0) receive(*busy[i], done);
        }
    }
}

}  // namespace cambium
