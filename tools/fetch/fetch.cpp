// cambium fetch: published weights by name, into the cache where --weights NAME finds them. Without a name it lists
// them.
#include "tools/fetch/fetch.h"

#include <fmt/format.h>

#include "engine/base/fail.h"
#include "models/known_weights.h"
#include "tools/common/command.h"
#include "tools/common/download.h"
#include "tools/common/progress.h"
#include "tools/common/terminal.h"
#include "tools/common/weights_path.h"

namespace cambium {
namespace {

Exit list() {
    const std::size_t width = result_width();
    std::string text;
    std::string_view measured_on, source;
    for (const KnownWeights& known : known_weights()) {
        if (known.measured_on != measured_on || known.source != source) {
            measured_on = known.measured_on;
            source = known.source;
            text += text.empty() ? "" : "\n";
            text += wrapped(fmt::format("{}; top-1 on {}", source, measured_on), width) + "\n";
        }
        const bool here = std::filesystem::exists(cache_folder() / known.file_name());
        text += fmt::format("  {:<15} {:6.1f} MB  top-1 {:5.2f} %{}\n", known.name,
                            static_cast<double>(known.bytes) * 1e-6, 100 * known.top1, here ? "  in the cache" : "");
    }
    print(text);
    return Exit::done;
}

Exit fetch(const std::string& name, const std::string& mirror) {
    const KnownWeights* known = find_weights(name);
    if (known == nullptr) fail_usage("there are no known weights '{}'; {}", name, suggest_weights(name));
    const std::filesystem::path to = cache_folder() / known->file_name();
    if (std::filesystem::exists(to)) {
        say(fmt::format("{} is in the cache already", name));
    } else {
        constexpr std::int64_t mb = 1'000'000;
        const std::string address = mirror.empty() ? std::string(known->address) : mirror;
        say(fmt::format("fetching {} ({:.1f} MB) from {}", name, static_cast<double>(known->bytes) / mb, address));
        Progress progress("fetching", known->bytes / mb, "MB");
        download({.address = address, .to = to, .sha256 = std::string(known->sha256), .bytes = known->bytes},
                 [&](std::int64_t bytes) { progress.show(bytes / mb); });
    }
    print(to.string() + "\n");
    return Exit::done;
}

}  // namespace

int fetch_command(int argc, char** argv) {
    std::string name, mirror;
    CommandLine line("fetch",
                     "Fetches published weights into the cache and prints where they are; without NAME, lists them.");
    line.positional("NAME", name, "Weights known by name, such as resnet50", CommandLine::Need::optional);
    line.option("--mirror", mirror, "Another address of the same file (its SHA-256 is verified all the same)");
    return line.run(argc, argv, [&] {
        if (!mirror.empty() && name.empty()) fail_usage("--mirror says where NAME is; which weights are meant?");
        if (!mirror.empty() && !can_fetch(mirror)) {
            fail_usage("--mirror takes an https://, http:// or file:// address, not '{}'", mirror);
        }
        return name.empty() ? list() : fetch(name, mirror);
    });
}

}  // namespace cambium
