#include "engine/graph/graph.h"

#include "engine/base/fail.h"

namespace cambium {

const Shape& Value::shape() const { return graph->info(id).spec.shape; }
DType Value::dtype() const { return graph->info(id).spec.dtype; }

void Graph::check(Value value, std::string_view what) const {
    if (value.graph != this || value.id < 0 || value.id >= static_cast<int>(values_.size())) {
        fail("{} takes a value of another graph", what);
    }
}

std::vector<Value> Graph::append(Op op, std::span<const Value> inputs) {
    Node node{std::move(op), {}, {}, {}, label_};
    std::vector<TensorSpec> specs;
    for (const Value input : inputs) {
        check(input, name_of(node.op));
        node.inputs.push_back(input.id);
        specs.push_back(info(input.id).spec);
    }
    std::vector<Value> results;
    for (const TensorSpec& spec : infer(node.op, specs)) {
        const int id = static_cast<int>(values_.size());
        values_.push_back({spec, static_cast<int>(nodes_.size()), static_cast<int>(node.outputs.size())});
        node.outputs.push_back(id);
        results.push_back({this, id});
    }
    nodes_.push_back(std::move(node));
    return results;
}

Value Graph::append1(Op op, std::initializer_list<Value> inputs) {
    return append(std::move(op), std::span(inputs.begin(), inputs.size()))[0];
}

Value Graph::input(const std::string& name, Shape shape, DType dtype) {
    if (input_values_.contains(name)) fail("the graph has an input '{}' already", name);
    const Value value = append1(ops::Input{name, {shape, dtype}}, {});
    input_values_[name] = value.id;
    return value;
}

Value Graph::entry(const EntrySpec& spec) {
    if (const auto found = entry_values_.find(spec.name); found != entry_values_.end()) {
        if (!(entries_.at(spec.name).spec == spec.spec)) {
            fail("entry '{}' is declared as {} and as {}", spec.name, to_string(entries_.at(spec.name).spec),
                 to_string(spec.spec));
        }
        return {this, found->second};
    }
    const Value value = append1(ops::Read{spec.name, spec.spec}, {});
    entries_[spec.name] = spec;
    entry_values_[spec.name] = value.id;
    return value;
}

Value Graph::constant(Shape shape, double value, DType dtype) { return append1(ops::Fill{{shape, dtype}, value}, {}); }

void Graph::assign(Value entry, Value value) {
    check(entry, "assign");
    const auto* read = std::get_if<ops::Read>(&producer(entry.id).op);
    if (read == nullptr) fail("only entries of the store can be assigned");
    if (assigned_.contains(read->entry)) fail("entry '{}' is assigned twice", read->entry);
    if (!(info(entry.id).spec == info(value.id).spec)) {
        fail("entry '{}' is {}, but {} is assigned to it", read->entry, to_string(info(entry.id).spec),
             to_string(info(value.id).spec));
    }
    const std::string name = read->entry;
    const Value operands[] = {value};
    append(ops::Assign{name}, operands);
    assigned_[name] = value.id;
}

void Graph::assign(Value entry, Value value, Value guard) {
    assign(entry, append1(ops::Guard{}, {entry, value, guard}));
}

void Graph::output(const std::string& name, Value value) {
    check(value, "output");
    for (const auto& [taken, id] : outputs_) {
        if (taken == name) fail("the graph has an output '{}' already", name);
    }
    outputs_.emplace_back(name, value.id);
}

std::vector<TensorSpec> Graph::specs(const std::vector<int>& values) const {
    std::vector<TensorSpec> specs;
    for (const int value : values) specs.push_back(info(value).spec);
    return specs;
}

void Graph::replace_nodes(std::vector<Node> nodes) {
    for (ValueInfo& value : values_) value.node = -1;
    nodes_ = std::move(nodes);
    for (std::size_t index = 0; index < nodes_.size(); ++index) {
        for (const int input : nodes_[index].inputs) {
            if (info(input).node < 0) fail("a pass moved {} before what it reads", name_of(nodes_[index].op));
        }
        for (std::size_t output = 0; output < nodes_[index].outputs.size(); ++output) {
            ValueInfo& value = values_[static_cast<std::size_t>(nodes_[index].outputs[output])];
            value.node = static_cast<int>(index);
            value.output = static_cast<int>(output);
        }
    }
}

int Graph::new_value(TensorSpec spec) {
    values_.push_back({spec, -1, 0});
    return static_cast<int>(values_.size()) - 1;
}

void declare_entries(const Graph& graph, Store& store, std::uint64_t seed, FirstValue first) {
    for (const auto& [name, spec] : graph.entries()) store.declare(spec, seed, first);
}

std::vector<int> count_uses(const Graph& graph) {
    std::vector<int> uses(graph.values().size(), 0);
    for (const Node& node : graph.nodes()) {
        for (const int input : node.inputs) ++uses[static_cast<std::size_t>(input)];
    }
    for (const auto& [name, value] : graph.outputs()) ++uses[static_cast<std::size_t>(value)];
    return uses;
}

}  // namespace cambium
