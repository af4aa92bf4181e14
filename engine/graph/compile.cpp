// Compiling: passes, then one walk over the nodes that prepares each with the backend, inserts reorders where layouts
// meet, and separates what depends on the Store alone (derived, refreshed on demand) from what runs in every step.
#include <algorithm>
#include <numeric>

#include "engine/base/fail.h"
#include "engine/graph/compiled.h"

namespace cambium {

std::string describe(const NodeSpec& node) {
    std::vector<TensorSpec> inputs;
    for (const OperandSpec& input : node.inputs) inputs.push_back(input.tensor);
    std::string text = describe(node.op, inputs);
    if (!node.epilogue.empty()) text += " " + to_string(node.epilogue);
    return text;
}

namespace {

class Compiler {
  public:
    Compiler(const Graph& graph, Program::State& state) : graph_(graph), state_(state), uses_(count_uses(graph)) {}

    void run() {
        const std::vector<bool> store_only = passes::store_only(graph_);
        values_.assign(graph_.values().size(), -1);
        for (const Node& node : graph_.nodes()) place(node, store_only);
        collect_results();
        drop_unread_derived();
        find_lives();
        assign_in_place();
        if (state_.backend.keeps_values_apart()) {
            spread();
        } else {
            share_memory();
            plan();
        }
    }

  private:
    Slot& slot(int index) { return state_.slots[static_cast<std::size_t>(index)]; }
    Slot& root(int index) { return slot(slot(index).root); }
    int& place_of(int value) { return values_[static_cast<std::size_t>(value)]; }

    int new_slot(Slot::Kind kind, OperandSpec spec, std::string key = {}) {
        const int index = static_cast<int>(state_.slots.size());
        state_.slots.push_back({kind, std::move(spec), std::move(key)});
        slot(index).root = index;
        return index;
    }

    void place(const Node& node, const std::vector<bool>& store_only) {
        const auto spec = [&](int i) { return graph_.info(node.outputs[static_cast<std::size_t>(i)]).spec; };
        if (const auto* input = std::get_if<ops::Input>(&node.op)) {
            const int at = new_slot(Slot::Kind::external, {spec(0), {}}, input->key);
            slot(at).buffer = Buffer(state_.store.memory(), spec(0).bytes());
            state_.store.memory().zero(slot(at).buffer.data(), spec(0).bytes());
            state_.inputs[input->key] = at;
            place_of(node.outputs[0]) = at;
        } else if (const auto* read = std::get_if<ops::Read>(&node.op)) {
            check_entry(*read, spec(0));
            place_of(node.outputs[0]) = new_slot(Slot::Kind::entry, {spec(0), {}}, read->entry);
            sources_[place_of(node.outputs[0])] = {read->entry};
            keys_[place_of(node.outputs[0])] = read->entry;
        } else if (const auto* fill = std::get_if<ops::Fill>(&node.op)) {
            place_of(node.outputs[0]) = constant(spec(0), fill->value);
        } else if (const auto* assign = std::get_if<ops::Assign>(&node.op)) {
            state_.assigned.push_back(assign->entry);
            state_.copies[assign->entry] = plain(place_of(node.inputs[0]), assign->entry);
        } else if (std::holds_alternative<ops::Reshape>(node.op)) {
            place_of(node.outputs[0]) = reshape(plain(place_of(node.inputs[0]), node.label), spec(0));
        } else {
            prepare(node, store_only[static_cast<std::size_t>(node.outputs[0])]);
        }
    }

    void check_entry(const ops::Read& read, const TensorSpec& spec) {
        if (const TensorSpec& stored = state_.store.entry(read.entry).spec.spec; !(stored == spec)) {
            fail("'{}' is {} in the store, but the graph reads {}", read.entry, to_string(stored), to_string(spec));
        }
    }

    int constant(const TensorSpec& spec, double value) {
        const int at = new_slot(Slot::Kind::external, {spec, {}});
        Tensor content(spec.shape, DType::f64);
        std::fill(content.values<double>().begin(), content.values<double>().end(), value);
        const Tensor converted = content.converted(spec.dtype);
        slot(at).buffer = Buffer(state_.store.memory(), spec.bytes());
        state_.store.memory().upload(slot(at).buffer.data(), converted.bytes().data(), spec.bytes());
        keys_[at] = fmt::format("{}:{}", to_string(spec), value);
        sources_[at] = {};
        return at;
    }

