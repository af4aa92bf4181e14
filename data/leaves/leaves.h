// The built-in sample: pictures of leaves, drawn on demand, so that there are images on any machine without a download.
//
// A picture is a pure function of (species, seed, split, number, distance, size): the same bits on every machine, in
// any order, on any number of threads. Pose, light, ground, season, damage and noise vary from picture to picture.
//
// The domain dial, `distance`, says how far a domain lies from photos of leaves:
//   0        photos
//   0 to 1   each pixel moves in a straight line from the photo to an ink drawing of the same leaf, so that the mean
//            difference from the photo grows in proportion to the dial; at 1 there are only lines, no colour or ground
//   1 to 2   "far": paper and ink change places by way of orange and blue, while ever more of 32 pairs of cells of an
//            8 x 8 grid are exchanged (the same in every picture); at 2 white lines on black, no leaf in one piece
// The species, the variations and the dial were fixed before any network was trained on them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/images/image.h"

namespace cambium {

enum class LeafSet : std::uint8_t {
    source,  // 24 species over all forms of leaf
    target,  // 6 others, cousins of one form: none of them is in the source
};

enum class LeafSplit : std::uint8_t { train, validation, test };

struct LeafDomain {
    LeafSet set = LeafSet::source;
    double distance = 0;  // 0 to 2
};

// Pictures per species.
struct LeafCounts {
    int train = 0, validation = 0, test = 0;
};

// A picture of species 0 to 29 (source: 0 to 23, target: 24 to 29). Throws Error if there is no such species, the
// distance is outside [0, 2] or the size outside [16, 4096].
Image draw_leaf(int species, LeafSplit split, std::uint32_t number, std::uint64_t seed, double distance, Size size);

class LeafSample {
  public:
    // Throws UsageError if a count is negative, the distance outside [0, 2] or the size outside [16, 4096].
    LeafSample(LeafDomain domain, LeafCounts counts, std::uint64_t seed = 0, Size size = {64, 64});
    // What `cambium finetune` uses without DATA: few pictures of the target's species, a little off the source's
    // domain.
    static LeafSample target(std::uint64_t seed = 0);
    // What the shipped network is pretrained on.
    static LeafSample source(std::uint64_t seed = 0);

    const std::vector<std::string>& class_names() const { return class_names_; }
    LeafDomain domain() const { return domain_; }
    Size size() const { return size_; }
    std::int64_t count(LeafSplit split) const;
    // Picture `index` of a split shows class index % classes. Both throw Error if index is not below count(split).
    int label(LeafSplit split, std::int64_t index) const;
    Image draw(LeafSplit split, std::int64_t index) const;

    // Writes the sample as an image folder, FOLDER/{train,val,test}/CLASS/NUMBER.png. Throws Error naming the file that
    // cannot be written.
    void write(const std::filesystem::path& folder) const;

  private:
    int per_class(LeafSplit split) const;

    LeafDomain domain_;
    LeafCounts counts_;
    std::uint64_t seed_;
    Size size_;
    std::vector<std::string> class_names_;
};

}  // namespace cambium
