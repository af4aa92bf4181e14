#include "tools/common/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <new>
#include <span>

#include "engine/base/fail.h"
#include "engine/base/utf8.h"
#include "models/nearest.h"
#include "tools/common/terminal.h"

namespace cambium {

struct CommandLine::Parser {
    Parser(const std::string& command, std::string text)
        : name(command), description(std::move(text)), app("", "cambium " + command) {}

    // A line of the help: "--batch N", "Images a step (1 to 65536; default 32)".
    struct Line {
        std::string left, right;
    };
    std::string name, description, usage;
    CLI::App app;
    std::vector<Line> lines;
    std::vector<std::string> flags;  // options without a value

    void positional(const std::string& label, const std::string& text) {
        usage += " " + label;
        lines.push_back({label, text});
    }
    // `notes` follow the text in brackets: the range of numbers, the default.
    void option(const std::string& option, std::string_view placeholder, const std::string& text,
                const std::vector<std::string>& notes) {
        std::string right = text;
        if (!notes.empty()) right += fmt::format(" ({})", fmt::join(notes, "; "));
        lines.push_back({fmt::format("{} {}", option, placeholder), right});
    }
    template <class T>
    void number(const std::string& option, const std::string& text, T least, T most, std::function<void(T)> set,
                const std::optional<T>& usual);
    std::string help() const;
};

namespace {

std::string upper(std::string text) {
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
}

// The placeholder of an option's value: "--model" takes a MODEL.
std::string placeholder(const std::string& option) { return upper(option.substr(option.find_first_not_of('-'))); }

template <class T>
std::string range(T least, T most) {
    if (static_cast<double>(most) >= 1e6) return fmt::format("at least {}", least);
    return fmt::format("{} to {}", least, most);
}

// The whole of `text` as a decimal number in [least, most].
template <class T>
T parse_number(const std::string& option, const std::string& text, T least, T most) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    if (!whole || !(value >= least && value <= most)) {  // NaN is neither
        fail_usage("{} takes a {} from {} to {}, not '{}'", option, std::is_integral_v<T> ? "whole number" : "number",
                   least, most, text);
    }
    return value;
}

// The part of an option before '='; empty for what is no option, or a negative number.
std::string_view option_name(std::string_view argument) {
    if (argument.size() < 2 || argument[0] != '-' || std::isdigit(static_cast<unsigned char>(argument[1])) != 0)
        return {};
    return argument.substr(0, argument.find('='));
}

// Throws UsageError for a flag with a value ("--json=5"), some of which CLI11 would take.
void require_no_values(const std::vector<std::string>& flags, std::span<char* const> arguments) {
    for (const std::string_view argument : arguments) {
        if (argument == "--") break;
        const std::string_view name = option_name(argument);
        if (name.size() == argument.size() || std::find(flags.begin(), flags.end(), name) == flags.end()) continue;
        fail_usage("{} takes no value, but '{}' was given", name, argument.substr(name.size() + 1));
    }
}

// The first argument that looks like an option and is none, with the nearest one that is. CLI11 gives up at whatever it
// misses first; what was mistyped is the better advice.
std::string unknown_option(const CLI::App& app, std::span<char* const> arguments) {
    std::vector<std::string> own;
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) own.push_back("--" + name);
    }
    const std::vector<std::string_view> names(own.begin(), own.end());
    for (const std::string_view argument : arguments) {
        if (argument == "--") break;
        const std::string_view name = option_name(argument);
        if (name.empty() || name == "-h" || std::find(names.begin(), names.end(), name) != names.end()) continue;
        const bool near = nearest(name, names).has_value();
        return fmt::format("there is no option {}; {} {}{}", name, near ? "did you mean" : "the nearest is",
                           closest(name, names).value_or("--help"), near ? "?" : "");
    }
    return {};
}

std::string lower_start(std::string text) {
    if (!text.empty() && !(text.size() > 1 && std::isupper(static_cast<unsigned char>(text[1])))) {
        text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    }
    return text;
}

std::string in_our_words(const CLI::ParseError& error) {
    const std::string text = error.what(), name = text.substr(0, text.find(':'));
    if (text.ends_with(" missing")) return name + " needs a value";
    if (text.find("At Most 1 required") != std::string::npos) return name + " was given more than once";
    return lower_start(text);
}

Exit guarded(const std::function<Exit()>& body) {
    try {
        return body();
    } catch (const UsageError& error) {
        say(error.what());
        return Exit::usage;
    } catch (const std::bad_alloc&) {
        say("there is not enough memory; end other programs or take a smaller --batch");
    } catch (const std::filesystem::filesystem_error& error) {
        say(fmt::format("cannot use {}: {}", error.path1().string(), error.code().message()));
    } catch (const std::exception& error) {
        say(error.what());
    }
    return Exit::failed;
}

}  // namespace

