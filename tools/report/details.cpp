#include <fmt/format.h>

#include "tools/report/html.h"
#include "tools/report/sections.h"

namespace cambium::report {
namespace {

// A table with two columns: names and what belongs to them (HTML).
class Facts {
  public:
    void add(std::string_view name, const std::string& html) {
        if (!html.empty()) rows_ += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", name, html);
    }
    void add(std::string_view name, double value, const std::string& html) {
        if (std::isfinite(value)) add(name, html);
    }
    std::string html() const {
        return rows_.empty()
                   ? ""
                   : "<div class=\"scroll\"><table class=\"facts\"><tbody>\n" + rows_ + "</tbody></table></div>\n";
    }

  private:
    std::string rows_;
};

std::string folded(const std::string& summary, const std::string& html) {
    return fmt::format("<details><summary>{}</summary>\n{}</details>\n", summary, html);
}

std::string and_parameters(std::string what, double parameters) {
    if (!what.empty() && parameters > 0) what += fmt::format(", {}", times(parameters, "parameter"));
    return escape(what);
}

// How the configuration says which parameters it means.
std::string by_pattern(const std::string& patterns) {
    if (patterns.empty()) return {};
    return patterns == "*" ? "everything" : "parameters named " + patterns;
}

std::string phase(const Phase& phase) {
    Facts facts;
    facts.add("Trained", and_parameters(phase.trained.empty() ? by_pattern(phase.train) : phase.trained,
                                        phase.trained_parameters));
    facts.add("Frozen",
              and_parameters(phase.frozen.empty() ? by_pattern(phase.freeze) : phase.frozen, phase.frozen_parameters));
    if (phase.input == "features") {
        facts.add("Input", "features of the frozen part, computed once and kept: later epochs cost almost nothing");
    }
    std::string length = std::isfinite(phase.epochs) ? times(phase.epochs, "epoch") : "";
    if (std::isfinite(phase.steps)) length += (length.empty() ? "" : ", ") + times(phase.steps, "step");
    facts.add("Length", length);
    std::string rate = significant(phase.rate);
    if (!phase.schedule.empty()) rate += fmt::format(", schedule {}", phase.schedule);
    if (phase.layer_decay < 1)
        rate += fmt::format("; each layer learns {} times as fast as the one after it", significant(phase.layer_decay));
    facts.add("Learning rate", phase.rate, escape(rate));
    facts.add("Optimizer", escape(phase.optimizer));
    facts.add("Time", phase.seconds, duration(phase.seconds));
    return fmt::format("<div class=\"phase-card\">\n<h3>{}</h3>\n{}</div>\n", escape(phase.name), facts.html());
}

std::string class_sizes(const RunRecord& run) {
    if (!std::isfinite(run.train_count)) return {};
    std::string text = times(run.train_count, "photo") + " to train on";
    if (std::isfinite(run.validation_count)) text += ", " + whole(run.validation_count) + " to validate";
    if (run.test_count > 0) text += ", " + whole(run.test_count) + " to test";
    return text;
}

std::string left_out_list(const RunRecord& run) {
    if (run.left_out.empty()) return {};
    std::string items = "<ul>\n";
    for (const auto& [image, reason] : run.left_out) {
        items += fmt::format("<li>{}: {}</li>\n", isolate(image), escape(reason));
    }
    return folded(times(static_cast<double>(run.left_out.size()), "file") + " left out", items + "</ul>\n");
}

std::string duplicate_list(const RunRecord& run) {
    if (run.duplicates.empty()) return {};
    std::string items = "<ul>\n";
    for (const SharedResult& shared : run.duplicates) {
        items += fmt::format("<li>{} and {} ({})</li>\n", isolate(shared.train), isolate(shared.other),
                             shared.same_bytes ? "the same file" : "the same picture, saved anew");
    }
    return folded(
        times(static_cast<double>(run.duplicates.size()), "photo") + " of the training set in another set too",
        items + "</ul>\n");
}

std::string class_list(const RunRecord& run) {
    if (run.classes.empty()) return {};
    std::string names;
    for (const std::string& name : run.classes) names += (names.empty() ? "" : ", ") + isolate(name);
    const std::string count = times(static_cast<double>(run.classes.size()), "class");
    return run.classes.size() <= 12 ? count + ": " + names : folded(count, "<p>" + names + "</p>\n");
}

std::string sentence_case(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
    for (char& c : text) c = c == '_' ? ' ' : c;
    return text;
}

// "2026-11-25T01:23:45Z" as "2026-11-25 01:23:45 UTC"; anything else as it is.
std::string moment(std::string iso) {
    if (iso.size() != 20 || iso[10] != 'T' || iso.back() != 'Z') return iso;
    iso[10] = ' ';
    iso.replace(19, 1, " UTC");
    return iso;
}

}  // namespace

std::string training(const RunRecord& run) {
    std::string cards;
    for (const Phase& one : run.phases) cards += phase(one);
    if (cards.empty()) return {};
    const std::string start = run.weights.empty()
                                  ? std::string("random weights")
                                  : "weights pretrained elsewhere (" + isolate(short_path(run.weights)) + ")";
    return section(
        "training", "What was trained, and what was not",
        fmt::format("<p>{} started from {}.</p>\n<div class=\"cards\">\n{}</div>\n", escape(run.model), start, cards));
}

std::string choices(const RunRecord& run) {
    if (run.choices.empty()) return {};
    std::string html =
        "<p>What the command line did not say was chosen by the program; an option of that name overrules it.</p>\n"
        "<div class=\"scroll\"><table class=\"list\">\n<thead><tr><th scope=\"col\">Choice</th><th "
        "scope=\"col\">Value</th>"
        "<th scope=\"col\">Reason</th></tr></thead>\n<tbody>\n";
    for (const Choice& choice : run.choices) {
        html += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>\n", escape(choice.what),
                            escape(choice.value), escape(choice.reason));
    }
    return section("choices", "Chosen automatically", html + "</tbody>\n</table></div>\n");
}

std::string data(const RunRecord& run) {
    Facts facts;
    facts.add("From", run.data.empty() ? "" : isolate(run.data));
    facts.add("Photos", class_sizes(run));
    facts.add("Split", escape(run.split));
    facts.add("Classes", class_list(run));
    return section("data", "Data", facts.html() + duplicate_list(run) + left_out_list(run));
}

std::string machine(const RunRecord& run) {
    Facts facts;
    facts.add("Started", escape(moment(run.started)));
    facts.add("Finished", escape(moment(run.finished_at)));
    facts.add("Training time", run.seconds, duration(run.seconds));
    facts.add("Speed", run.images_per_second, significant(run.images_per_second) + " images/s");
    facts.add("Waiting for photos", run.wait_share, percent(run.wait_share) + " of the time");
    facts.add("Memory", run.peak_memory_mb, whole(run.peak_memory_mb) + " MB at most");
    for (const auto& [name, value] : run.machine) {
        facts.add(name == "cpu" ? std::string("CPU") : escape(sentence_case(name)), escape(value));
    }
    return section("machine", "Time and machine", facts.html());
}

std::string settings(const RunRecord& run) {
    Facts facts;
    for (const auto& [name, value] : run.settings)
        facts.add("<code>" + escape(name) + "</code>", "<bdi>" + escape(value) + "</bdi>");
    return section("settings", "All settings",
                   folded("Everything in config.json, which repeats this run", facts.html()));
}

}  // namespace cambium::report
