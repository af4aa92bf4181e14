// Classifier: a source compiled for one batch size; photos in, logits out. Smaller batches are padded, so that every
// photo runs through the same program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/source.h"
#include "tools/common/device.h"

namespace cambium {

// The network of `source` for `batch` photos: input "images" u8 [batch, side, side, 3], output "logits" f32
// [batch, classes].
void trace_classifier(Graph& graph, const Source& source, std::int64_t batch);

class Classifier {
  public:
    // Loads the weights; throws Error if they do not fit the architecture in every tensor.
    Classifier(const Source& source, Device& device, std::int64_t batch);

    std::int64_t batch() const { return batch_; }
    std::int64_t classes() const { return classes_; }
    const std::vector<std::string>& notes() const { return notes_; }  // what loading had to say
    const Program& program() const { return *program_; }

    // u8 [n, side, side, 3] with n <= batch: logits f32 [n, classes]. Throws Error if one is not finite.
    Tensor run(const Tensor& images);

  private:
    std::int64_t batch_, classes_;
    std::string file_;
    Store store_;
    std::unique_ptr<Program> program_;
    std::vector<std::string> notes_;
};

// log(sum(exp(logits))), in double.
double log_sum_exp(std::span<const float> logits);
// Indices of the k largest logits, largest first; of equal ones the lower index.
std::vector<std::int64_t> top_k(std::span<const float> logits, std::int64_t k);

}  // namespace cambium