template <class T>
void CommandLine::Parser::number(const std::string& name_, const std::string& text, T least, T most,
                                 std::function<void(T)> set, const std::optional<T>& usual) {
    app.add_option_function<std::string>(name_, [name_, least, most, set = std::move(set)](const std::string& given) {
        set(parse_number(name_, given, least, most));
    });
    std::vector<std::string> notes = {range(least, most)};
    if (usual) notes.push_back(fmt::format("default {}", *usual));
    option(name_, std::is_integral_v<T> ? "N" : "X", text, notes);
}

std::string CommandLine::Parser::help() const {
    constexpr std::size_t indent = 2, gap = 2, widest = 24;
    std::size_t left = 0;
    for (const Line& line : lines) left = std::max(left, std::min(line.left.size(), widest));
    const std::size_t right = indent + left + gap, width = line_width();
    std::string text = wrapped(description, width) + fmt::format("\n\nusage: cambium {}{} [OPTIONS]\n\n", name, usage);
    for (const Line& line : lines) {
        const bool apart = line.left.size() > left;  // then what it means stands below it
        const std::string start = fmt::format("{:{}}{:<{}}", "", indent, line.left, apart ? 0 : left + gap);
        if (apart) text += start + "\n";
        text += wrapped((apart ? std::string(right, ' ') : start) + line.right, width, right) + "\n";
    }
    return text;
}

CommandLine::CommandLine(const std::string& command, const std::string& description)
    : parser_(std::make_unique<Parser>(command, description)) {}
CommandLine::~CommandLine() = default;

void CommandLine::positional(const std::string& name, std::string& value, const std::string& help, Need need) {
    const bool required = need == Need::required;
    parser_->app.add_option(name, value)->required(required);
    parser_->positional(required ? name : "[" + name + "]", help);
}

void CommandLine::positional(const std::string& name, std::vector<std::string>& values, const std::string& help) {
    parser_->app.add_option(name, values)->required();
    parser_->positional(name + "...", help);
}

void CommandLine::option(const std::string& name, std::string& value, const std::string& help) {
    parser_->app.add_option(name, value);
    std::vector<std::string> notes;
    if (!value.empty()) notes.push_back("default " + value);
    parser_->option(name, placeholder(name), help, notes);
}

void CommandLine::option(const std::string& name, std::vector<std::string>& values, const std::string& help) {
    parser_->app.add_option(name, values);
    parser_->option(name, placeholder(name) + "...", help, {});
}

void CommandLine::option(const std::string& name, std::int64_t& value, const std::string& help, std::int64_t least,
                         std::int64_t most) {
    parser_->number<std::int64_t>(
        name, help, least, most, [&value](std::int64_t given) { value = given; }, value);
}

void CommandLine::option(const std::string& name, double& value, const std::string& help, double least, double most) {
    parser_->number<double>(
        name, help, least, most, [&value](double given) { value = given; }, value);
}

void CommandLine::option(const std::string& name, std::optional<int>& value, const std::string& help, int least,
                         int most) {
    parser_->number<int>(
        name, help, least, most, [&value](int given) { value = given; }, value);
}

void CommandLine::option(const std::string& name, std::optional<double>& value, const std::string& help, double least,
                         double most) {
    parser_->number<double>(
        name, help, least, most, [&value](double given) { value = given; }, value);
}

void CommandLine::flag(const std::string& name, bool& value, const std::string& help) {
    parser_->app.add_flag(name, value);
    parser_->flags.push_back(name);
    parser_->lines.push_back({name, help});
}

bool CommandLine::given(const std::string& name) const { return parser_->app.count(name) > 0; }

Exit CommandLine::parse(int argc, char** argv, const std::function<Exit()>& body) {
    const std::span<char* const> arguments(argv + 1, static_cast<std::size_t>(std::max(argc - 1, 0)));
    std::string wrong;
    try {
        require_no_values(parser_->flags, arguments);
        parser_->app.parse(argc, argv);
        return guarded(body);
    } catch (const CLI::CallForHelp&) {
        print(parser_->help());
        return Exit::done;
    } catch (const CLI::ParseError& error) {
        wrong = unknown_option(parser_->app, arguments);
        if (wrong.empty()) wrong = in_our_words(error);
    } catch (const UsageError& error) {
        wrong = error.what();
    }
    say(fmt::format("{} (see cambium {} --help)", wrong, parser_->name));
    return Exit::usage;
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
    std::string line = "cambium: " + printable(sentence);
    if (is_terminal_stderr()) line = wrapped(line, line_width(), 2);
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
}

void print(std::string_view text) {
    const std::string safe = printable(text, "\n");
    std::fwrite(safe.data(), 1, safe.size(), stdout);
    std::fflush(stdout);
}

bool is_terminal_stderr() { return isatty(STDERR_FILENO) == 1; }

}  // namespace cambium
