// Reports as text for people, JSON for programs, SARIF 2.1.0 for code-review tools.
#include <fmt/core.h>

#include "kernels/simt/simt.h"

namespace cambium::simt {
namespace {

struct KindText {
    std::string_view name, description;
};

constexpr KindText kTexts[kKinds] = {
    {"race-in-warp", "Two lanes of a warp access the same bytes without synchronisation."},
    {"race-in-block", "Two threads of a block access the same bytes without a barrier between."},
    {"race-between-blocks", "Two blocks of one launch access the same bytes without synchronisation."},
    {"race-between-streams", "Operations of two streams access the same bytes without an event between."},
    {"race-with-async-copy", "Memory is touched while a cp.async may still be reading or writing it."},
    {"out-of-bounds", "An access outside every device allocation."},
    {"shared-overrun", "An access outside an array of shared memory."},
    {"array-overrun", "An index outside an array in registers or local memory."},
    {"misaligned", "An access at an address that its type does not allow."},
    {"null-pointer", "An access through a null pointer."},
    {"host-memory", "A kernel dereferences an address of the host."},
    {"use-after-free", "An access to device memory that has been released."},
    {"uninitialised-shared", "A read of shared memory that nobody has written."},
    {"uninitialised-global", "A read of device memory that nobody has written."},
    {"uninitialised-register", "A register that nobody has written is used."},
    {"foreign-local-memory", "A thread accesses another thread's local memory."},
    {"local-memory-exhausted", "A thread uses more local memory than there is."},
    {"divergent-barrier", "Threads of a block wait at different barriers."},
    {"exit-before-barrier", "A thread exits before a barrier that others wait at."},
    {"wrong-mask", "A warp operation's mask does not name exactly the lanes that take part."},
    {"divergent-instruction", "Lanes of a warp meet in different instructions."},
    {"deadlock", "No thread can go on."},
    {"stuck-thread", "A thread runs without end."},
    {"shared-memory-size", "The kernel and its launch disagree about the size of shared memory."},
    {"stale-read-only-load", "ld.global.nc of memory that this launch has written."},
    {"undeclared-write", "A store to a buffer that the launch declared as only read."},
    {"invalid-release", "The release of what is not a live allocation."},
    {"shared-memory-reuse", "A kernel takes its shared memory as two structs, which start at the same address."},
    {"failed-assertion", "An assert of the kernel does not hold, or it has called __trap."},
};

std::string who(const Party& party) {
    if (party.is_copy) return party.kernel;
    return fmt::format("{}block ({},{},{}) thread ({},{},{})", party.is_async ? "copy issued by " : "", party.block[0],
                       party.block[1], party.block[2], party.thread[0], party.thread[1], party.thread[2]);
}

std::string party_text(const Party& party) {
    std::string text = fmt::format("  {} by {}\n", party.action, who(party));
    if (!party.place.file.empty()) {
        const std::string in = party.place.function.empty() ? "" : " in " + party.place.function;
        text += fmt::format("    at {}:{}{}\n", party.place.file, party.place.line, in);
    }
    for (const std::string& place : party.place.called_from) text += fmt::format("    inlined at {}\n", place);
    return text;
}

std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        if (c == '\n') {
            result += "\\n";
        } else if (static_cast<unsigned char>(c) < 0x20) {
            result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            result += c;
        }
    }
    return result + "\"";
}

std::string party_json(const Party& p) {
    return fmt::format(
        R"({{"action":{},"file":{},"line":{},"function":{},"block":[{},{},{}],"thread":[{},{},{}],"asynchronous":{},"host":{}}})",
        quoted(p.action), quoted(p.place.file), p.place.line, quoted(p.place.function), p.block[0], p.block[1],
        p.block[2], p.thread[0], p.thread[1], p.thread[2], p.is_async, p.is_copy);
}

std::string location_sarif(const Party& p) {
    return fmt::format(
        R"({{"physicalLocation":{{"artifactLocation":{{"uri":{}}},"region":{{"startLine":{}}}}},"message":{{"text":{}}}}})",
        quoted(p.place.file), std::max(1, p.place.line), quoted(fmt::format("{} by {}", p.action, who(p))));
}

std::string message_of(const Report& r) {
    std::string text(name_of(r.kind));
    if (!r.kernel.empty()) text += fmt::format(" in kernel {}", r.kernel);
    if (!r.object.empty()) text += fmt::format(" on {}", r.object);
    return text + ": " + r.detail;
}

}  // namespace

std::string_view name_of(Kind kind) { return kTexts[static_cast<std::size_t>(kind)].name; }
std::string_view description_of(Kind kind) { return kTexts[static_cast<std::size_t>(kind)].description; }

std::string to_text(const Report& r) {
    std::string text = message_of(r) + "\n" + party_text(r.first);
    if (r.second) text += party_text(*r.second);
    if (!r.advice.empty()) text += fmt::format("  mend: {}\n", r.advice);
    if (r.count > 1) text += fmt::format("  seen {} times\n", r.count);
    if (r.seed != 0) text += fmt::format("  schedule: seed {}\n", r.seed);
    return text;
}

std::string to_json(const std::vector<Report>& reports) {
    std::string text = "[";
    for (const Report& r : reports) {
        if (text.size() > 1) text += ",\n ";
        text += fmt::format(
            R"({{"kind":{},"kernel":{},"object":{},"detail":{},"advice":{},"count":{},"seed":{},"first":{},"second":{}}})",
            quoted(name_of(r.kind)), quoted(r.kernel), quoted(r.object), quoted(r.detail), quoted(r.advice), r.count,
            r.seed, party_json(r.first), r.second ? party_json(*r.second) : "null");
    }
    return text + "]\n";
}

std::string to_sarif(const std::vector<Report>& reports) {
    std::string rules, results;
    for (std::size_t k = 0; k < kKinds; ++k) {
        rules += fmt::format(R"({}{{"id":{},"shortDescription":{{"text":{}}}}})", k == 0 ? "" : ",",
                             quoted(kTexts[k].name), quoted(kTexts[k].description));
    }
    for (const Report& r : reports) {
        results += fmt::format(
            R"({}{{"ruleId":{},"level":"error","message":{{"text":{}}},"locations":[{}],"relatedLocations":[{}]}})",
            results.empty() ? "" : ",", quoted(name_of(r.kind)), quoted(message_of(r) + "; " + r.advice),
            location_sarif(r.first), r.second ? location_sarif(*r.second) : "");
    }
    return fmt::format(
        R"({{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"cambium simt","rules":[{}]}}}},"results":[{}]}}]}})"
        "\n",
        rules, results);
}

}  // namespace cambium::simt
