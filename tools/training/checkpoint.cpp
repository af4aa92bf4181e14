#include "tools/training/checkpoint.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/formats/atomic_file.h"
#include "data/formats/sha256.h"
#include "data/formats/weights.h"
#include "engine/base/fail.h"

namespace cambium {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int version = 1;
constexpr const char* state_file = "state.json";
constexpr const char* new_segment = "new.safetensors";
constexpr const char* remedy = "put it back from a copy, or train again into another folder";

Json segment_json(const Segment& segment) { return {{"file", segment.file}, {"sha256", segment.sha256}}; }
Json snapshot_json(const Snapshot& snapshot) {
    return {{"fixed", segment_json(snapshot.fixed)}, {"changing", segment_json(snapshot.changing)}};
}
Segment segment_from(const Json& json) { return {json.at("file"), json.at("sha256")}; }
Snapshot snapshot_from(const Json& json) { return {segment_from(json.at("fixed")), segment_from(json.at("changing"))}; }

Json state_json(const RunState& p) {
    return {
        {"phase", p.phase},
        {"epoch", p.epoch},
        {"batch", p.batch},
        {"update", p.update},
        {"step", p.step},
        {"micro_batches", p.micro_batches},
        {"lines", p.lines},
        {"counted", p.counted},
        {"attempts", p.attempts},
        {"updates", p.updates},
        {"skipped_in_a_row", p.skipped_in_a_row},
        {"skipped", p.skipped},
        {"first_loss", p.has_first_loss ? Json(p.first_loss) : Json(nullptr)},
        {"best",
         {{"phase", p.best.phase},
          {"epoch", p.best.epoch},
          {"step", p.best.step},
          {"score", p.best.score},
          {"loss", p.best.loss},
          {"weights", snapshot_json(p.best.weights)}}},
        {"epochs_without_gain", p.epochs_without_gain},
        {"trained", p.trained},
        {"finished", p.finished},
    };
}

RunState state_from(const Json& json) {
    RunState p{.phase = json.at("phase"),
               .epoch = json.at("epoch"),
               .batch = json.at("batch"),
               .update = json.at("update"),
               .step = json.at("step"),
               .micro_batches = json.at("micro_batches"),
               .lines = json.at("lines"),
               .counted = json.at("counted"),
               .attempts = json.at("attempts"),
               .updates = json.at("updates"),
               .skipped_in_a_row = json.at("skipped_in_a_row"),
               .skipped = json.at("skipped"),
               .best = {},
               .epochs_without_gain = json.at("epochs_without_gain"),
               .trained = json.at("trained"),
               .finished = json.at("finished")};
    p.has_first_loss = !json.at("first_loss").is_null();
    if (p.has_first_loss) p.first_loss = json.at("first_loss");
    const Json& best = json.at("best");
    p.best = {.phase = best.at("phase"),
              .epoch = best.at("epoch"),
              .step = best.at("step"),
              .score = best.at("score"),
              .loss = best.at("loss"),
              .weights = snapshot_from(best.at("weights"))};
    return p;
}

}  // namespace

bool Checkpoint::exists() const {
    std::error_code error;
    return fs::exists(folder_ / state_file, error);
}

Segment Checkpoint::write(const Store& store, const std::vector<std::string>& names) const {
    if (names.empty()) return {};
    fs::create_directories(folder_);
    std::vector<WeightsEntry> entries;
    for (const std::string& name : names) {
        const EntrySpec& spec = store.entry(name).spec;
        entries.push_back({name, {spec.layout.file_shape(spec.spec.shape), spec.spec.dtype}});
    }
    const fs::path path = folder_ / new_segment;
    write_safetensors(path, entries, [&](std::size_t index) { return store.read_file(entries[index].name); });
    const std::string sum = sha256_of_file(path);
    Segment segment{sum.substr(0, 16) + ".safetensors", sum};
    fs::rename(path, folder_ / segment.file);
    return segment;
}

void Checkpoint::commit(const RunState& progress, const Snapshot& weights) const {
    fs::create_directories(folder_);
    Json json = {{"version", version}, {"progress", state_json(progress)}, {"weights", snapshot_json(weights)}};
    const std::string body = json.dump();
    json["checksum"] = sha256(std::as_bytes(std::span(body)));
    write_atomically(folder_ / state_file, json.dump(2) + "\n");
    remove_others({state_file, weights.fixed.file, weights.changing.file, progress.best.weights.fixed.file,
                   progress.best.weights.changing.file});
}

void Checkpoint::remove_others(const std::vector<std::string>& wanted) const {
    for (const auto& entry : fs::directory_iterator(folder_)) {
        const std::string name = entry.path().filename().string();
        if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) fs::remove(entry.path());
    }
}

Checkpoint::State Checkpoint::load() const {
    const fs::path path = folder_ / state_file;
    std::ifstream stream(path, std::ios::binary);
    if (!stream) fail("cannot resume: there is no {}; {}", path.string(), remedy);
    std::stringstream text;
    text << stream.rdbuf();
    Json json = Json::parse(text.str(), nullptr, false);
    const bool checked = json.is_object() && json.contains("checksum") && json["checksum"].is_string();
    const std::string checksum = checked ? json["checksum"].get<std::string>() : "";
    if (checked) json.erase("checksum");
    const std::string body = checked ? json.dump() : "";
    if (!checked || sha256(std::as_bytes(std::span(body))) != checksum) {
        fail("cannot resume: {} was changed or damaged, its checksum does not fit; {}", path.string(), remedy);
    }
    try {
        if (json.at("version") != version) {
            fail("cannot resume: {} has version {}, this program reads version {}", path.string(),
                 json.at("version").dump(), version);
        }
        return {state_from(json.at("progress")), snapshot_from(json.at("weights"))};
    } catch (const nlohmann::json::exception&) {
        fail("cannot resume: {} lacks what a state of version {} holds; {}", path.string(), version, remedy);
    }
}

void Checkpoint::verify(const Segment& segment) const {
    if (segment.file.empty()) return;
    const fs::path path = folder_ / segment.file;
    std::error_code missing;
    if (!fs::exists(path, missing)) fail("cannot resume: {} is missing; {}", path.string(), remedy);
    if (sha256_of_file(path) != segment.sha256) {
        fail("cannot resume: {} was changed or damaged, its checksum does not fit; {}", path.string(), remedy);
    }
}

void Checkpoint::read(const Segment& segment, Store& store) const {
    if (segment.file.empty()) return;
    verify(segment);
    const WeightsFile file = WeightsFile::open(folder_ / segment.file);
    for (const WeightsEntry& entry : file.entries()) {
        if (!store.contains(entry.name)) {
            store.declare({.name = entry.name, .spec = entry.spec, .role = Role::counter});
        }
        store.write_file(entry.name, file.read(entry));
    }
}

}  // namespace cambium
