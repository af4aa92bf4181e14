// Checkpoint: the folder state/ of a run. Tensors stand in safetensors files named by their own SHA-256 (segments), and
// state.json, replaced atomically, names those that belong together; so a crash leaves the old state or the new one,
// never a mixture, and what is frozen is written once however often the rest changes. Nothing here depends on clock,
// path or history: the same training gives the same bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/tensor/store.h"

namespace cambium {

struct Segment {
    std::string file;    // in the folder; empty: none
    std::string sha256;  // of its bytes
    friend bool operator==(const Segment&, const Segment&) = default;
};

// A whole Store in two parts: what the present phase leaves alone, and what it changes.
struct Snapshot {
    Segment fixed{}, changing{};
};

// Where a run stands: everything but tensors.
struct RunState {
    std::int64_t phase = 0, epoch = 0,
                 batch = 0;                  // the next batch; epochs count through all phases, batches within one
    std::int64_t update = 0;                 // updates made in this phase
    std::int64_t step = 0;                   // updates made in all phases
    std::int64_t micro_batches = 0;          // batches seen in all phases: dropout's counter
    std::int64_t lines = 0;                  // of metrics.jsonl
    std::int64_t counted = 0;                // micro-batches that batch counters do not show yet
    std::int64_t attempts = 0, updates = 0;  // the optimizer's counters when they were last read
    std::int64_t skipped_in_a_row = 0;
    std::int64_t skipped = 0;  // in all phases
    double first_loss = 0;     // mean training loss of the phase's first window
    bool has_first_loss = false;

    struct Best {
        std::int64_t phase = 0, epoch = -1, step = 0;  // epoch -1: none yet
        double score = 0, loss = 0;
        Snapshot weights{};
    } best{};
    std::int64_t epochs_without_gain = 0;
    bool trained = false;   // all phases are over
    bool finished = false;  // and all results written
};

class Checkpoint {
  public:
    explicit Checkpoint(std::filesystem::path folder) : folder_(std::move(folder)) {}

    bool exists() const;

    // Writes the named entries, in file layout. Throws Error (disk full, no permission).
    Segment write(const Store& store, const std::vector<std::string>& names) const;
    // Makes `progress` with `weights` the state, then removes segments that nothing names any more.
    void commit(const RunState& progress, const Snapshot& weights) const;

    struct State {
        RunState progress;
        Snapshot weights;
    };
    // Throws Error if there is no state.json, or it is damaged. Segments are not looked at.
    State load() const;
    // Throws Error if a segment is missing or its checksum does not fit.
    void verify(const Segment& segment) const;
    // Verifies a segment and writes its tensors into the store; entries that it lacks are made, as counters.
    void read(const Segment& segment, Store& store) const;

  private:
    void remove_others(const std::vector<std::string>& wanted) const;
    std::filesystem::path folder_;
};

}  // namespace cambium
