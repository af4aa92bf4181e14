// One case of augmentation: a batch of photos, a table drawn as training draws it, what the engine's reference makes of
// them (which is held against torchvision), and a run on the device. All tests of the family are built from it.
#pragma once

#include <string>
#include <vector>

#include "data/images/augment.h"
#include "kernels/augment/augment.h"

namespace cambium::test {

struct AugmentCase {
    augment::Batch batch;
    std::vector<AugmentParameters> table;  // a row an image
    int skew = 0;                          // elements by which y begins beyond a 256-byte boundary
    std::uint32_t seed = 0;

    std::string text() const;
};

std::vector<std::uint8_t> pixels_of(const AugmentCase& c);  // random

std::vector<double> on_reference(const AugmentCase& c, const std::vector<std::uint8_t>& pixels);
// Throws std::runtime_error if anything before or behind y was written.
std::vector<float> on_device(const AugmentCase& c, const std::vector<std::uint8_t>& pixels);

// The number-th random case: odd sizes, one image and several, every augmentation alone and all together.
AugmentCase random_case(int number, int largest_side);

}  // namespace cambium::test
