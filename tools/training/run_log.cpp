#include "tools/training/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "data/formats/atomic_file.h"
#include "engine/base/fail.h"

namespace cambium {
namespace {

using Json = nlohmann::ordered_json;

void put(Json& json, const char* name, const std::optional<double>& value) {
    if (value) json[name] = *value;
}
void get(const Json& json, const char* name, std::optional<double>& value) {
    if (json.contains(name) && json[name].is_number()) value = json[name].get<double>();
}

// The same fields in both directions.
template <class Visit>
void for_each_metric(Visit visit) {
    visit("lr", &LogLine::lr);
    visit("train_loss", &LogLine::train_loss);
    visit("train_top1", &LogLine::train_top1);
    visit("val_loss", &LogLine::val_loss);
    visit("val_top1", &LogLine::val_top1);
    visit("val_balanced_accuracy", &LogLine::val_balanced_accuracy);
    visit("val_macro_f1", &LogLine::val_macro_f1);
}
template <class Visit>
void for_each_time(Visit visit) {
    visit("images_per_second", &LogLine::images_per_second);
    visit("wait_share", &LogLine::wait_share);
    visit("epoch_seconds", &LogLine::epoch_seconds);
}

}  // namespace

std::string to_json_line(const LogLine& line) {
    Json json = {{"step", line.step}, {"epoch", line.epoch}, {"phase", line.phase}};
    for_each_metric([&](const char* name, auto field) { put(json, name, line.*field); });
    if (line.skipped) json["skipped"] = *line.skipped;
    Json time = {{"clock", line.clock}, {"seconds", line.seconds}};
    for_each_time([&](const char* name, auto field) { put(time, name, line.*field); });
    json["time"] = time;
    return json.dump();
}

LogLine log_line_from_json(const std::string& text) {
    try {
        const Json json = Json::parse(text);
        LogLine line{.step = json.at("step"), .epoch = json.at("epoch"), .phase = json.at("phase")};
        for_each_metric([&](const char* name, auto field) { get(json, name, line.*field); });
        if (json.contains("skipped")) line.skipped = json["skipped"].get<std::int64_t>();
        const Json& time = json.at("time");
        line.clock = time.at("clock");
        line.seconds = time.at("seconds");
        for_each_time([&](const char* name, auto field) { get(time, name, line.*field); });
        return line;
    } catch (const nlohmann::json::exception&) {
        fail("it is not a line of metrics");
    }
}

RunLog::RunLog(const std::filesystem::path& folder, std::int64_t lines) : path_(folder / "metrics.jsonl") {
    std::ifstream old(path_, std::ios::binary);
    std::string kept, text;
    while (this->lines() < lines && std::getline(old, text)) {
        try {
            lines_.push_back(log_line_from_json(text));
        } catch (const Error&) {
            fail("cannot resume: line {} of {} is damaged or was changed; put the file back from a copy",
                 this->lines() + 1, path_.string());
        }
        kept += text + "\n";
    }
    if (this->lines() < lines) {
        fail("cannot resume: {} has {} lines, but the state was saved after {}", path_.string(), this->lines(), lines);
    }
    write_atomically(path_, kept);
    events_ = std::make_unique<EventWriter>(folder, lines_.empty() ? 0 : lines_.back().step);
}

void RunLog::append(const LogLine& line) {
    std::ofstream stream(path_, std::ios::binary | std::ios::app);
    stream << to_json_line(line) << "\n";
    stream.flush();
    if (!stream) fail("cannot write {}; is the disk full?", path_.string());
    lines_.push_back(line);
    to_events(line);
}

void RunLog::sync() {
    const int descriptor = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail("cannot open {}", path_.string());
    fsync(descriptor);
    close(descriptor);
}

void RunLog::to_events(const LogLine& line) {
    const auto point = [&](const char* tag, const std::optional<double>& value) {
        if (value) events_->scalar(tag, line.step, *value);
    };
    point("rate", line.lr);
    point("loss/train", line.train_loss);
    point("loss/validation", line.val_loss);
    point("top1/train", line.train_top1);
    point("top1/validation", line.val_top1);
    point("balanced_accuracy/validation", line.val_balanced_accuracy);
    point("macro_f1/validation", line.val_macro_f1);
    point("images_per_second", line.images_per_second);
    events_->flush();
}

}  // namespace cambium
