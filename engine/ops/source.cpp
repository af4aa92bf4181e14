#include "engine/ops/source.h"

#include "engine/ops/rules.h"

namespace cambium::ops {

std::vector<TensorSpec> infer(const Input& op, Specs inputs) {
    require_inputs(inputs, 0, 0);
    return {op.spec};
}
void differentiate(const Input&, Backward& b) { b.none("an input depends on nothing"); }
double cost(const Input&, Specs, Specs) { return 0; }
std::string attributes(const Input& op) { return fmt::format("key={} {}", op.key, to_string(op.spec)); }

std::vector<TensorSpec> infer(const Read& op, Specs inputs) {
    require_inputs(inputs, 0, 0);
    return {op.spec};
}
void differentiate(const Read&, Backward& b) { b.none("an entry depends on nothing"); }
double cost(const Read&, Specs, Specs) { return 0; }
std::string attributes(const Read& op) { return fmt::format("entry={} {}", op.entry, to_string(op.spec)); }

std::vector<TensorSpec> infer(const Assign&, Specs inputs) {
    require_inputs(inputs, 1, 1);
    return {};
}
void differentiate(const Assign&, Backward& b) { b.none("an assign has no result"); }
double cost(const Assign&, Specs, Specs) { return 0; }
std::string attributes(const Assign& op) { return fmt::format("entry={}", op.entry); }

std::vector<TensorSpec> infer(const Fill& op, Specs inputs) {
    require_inputs(inputs, 0, 0);
    return {op.spec};
}
void differentiate(const Fill&, Backward& b) { b.none("a constant depends on nothing"); }
double cost(const Fill&, Specs, Specs) { return 0; }
std::string attributes(const Fill& op) { return fmt::format("value={} {}", op.value, to_string(op.spec)); }

}  // namespace cambium::ops