    // The same memory under another shape.
    int reshape(int from, const TensorSpec& spec) {
        const int at = new_slot(slot(from).kind, {spec, {}}, slot(from).key);
        slot(at).root = slot(from).root;
        views_of_[slot(from).root] = true;
        if (sources_.contains(from)) {
            sources_[at] = sources_[from];
            keys_[at] = fmt::format("{} as {}", keys_[from], to_string(spec));
        }
        return at;
    }

    int plain(int from, const std::string& label) { return in_layout(from, {}, label); }

    // The slot's value in another layout, reordered once however many ask for it; `label` is of the first that does.
    int in_layout(int from, const Layout& layout, const std::string& label) {
        if (slot(from).spec.layout == layout) return from;
        int& to = reordered_[{from, layout.key}];
        if (to != 0) return to;
        Step step{state_.backend.reorder(slot(from).spec, layout),    {from}, {}, 0, "reorder",
                  std::string(name_of(slot(from).spec.tensor.dtype)), label};
        to = new_slot(Slot::Kind::arena, {slot(from).spec.tensor, layout});
        step.outputs = {to};
        const int result = to;  // `to` refers into a map that push() leaves alone, but be plain about it
        push(std::move(step), sources_.contains(from), fmt::format("reorder {}", layout.key));
        return result;
    }

    void prepare(const Node& node, bool derived) {
        NodeSpec spec = passes::node_spec(graph_, node);
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            spec.inputs[i].layout = slot(place_of(node.inputs[i])).spec.layout;
        }
        if (const std::optional<std::string> reason = state_.backend.unsupported(spec)) {
            fail("the {} backend cannot run {}: {}", state_.backend.name(), describe(spec), *reason);
        }
        Step step{state_.backend.prepare(spec), {}, {}, 0, std::string(name_of(node.op)), "", node.label};
        const Executable& executable = *step.executable;
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            const int at = place_of(node.inputs[i]);
            step.inputs.push_back(
                executable.input_layouts.empty() ? at : in_layout(at, executable.input_layouts[i], node.label));
        }
        for (std::size_t i = 0; i < node.outputs.size(); ++i) {
            OperandSpec output = spec.outputs[i];
            if (!executable.output_layouts.empty()) output.layout = executable.output_layouts[i];
            const bool read = uses_[static_cast<std::size_t>(node.outputs[i])] > 0;
            step.outputs.push_back(new_slot(read ? Slot::Kind::arena : Slot::Kind::none, output));
            place_of(node.outputs[i]) = step.outputs.back();
        }
        describe_step(node, spec, step);
        push(std::move(step), derived, step_key(node));
    }

    void describe_step(const Node& node, const NodeSpec& spec, Step& step) const {
        std::vector<TensorSpec> outputs;
        for (const OperandSpec& output : spec.outputs) outputs.push_back(output.tensor);
        step.flops = cost(node.op, graph_.specs(node.inputs), outputs);
        step.dtype = spec.outputs.empty() ? "" : std::string(name_of(spec.outputs[0].tensor.dtype));
        step.attributes = attributes(node.op);
        if (!node.epilogue.empty()) {
            step.attributes += (step.attributes.empty() ? "" : " ") + to_string(node.epilogue);
        }
    }

    std::string step_key(const Node& node) const {
        return fmt::format("{} {} {}", name_of(node.op), attributes(node.op), to_string(node.epilogue));
    }

    // Adds a step; a derived one gets keys for its results, so that programs share them through the Store.
    void push(Step step, bool derived, const std::string& key) {
        if (!derived) {
            state_.steps.push_back(std::move(step));
            return;
        }
        std::string operands;
        for (const int input : step.inputs) {
            step.sources.insert(sources_[input].begin(), sources_[input].end());
            operands += (operands.empty() ? "" : ", ") + keys_[input];
            if (const auto maker = makers_.find(slot(input).root); maker != makers_.end())
                step.needs.push_back(maker->second);
        }
        for (std::size_t i = 0; i < step.outputs.size(); ++i) {
            const int output = step.outputs[i];
            sources_[output] = step.sources;
            keys_[output] = fmt::format("{}({}){}{}", key, operands, i == 0 ? "" : fmt::format("#{}", i),
                                        slot(output).spec.tensor.dtype == DType::bf16 ? " bf16" : "");
            makers_[output] = static_cast<int>(state_.derived.size());
        }
        state_.derived.push_back(std::move(step));
    }

