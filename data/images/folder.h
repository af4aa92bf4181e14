// ImageFolder: photos with labels from a directory tree or a CSV manifest, as torchvision's ImageFolder lists them
// (classes and files sorted by name, any letter case of extension). Nothing disappears in silence: what is not used is
// kept with its reason, and photos that stand on both sides of a split are named.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cambium {

struct Sample {
    std::filesystem::path path;
    int label = 0;  // index into ImageFolder::classes
};

struct LeftOut {
    std::filesystem::path path;
    std::string reason;  // "its extension is not an image's", or the sentence that decoding it ended with
};

struct ImageFolder {
    std::vector<std::string> classes;  // sorted by name, byte by byte
    std::vector<Sample> train, validation, test;
    std::vector<LeftOut> left_out;
    std::string split;  // how the sets came about, one sentence
};

struct FolderOptions {
    double validation_share = 0.2;  // of each class, where the data have no validation set; in (0, 1)
    std::uint64_t seed = 0;         // of that split
};

// `data` is a directory with train/ (and val/, and test/, each with one folder a class), a directory with one folder a
// class, or a CSV file (manifest.h). Without a validation set a seeded, stratified share of the training set becomes
// it: at least one photo of each class that has two. val/ may also be called valid/ or validation/. Throws Error:
// nothing there, no class folder, an empty class folder, fewer than two classes, no images, or a validation or test
// class that the training set lacks.
ImageFolder open_image_folder(const std::filesystem::path& data, const FolderOptions& options = {});

// The photos to evaluate on, in ImageFolder::test: test/ if there is one, else val/, else `data` itself (as one folder
// a class, or all lines of a CSV file without a split column). One class is enough. Throws Error as above.
ImageFolder open_for_evaluation(const std::filesystem::path& data);

enum class Unreadable : std::uint8_t { refuse, skip };
enum class Thoroughness : std::uint8_t { header, pixels };  // read the file and parse its header, or decode it as well

// A photo of the training set that also stands in another set.
struct SharedPhoto {
    std::filesystem::path train, other;
    bool same_bytes = false;  // else only the decoded pixels are the same (a copy saved anew, without loss)
};

// Reads every photo once, on all threads. Unreadable ones throw Error naming the first of them with their reasons, or
// move to `left_out` if they are to be skipped (an Error still, if that empties a class of the training set). Returns
// the photos of `train` that `validation` or `test` hold too; same pixels are found only with Thoroughness::pixels.
std::vector<SharedPhoto> inspect_photos(ImageFolder& folder, Unreadable unreadable,
                                        Thoroughness thoroughness = Thoroughness::pixels);

// Whether the name ends like an image's, as torchvision decides it: .jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp.
bool has_image_extension(const std::filesystem::path& path);

}  // namespace cambium
