// The losses' launches: what a descriptor must satisfy, and how many threads a row gets.
#include "kernels/loss/loss.h"

#include <algorithm>

#include "kernels/check.h"
#include "kernels/loss/plain.cuh"
#include "kernels/loss/tuned.cuh"

namespace cambium::loss {
namespace {

// The one heuristic: up to eight classes a thread a warp is enough; beyond, a block has four for 1000 classes.
constexpr std::int64_t kMostOfWarp = 256;
bool is_warp(const Matrix& m) { return m.classes <= kMostOfWarp; }

std::string name_of(const char* what, const Matrix& m) {
    return std::string(what) + " of [" + std::to_string(m.rows) + ", " + std::to_string(m.classes) + "]";
}

// Sizes; false where there is nothing to do.
bool check_sizes(const Matrix& m, const std::string& name) {
    require(m.rows >= 0 && m.classes >= 0, name, "sizes must not be negative");
    require(m.classes < (std::int64_t{1} << 24) && m.rows <= 0x7fffffff, name,
            "at most 2^24 - 1 classes and 2^31 - 1 rows");
    return m.rows > 0 && m.classes > 0;
}

void check_pointers(std::initializer_list<const void*> pointers, const std::string& name) {
    for (const void* pointer : pointers)
        require(pointer != nullptr && is_aligned(pointer, 4), name, "an operand is null or not aligned to 4 bytes");
}

void check_targets(const Targets& t, const std::string& name) {
    require((t.labels != nullptr) != (t.probabilities != nullptr), name, "give either labels or probabilities");
    require(t.label_smoothing >= 0 && t.label_smoothing < 1, name,
            "label smoothing must be in [0, 1), not " + std::to_string(t.label_smoothing));
}

void check_workspace(const Matrix& m, std::span<std::byte> workspace, const std::string& name) {
    require(workspace.size() >= workspace_bytes(m) && is_aligned(workspace.data(), 4), name,
            "the workspace has " + std::to_string(workspace.size()) + " bytes and must have " +
                std::to_string(workspace_bytes(m)) + ", aligned to 4");
}

Goal goal_of(const Matrix& m, const Targets& t) {
    return {t.weights, static_cast<int>(m.classes), 1.0f - t.label_smoothing,
            t.label_smoothing / static_cast<float>(m.classes)};
}

// The arrival counter, then two terms for each row.
struct Workspace {
    unsigned* arrived;
    float* terms;
};
Workspace cut(std::span<std::byte> memory) {
    return {reinterpret_cast<unsigned*>(memory.data()), reinterpret_cast<float*>(memory.data()) + 1};
}

auto matrix(const Matrix& m, const float* pointer, std::string_view name) {
    return dev::reads(pointer, name, {m.rows, m.classes});
}
// An operand that the result overwrites cannot be declared as only read.
auto matrix_unless(const Matrix& m, const float* result, const float* pointer, std::string_view name) {
    return dev::declare(pointer, name, {m.rows, m.classes}, pointer == result);
}
auto result_matrix(const Matrix& m, float* pointer, std::string_view name) {
    return dev::writes(pointer, name, {m.rows, m.classes});
}

template <class Kernel, class... Arguments>
void launch_plain(Kernel* kernel, const Matrix& m, dev::Stream& stream, const Arguments&... arguments) {
    dev::launch(kernel, dim3(static_cast<unsigned>(ceil_div(m.rows, kPlainThreads))), dim3(kPlainThreads), 0, stream,
                arguments...);
}

// The instance for a warp per row, or the one for a block.
template <class Kernel, class... Arguments>
void launch_rows(Kernel* warp, Kernel* block, const Matrix& m, dev::Stream& stream, const Arguments&... arguments) {
    const std::int64_t rows_per_block = is_warp(m) ? Row<32>::kRowsPerBlock : 1;
    dev::launch(is_warp(m) ? warp : block, dim3(static_cast<unsigned>(ceil_div(m.rows, rows_per_block))),
                dim3(kRowBlock), sizeof(LossMemory), stream, arguments...);
}

void total(const Matrix& m, const float* terms, float* result, dev::Stream& stream) {
    if (result == nullptr) return;
    dev::launch(total_plain, dim3(1), dim3(1), 0, stream, terms, dev::writes(result, "total", {1}), m.rows);
}

void fill_zero(float* result, dev::Stream& stream) {
    if (result != nullptr) dev::fill_bytes(result, 0, sizeof(float), stream);
}

}  // namespace

void softmax(const Matrix& m, const float* x, float* y, dev::Stream& stream) {
    const std::string name = name_of("a softmax", m);
    if (!check_sizes(m, name)) return;
    check_pointers({x, y}, name);
    const int classes = static_cast<int>(m.classes);
    const auto in = matrix_unless(m, y, x, "x");
    const auto out = result_matrix(m, y, "y");
    if (m.variant == Variant::plain) return launch_plain(softmax_plain, m, stream, in, out, m.rows, classes);
    launch_rows(softmax_rows<32>, softmax_rows<kRowBlock>, m, stream, in, out, m.rows, classes);
}

void softmax_gradient(const Matrix& m, const float* dy, const float* y, float* dx, dev::Stream& stream) {
    const std::string name = name_of("a softmax gradient", m);
    if (!check_sizes(m, name)) return;
    check_pointers({dy, y, dx}, name);
    const int classes = static_cast<int>(m.classes);
    const auto gradient = matrix_unless(m, dx, dy, "dy"), softmax_of_x = matrix_unless(m, dx, y, "y");
    const auto out = result_matrix(m, dx, "dx");
    if (m.variant == Variant::plain) {
        return launch_plain(softmax_gradient_plain, m, stream, gradient, softmax_of_x, out, m.rows, classes);
    }
    launch_rows(softmax_gradient_rows<32>, softmax_gradient_rows<kRowBlock>, m, stream, gradient, softmax_of_x, out,
                m.rows, classes);
}

std::size_t workspace_bytes(const Matrix& m) {
    return sizeof(unsigned) + static_cast<std::size_t>(2 * std::max<std::int64_t>(m.rows, 0)) * sizeof(float);
}

void cross_entropy(const Matrix& m, const Targets& t, const float* logits, float* sum, float* denominator,
                   std::span<std::byte> memory, dev::Stream& stream) {
    const std::string name = name_of("a cross entropy", m);
    if (!check_sizes(m, name)) {
        fill_zero(sum, stream);
        return fill_zero(denominator, stream);
    }
    check_pointers({logits}, name);
    check_targets(t, name);
    check_workspace(m, memory, name);
    const Workspace workspace = cut(memory);
    const auto x = matrix(m, logits, "logits"), probabilities = matrix(m, t.probabilities, "probabilities");
    const auto labels = dev::reads(t.labels, "labels", {m.rows});
    const Goal goal = goal_of(m, t);
    if (m.variant == Variant::plain) {
        launch_plain(cross_entropy_plain, m, stream, x, labels, probabilities, workspace.terms, m.rows, goal);
        total(m, workspace.terms, sum, stream);
        return total(m, workspace.terms + m.rows, denominator, stream);
    }
    dev::fill_bytes(workspace.arrived, 0, sizeof(unsigned), stream);
    launch_rows(cross_entropy_rows<32>, cross_entropy_rows<kRowBlock>, m, stream, x, labels, probabilities,
                workspace.terms, workspace.arrived, dev::writes(sum, "sum", {1}),
                dev::writes(denominator, "denominator", {1}), m.rows, goal);
}

void cross_entropy_gradient(const Matrix& m, const Targets& t, const float* dsum, const float* logits, float* dlogits,
                            dev::Stream& stream) {
    const std::string name = name_of("a cross entropy gradient", m);
    if (!check_sizes(m, name)) return;
    check_pointers({dsum, logits, dlogits}, name);
    check_targets(t, name);
    const auto x = matrix_unless(m, dlogits, logits, "logits"),
               probabilities = matrix(m, t.probabilities, "probabilities");
    const auto labels = dev::reads(t.labels, "labels", {m.rows});
    const auto scale = dev::reads(dsum, "dsum", {1});
    const auto out = result_matrix(m, dlogits, "dlogits");
    const Goal goal = goal_of(m, t);
    if (m.variant == Variant::plain) {
        return launch_plain(cross_entropy_gradient_plain, m, stream, scale, x, labels, probabilities, out, m.rows,
                            goal);
    }
    launch_rows(cross_entropy_gradient_rows<32>, cross_entropy_gradient_rows<kRowBlock>, m, stream, scale, x, labels,
                probabilities, out, m.rows, goal);
}

void top_k_count(const Matrix& m, std::int64_t k, const std::int32_t* labels, const float* logits, float* count,
                 std::span<std::byte> memory, dev::Stream& stream) {
    const std::string name = name_of("a top-k count", m);
    require(k >= 1, name, "k must be at least 1, not " + std::to_string(k));
    check_pointers({count}, name);
    if (!check_sizes(m, name)) return fill_zero(count, stream);
    check_pointers({labels, logits}, name);
    check_workspace(m, memory, name);
    const Workspace workspace = cut(memory);
    const auto x = matrix(m, logits, "logits");
    const auto label = dev::reads(labels, "labels", {m.rows});
    const int classes = static_cast<int>(m.classes);
    if (m.variant == Variant::plain) {
        launch_plain(top_k_plain, m, stream, x, label, workspace.terms, m.rows, classes, k);
        return total(m, workspace.terms, count, stream);
    }
    dev::fill_bytes(workspace.arrived, 0, sizeof(unsigned), stream);
    launch_rows(top_k_rows<32>, top_k_rows<kRowBlock>, m, stream, x, label, workspace.terms, workspace.arrived,
                dev::writes(count, "count", {1}), m.rows, classes, k);
}

}  // namespace cambium::loss