    void collect_results() {
        for (const auto& [name, value] : graph_.outputs()) state_.outputs[name] = plain(place_of(value), name);
    }

    // Derived results that steps read live in the Store; those that only other derived steps read are made in passing.
    void drop_unread_derived() {
        const auto keep = [&](int index) {
            const int base = slot(index).root;
            if (!makers_.contains(base) || slot(base).kind != Slot::Kind::arena) return;
            slot(base).kind = Slot::Kind::derived;
            slot(base).key = std::string(state_.backend.name()) + " " + keys_[base];
        };
        for (const Step& step : state_.steps) {
            for (const int input : step.inputs) keep(input);
        }
        for (const auto& [entry, at] : state_.copies) keep(at);
        for (const auto& [name, at] : state_.outputs) keep(at);
    }

    void touch(int index, int step) {
        Slot& s = root(index);
        if (s.first < 0) s.first = step;
        s.last = std::max(s.last, step);
    }

    int end() const { return static_cast<int>(state_.derived.size() + state_.steps.size()); }

    template <class F>
    void for_each_step(F visit) {
        int time = 0;
        for (Step& step : state_.derived) visit(step, time++);
        for (Step& step : state_.steps) visit(step, time++);
    }

    void find_lives() {
        for_each_step([&](Step& step, int time) {
            for (const int input : step.inputs) touch(input, time);
            for (const int output : step.outputs) touch(output, time);
        });
        for (const auto& [entry, at] : state_.copies) touch(at, end());
        for (const auto& [name, at] : state_.outputs) touch(at, end());
    }

    // The time at which the step that makes an arena slot runs, or -1.
    int maker_time(int index) {
        int found = -1;
        for_each_step([&](Step& step, int time) {
            if (std::find(step.outputs.begin(), step.outputs.end(), index) != step.outputs.end()) found = time;
        });
        return found;
    }

    // An assign needs no copy where the step that makes the value may overwrite the entry and nobody reads the old
    // value afterwards.
    void assign_in_place() {
        std::map<std::string, int> last_read;
        for_each_step([&](Step& step, int time) {
            for (const int input : step.inputs) {
                if (root(input).kind == Slot::Kind::entry) last_read[root(input).key] = time;
            }
        });
        for (const auto& [entry, at] : state_.copies) {
            if (root(at).kind == Slot::Kind::entry && state_.copies.contains(root(at).key) && root(at).key != entry) {
                fail("entry '{}' is assigned the old value of '{}', which is assigned too", entry, root(at).key);
            }
        }
        const std::map<std::string, int> wanted = state_.copies;
        for (const auto& [entry, at] : wanted) {
            bool also_output = false;
            for (const auto& [name, output] : state_.outputs) also_output = also_output || root(output).key == entry;
            for (const auto& [other, source] : wanted) also_output = also_output || root(source).key == entry;
            const int time = maker_time(at);
            if (also_output || slot(at).root != at || slot(at).kind != Slot::Kind::arena || time < 0) continue;
            const int derived = static_cast<int>(state_.derived.size());
            if (time < derived) continue;
            const Step& step = state_.steps[static_cast<std::size_t>(time - derived)];
            const auto read = last_read.find(entry);
            if (read != last_read.end() && read->second > time) continue;
            if (!may_overwrite(step, at, entry)) continue;
            slot(at).kind = Slot::Kind::entry;
            slot(at).key = entry;
            state_.copies.erase(entry);
        }
    }

    bool may_overwrite(const Step& step, int output, const std::string& entry) {
        for (const Alias& alias : step.executable->aliases) {
            const int input = step.inputs[static_cast<std::size_t>(alias.input)];
            if (step.outputs[static_cast<std::size_t>(alias.output)] == output &&
                root(input).kind == Slot::Kind::entry && root(input).key == entry) {
                return true;
            }
        }
        return false;
    }

