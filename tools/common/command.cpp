#include "tools/common/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <new>

#include "engine/base/error.h"
#include "models/nearest.h"

namespace cambium {

struct CommandLine::Parser {
    Parser(const std::string& command, const std::string& description)
        : name(command), app(description, "cambium " + command) {}
    std::string name;
    CLI::App app;
};

namespace {

// The first argument that looks like an option the command does not have, with the nearest one it has. CLI11 gives up
// at whatever it misses first; what was mistyped is the better advice.
std::string unknown_option(const CLI::App& app, int argc, char** argv) {
    std::vector<std::string> own;
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) own.push_back("--" + name);
    }
    const std::vector<std::string_view> names(own.begin(), own.end());
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        const std::string_view name = argument.substr(0, argument.find('='));
        if (name == "--") break;
        if (!name.starts_with("--") || std::find(names.begin(), names.end(), name) != names.end()) continue;
        return fmt::format("there is no option {}; {}", name, did_you_mean(name, names));
    }
    return {};
}

std::string lower_start(std::string text) {
    if (!text.empty() && !(text.size() > 1 && std::isupper(static_cast<unsigned char>(text[1])))) {
        text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    }
    return text;
}

Exit guarded(const std::function<Exit()>& body) {
    try {
        return body();
    } catch (const UsageError& error) {
        say(error.what());
        return Exit::usage;
    } catch (const std::bad_alloc&) {
        say("there is not enough memory; end other programs or take a smaller --batch");
    } catch (const std::exception& error) {
        say(error.what());
    }
    return Exit::failed;
}

}  // namespace

CommandLine::CommandLine(const std::string& command, const std::string& description)
    : parser_(std::make_unique<Parser>(command, description)) {}
CommandLine::~CommandLine() = default;

void CommandLine::positional(const std::string& name, std::string& value, const std::string& help, Need need) {
    parser_->app.add_option(name, value, help)->required(need == Need::required);
}

void CommandLine::positional(const std::string& name, std::vector<std::string>& values, const std::string& help) {
    parser_->app.add_option(name, values, help)->required();
}

void CommandLine::option(const std::string& name, std::string& value, const std::string& help) {
    parser_->app.add_option(name, value, help)->capture_default_str();
}

void CommandLine::option(const std::string& name, std::vector<std::string>& values, const std::string& help) {
    parser_->app.add_option(name, values, help);
}

void CommandLine::option(const std::string& name, std::int64_t& value, const std::string& help, std::int64_t least,
                         std::int64_t most) {
    parser_->app.add_option(name, value, help)->check(CLI::Range(least, most))->capture_default_str();
}

void CommandLine::option(const std::string& name, double& value, const std::string& help, double least, double most) {
    parser_->app.add_option(name, value, help)->check(CLI::Range(least, most))->capture_default_str();
}

void CommandLine::flag(const std::string& name, bool& value, const std::string& help) {
    parser_->app.add_flag(name, value, help);
}

bool CommandLine::given(const std::string& name) const { return parser_->app.count(name) > 0; }

Exit CommandLine::parse(int argc, char** argv, const std::function<Exit()>& body) {
    try {
        parser_->app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        print(parser_->app.help());
        return Exit::done;
    } catch (const CLI::ParseError& error) {
        std::string text = unknown_option(parser_->app, argc, argv);
        if (text.empty()) text = lower_start(error.what());
        say(fmt::format("{} (see cambium {} --help)", text, parser_->name));
        return Exit::usage;
    }
    return guarded(body);
}

int CommandLine::run(int argc, char** argv, const std::function<Exit()>& body) {
    Exit status = parse(argc, argv, body);
    if ((std::fflush(stdout) != 0 || std::ferror(stdout) != 0) && status == Exit::done) {
        say("standard output could not be written");
        status = Exit::failed;
    }
    return static_cast<int>(status);
}

void say(std::string_view sentence) {
    const std::string line = fmt::format("cambium: {}\n", sentence);
    std::fwrite(line.data(), 1, line.size(), stderr);
}

void print(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

bool is_terminal_stderr() { return isatty(STDERR_FILENO) == 1; }

}  // namespace cambium
