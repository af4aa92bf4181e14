// Runs a program as a shell would and returns what it said: for tests of the command line.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace cambium::test {

struct Outcome {
    int status = -1;  // exit status; -1 if a signal ended it
    std::string out, error;
};

// argv[0] is the program; no shell is in between. `environment` holds NAME=VALUE.
Outcome run_program(const std::vector<std::string>& argv, const std::vector<std::string>& environment = {});

// A folder of its own, gone at the end.
class Scratch {
  public:
    Scratch();
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::string operator/(const char* name) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
};

}  // namespace cambium::test
