#include "tools/check/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "engine/base/fail.h"
#include "models/nearest.h"

namespace cambium {

const std::array<KernelKind, 6> kernel_kinds{{
    {"f32", DType::f32, {}},
    {"tf32", DType::f32, {.math = gpu::Math::tf32}},
    {"bf16", DType::bf16, {}},
    {"f32 plain", DType::f32, {.variant = gpu::Variant::plain}},
    {"tf32 plain", DType::f32, {.math = gpu::Math::tf32, .variant = gpu::Variant::plain}},
    {"bf16 plain", DType::bf16, {.variant = gpu::Variant::plain}},
}};

namespace {

// Whether an operator's results depend on what products are computed in.
bool multiplies(const Op& op) {
    return std::visit(
        [](const auto& one) {
            using T = std::decay_t<decltype(one)>;
            return std::is_same_v<T, ops::Conv2d> || std::is_same_v<T, ops::Conv2dInputGradient> ||
                   std::is_same_v<T, ops::Conv2dFilterGradient> || std::is_same_v<T, ops::MatMul> ||
                   std::is_same_v<T, ops::Attention> || std::is_same_v<T, ops::AttentionGradient>;
        },
        op);
}

bool wanted(const KernelKind& kind, const Filter& filter) {
    const bool plain = kind.options.variant == gpu::Variant::plain;
    const std::string_view precision = kind.name.substr(0, kind.name.find(' '));
    return (filter.precision.empty() || filter.precision == precision) &&
           (filter.variant.empty() || (filter.variant == "plain") == plain);
}

void require_known(std::string_view option, const std::string& value, std::initializer_list<std::string_view> known) {
    if (value.empty() || std::ranges::find(known, value) != known.end()) return;
    fail_usage("{} is {}, not '{}'", option, fmt::join(known, " or "), value);
}

}  // namespace

Jobs jobs_for(const Filter& filter) {
    require_known("--precision", filter.precision, {"f32", "tf32", "bf16"});
    require_known("--variant", filter.variant, {"tuned", "plain"});
    const std::vector<cases::OpCase> all = cases::op_cases();
    const auto named = [&](const cases::OpCase& one) { return one.name.find(filter.kernel) != std::string::npos; };
    const bool by_operator = std::ranges::any_of(all, named);
    if (!by_operator) {
        std::vector<std::string_view> names;
        for (const cases::OpCase& one : all) names.push_back(one.name);
        if (const auto near = nearest(filter.kernel, names))
            fail_usage("no operator is called '{}'; did you mean {}?", filter.kernel, *near);
    }
    Jobs result{.jobs = {}, .by_cuda_kernel = !by_operator};
    for (const cases::OpCase& op_case : all) {
        if (by_operator && !named(op_case)) continue;
        RandomStream random = cases::stream_of(op_case, 0);
        const bool products = multiplies(op_case.draw(random).op);
        for (std::size_t kind = 0; kind < kernel_kinds.size(); ++kind) {
            const bool differs = kernel_kinds[kind].options.math == gpu::Math::f32 || products;
            if (differs && wanted(kernel_kinds[kind], filter)) result.jobs.push_back({op_case, kind});
        }
    }
    if (result.jobs.empty())
        fail_usage("'{}' multiplies nothing, so it has no kernels of its own for {}; give --precision f32 or bf16",
                   filter.kernel, filter.precision);
    return result;
}

}  // namespace cambium
