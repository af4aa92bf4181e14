#include "tools/check/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <variant>

#include "engine/base/fail.h"
#include "engine/ops/any.h"
#include "models/nearest.h"
#include "tools/check/kernel_cases.h"

namespace cambium {

namespace {

constexpr gpu::ForcedPlan large{.tile = 1}, oblong{.tile = 2};

}  // namespace

const std::array<KernelKind, 12> kernel_kinds{{
    {"f32", DType::f32, {}},
    {"tf32", DType::f32, {.math = gpu::Math::tf32}},
    {"bf16", DType::bf16, {}},
    {"f32 large", DType::f32, {.plan = large}},
    {"tf32 large", DType::f32, {.math = gpu::Math::tf32, .plan = large}},
    {"bf16 large", DType::bf16, {.plan = large}},
    {"f32 oblong", DType::f32, {.plan = oblong}},
    {"tf32 oblong", DType::f32, {.math = gpu::Math::tf32, .plan = oblong}},
    {"bf16 oblong", DType::bf16, {.plan = oblong}},
    {"f32 plain", DType::f32, {.variant = gpu::Variant::plain}},
    {"tf32 plain", DType::f32, {.math = gpu::Math::tf32, .variant = gpu::Variant::plain}},
    {"bf16 plain", DType::bf16, {.variant = gpu::Variant::plain}},
}};

namespace {

// Which kinds of kernels an operator has of its own.
bool differs(const Op& op, const gpu::Options& options) {
    const bool convolution = is_any<ops::Conv2d, ops::Conv2dInputGradient, ops::Conv2dFilterGradient>(op);
    const bool tiled = convolution || is_any<ops::MatMul>(op);
    if (options.plan && !(options.plan->tile == oblong.tile ? convolution : tiled)) return false;
    return options.math == gpu::Math::f32 || tiled || is_any<ops::Attention, ops::AttentionGradient>(op);
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
    std::vector<cases::OpCase> all = cases::op_cases();
    const std::size_t small = all.size();
    std::ranges::move(kernel_cases(), std::back_inserter(all));
    const auto named = [&](const cases::OpCase& one) { return one.name.find(filter.kernel) != std::string::npos; };
    const bool by_operator = std::ranges::any_of(all, named);
    if (!by_operator) {
        std::vector<std::string_view> names;
        for (const cases::OpCase& one : all) names.push_back(one.name);
        if (const auto near = nearest(filter.kernel, names))
            fail_usage("no operator is called '{}'; did you mean {}?", filter.kernel, *near);
    }
    Jobs result{.jobs = {}, .by_cuda_kernel = !by_operator};
    for (std::size_t i = 0; i < all.size(); ++i) {
        const cases::OpCase& op_case = all[i];
        if (by_operator && !named(op_case)) continue;
        RandomStream random = cases::stream_of(op_case, 0);
        const Op op = op_case.draw(random).op;
        for (std::size_t kind = 0; kind < kernel_kinds.size(); ++kind) {
            const gpu::Options& options = kernel_kinds[kind].options;
            // A tile for each of many groups takes long and shows nothing that few groups do not.
            const bool is_for_tiles = !options.plan || !op_case.name.ends_with("depthwise");
            const bool has_case = i < small || options.variant == gpu::Variant::tuned;
            if (has_case && is_for_tiles && differs(op, options) && wanted(kernel_kinds[kind], filter))
                result.jobs.push_back({op_case, kind});
        }
    }
    if (result.jobs.empty()) {
        fail_usage(
            "'{}' has no kernels of the kind asked for: only what multiplies has some for tf32, and some cases are "
            "for tuned kernels alone; leave out --precision or --variant",
            filter.kernel);
    }
    return result;
}

}  // namespace cambium
