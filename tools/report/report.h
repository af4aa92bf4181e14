// report.html of a run: what was learned, in one file that needs no network, no script and no other file. It is made
// from what the run's folder already holds, so it can be written again at any time; what is missing there is left out
// and said.
//
// Fields read (others are ignored; every one may be missing or null, numbers that are not finite are written as null).
// Accuracies are fractions from 0 to 1, times are in seconds, classes are named as in `classes`, and everything that
// depends on the clock or the memory stands in an object `time`.
//
// config.json, as TrainingConfig writes it (tools/training/config.h); all of it is listed under "All settings"
//   data, model, weights, recipe, classes, train_count, validation_count, test_count, criterion
//   phases: [{name, epochs, optimizer, input, schedule: {kind, rate}, layer_decay, selection: {train, freeze}}]
//   choices: [{what, value, reason}]     every automatic choice
//
// metrics.jsonl, one object a line, in the order of `step`; a line that does not parse is skipped and counted
//   step              updates done since the start of the run, over all phases
//   epoch             epochs begun since the start of the run, over all phases, from 1
//   phase             name of the phase; where it changes, the curves are marked
//   lr                rate of the update (of the head, where rates differ by layer)
//   train_loss        mean since the last line that had one
//   val_loss, val_top1, val_balanced_accuracy     of the whole validation set, after an epoch
//
// result.json, written when the run has ended; without it the report says that the run goes on or was cut off
//   ended             one sentence why the run stopped, where there is more to say than that it is done
//   set               "validation" or "test": which photos everything below was measured on
//   count             number of those photos
//   top1, top5, loss, balanced_accuracy, macro_f1
//   majority_baseline, majority_class     top-1 of always answering the set's most frequent class, and that class
//   validation: {top1, balanced_accuracy, macro_f1, majority_baseline}     of the state that was kept
//   best: {epoch, step, val_top1, val_balanced_accuracy}     the state kept as model.safetensors
//   classes: [name]                       default: those of config.json
//   confusion: [[count]]                  row: true class, column: predicted class
//   per_class: [{class, support, precision, recall, f1}]     default: computed from `confusion`
//   mistakes: [{index, image, truth, predicted, probability}]
//                     wrong answers, the most confident first: number in the set, path (or what the picture is called),
//                     the names of the classes, the probability given to `predicted`
//   phases: [{name, epochs, steps, trained, frozen, trained_parameters, frozen_parameters, time: {seconds}}]
//                     what trained: `trained` and `frozen` as summarise() (patterns.h) says it, and numbers of scalars
//   data: {split, class_counts: {train: [n], validation: [n], test: [n]}}     in the order of `classes`
//   left_out: [{image, reason}]
//   duplicates: [{train, other, same_bytes}]     photos of the training set that another set holds too
//   notes: [sentence]                     what else a person should know: remedies, skipped steps, advice
//   machine: {device, precision, cpu, instruction_set, threads, version}
//   time: {started, finished, seconds, images_per_second, wait_share, peak_memory_mb}
//                     `started` and `finished` are ISO 8601 text; `wait_share` is the loader's, a fraction
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "data/images/image.h"

namespace cambium {

struct ReportOptions {
    // The picture with number `index` of the set that was measured, for thumbnails; may throw. Without it, `image` of a
    // mistake is decoded as a file. Give ImageSource::image() where pictures are drawn on demand.
    std::function<Image(std::int64_t index)> picture{};
};

// Writes RUN/report.html, whole or not at all. Throws Error if config.json cannot be read, if config.json or
// result.json is not JSON, or if the file cannot be written. A picture that cannot be read becomes a placeholder with
// the reason.
void write_report(const std::filesystem::path& run, const ReportOptions& options = {});

}  // namespace cambium
