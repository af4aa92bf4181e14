// One training step of a whole network on hash-filled weights and images, on either backend: what the golden files of
// tests/oracle/networks_make.py recorded of PyTorch in float64.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/graph/program.h"

namespace cambium::test {

// A network's parameters and images as the script computes them; shapes in the file's axis order.
Tensor golden_parameter(const std::string& name, const Shape& shape);
Tensor golden_images(std::uint32_t seed, std::int64_t batch, std::int64_t side);  // f64 [N, H, W, 3]
Tensor golden_labels(std::uint32_t seed, std::int64_t batch);                     // i32 [N], of 1000 classes

struct StepOptions {
    std::string architecture;
    std::int64_t batch = 4, side = 96;
    Precision precision = Precision::f64;
    double momentum_rate = 0;  // not 0: SGD with momentum 0.9 at this rate follows the gradients
};

// Mean cross-entropy in training mode without dropout, and the gradient of every parameter.
class NetworkStep {
  public:
    explicit NetworkStep(const StepOptions& options);
    double run(std::uint32_t seed);                       // the loss on the batch of that seed
    Tensor gradient(const std::string& parameter) const;  // f64, file layout; of the mean loss
    const std::vector<std::string>& parameters() const { return parameters_; }
    Tensor entry(const std::string& name) const;   // f64, file layout
    Tensor evaluation_logits(std::uint32_t seed);  // f64 [N, 1000]

  private:
    StepOptions options_;
    std::unique_ptr<Backend> backend_;
    Store store_;
    std::vector<std::string> parameters_;
    std::unique_ptr<Program> program_;
};

// The 64 places that the script samples, behind the norm and the largest magnitude: what a golden tensor holds.
Tensor sampled(const std::string& name, const Tensor& values);

}  // namespace cambium::test
