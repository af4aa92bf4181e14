#include "tools/training/dataset.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "data/formats/mapped_file.h"
#include "data/formats/sha256.h"
#include "data/images/digest.h"
#include "data/leaves/leaves.h"
#include "engine/base/fail.h"
#include "models/nearest.h"
#include "tools/common/terminal.h"

namespace cambium {
namespace {

namespace fs = std::filesystem;

class LeafSource final : public ImageSource {
  public:
    LeafSource(std::shared_ptr<const LeafSample> sample, LeafSplit split) : sample_(std::move(sample)), split_(split) {}
    std::int64_t size() const override { return sample_->count(split_); }
    int label(std::int64_t index) const override { return sample_->label(split_, index); }
    Image image(std::int64_t index) const override { return sample_->draw(split_, index); }

  private:
    std::shared_ptr<const LeafSample> sample_;
    LeafSplit split_;
};

double parse_number(const std::string& data, const std::string& field, const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
        fail_usage("{}: '{}' is not a number for {}", data, text, field);
    }
    return value;
}

// "dial=1.5&train=8" -> {{"dial", 1.5}, {"train", 8}}
std::map<std::string, double> parse_fields(const std::string& data, std::string text) {
    constexpr std::string_view known[] = {"dial", "train", "val", "test", "seed", "size"};
    std::map<std::string, double> fields;
    while (!text.empty()) {
        const std::string field = text.substr(0, text.find('&'));
        text.erase(0, field.size() + 1);
        const std::string name = field.substr(0, field.find('='));
        if (std::find(std::begin(known), std::end(known), name) == std::end(known)) {
            fail_usage("{}: the sample has no setting '{}'; {}", data, name, did_you_mean(name, known));
        }
        fields[name] = parse_number(data, name, field.size() > name.size() ? field.substr(name.size() + 1) : "");
    }
    return fields;
}

LeafSample open_leaves(const std::string& data) {
    const std::string name = data.substr(0, data.find('?'));
    std::map<std::string, double> fields =
        parse_fields(data, name.size() < data.size() ? data.substr(name.size() + 1) : "");
    const bool source = name == "leaves:source";
    if (!source && name != "leaves" && name != "leaves:target") {
        constexpr std::string_view names[] = {"leaves", "leaves:target", "leaves:source"};
        fail_usage("there is no built-in sample '{}'; {}", name, did_you_mean(name, names));
    }
    const auto seed = static_cast<std::uint64_t>(fields.contains("seed") ? fields["seed"] : 0);
    LeafSample plain = source ? LeafSample::source(seed) : LeafSample::target(seed);
    const auto classes = static_cast<std::int64_t>(plain.class_names().size());
    const auto or_else = [&](const char* field, std::int64_t otherwise) {
        return fields.contains(field) ? static_cast<int>(fields[field]) : static_cast<int>(otherwise);
    };
    LeafDomain domain = plain.domain();
    if (fields.contains("dial")) domain.distance = fields["dial"];
    const int side = or_else("size", plain.size().width);
    return LeafSample(domain,
                      {.train = or_else("train", plain.count(LeafSplit::train) / classes),
                       .validation = or_else("val", plain.count(LeafSplit::validation) / classes),
                       .test = or_else("test", plain.count(LeafSplit::test) / classes)},
                      seed, {side, side});
}

Dataset leaves_dataset(const std::string& data) {
    const auto sample = std::make_shared<const LeafSample>(open_leaves(data));
    Dataset dataset{.name = data, .classes = sample->class_names(), .built_in = true};
    dataset.train = std::make_shared<LeafSource>(sample, LeafSplit::train);
    dataset.validation = std::make_shared<LeafSource>(sample, LeafSplit::validation);
    if (sample->count(LeafSplit::test) > 0) dataset.test = std::make_shared<LeafSource>(sample, LeafSplit::test);
    dataset.split = "the built-in sample, drawn on demand";
    if (dataset.train->size() == 0 || dataset.validation->size() == 0) {
        fail_usage("{} leaves nothing to train on or nothing to validate on; train and val must be at least 1", data);
    }
    return dataset;
}

// Of a class without photos there, accuracy says nothing.
void note_missing_classes(Dataset& dataset, const std::shared_ptr<const ImageSource>& source, std::string_view set) {
    constexpr std::size_t most = 5;
    if (!source) return;
    const std::vector<std::int64_t> counts = class_counts(*source, dataset.classes.size());
    std::string names;
    std::size_t missing = 0;
    for (std::size_t c = 0; c < counts.size(); ++c) {
        if (counts[c] > 0) continue;
        if (++missing <= most) names += (missing > 1 ? ", " : "") + dataset.classes[c];
    }
    if (missing > most) names += fmt::format(" and {} more", missing - most);
    if (missing > 0) {
        dataset.notes.push_back(fmt::format("no {} photo of {} {}: its accuracy says nothing about {}", set,
                                            missing == 1 ? "the class" : "the classes", names,
                                            missing == 1 ? "it" : "them"));
    }
}

}  // namespace

