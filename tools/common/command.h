// What every command does alike: parsing its arguments, turning errors into one sentence and an exit status, and
// keeping standard output for results. CLI11 stays behind this header.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cambium {

// 0 done; 1 failed; 2 wrong usage; 130 interrupted, after a checkpoint was written.
enum class Exit : int { done = 0, failed = 1, usage = 2, interrupted = 130 };

// The arguments of one command. Variables keep their values where an option is not given; they must outlive run().
class CommandLine {
  public:
    CommandLine(const std::string& command, const std::string& description);  // "predict", "Says what photos show."
    ~CommandLine();

    enum class Need : std::uint8_t { required, optional };
    void positional(const std::string& name, std::string& value, const std::string& help, Need need = Need::required);
    void positional(const std::string& name, std::vector<std::string>& values, const std::string& help);  // one or more
    // "--name". What a variable holds before is said to be the default. Numbers outside [least, most], or what is no
    // number, are usage errors.
    void option(const std::string& name, std::string& value, const std::string& help);
    void option(const std::string& name, std::vector<std::string>& values, const std::string& help);  // may be repeated
    void option(const std::string& name, std::int64_t& value, const std::string& help, std::int64_t least,
                std::int64_t most);
    void option(const std::string& name, double& value, const std::string& help, double least, double most);
    void option(const std::string& name, std::optional<int>& value, const std::string& help, int least, int most);
    void option(const std::string& name, std::optional<double>& value, const std::string& help, double least,
                double most);
    void flag(const std::string& name, bool& value, const std::string& help);
    bool given(const std::string& name) const;  // after parsing: whether the option stood on the command line

    // Parses argv[1] and what follows (argv[0] is the command's name), then calls `body` and returns its status. --help
    // prints to standard output. Whatever is thrown becomes one sentence on standard error: wrong usage, with the
    // nearest right option, gives 2, everything else 1.
    int run(int argc, char** argv, const std::function<Exit()>& body);

  private:
    struct Parser;
    Exit parse(int argc, char** argv, const std::function<Exit()>& body);
    std::unique_ptr<Parser> parser_;
};

// One sentence for people, on standard error; on a terminal broken at words to fit it. Names from files may stand in
// it: their control characters are escaped.
void say(std::string_view sentence);
// Results, to standard output at once: lines of text, or of JSON. Control characters but line feeds are escaped.
void print(std::string_view text);

bool is_terminal_stderr();

}  // namespace cambium
