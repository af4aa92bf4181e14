// One photo of one leaf, and the same leaf as a drawing: everything that varies between two pictures of a species.
#pragma once

#include "data/images/image.h"
#include "data/leaves/species.h"
#include "engine/base/philox.h"

namespace cambium::leaves {

// `distance` is the domain dial of leaves.h. Draws everything else from `random`.
Image draw_scene(const Species& species, RandomStream& random, double distance, Size size);

}  // namespace cambium::leaves