    // In-place results: an output takes over the memory of an input that nobody reads any more.
    void share_memory() {
        for_each_step([&](Step& step, int time) {
            for (const Alias& alias : step.executable->aliases) {
                const int output = step.outputs[static_cast<std::size_t>(alias.output)];
                const int input = step.inputs[static_cast<std::size_t>(alias.input)];
                if (slot(output).kind != Slot::Kind::arena || slot(output).root != output) continue;
                if (views_of_.contains(output)) continue;
                Slot& from = root(input);
                const auto sharing = std::count_if(step.inputs.begin(), step.inputs.end(),
                                                   [&](int other) { return slot(other).root == slot(input).root; });
                if (from.kind != Slot::Kind::arena || from.last != time || sharing != 1) continue;
                if (from.spec.bytes() != slot(output).spec.bytes() || overwritten_[time].contains(slot(input).root))
                    continue;
                overwritten_[time].insert(slot(input).root);
                from.last = slot(output).last;
                const int target = slot(input).root;
                for (Slot& other : state_.slots) {
                    if (other.root == output) other.root = target;
                }
            }
        });
    }

    // Memory of its own for every value and workspace: a checker then knows where each ends and whether it was written.
    void spread() {
        Memory& memory = state_.store.memory();
        for (std::size_t i = 0; i < state_.slots.size(); ++i) {
            Slot& s = state_.slots[i];
            if (s.kind != Slot::Kind::arena || s.root != static_cast<int>(i) || s.first < 0) continue;
            s.buffer = Buffer(memory, s.spec.bytes());
            state_.sum_of_values += s.spec.bytes();
        }
        for_each_step([&](Step& step, int) {
            if (step.executable->workspace_bytes > 0) step.workspace = Buffer(memory, step.executable->workspace_bytes);
        });
    }

    void plan() {
        std::vector<passes::Interval> intervals;
        std::vector<std::size_t*> offsets;
        for (std::size_t i = 0; i < state_.slots.size(); ++i) {
            Slot& s = state_.slots[i];
            if (s.kind != Slot::Kind::arena) continue;
            state_.sum_of_values += s.spec.bytes();
            if (s.root != static_cast<int>(i) || s.first < 0) continue;
            intervals.push_back({s.spec.bytes(), s.first, s.last});
            offsets.push_back(&s.offset);
        }
        for_each_step([&](Step& step, int time) {
            if (step.executable->workspace_bytes == 0) return;
            intervals.push_back({step.executable->workspace_bytes, time, time});
            offsets.push_back(&step.workspace_offset);
        });
        state_.arena_bytes = passes::plan_memory(intervals);
        for (std::size_t i = 0; i < intervals.size(); ++i) *offsets[i] = intervals[i].offset;
    }

    const Graph& graph_;
    Program::State& state_;
    std::vector<int> uses_, values_;                // values_: value id -> slot
    std::map<int, std::set<std::string>> sources_;  // slots computed from the Store alone -> the entries
    std::map<int, std::string> keys_;               // the same -> the expression that made them
    std::map<int, int> makers_;                     // slot -> derived step
    std::map<int, bool> views_of_;
    std::map<int, std::set<int>> overwritten_;  // time -> roots already taken over
    std::map<std::pair<int, std::string>, int> reordered_;
};

void check_precision(const Store& store, Precision precision) {
    const bool wide = precision == Precision::f64;
    if (wide != (store.real() == DType::f64)) {
        fail("a program in {} cannot run on a store of {}", name_of(precision), name_of(store.real()));
    }
}

}  // namespace

Program compile(const Graph& graph, Store& store, Backend& backend, const CompileOptions& options) {
    check_precision(store, options.precision);
    Graph work = graph;
    passes::drop_dead_nodes(work);
    if (options.precision == Precision::f64) passes::widen_to_f64(work);
    if (options.fusion == CompileOptions::Fusion::on) passes::fold_frozen_norms(work);
    if (options.precision == Precision::bf16) passes::place_casts(work);
    if (options.fusion == CompileOptions::Fusion::on) {
        const auto supported = [&](const NodeSpec& node) { return !backend.unsupported(node).has_value(); };
        passes::fuse_epilogues(work, supported);
        passes::fuse_moments(work, supported);
        passes::fuse_relu_gradients(work, supported);
    }
    auto state = std::make_unique<Program::State>(store, backend);
    Compiler(work, *state).run();
    state->join_steps();
    return Program(std::move(state));
}

}  // namespace cambium
