#include "data/images/folder.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "data/images/manifest.h"
#include "engine/base/fail.h"
#include "engine/base/philox.h"

namespace cambium {

namespace fs = std::filesystem;

namespace {

// What one directory of class folders holds, labels by name until the classes of all sets are known.
struct Listing {
    std::vector<std::string> classes;
    std::vector<Sample> samples;
};

std::string lower_extension(const fs::path& path) {
    std::string extension = path.extension().string();
    std::ranges::transform(extension, extension.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return extension;
}

// Links are followed; one that leads nowhere, or round in a circle, is a file that cannot be read.
bool is_folder(const fs::path& path) {
    std::error_code unreadable;
    return fs::is_directory(path, unreadable);
}

void require_present(const fs::path& data) {
    std::error_code error;
    const fs::file_status status = fs::status(data, error);
    if (status.type() == fs::file_type::not_found)
        fail("cannot use {}: there is no such file or folder", data.string());
    if (error) fail("cannot use {}: {}", data.string(), error.message());
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

// Files below `directory`, links followed, as sorted(os.walk()) gives them: by directory, then by name.
std::vector<fs::path> files_below(const fs::path& directory) {
    std::vector<fs::path> files;
    constexpr auto follow = fs::directory_options::follow_directory_symlink;
    std::error_code error;
    for (auto at = fs::recursive_directory_iterator(directory, follow, error);
         !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
        constexpr int deepest = 64;  // a link to a folder above would never end
        if (at.depth() > deepest)
            fail("cannot list {}: folders are nested more than {} deep (a link to itself?)", directory.string(),
                 deepest);
        const bool folder = is_folder(at->path());
        if (!folder) files.push_back(at->path());
        if (!folder || is_hidden(at->path())) at.disable_recursion_pending();
    }
    if (error) fail("cannot list {}: {}", directory.string(), error.message());
    std::ranges::sort(files, {}, [](const fs::path& path) {
        return std::pair(path.parent_path().native(), path.filename().native());
    });
    return files;
}

std::vector<std::string> class_folders(const fs::path& directory, std::vector<LeftOut>& left_out) {
    std::vector<std::string> names;
    std::error_code error;
    for (auto at = fs::directory_iterator(directory, error); !error && at != fs::directory_iterator();
         at.increment(error)) {
        if (!is_folder(at->path())) continue;
        if (is_hidden(at->path()))
            left_out.push_back({at->path(), "it is a hidden folder"});
        else
            names.push_back(at->path().filename().string());
    }
    if (error) fail("cannot list {}: {}", directory.string(), error.message());
    std::ranges::sort(names);
    return names;
}

Listing list_classes(const fs::path& directory, std::vector<LeftOut>& left_out) {
    Listing listing;
    listing.classes = class_folders(directory, left_out);
    if (listing.classes.empty()) {
        const auto files = files_below(directory);
        fail("cannot use {}: it has no class folders{}; put the photos into one folder per class", directory.string(),
             std::ranges::any_of(files, has_image_extension) ? ", only photos" : " and no photos");
    }
    std::vector<std::string> empty;
    for (std::size_t i = 0; i < listing.classes.size(); ++i) {
        const std::size_t before = listing.samples.size();
        for (const fs::path& file : files_below(directory / listing.classes[i])) {
            if (is_hidden(file))
                left_out.push_back({file, "it is a hidden file"});
            else if (has_image_extension(file))
                listing.samples.push_back({file, static_cast<int>(i)});
            else
                left_out.push_back({file, fmt::format("its extension '{}' is not one of those read from folders",
                                                      file.extension().string())});
        }
        if (listing.samples.size() == before) empty.push_back(listing.classes[i]);
    }
    if (!empty.empty())
        fail("cannot use {}: no photos in the class folder{} {}; add some or remove {}", directory.string(),
             empty.size() == 1 ? "" : "s", fmt::join(empty, ", "), empty.size() == 1 ? "it" : "them");
    return listing;
}

std::optional<fs::path> subfolder(const fs::path& data, std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (is_folder(data / name)) return data / name;
    return std::nullopt;
}
std::optional<fs::path> train_folder(const fs::path& data) { return subfolder(data, {"train"}); }
std::optional<fs::path> validation_folder(const fs::path& data) {
    return subfolder(data, {"val", "valid", "validation"});
}
std::optional<fs::path> test_folder(const fs::path& data) { return subfolder(data, {"test"}); }

// The samples of another set, its labels renumbered to the training set's classes.
std::vector<Sample> list_like(const std::vector<std::string>& classes, const fs::path& directory,
                              std::vector<LeftOut>& left_out) {
    Listing listing = list_classes(directory, left_out);
    for (Sample& sample : listing.samples) {
        const std::string& name = listing.classes[static_cast<std::size_t>(sample.label)];
        const auto at = std::ranges::lower_bound(classes, name);
        if (at == classes.end() || *at != name)
            fail("cannot use {}: its class '{}' is not among the training set's {} classes", directory.string(), name,
                 classes.size());
        sample.label = static_cast<int>(at - classes.begin());
    }
    return std::move(listing.samples);
}

void require_classes(const fs::path& data, const std::vector<std::string>& classes) {
    if (classes.size() == 1)
        fail("cannot train on {}: '{}' is its only class, and telling classes apart takes at least two", data.string(),
             classes[0]);
}

// Moves a share of each class from `train` to `validation`; both stay in the order of listing.
void split_off_validation(ImageFolder& folder, const FolderOptions& options) {
    if (!(options.validation_share > 0 && options.validation_share < 1))
        fail_usage("the share of photos for validation is {}, and must be between 0 and 1", options.validation_share);
    std::vector<std::vector<std::size_t>> members(folder.classes.size());
    for (std::size_t i = 0; i < folder.train.size(); ++i)
        members[static_cast<std::size_t>(folder.train[i].label)].push_back(i);
    constexpr std::string_view purpose = "validation split";  // its own random sequence
    std::vector<bool> chosen(folder.train.size());
    for (std::size_t label = 0; label < members.size(); ++label) {
        std::vector<std::size_t>& photos = members[label];
        if (photos.size() < 2) continue;  // the only one is needed for training
        RandomStream random(options.seed, hash_name(purpose.data(), purpose.size()), label);
        for (std::size_t i = photos.size(); i > 1; --i)
            std::swap(photos[i - 1], photos[random.below(static_cast<std::uint32_t>(i))]);
        const auto wanted =
            static_cast<std::size_t>(std::lround(options.validation_share * static_cast<double>(photos.size())));
        photos.resize(std::clamp<std::size_t>(wanted, 1, photos.size() - 1));
        for (std::size_t photo : photos) chosen[photo] = true;
    }
    std::vector<Sample> train;
    for (std::size_t i = 0; i < chosen.size(); ++i)
        (chosen[i] ? folder.validation : train).push_back(std::move(folder.train[i]));
    folder.train = std::move(train);
    if (folder.validation.empty())
        fail("cannot set photos aside for validation: no class has two; add photos, or give a validation set");
    folder.split = fmt::format("{} of {} photos set aside for validation ({:.0f} % of each class, seed {})",
                               folder.validation.size(), chosen.size(), 100 * options.validation_share, options.seed);
}

ImageFolder from_directory(const fs::path& data, const FolderOptions& options) {
    ImageFolder folder;
    const auto train = train_folder(data), validation = validation_folder(data), test = test_folder(data);
    if (!train && validation)
        fail("cannot train on {}: it has {}/ and no train/", data.string(), validation->filename().string());
    Listing listing = list_classes(train.value_or(data), folder.left_out);
    require_classes(data, listing.classes);
    folder.classes = std::move(listing.classes);
    folder.train = std::move(listing.samples);
    if (train && test) folder.test = list_like(folder.classes, *test, folder.left_out);
    if (validation) {
        folder.validation = list_like(folder.classes, *validation, folder.left_out);
        folder.split = fmt::format("train/ and {}/ as given", validation->filename().string());
    } else {
        split_off_validation(folder, options);
    }
    return folder;
}

// Classes are those of the training lines; without any, of all lines.
ImageFolder from_manifest(const fs::path& file, const Manifest& manifest, bool classes_of_all) {
    std::set<std::string> classes;
    for (const ManifestLine& line : manifest.lines)
        if (classes_of_all || line.split == Split::train) classes.insert(line.label);
    ImageFolder folder;
    folder.classes.assign(classes.begin(), classes.end());
    std::map<std::string_view, int> label_of;
    for (const std::string& name : folder.classes) label_of.emplace(name, static_cast<int>(label_of.size()));
    for (const ManifestLine& line : manifest.lines) {
        const auto label = label_of.find(line.label);
        if (label == label_of.end())
            fail("cannot use {}: {} is of class '{}', which no training line has", file.string(), line.path.string(),
                 line.label);
        std::vector<Sample>* const sets[] = {&folder.train, &folder.validation, &folder.test};
        sets[static_cast<std::size_t>(line.split)]->push_back({line.path, label->second});
    }
    return folder;
}

}  // namespace

bool has_image_extension(const fs::path& path) {
    constexpr std::array<std::string_view, 9> known{".jpg", ".jpeg", ".png",  ".ppm", ".bmp",
                                                    ".pgm", ".tif",  ".tiff", ".webp"};
    return std::ranges::find(known, lower_extension(path)) != known.end();
}

ImageFolder open_image_folder(const fs::path& data, const FolderOptions& options) {
    require_present(data);
    if (is_folder(data)) return from_directory(data, options);
    ImageFolder folder = from_manifest(data, read_manifest(data), false);
    if (folder.train.empty()) fail("cannot train on {}: none of its lines is for training", data.string());
    require_classes(data, folder.classes);
    if (folder.validation.empty())
        split_off_validation(folder, options);
    else
        folder.split = "training and validation lines as given";
    return folder;
}

ImageFolder open_for_evaluation(const fs::path& data) {
    require_present(data);
    ImageFolder folder;
    if (!is_folder(data)) {
        const Manifest manifest = read_manifest(data);
        folder = from_manifest(data, manifest, true);
        if (folder.test.empty()) folder.test = std::move(manifest.has_split ? folder.validation : folder.train);
        if (folder.test.empty())
            fail("cannot evaluate on {}: none of its lines is for validation or test", data.string());
        folder.train.clear();
        folder.validation.clear();
        folder.split = manifest.has_split ? "the held-out lines" : "all lines";
        return folder;
    }
    const auto held_out = test_folder(data) ? test_folder(data) : validation_folder(data);
    if (!held_out && train_folder(data))
        fail("cannot evaluate on {}: it has train/ but neither test/ nor val/; name the folder to evaluate on",
             data.string());
    Listing listing = list_classes(held_out.value_or(data), folder.left_out);
    folder.classes = std::move(listing.classes);
    folder.test = std::move(listing.samples);
    folder.split = held_out ? held_out->filename().string() + "/" : "the whole folder";
    return folder;
}

}  // namespace cambium
