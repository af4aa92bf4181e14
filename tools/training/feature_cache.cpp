#include "tools/training/feature_cache.h"

#include <cstring>
#include <set>

#include "data/formats/sha256.h"
#include "data/formats/weights.h"
#include "data/images/digest.h"
#include "engine/base/fail.h"
#include "engine/base/isa.h"
#include "engine/base/parallel.h"
#include "engine/graph/passes/passes.h"
#include "models/source.h"
#include "tools/training/dataset.h"
#include "tools/training/step_graphs.h"

namespace cambium {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

// What the outputs are computed from; a head that was built beside them is not part of it.
std::set<std::string> entries_read(Graph graph) {
    passes::drop_dead_nodes(graph);
    std::set<std::string> names;
    for (const Node& node : graph.nodes()) {
        if (const auto* read = std::get_if<ops::Read>(&node.op)) names.insert(read->entry);
    }
    return names;
}

// Everything that decides a feature's bits but the photo.
std::string folder_key(const Program& program, const Store& store, const Graph& graph,
                       const Preprocessing& preprocessing) {
    Sha256 hash;
    hash.update(bytes_of(machine_key() + "\n" + to_json(preprocessing) + "\n" + program.text()));
    for (const std::string& name : entries_read(graph)) {
        const Digest value = digest(store.read(name).bytes());
        hash.update(bytes_of(fmt::format("{} {:016x}{:016x}\n", name, value.high, value.low)));
    }
    std::string text;
    for (const std::byte byte : hash.digest()) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
    return text.substr(0, 32);
}

Shape sample_shape(const Shape& batch) { return Shape(batch.extents().subspan(1)); }

Shape with_rows(const Shape& batch, std::int64_t rows) { return batch.with(0, rows); }

Tensor row_of(const Tensor& batch, std::size_t row) {
    Tensor sample(sample_shape(batch.shape()), DType::f32);
    const std::size_t size = sample.bytes().size();
    std::memcpy(sample.bytes().data(), batch.bytes().data() + row * size, size);
    return sample;
}

}  // namespace

std::string machine_key() { return fmt::format("{} threads={}", name_of(isa()), thread_count()); }

FeatureCache::FeatureCache(const fs::path& folder, Program& program, const Store& store, const Graph& graph,
                           const Preprocessing& preprocessing)
    : program_(program), preprocessing_(preprocessing) {
    batch_shape_ = graph.info(graph.outputs()[0].second).spec.shape;
    if (!folder.empty()) folder_ = folder / folder_key(program, store, graph, preprocessing);
    load();
}

// A file that is damaged costs its entries, no more.
void FeatureCache::load() {
    std::error_code error;
    if (folder_.empty() || !fs::is_directory(folder_, error)) return;
    for (const auto& file : fs::directory_iterator(folder_)) {
        if (file.path().extension() != ".safetensors") continue;
        try {
            const WeightsFile features = WeightsFile::open(file.path());
            for (const WeightsEntry& entry : features.entries()) {
                if (entry.spec == TensorSpec{sample_shape(batch_shape_), DType::f32}) {
                    entries_.insert_or_assign(entry.name, features.read(entry));
                }
            }
        } catch (const Error&) {
            fs::remove(file.path(), error);
        }
    }
}

void FeatureCache::keep(std::span<const std::string> keys) {
    if (folder_.empty() || keys.empty()) return;
    fs::create_directories(folder_);
    std::vector<NamedTensor> tensors;
    std::string names;
    for (const std::string& key : keys) {
        tensors.push_back({key, &entries_.at(key)});
        names += key;
    }
    write_safetensors(folder_ / (sha256(bytes_of(names)).substr(0, 32) + ".safetensors"), tensors);
}

void FeatureCache::compute(const std::shared_ptr<const ImageSource>& source, const std::vector<std::int64_t>& wanted,
                           const std::vector<std::string>& keys, const Tick& tick) {
    const std::int64_t batch = batch_shape_[0];
    Loader loader(std::make_shared<SubsetSource>(source, wanted),
                  {.batch = batch, .epochs = 1, .transform = preprocessing_});
    std::size_t done = 0;
    try {
        while (const std::optional<Batch> photos = loader.next()) {
            const auto rows = static_cast<std::size_t>(photos->images.shape()[0]);
            Tensor padded(photos->images.shape().with(0, batch), DType::u8);
            std::memcpy(padded.bytes().data(), photos->images.bytes().data(), photos->images.bytes().size());
            program_.set(images_input, padded);
            program_.run();
            const Tensor features = program_.get(features_input).converted(DType::f32);
            for (std::size_t row = 0; row < rows; ++row) entries_[keys[done++]] = row_of(features, row);
            if (tick) tick(static_cast<std::int64_t>(done), static_cast<std::int64_t>(keys.size()));
        }
    } catch (...) {
        keep(std::span(keys).first(done));
        throw;
    }
    keep(keys);
}

Tensor FeatureCache::features(std::shared_ptr<const ImageSource> source, const Tick& tick) {
    const std::int64_t count = source->size();
    std::vector<std::string> keys(static_cast<std::size_t>(count));
    parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) keys[static_cast<std::size_t>(i)] = sample_key(*source, i);
    });
    std::vector<std::int64_t> wanted;
    std::vector<std::string> fresh;
    std::set<std::string> seen;
    for (std::int64_t i = 0; i < count; ++i) {
        const std::string& key = keys[static_cast<std::size_t>(i)];
        if (entries_.contains(key) || !seen.insert(key).second) continue;
        wanted.push_back(i);
        fresh.push_back(key);
    }
    report_.computed += static_cast<std::int64_t>(wanted.size());
    report_.cached += count - static_cast<std::int64_t>(wanted.size());
    if (!wanted.empty()) compute(source, wanted, fresh, tick);
    Tensor all(with_rows(batch_shape_, count), DType::f32);
    const std::size_t size = all.bytes().size() / static_cast<std::size_t>(count);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        std::memcpy(all.bytes().data() + i * size, entries_.at(keys[i]).bytes().data(), size);
    }
    return all;
}

}  // namespace cambium
