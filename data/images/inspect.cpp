// inspect_photos(): one look at every file before hours are spent on them.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "data/images/decode.h"
#include "data/images/digest.h"
#include "data/images/folder.h"
#include "engine/base/fail.h"
#include "engine/base/parallel.h"

namespace cambium {

namespace {

struct Look {
    Digest bytes{}, pixels{};
    std::string problem{};  // empty: readable
};

Look look_at(const std::filesystem::path& path, Thoroughness thoroughness) try {
    const std::vector<std::byte> file = read_image_file(path);
    Look look{.bytes = digest(file)};
    if (thoroughness == Thoroughness::pixels)
        look.pixels = digest(decode(file, path.string()));
    else
        probe(file, path.string());
    return look;
} catch (const Error& error) {
    return {.problem = error.what()};
}

std::vector<Look> look_at_all(const std::vector<Sample>& samples, Thoroughness thoroughness) {
    std::vector<Look> looks(samples.size());
    parallel_for(static_cast<std::int64_t>(samples.size()), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
            looks[i] = look_at(samples[i].path, thoroughness);
    });
    return looks;
}

void refuse(const std::vector<LeftOut>& unreadable, std::size_t photos) {
    constexpr std::size_t shown = 5;
    std::string reasons;
    for (std::size_t i = 0; i < std::min(shown, unreadable.size()); ++i) reasons += "; " + unreadable[i].reason;
    if (unreadable.size() > shown) reasons += fmt::format("; and {} more", unreadable.size() - shown);
    fail("{} of {} photos cannot be used{} (remove them, or leave them out with --skip-unreadable)", unreadable.size(),
         photos, reasons);
}

// Takes the unreadable samples, and their looks, out of a set.
void set_aside(std::vector<Sample>& samples, std::vector<Look>& looks, std::vector<LeftOut>& unreadable) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        if (!looks[i].problem.empty()) {
            unreadable.push_back({samples[i].path, looks[i].problem});
            continue;
        }
        if (kept != i) {
            samples[kept] = std::move(samples[i]);
            looks[kept] = std::move(looks[i]);
        }
        ++kept;
    }
    samples.resize(kept);
    looks.resize(kept);
}

void require_photos_of_each_class(const ImageFolder& folder, const std::vector<int>& labels_before) {
    for (int label : labels_before)
        if (std::ranges::none_of(folder.train, [label](const Sample& sample) { return sample.label == label; }))
            fail("cannot train: none of the photos of class '{}' can be read",
                 folder.classes[static_cast<std::size_t>(label)]);
}

using Index = std::map<Digest, std::size_t>;  // first training photo of each digest

void find_shared(const std::vector<Sample>& train, const Index& bytes, const Index& pixels,
                 const std::vector<Sample>& others, const std::vector<Look>& looks, std::vector<SharedPhoto>& shared) {
    for (std::size_t i = 0; i < others.size(); ++i) {
        if (const auto at = bytes.find(looks[i].bytes); at != bytes.end())
            shared.push_back({train[at->second].path, others[i].path, true});
        else if (const auto same = pixels.find(looks[i].pixels); same != pixels.end())
            shared.push_back({train[same->second].path, others[i].path, false});
    }
}

}  // namespace

std::vector<SharedPhoto> inspect_photos(ImageFolder& folder, Unreadable unreadable, Thoroughness thoroughness) {
    std::vector<Sample>* const sets[] = {&folder.train, &folder.validation, &folder.test};
    std::vector<Look> looks[3];
    std::vector<int> labels;
    for (const Sample& sample : folder.train)
        if (labels.empty() || labels.back() != sample.label) labels.push_back(sample.label);
    std::vector<LeftOut> problems;
    const std::size_t photos = folder.train.size() + folder.validation.size() + folder.test.size();
    for (std::size_t i = 0; i < 3; ++i) {
        looks[i] = look_at_all(*sets[i], thoroughness);
        set_aside(*sets[i], looks[i], problems);
    }
    if (!problems.empty() && unreadable == Unreadable::refuse) refuse(problems, photos);
    folder.left_out.insert(folder.left_out.end(), problems.begin(), problems.end());
    require_photos_of_each_class(folder, labels);

    Index bytes, pixels;
    for (std::size_t i = 0; i < folder.train.size(); ++i) {
        bytes.emplace(looks[0][i].bytes, i);
        if (thoroughness == Thoroughness::pixels) pixels.emplace(looks[0][i].pixels, i);
    }
    std::vector<SharedPhoto> shared;
    find_shared(folder.train, bytes, pixels, folder.validation, looks[1], shared);
    find_shared(folder.train, bytes, pixels, folder.test, looks[2], shared);
    return shared;
}

}  // namespace cambium
