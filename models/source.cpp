#include "models/source.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/base/fail.h"
#include "models/load.h"

namespace cambium {
namespace {

using Json = nlohmann::ordered_json;

// A float as the shortest decimal that gives it back, not as the double next to it.
double shortest(float value) { return std::stod(fmt::format("{}", value)); }

Json numbers(const std::array<float, 3>& values) {
    return {shortest(values[0]), shortest(values[1]), shortest(values[2])};
}

template <class T>
T field(const Json& object, const char* name) {
    try {
        return object.at(name).get<T>();
    } catch (const Json::exception&) {
        fail("the preprocessing record has no valid '{}'", name);
    }
}

template <class Enum>
Enum choice(const Json& object, const char* name, std::string_view first, std::string_view second) {
    const auto text = field<std::string>(object, name);
    if (text != first && text != second) {
        fail("the preprocessing record says {} '{}', which is neither {} nor {}", name, text, first, second);
    }
    return static_cast<Enum>(text == first ? 0 : 1);
}

std::filesystem::path weights_path(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) return path;
    if (std::filesystem::path inside = path / "model.safetensors"; std::filesystem::exists(inside, error))
        return inside;
    fail(
        "{} is a folder without model.safetensors, so it is no run of Cambium's; name a run's folder or a weights file",
        path.string());
}

const Architecture& choose_architecture(const WeightsFile& weights, std::string_view model,
                                        std::vector<std::string>& notes) {
    const std::string file = weights.path().string();
    if (const auto said = weights.metadata().find(architecture_key); said != weights.metadata().end()) {
        if (!model.empty() && model != said->second) {
            fail_usage("{} holds a {}, not a {}; leave --model out or name that", file, said->second, model);
        }
        return architecture(said->second);
    }
    if (!model.empty()) return architecture(model);
    const std::vector<const Architecture*> fitting = fitting_architectures(weights);
    if (fitting.empty()) fail("no model that Cambium knows has the tensors of {}", file);
    if (fitting.size() > 1) {
        std::vector<std::string_view> names;
        for (const Architecture* candidate : fitting) names.push_back(candidate->name);
        fail_usage("{} does not say which model it is, and its tensors fit more than one; add --model {}", file,
                   fmt::join(names, " or --model "));
    }
    notes.push_back(fmt::format("its tensors fit {} and nothing else", fitting.front()->name));
    return *fitting.front();
}

std::int64_t head_size(const WeightsFile& weights, const Architecture& architecture) {
    const WeightsEntry* weight = weights.find(std::string(architecture.head_name) + ".weight");
    return weight == nullptr || weight->spec.shape.rank() == 0 ? 0 : weight->spec.shape[0];
}

void find_classes(Source& source) {
    const std::string file = source.weights.path().string();
    const std::int64_t size = head_size(source.weights, *source.architecture);
    const Metadata& metadata = source.weights.metadata();
    if (const auto said = metadata.find(classes_key); said != metadata.end()) {
        const Json names = Json::parse(said->second, nullptr, false);
        try {
            source.classes = names.get<std::vector<std::string>>();
        } catch (const Json::exception&) {
            fail("the class names in the metadata of {} are no list of texts", file);
        }
        if (size != 0 && size != static_cast<std::int64_t>(source.classes.size())) {
            fail("{} names {} classes, but its head has {} outputs", file, source.classes.size(), size);
        }
        return;
    }
    if (size == source.architecture->classes) {
        source.class_set = source.architecture->class_set;
        source.classes = class_names(source.class_set);
    }
    if (source.classes.empty() && size > 0) {
        source.notes.push_back(fmt::format("it does not name its {} classes; they are called by number", size));
        for (std::int64_t i = 0; i < size; ++i) source.classes.push_back(fmt::format("class {}", i));
    }
}

}  // namespace

std::string to_json(const Preprocessing& p) {
    return Json{{"resize", p.resize},
                {"crop", p.crop},
                {"interpolation", p.interpolation == Interpolation::bilinear ? "bilinear" : "bicubic"},
                {"mean", numbers(p.mean)},
                {"std", numbers(p.std)},
                {"scale", p.scale == PixelScale::unit ? "unit" : "byte"},
                {"order", p.order == ChannelOrder::rgb ? "rgb" : "bgr"}}
        .dump();
}

Preprocessing preprocessing_from_json(std::string_view text) {
    const Json object = Json::parse(text, nullptr, false);
    if (!object.is_object()) fail("the preprocessing record is no JSON object");
    Preprocessing p;
    p.resize = field<int>(object, "resize");
    p.crop = field<int>(object, "crop");
    p.interpolation = choice<Interpolation>(object, "interpolation", "bilinear", "bicubic");
    p.mean = field<std::array<float, 3>>(object, "mean");
    p.std = field<std::array<float, 3>>(object, "std");
    p.scale = choice<PixelScale>(object, "scale", "unit", "byte");
    p.order = choice<ChannelOrder>(object, "order", "rgb", "bgr");
    if (p.crop < 1 || p.crop > 8192 || p.resize < 0 || p.resize > 8192) {
        fail("the preprocessing record asks for {} pixels, then {}; sides from 1 to 8192 make sense", p.resize, p.crop);
    }
    for (const float std : p.std) {
        if (!(std > 0)) fail("the preprocessing record has a std of {}, which must be positive", std);
    }
    return p;
}

Metadata source_metadata(const Architecture& architecture, const std::vector<std::string>& classes,
                         const Preprocessing& preprocessing) {
    return {{architecture_key, std::string(architecture.name)},
            {classes_key, Json(classes).dump()},
            {preprocessing_key, to_json(preprocessing)}};
}

Source open_source(const std::filesystem::path& path, std::string_view model) {
    Source source{.weights = WeightsFile::open(weights_path(path)), .preprocessing = {}, .classes = {}, .notes = {}};
    for (const std::string& note : source.weights.notes()) source.notes.push_back(note);
    source.architecture = &choose_architecture(source.weights, model, source.notes);
    source.preprocessing = source.architecture->preprocessing;
    const Metadata& metadata = source.weights.metadata();
    if (const auto said = metadata.find(preprocessing_key); said != metadata.end()) {
        try {
            source.preprocessing = preprocessing_from_json(said->second);
        } catch (const Error& error) {
            fail("cannot use {}: {}", source.weights.path().string(), error.what());
        }
    }
    find_classes(source);
    return source;
}

}  // namespace cambium
