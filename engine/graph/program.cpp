// Running: bind once, then refresh what is derived, enqueue every step, apply the assigns; from the third time on,
// where the backend can, by replaying what was recorded.
#include "engine/graph/program.h"

#include <algorithm>

#include "engine/base/fail.h"
#include "engine/graph/compiled.h"

namespace cambium {

std::string_view name_of(Precision precision) {
    switch (precision) {
        case Precision::f64:
            return "f64";
        case Precision::f32:
            return "f32";
        case Precision::bf16:
            return "bf16";
        case Precision::tf32:
            return "tf32";
    }
    return "";
}

void* Program::State::address(int slot, void* arena) const {
    const Slot& s = slots[static_cast<std::size_t>(slots[static_cast<std::size_t>(slot)].root)];
    switch (s.kind) {
        case Slot::Kind::none:
            return nullptr;
        case Slot::Kind::arena:
            return s.buffer.data() != nullptr ? s.buffer.data() : static_cast<std::byte*>(arena) + s.offset;
        case Slot::Kind::entry:
            return store.entry(s.key).buffer.data();
        case Slot::Kind::derived:
            return store.derived(s.key, s.spec.bytes()).buffer.data();
        case Slot::Kind::external:
            return s.buffer.data();
    }
    return nullptr;
}

void Program::State::bind(void* arena) {
    for (std::vector<Step>* list : {&derived, &steps}) {
        for (Step& step : *list) {
            std::vector<void*> in, out;
            for (const int slot : step.inputs) in.push_back(address(slot, arena));
            for (const int slot : step.outputs) out.push_back(address(slot, arena));
            void* workspace = step.workspace.data();
            if (workspace == nullptr) workspace = static_cast<std::byte*>(arena) + step.workspace_offset;
            step.executable->bind(in, out, workspace);
        }
    }
    for (const std::unique_ptr<Executable>& executable : joined) executable->bind({}, {}, nullptr);
    bound_arena = arena;
    bound = true;
    recording.reset();
    ran = false;
}

// Steps may be joined if they need no workspace, results lie in the Store, where no other step's memory can be, and
// none reads what another writes.
void Program::State::join_steps() {
    const auto root = [&](int slot) { return slots[static_cast<std::size_t>(slot)].root; };
    const auto stands_alone = [&](const Step& step) {
        if (step.executable->group.empty() || step.executable->workspace_bytes > 0) return true;
        return !std::ranges::all_of(step.outputs, [&](int output) {
            const Slot::Kind kind = slots[static_cast<std::size_t>(root(output))].kind;
            return kind == Slot::Kind::entry || kind == Slot::Kind::none;
        });
    };
    const auto joins = [&](std::span<const Step> before, const Step& step) {
        if (before.front().executable->group != step.executable->group || stands_alone(step)) return false;
        for (const Step& other : before) {
            for (const int written : other.outputs) {
                const auto same = [&](int slot) { return root(slot) == root(written) || shares_entry(slot, written); };
                if (std::ranges::any_of(step.inputs, same) || std::ranges::any_of(step.outputs, same)) return false;
            }
            for (const int written : step.outputs) {
                const auto same = [&](int slot) { return root(slot) == root(written) || shares_entry(slot, written); };
                if (std::ranges::any_of(other.inputs, same)) return false;
            }
        }
        return true;
    };
    order.clear();
    joined.clear();
    for (std::size_t first = 0; first < steps.size();) {
        std::size_t end = first + 1;
        if (!stands_alone(steps[first])) {
            while (end < steps.size() && joins(std::span(steps).subspan(first, end - first), steps[end])) ++end;
        }
        std::vector<Executable*> parts;
        for (std::size_t i = first; i < end; ++i) parts.push_back(steps[i].executable.get());
        std::unique_ptr<Executable> whole = parts.size() > 1 ? backend.join(parts) : nullptr;
        if (whole != nullptr) {
            parts = {joined.emplace_back(std::move(whole)).get()};
        }
        order.insert(order.end(), parts.begin(), parts.end());
        first = end;
    }
}

bool Program::State::shares_entry(int a, int b) const {
    const auto entry = [&](int slot) -> const Slot& {
        return slots[static_cast<std::size_t>(slots[static_cast<std::size_t>(slot)].root)];
    };
    return entry(a).kind == Slot::Kind::entry && entry(b).kind == Slot::Kind::entry && entry(a).key == entry(b).key;
}

std::vector<bool> Program::State::stale_derived() {
    std::vector<bool> needed(derived.size(), false);
    for (std::size_t index = derived.size(); index-- > 0;) {
        const Step& step = derived[index];
        for (const int output : step.outputs) {
            const Slot& slot = slots[static_cast<std::size_t>(output)];
            if (slot.kind != Slot::Kind::derived) continue;
            auto& made_from = store.derived(slot.key, slot.spec.bytes()).sources;
            std::vector<std::pair<std::string, std::uint64_t>> current;
            for (const std::string& source : step.sources) current.emplace_back(source, store.entry(source).version);
            if (made_from == current) continue;
            made_from = std::move(current);
            needed[index] = true;
        }
        if (!needed[index]) continue;
        for (const int before : step.needs) {
            const Slot& slot = slots[static_cast<std::size_t>(derived[static_cast<std::size_t>(before)].outputs[0])];
            if (slot.kind == Slot::Kind::arena) needed[static_cast<std::size_t>(before)] = true;
        }
    }
    return needed;
}

void Program::State::enqueue_each(const std::vector<bool>& stale) {
    for (std::size_t index = 0; index < derived.size(); ++index) {
        if (stale[index]) derived[index].executable->enqueue();
    }
    for (Executable* executable : order) executable->enqueue();
    for (const auto& [entry, slot] : copies) {
        const Store::Entry& target = store.entry(entry);
        store.memory().copy(target.buffer.data(), address(slot, bound_arena), target.buffer.bytes());
    }
}

void Program::State::enqueue(const std::vector<bool>& stale) {
    if (recording == nullptr && ran && stale == last_stale) {
        recording = backend.record([&] { enqueue_each(stale); });
        recorded_stale = stale;
    }
    if (recording != nullptr && stale == recorded_stale) {
        recording->replay();
    } else {
        enqueue_each(stale);
    }
    last_stale = stale;
    ran = true;
}

Program::Program(std::unique_ptr<State> state) : state_(std::move(state)) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

bool Program::has_input(const std::string& input) const { return state_->inputs.contains(input); }

void Program::set(const std::string& input, const Tensor& value) {
    const auto found = state_->inputs.find(input);
    if (found == state_->inputs.end()) fail("the program has no input '{}'", input);
    const Slot& slot = state_->slots[static_cast<std::size_t>(found->second)];
    const TensorSpec& spec = slot.spec.tensor;
    if (value.shape() != spec.shape) {
        fail("input '{}' is {}, but {} was given", input, to_string(spec), to_string(value.spec()));
    }
    if (value.dtype() == spec.dtype) {
        state_->store.memory().upload(slot.buffer.data(), value.bytes().data(), value.bytes().size());
        return;
    }
    const Tensor converted = value.converted(spec.dtype);
    state_->store.memory().upload(slot.buffer.data(), converted.bytes().data(), converted.bytes().size());
}

void Program::set(const std::string& input, double scalar) {
    Tensor value(Shape{}, DType::f64);
    value.values<double>()[0] = scalar;
    set(input, value);
}

void Program::run() {
    State& s = *state_;
    void* arena = s.store.arena(s.arena_bytes);
    if (!s.bound || arena != s.bound_arena) s.bind(arena);
    s.enqueue(s.stale_derived());
    for (const std::string& entry : s.assigned) s.store.touch(entry);
}

void Program::wait() { state_->backend.synchronize(); }

Tensor Program::get(const std::string& output) const {
    const auto found = state_->outputs.find(output);
    if (found == state_->outputs.end()) fail("the program has no output '{}'", output);
    if (!state_->bound) fail("output '{}' was read before the program ran", output);
    Tensor value(state_->slots[static_cast<std::size_t>(found->second)].spec.tensor);
    state_->store.memory().download(value.bytes().data(), state_->address(found->second, state_->bound_arena),
                                    value.bytes().size());
    return value;
}

double Program::scalar(const std::string& output) const {
    const Tensor value = get(output).converted(DType::f64);
    if (value.count() != 1) fail("output '{}' is {}, not a scalar", output, to_string(value.spec()));
    return value.values<double>()[0];
}

std::vector<Program::Line> Program::summary() const {
    std::map<std::tuple<std::string, std::string, std::string>, int> counts;
    for (const auto* list : {&state_->derived, &state_->steps}) {
        for (const Step& step : *list) ++counts[{step.op, step.dtype, step.executable->provider}];
    }
    std::vector<Line> lines;
    for (const auto& [key, count] : counts)
        lines.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), count});
    return lines;
}

