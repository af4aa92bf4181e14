// Launches of the optimizer kernels: what a parameter must satisfy, constants rounded once, pieces.
#include "kernels/optimizer/optimizer.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/check.h"
#include "kernels/grid.h"
#include "kernels/optimizer/rules.cuh"

namespace cambium::optimizer {
namespace {

SgdRule device_rule(const Sgd& rule) {
    require(rule.momentum >= 0 && rule.momentum < 1, "an SGD step",
            "the momentum must be in [0, 1), not " + std::to_string(rule.momentum));
    return {static_cast<float>(rule.momentum), rule.kind == Sgd::Kind::nesterov};
}

AdamRule device_rule(const Adam& rule) {
    for (const double beta : {rule.beta1, rule.beta2}) {
        require(beta >= 0 && beta < 1, "an Adam step", "betas must be in [0, 1), not " + std::to_string(beta));
    }
    return {.beta1 = static_cast<float>(rule.beta1),
            .beta2 = static_cast<float>(rule.beta2),
            .rest1 = static_cast<float>(1 - rule.beta1),
            .rest2 = static_cast<float>(1 - rule.beta2),
            .log_beta1 = static_cast<float>(std::log(rule.beta1)),
            .log_beta2 = static_cast<float>(std::log(rule.beta2)),
            .epsilon = static_cast<float>(rule.epsilon),
            .decoupled = rule.decay == Adam::Decay::decoupled};
}

void require_parameter(const Parameter& p, bool has_first, bool has_second) {
    const std::string what = "an optimizer step of " + std::to_string(p.count) + " elements";
    require(p.count >= 0, what, "the count must not be negative");
    if (p.count == 0) return;
    require(p.w != nullptr && p.gradient != nullptr, what, "w or its gradient is null");
    require(has_first == (p.first != nullptr) && has_second == (p.second != nullptr), what,
            "state is missing, or is given where the rule has none");
}
void require_parameter(const Sgd& rule, const Parameter& p) { require_parameter(p, rule.momentum > 0, false); }
void require_parameter(const Adam&, const Parameter& p) { require_parameter(p, true, true); }

void require_scalars(const Scalars& s, bool reads_step) {
    require(s.rate != nullptr && s.scale != nullptr && (s.step != nullptr || !reads_step), "an optimizer step",
            "rate, scale or step is null");
}
void require_scalars(const Sgd&, const Scalars& s) { require_scalars(s, false); }
void require_scalars(const Adam&, const Scalars& s) { require_scalars(s, true); }

template <class Rule>
void update_parameter(const Rule& rule, const Parameter& p, const Scalars& scalars, Variant variant,
                      dev::Stream& stream) {
    const auto on_device = device_rule(rule);
    require_parameter(rule, p);
    require_scalars(rule, scalars);
    require(p.average == nullptr || scalars.average_rate != nullptr, "an optimizer step", "the average's rate is null");
    if (p.count == 0) return;
    const Grid grid = grid_for(ceil_div(p.count, kEach));
    dev::launch(update_one<std::remove_const_t<decltype(on_device)>>, dim3(grid.blocks), dim3(grid.threads), 0, stream,
                on_device, p, scalars, variant);
}

template <class Rule>
std::vector<Piece> pieces(const Rule& rule, std::span<const Parameter> table) {
    std::vector<Piece> result;
    for (std::size_t i = 0; i < table.size(); ++i) {
        require_parameter(rule, table[i]);
        for (std::int64_t begin = 0; begin < table[i].count; begin += kPieceElements) {
            result.push_back({begin, std::min(begin + kPieceElements, table[i].count), static_cast<std::int64_t>(i)});
        }
    }
    return result;
}

template <class Rule>
void update_table(const Rule& rule, const Table& table, const Scalars& scalars, Variant variant, dev::Stream& stream) {
    const auto on_device = device_rule(rule);
    require_scalars(rule, scalars);
    require(table.piece_count >= 0 && table.piece_count <= 0x7fffffff, "an optimizer step",
            "one launch has no " + std::to_string(table.piece_count) + " pieces");
    if (table.piece_count == 0) return;
    require(table.parameters != nullptr && table.pieces != nullptr, "an optimizer step", "the table is null");
    dev::launch(update_many<std::remove_const_t<decltype(on_device)>>, dim3(static_cast<unsigned>(table.piece_count)),
                dim3(kThreads), 0, stream, on_device, table.parameters,
                dev::reads(table.pieces, "pieces", {table.piece_count}), scalars, variant);
}

}  // namespace

void update(const Sgd& rule, const Parameter& p, const Scalars& scalars, dev::Stream& stream, Variant variant) {
    update_parameter(rule, p, scalars, variant, stream);
}
void update(const Adam& rule, const Parameter& p, const Scalars& scalars, dev::Stream& stream, Variant variant) {
    update_parameter(rule, p, scalars, variant, stream);
}

std::vector<Piece> pieces_of(const Sgd& rule, std::span<const Parameter> table) { return pieces(rule, table); }
std::vector<Piece> pieces_of(const Adam& rule, std::span<const Parameter> table) { return pieces(rule, table); }

void update_all(const Sgd& rule, const Table& table, const Scalars& scalars, dev::Stream& stream, Variant variant) {
    update_table(rule, table, scalars, variant, stream);
}
void update_all(const Adam& rule, const Table& table, const Scalars& scalars, dev::Stream& stream, Variant variant) {
    update_table(rule, table, scalars, variant, stream);
}

void begin_step(const Begin& b, dev::Stream& stream) {
    require(b.max_norm >= 0, "the beginning of an optimizer step", "the largest norm must not be negative");
    require(b.norm != nullptr && b.denominator != nullptr && b.loss != nullptr && b.scale != nullptr,
            "the beginning of an optimizer step", "an operand is null");
    dev::launch(begin_kernel, dim3(1), dim3(1), 0, stream, b, static_cast<float>(b.max_norm));
}

}  // namespace cambium::optimizer
