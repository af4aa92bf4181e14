#include "tools/finetune/results.h"

#include <sys/resource.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "tools/training/step_graphs.h"

namespace cambium {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_mistakes = 24;

Json per_class(const Scores& scores, const std::vector<std::string>& names) {
    Json rows = Json::array();
    for (std::size_t c = 0; c < names.size(); ++c) {
        const ClassScore& s = scores.classes[c];
        rows.push_back({{"class", names[c]},
                        {"support", s.count},
                        {"precision", s.precision},
                        {"recall", s.recall},
                        {"f1", s.f1}});
    }
    return rows;
}

Json confusion(const Scores& scores) {
    const std::size_t classes = scores.classes.size();
    Json rows = Json::array();
    for (std::size_t row = 0; row < classes; ++row) {
        const auto begin = scores.confusion.begin() + static_cast<std::ptrdiff_t>(row * classes);
        rows.push_back(std::vector<std::int64_t>(begin, begin + static_cast<std::ptrdiff_t>(classes)));
    }
    return rows;
}

Json mistakes(const Answers& answers, const ImageSource& source, const std::vector<std::string>& names) {
    Json rows = Json::array();
    for (const Mistake& m : worst_mistakes(answers.logits, answers.labels, most_mistakes)) {
        rows.push_back({{"index", m.index},
                        {"image", sample_name(source, m.index)},
                        {"truth", names[static_cast<std::size_t>(m.label)]},
                        {"predicted", names[static_cast<std::size_t>(m.predicted)]},
                        {"probability", m.probability}});
    }
    return rows;
}

Json data_facts(const Dataset& data) {
    Json counts = {{"train", class_counts(*data.train, data.classes.size())},
                   {"validation", class_counts(*data.validation, data.classes.size())}};
    if (data.test) counts["test"] = class_counts(*data.test, data.classes.size());
    return {{"split", data.split}, {"class_counts", counts}};
}

const LogLine* line_of(const std::vector<LogLine>& log, std::int64_t epoch) {
    for (const LogLine& line : log) {
        if (line.epoch == epoch && line.val_top1) return &line;
    }
    return nullptr;
}

Json phases(const RunFacts& facts) {
    Json rows = Json::array();
    for (const PhaseConfig& phase : facts.config.phases) {
        std::int64_t epochs = 0;
        double seconds = 0;
        for (const LogLine& line : facts.log) {
            if (line.phase != phase.name || !line.val_top1) continue;
            ++epochs;
            seconds += line.epoch_seconds.value_or(0);
        }
        const PhaseGraphs::Parameters parameters = PhaseGraphs(facts.config, phase, facts.architecture).parameters();
        rows.push_back({{"name", phase.name},
                        {"epochs", epochs},
                        {"steps", epochs * phase.updates_per_epoch},
                        {"trained", summarise(parameters.trained)},
                        {"frozen", summarise(parameters.frozen)},
                        {"trained_parameters", parameters.trained_count},
                        {"frozen_parameters", parameters.frozen_count},
                        {"time", {{"seconds", seconds}}}});
    }
    return rows;
}

// Seconds since 1970 as "2026-11-25T01:23:45Z".
std::string iso_text(double clock) {
    const auto seconds = static_cast<std::time_t>(clock);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

Json times(const RunFacts& facts) {
    double wait = 0, rate = 0;
    std::int64_t epochs = 0;  // on photos; of those on features neither figure says anything
    for (const LogLine& line : facts.log) {
        if (!line.epoch_seconds || !line.images_per_second) continue;
        wait += line.wait_share.value_or(0);
        rate += *line.images_per_second;
        ++epochs;
    }
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto mean = [&](double sum) { return epochs > 0 ? Json(sum / static_cast<double>(epochs)) : Json(nullptr); };
    return {{"started", facts.log.empty() ? "" : iso_text(facts.log.front().clock - facts.log.front().seconds)},
            {"finished", facts.log.empty() ? "" : iso_text(facts.log.back().clock)},
            {"seconds", facts.seconds},
            {"images_per_second", mean(rate)},
            {"wait_share", mean(wait)},
            {"peak_memory_mb", static_cast<double>(usage.ru_maxrss) / 1024}};
}

Json summary(const Scores& scores) {
    return {{"count", scores.count},
            {"top1", scores.top1},
            {"top5", scores.top5},
            {"loss", scores.loss},
            {"balanced_accuracy", scores.balanced_accuracy},
            {"macro_f1", scores.macro_f1},
            {"majority_baseline", scores.majority}};
}

}  // namespace

std::string result_json(const RunFacts& facts) {
    const bool tested = facts.outcome.test.has_value();
    const Answers& answers = tested ? *facts.outcome.test : facts.outcome.validation;
    const ImageSource& source = tested ? *facts.data.test : *facts.data.validation;
    const std::vector<std::string>& names = facts.config.classes;
    const Scores scores = score(answers.logits, answers.labels);
    const auto most = std::max_element(scores.classes.begin(), scores.classes.end(),
                                       [](const ClassScore& a, const ClassScore& b) { return a.count < b.count; });

    Json json = {{"set", tested ? "test" : "validation"}};
    json.update(summary(scores));
    json["majority_class"] = names[static_cast<std::size_t>(most - scores.classes.begin())];
    json["validation"] = summary(score(facts.outcome.validation.logits, facts.outcome.validation.labels));
    const RunState::Best& best = facts.outcome.best;
    json["best"] = {{"epoch", best.epoch + 1}, {"step", best.step}, {"phase", facts.outcome.best_phase}};
    if (const LogLine* line = line_of(facts.log, best.epoch + 1)) {
        json["best"]["val_top1"] = *line->val_top1;
        json["best"]["val_balanced_accuracy"] = *line->val_balanced_accuracy;
    }
    const auto last = std::find_if(facts.log.rbegin(), facts.log.rend(), [](const LogLine& l) { return l.val_top1; });
    if (last != facts.log.rend()) {
        json["last"] = {{"epoch", last->epoch}, {"step", last->step}, {"val_top1", *last->val_top1}};
    }
    json["classes"] = names;
    json["confusion"] = confusion(scores);
    json["per_class"] = per_class(scores, names);
    json["mistakes"] = mistakes(answers, source, names);
    json["phases"] = phases(facts);
    json["data"] = data_facts(facts.data);
    json["left_out"] = Json::array();
    for (const LeftOut& left : facts.data.left_out) {
        json["left_out"].push_back({{"image", left.path.string()}, {"reason", left.reason}});
    }
    json["duplicates"] = Json::array();
    for (const SharedPhoto& shared : facts.data.shared) {
        json["duplicates"].push_back(
            {{"train", shared.train.string()}, {"other", shared.other.string()}, {"same_bytes", shared.same_bytes}});
    }
    json["skipped_steps"] = facts.outcome.skipped;
    json["notes"] = facts.data.notes;
    json["machine"] = {{"device", facts.config.device},
                       {"precision", facts.config.precision},
                       {"cpu", facts.cpu},
                       {"instruction_set", facts.config.instruction_set},
                       {"threads", facts.config.threads},
                       {"version", CAMBIUM_VERSION}};
    json["time"] = times(facts);
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cambium