bool is_leaves(const std::string& data) {
    std::error_code error;
    return (data == "leaves" || data.starts_with("leaves:") || data.starts_with("leaves?")) && !fs::exists(data, error);
}

void require_dataset(const std::string& data) {
    if (is_leaves(data)) {
        leaves_dataset(data);
    } else {
        open_image_folder(data);
    }
}

Dataset open_dataset(const std::string& data, const DatasetOptions& options) {
    if (is_leaves(data)) return leaves_dataset(data);
    ImageFolder folder = open_image_folder(data, {.seed = options.seed});
    std::vector<SharedPhoto> shared = inspect_photos(folder, options.unreadable);
    Dataset dataset{
        .name = fs::absolute(data).lexically_normal().string(), .classes = folder.classes, .split = folder.split};
    dataset.left_out = std::move(folder.left_out);
    dataset.shared = std::move(shared);
    dataset.train = std::make_shared<FileSource>(std::move(folder.train));
    dataset.validation = std::make_shared<FileSource>(std::move(folder.validation));
    if (!folder.test.empty()) dataset.test = std::make_shared<FileSource>(std::move(folder.test));
    note_missing_classes(dataset, dataset.validation, "validation");
    note_missing_classes(dataset, dataset.test, "test");
    return dataset;
}

std::vector<std::string> worth_knowing(const Dataset& dataset) {
    constexpr std::size_t most = 5;
    std::vector<std::string> sentences;
    const auto name_some = [&](const auto& list, const auto& sentence, const char* what) {
        for (std::size_t i = 0; i < std::min(list.size(), most); ++i) sentences.push_back(sentence(list[i]));
        if (list.size() > most) sentences.push_back(fmt::format("and {} more {}", list.size() - most, what));
    };
    const auto left_out = [](const LeftOut& left) {
        return fmt::format("left out: {} ({})", left.path.string(), left.reason);
    };
    const auto shared = [](const SharedPhoto& photo) {
        return fmt::format("the same {} in the training set and beside it: {} and {}",
                           photo.same_bytes ? "file" : "picture", photo.train.string(), photo.other.string());
    };
    name_some(dataset.left_out, left_out, "left out; the report names all of them");
    name_some(dataset.shared, shared, "in two sets; the report names all of them");
    if (!dataset.shared.empty()) {
        sentences.push_back(
            fmt::format("{} of the training set also in the validation or test set: accuracy there "
                        "flatters",
                        counted(std::ssize(dataset.shared), "photo")));
    }
    sentences.insert(sentences.end(), dataset.notes.begin(), dataset.notes.end());
    return sentences;
}

std::vector<std::int64_t> class_counts(const ImageSource& source, std::size_t classes) {
    std::vector<std::int64_t> counts(classes, 0);
    for (std::int64_t i = 0; i < source.size(); ++i) ++counts[static_cast<std::size_t>(source.label(i))];
    return counts;
}

std::string sample_key(const ImageSource& source, std::int64_t index) {
    Digest digest;
    if (const auto* files = dynamic_cast<const FileSource*>(&source)) {
        digest = cambium::digest(MappedFile(files->samples()[static_cast<std::size_t>(index)].path).bytes());
    } else {
        digest = cambium::digest(source.image(index));
    }
    return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

std::string sample_name(const ImageSource& source, std::int64_t index) {
    if (const auto* files = dynamic_cast<const FileSource*>(&source)) {
        return files->samples()[static_cast<std::size_t>(index)].path.string();
    }
    return fmt::format("picture {}", index);
}

std::string list_digest(const Dataset& dataset) {
    Sha256 hash;
    const auto add = [&](const std::string& text) { hash.update(std::as_bytes(std::span(text))); };
    for (const auto& source : {dataset.train, dataset.validation, dataset.test}) {
        add(fmt::format("set {}\n", source ? source->size() : 0));
        for (std::int64_t i = 0; source && i < source->size(); ++i) {
            add(fmt::format("{} {}\n", source->label(i), sample_name(*source, i)));
        }
    }
    std::string text;
    for (const std::byte byte : hash.digest()) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
    return text.substr(0, 32);
}

}  // namespace cambium
