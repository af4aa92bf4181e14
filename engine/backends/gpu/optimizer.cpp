// One optimizer step: of one parameter, in place where the plan allows, or of many in one launch from a table.
#include "kernels/optimizer/optimizer.h"

#include <algorithm>

#include "engine/backends/gpu/prepare.h"
#include "engine/base/fail.h"

namespace cambium::gpu {
namespace {

bool same(const optimizer::Scalars& a, const optimizer::Scalars& b) {
    return a.rate == b.rate && a.scale == b.scale && a.step == b.step && a.average_rate == b.average_rate;
}

// The update of a parameter by a Rule of kernels/optimizer. What it is bound to can be read, for a table.
template <class Rule>
class Update final : public Executable {
  public:
    using Locate = void (*)(const Rule& rule, const Operands& operands, optimizer::Parameter& p,
                            optimizer::Scalars& scalars);
    Update(const Rule& rule, const optimizer::Parameter& fixed, Locate locate, std::string name, const Context& context)
        : rule_(rule), parameter_(fixed), locate_(locate), context_(context) {
        provider = "own";
        group = std::move(name);
    }
    void bind(std::span<void* const> inputs, std::span<void* const> outputs, void*) override {
        locate_(rule_, {{inputs.begin(), inputs.end()}, {outputs.begin(), outputs.end()}, {}}, parameter_, scalars_);
    }
    void enqueue() override {
        optimizer::update(rule_, parameter_, scalars_, context_.stream, variant_of<optimizer::Variant>(context_));
    }

    const Rule& rule() const { return rule_; }
    const optimizer::Parameter& parameter() const { return parameter_; }
    const optimizer::Scalars& scalars() const { return scalars_; }

  private:
    Rule rule_;
    optimizer::Parameter parameter_;
    optimizer::Scalars scalars_;
    Locate locate_;
    const Context& context_;
};

// The table lies on the device from bind() on. Parts that read other scalars than the first are launched by themselves.
template <class Rule>
class JoinedUpdates final : public Executable {
  public:
    JoinedUpdates(std::vector<Update<Rule>*> parts, const Context& context)
        : parts_(std::move(parts)), context_(context) {
        provider = "own";
    }
    void bind(std::span<void* const>, std::span<void* const>, void*) override {
        std::vector<optimizer::Parameter> table;
        alone_.clear();
        for (Update<Rule>* part : parts_) {
            if (same(part->scalars(), parts_.front()->scalars())) {
                table.push_back(part->parameter());
            } else {
                alone_.push_back(part);
            }
        }
        const std::vector<optimizer::Piece> pieces = optimizer::pieces_of(rule(), table);
        parameters_.emplace(std::span<const optimizer::Parameter>(table), context_.stream, "optimizer table");
        pieces_.emplace(std::span<const optimizer::Piece>(pieces), context_.stream, "optimizer pieces");
        context_.stream.synchronize();  // the vectors end here
    }
    void enqueue() override {
        const optimizer::Table table{parameters_->data(), pieces_->data(), static_cast<std::int64_t>(pieces_->size())};
        optimizer::update_all(rule(), table, parts_.front()->scalars(), context_.stream,
                              variant_of<optimizer::Variant>(context_));
        for (Update<Rule>* part : alone_) part->enqueue();
    }

  private:
    const Rule& rule() const { return parts_.front()->rule(); }

    std::vector<Update<Rule>*> parts_, alone_;
    std::optional<dev::Buffer<optimizer::Parameter>> parameters_;
    std::optional<dev::Buffer<optimizer::Piece>> pieces_;
    const Context& context_;
};

template <class Rule>
Prepared joined(std::span<Executable* const> parts, const Context& context) {
    std::vector<Update<Rule>*> updates;
    for (Executable* part : parts) updates.push_back(dynamic_cast<Update<Rule>*>(part));
    if (std::ranges::count(updates, nullptr) > 0) return nullptr;
    return std::make_unique<JoinedUpdates<Rule>>(std::move(updates), context);
}

template <class Op>
optimizer::Parameter fixed_of(const Op& op, const NodeSpec& node) {
    return {.count = node.inputs[0].tensor.shape.count(),
            .weight_decay = static_cast<float>(op.weight_decay),
            .rate_factor = static_cast<float>(op.rate_factor)};
}

}  // namespace

Prepared prepare(const ops::ClipScale& op, const NodeSpec&, const Context& context) {
    return make_step([max_norm = op.max_norm, &stream = context.stream](const Operands& o) {
        optimizer::begin_step({.max_norm = max_norm,
                               .norm = o.in<float>(0),
                               .denominator = o.in<float>(1),
                               .loss = o.in<float>(2),
                               .scale = o.out<float>(0)},
                              stream);
    });
}

Prepared prepare(const ops::SgdUpdate& op, const NodeSpec& node, const Context& context) {
    const bool buffered = op.momentum > 0, nesterov = op.kind == ops::SgdUpdate::Momentum::nesterov;
    const optimizer::Sgd rule{.momentum = op.momentum,
                              .kind = nesterov ? optimizer::Sgd::Kind::nesterov : optimizer::Sgd::Kind::heavy_ball};
    const auto locate = [](const optimizer::Sgd& sgd, const Operands& o, optimizer::Parameter& p,
                           optimizer::Scalars& scalars) {
        p.w = o.in<float>(0), p.gradient = o.in<float>(1), p.new_w = o.out<float>(0);
        if (sgd.momentum > 0) p.first = o.in<float>(2), p.new_first = o.out<float>(1);
        const std::size_t rate = sgd.momentum > 0 ? 3 : 2;
        scalars = {.rate = o.in<float>(rate), .scale = o.in<float>(rate + 1)};
    };
    Prepared step = std::make_unique<Update<optimizer::Sgd>>(rule, fixed_of(op, node), locate,
                                                             fmt::format("sgd {} {}", op.momentum, nesterov), context);
    step->aliases.push_back({.output = 0, .input = 0});
    if (buffered) step->aliases.push_back({.output = 1, .input = 2});
    return step;
}

Prepared prepare(const ops::AdamUpdate& op, const NodeSpec& node, const Context& context) {
    const bool decoupled = op.decay == ops::AdamUpdate::Decay::decoupled;
    const optimizer::Adam rule{
        .beta1 = op.beta1,
        .beta2 = op.beta2,
        .epsilon = op.epsilon,
        .decay = decoupled ? optimizer::Adam::Decay::decoupled : optimizer::Adam::Decay::coupled};
    const auto locate = [](const optimizer::Adam&, const Operands& o, optimizer::Parameter& p,
                           optimizer::Scalars& scalars) {
        p.w = o.in<float>(0), p.gradient = o.in<float>(1), p.first = o.in<float>(2), p.second = o.in<float>(3);
        p.new_w = o.out<float>(0), p.new_first = o.out<float>(1), p.new_second = o.out<float>(2);
        scalars = {.rate = o.in<float>(4), .scale = o.in<float>(5), .step = o.in<std::int32_t>(6)};
    };
    Prepared step = std::make_unique<Update<optimizer::Adam>>(
        rule, fixed_of(op, node), locate, fmt::format("adam {} {} {} {}", op.beta1, op.beta2, op.epsilon, decoupled),
        context);
    step->aliases = {{.output = 0, .input = 0}, {.output = 1, .input = 2}, {.output = 2, .input = 3}};
    return step;
}

Prepared join_updates(std::span<Executable* const> parts, const Context& context) {
    if (Prepared sgd = joined<optimizer::Sgd>(parts, context)) return sgd;
    return joined<optimizer::Adam>(parts, context);
}

}  // namespace cambium::gpu
