// cambium COMMAND ARGUMENTS: finds the command and hands the arguments on.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "models/nearest.h"
#include "tools/bench/bench.h"
#include "tools/check/check.h"
#include "tools/common/command.h"
#include "tools/convert/convert.h"
#include "tools/devices/devices.h"
#include "tools/evaluate/evaluate.h"
#include "tools/fetch/fetch.h"
#include "tools/finetune/finetune.h"
#include "tools/inspect/inspect.h"
#include "tools/predict/predict.h"
#include "tools/sheet/sheet.h"
#include "tools/version.h"

namespace {

struct Command {
    std::string_view name;
    int (*run)(int argc, char** argv);
    std::string_view arguments, help;
};

constexpr Command commands[] = {
    {"finetune", cambium::finetune_command, "[DATA]", "train a pretrained network on your own photos"},
    {"predict", cambium::predict_command, "SOURCE IMAGE...", "what photos show"},
    {"evaluate", cambium::evaluate_command, "SOURCE DATA", "accuracy on a folder of labelled photos"},
    {"sheet", cambium::sheet_command, "DATA", "photos of each class side by side in one picture"},
    {"inspect", cambium::inspect_command, "FILE", "what a weights file holds; --graph MODEL: a network"},
    {"convert", cambium::convert_command, "IN OUT", "weights to safetensors or PyTorch"},
    {"fetch", cambium::fetch_command, "[NAME]", "published weights; without NAME, a list of them"},
    {"devices", cambium::devices_command, "", "what can compute here"},
    {"bench", cambium::bench_command, "step|kernels", "how fast a training step or a kernel is"},
    {"check", cambium::check_command, "", "are the CUDA kernels free of races and stray accesses"},
};

std::string usage() {
    std::string text = "cambium fine-tunes pretrained networks on your own photos. Its commands:\n\n";
    for (const Command& command : commands) {
        text += fmt::format("  {:8} {:16} {}\n", command.name, command.arguments, command.help);
    }
    return text +
           "\n"
           "cambium COMMAND --help lists a command's options; cambium --version says what\n"
           "this build is.\n";
}

// Where one of the three standard streams is closed, the next file opened would become it. /dev/null takes its place,
// for reading only, so that printing still fails.
void occupy_standard_streams() {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (fcntl(stream, F_GETFD) < 0) [[maybe_unused]]
            const int opened = open("/dev/null", O_RDONLY);
    }
}

}  // namespace

int main(int argc, char** argv) {
    occupy_standard_streams();
    const std::string_view name = argc > 1 ? argv[1] : "";
    if (name == "--help" || name == "-h" || name == "help") {
        std::fputs(usage().c_str(), stdout);
        return 0;
    }
    if (name == "--version" || name == "version") {
        cambium::print(cambium::version_text() + "\n");
        return 0;
    }
    if (name.empty()) {
        std::fputs(usage().c_str(), stderr);
        return static_cast<int>(cambium::Exit::usage);
    }
    std::vector<std::string_view> names;
    for (const Command& command : commands) {
        if (command.name == name) return command.run(argc - 1, argv + 1);
        names.push_back(command.name);
    }
    cambium::say(fmt::format("there is no command '{}'; {}", name, cambium::did_you_mean(name, names)));
    return static_cast<int>(cambium::Exit::usage);
}