double Program::flops() const {
    double total = 0;
    for (const Step& step : state_->steps) total += step.flops;
    return total;
}

std::size_t Program::arena_bytes() const { return state_->arena_bytes; }
std::size_t Program::sum_of_values() const { return state_->sum_of_values; }

std::vector<Program::Listed> Program::listing() const {
    std::vector<Listed> list;
    const auto append = [&](const Step& step, bool derived) {
        Listed line{.derived = derived,
                    .layer = step.label,
                    .op = step.op,
                    .attributes = step.attributes,
                    .provider = step.executable->provider,
                    .flops = step.flops};
        for (const int output : step.outputs) {
            const Slot& slot = state_->slots[static_cast<std::size_t>(output)];
            const Slot& root = state_->slots[static_cast<std::size_t>(slot.root)];
            if (slot.kind == Slot::Kind::none) continue;
            Listed::Result result{slot.spec.tensor, slot.spec.bytes(), !slot.spec.layout.plain()};
            if (root.kind == Slot::Kind::arena) result.offset = root.offset;
            if (root.kind == Slot::Kind::entry) result.entry = root.key;
            line.results.push_back(std::move(result));
        }
        list.push_back(std::move(line));
    };
    for (const Step& step : state_->derived) append(step, true);
    for (const Step& step : state_->steps) append(step, false);
    return list;
}

std::string Program::text() const {
    std::string text;
    for (const Listed& line : listing()) {
        text += fmt::format("{} {} {} {}", line.derived ? "derived" : "step", line.layer, line.op, line.attributes);
        for (const Listed::Result& result : line.results) {
            text += fmt::format(" -> {}", to_string(result.spec));
            if (result.packed) text += " packed";
            if (result.offset) text += fmt::format(" @{}", *result.offset);
            if (!result.entry.empty()) text += fmt::format(" in {}", result.entry);
        }
        text += fmt::format(" [{}]\n", line.provider);
    }
    return text;
}

}  // namespace cambium
