// Graph: a computation traced once. Values are the outputs of nodes, nodes stand in the order they were appended, and
// every node comes after those it reads; so a graph is a program already, and passes are functions from graph to graph.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/ops/epilogue.h"
#include "engine/ops/op.h"
#include "engine/tensor/store.h"

namespace cambium {

class Graph;

// A handle to one output of a node. Cheap to copy; valid as long as its graph.
struct Value {
    Graph* graph = nullptr;
    int id = -1;

    const Shape& shape() const;
    DType dtype() const;
    friend bool operator==(const Value&, const Value&) = default;
};

struct Node {
    Op op;
    std::vector<int> inputs, outputs;  // value ids; operands of the epilogue follow those of the operator
    std::vector<EpilogueStep> epilogue{};
    std::string label{};  // the layer it belongs to: "layer1.0.conv1"
};

struct ValueInfo {
    TensorSpec spec;
    int node = -1;   // that makes it
    int output = 0;  // which of the node's outputs it is
};

class Graph {
  public:
    Graph() = default;
    Graph(const Graph&) = default;
    Graph& operator=(const Graph&) = default;

    // A tensor that the caller of each run gives. Throws Error if the name is taken.
    Value input(const std::string& name, Shape shape, DType dtype);
    // The value that a Store entry has when a run begins; one node per entry, however often it is asked for.
    Value entry(const EntrySpec& spec);
    Value constant(Shape shape, double value, DType dtype = DType::f32);
    // The next run finds `value` in the entry. At most one assign per entry; `entry` must be a value of entry().
    void assign(Value entry, Value value);
    // As above, but the entry keeps its value where `guard`, a real scalar, is not finite.
    void assign(Value entry, Value value, Value guard);
    // A value that Program::get can read after a run. Throws Error if the name is taken.
    void output(const std::string& name, Value value);

    // Appends a node. Throws Error naming the operator and its operands if they do not fit.
    std::vector<Value> append(Op op, std::span<const Value> inputs);
    Value append1(Op op, std::initializer_list<Value> inputs);  // for operators with one output

    // Nodes appended from now on carry this label, for logs and pictures.
    void label(std::string text) { label_ = std::move(text); }
    const std::string& label() const { return label_; }

    const std::vector<Node>& nodes() const { return nodes_; }
    const std::vector<ValueInfo>& values() const { return values_; }
    const std::map<std::string, EntrySpec>& entries() const { return entries_; }
    const std::vector<std::pair<std::string, int>>& outputs() const { return outputs_; }
    const Node& producer(int value) const { return nodes_[static_cast<std::size_t>(info(value).node)]; }
    const ValueInfo& info(int value) const { return values_[static_cast<std::size_t>(value)]; }
    std::vector<TensorSpec> specs(const std::vector<int>& values) const;
    Value value(int id) { return {this, id}; }
    // Entries assigned by this graph, each with the value assigned.
    const std::map<std::string, int>& assigned() const { return assigned_; }

    // For passes: replaces all nodes; ids of values stay. `nodes` must be in an order in which every node follows those
    // it reads, and node indices in ValueInfo are recomputed.
    void replace_nodes(std::vector<Node> nodes);
    int new_value(TensorSpec spec);  // a value whose node replace_nodes() will bring
    void set_spec(int value, TensorSpec spec) { values_[static_cast<std::size_t>(value)].spec = spec; }

  private:
    void check(Value value, std::string_view what) const;
    std::vector<Node> nodes_;
    std::vector<ValueInfo> values_;
    std::map<std::string, EntrySpec> entries_;
    std::map<std::string, int> entry_values_, input_values_, assigned_;
    std::vector<std::pair<std::string, int>> outputs_;
    std::string label_;
};

// Every entry the graph declares, made in the store with its first value where absent.
void declare_entries(const Graph& graph, Store& store, std::uint64_t seed = 0, FirstValue first = FirstValue::drawn);

// How often each value is read: by nodes, and once for each graph output.
std::vector<int> count_uses(const Graph& graph);

}  // namespace cambium
