// Every operator of the variant has a case, so that parity, gradient and exactness tests reach it.
#include <doctest/doctest.h>

#include <set>
#include <utility>

#include "engine/cases/case.h"

using namespace cambium;
using namespace cambium::cases;

namespace {

constexpr std::uint64_t draws = 40;

// Sources and assigns belong to the program, and no backend runs them.
const std::set<std::string_view> program_operators{ops::Input::name, ops::Read::name, ops::Assign::name,
                                                   ops::Fill::name};

template <std::size_t... I>
std::vector<std::string_view> names(std::index_sequence<I...>) {
    return {std::variant_alternative_t<I, OpVariant>::name...};
}

}  // namespace

TEST_CASE("every operator has a case") {
    std::set<std::string_view> covered;
    for (const OpCase& op_case : op_cases()) {
        RandomStream random = stream_of(op_case, 0);
        covered.insert(name_of(op_case.draw(random).op));
    }
    for (const std::string_view name : names(std::make_index_sequence<std::variant_size_v<OpVariant>>())) {
        if (program_operators.contains(name)) continue;
        CHECK_MESSAGE(covered.contains(name), "no case for operator ", std::string(name), " in engine/cases");
    }
}

TEST_CASE("a case's name starts with its operator's and is its own") {
    std::set<std::string> seen;
    for (const OpCase& op_case : op_cases()) {
        CAPTURE(op_case.name);
        RandomStream random = stream_of(op_case, 0);
        CHECK(op_case.name.starts_with(name_of(op_case.draw(random).op)));
        CHECK(seen.insert(op_case.name).second);
    }
}

TEST_CASE("every instance that a case draws fits its operator, in each precision") {
    for (const OpCase& op_case : op_cases()) {
        for (std::uint64_t index = 0; index < draws; ++index) {
            RandomStream random = stream_of(op_case, index);
            const Instance instance = op_case.draw(random);
            for (const DType real : {DType::f64, DType::f32, DType::bf16}) {
                std::vector<TensorSpec> specs;
                for (const Tensor& input : draw_inputs(instance, random, Values::reals, real))
                    specs.push_back(input.spec());
                CAPTURE(describe(instance.op, specs));
                CHECK_NOTHROW(infer(instance.op, specs));
            }
        }
    }
}

TEST_CASE("the same stream draws the same operands, and f32 operands equal f64 ones") {
    for (const OpCase& op_case : op_cases()) {
        CAPTURE(op_case.name);
        RandomStream first = stream_of(op_case, 1), second = stream_of(op_case, 1);
        const std::vector<Tensor> wide = draw_inputs(op_case.draw(first), first, Values::reals, DType::f64);
        const std::vector<Tensor> narrow = draw_inputs(op_case.draw(second), second, Values::reals, DType::f32);
        for (std::size_t i = 0; i < wide.size(); ++i) {
            const Tensor a = wide[i].converted(DType::f64), b = narrow[i].converted(DType::f64);
            CHECK(std::ranges::equal(a.values<double>(), b.values<double>()));
        }
    }
}
