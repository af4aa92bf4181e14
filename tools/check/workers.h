// Copies of this process that work on numbered tasks: one that dies takes only its task with it, which is told how it
// died, and is replaced.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cambium {

class Workers {
  public:
    using Task = std::uint64_t;
    // Runs in a copy; its result, any bytes, goes to `done`. What it throws ends the copy.
    using Work = std::function<std::string(Task)>;
    // In this process, in the order in which tasks end. `death`: "signal 11 (Segmentation fault)" in place of a result.
    using Done = std::function<void(Task, std::string result, std::optional<std::string> death)>;

    // At most `most` at a time. They are forked when run() needs them: there must be no other threads by then. SIGINT
    // and SIGTERM stop run() until this object is destroyed.
    Workers(std::size_t most, Work work);
    ~Workers();  // ends them
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    // Starts the tasks in this order. False if it was interrupted: then tasks in work are given up.
    bool run(std::span<const Task> tasks, const Done& done);

  private:
    struct Worker {
        pid_t process;
        int socket;
        std::optional<Task> task;
        std::string received;  // eight bytes of length, then the result
    };
    void start();
    [[noreturn]] void serve(int socket) const;
    void receive(Worker& worker, const Done& done);
    void bury(Worker& worker, const Done& done);

    std::size_t most_;
    Work work_;
    std::vector<std::unique_ptr<Worker>> workers_;
    void (*previous_[2])(int);  // handlers of SIGINT and SIGTERM
};

}  // namespace cambium
