#pragma once

#include <cstdint>
#include <string>

#include "tools/common/command.h"

namespace cambium {

struct GraphOptions {
    std::string model, device = "auto", precision, provider = "own";
    std::int64_t batch = 1;
    std::optional<int> classes{};  // of the head; the architecture's own if not given
    bool training = false;         // a training step instead of the forward pass
    enum class Output : std::uint8_t { text, json, dot } output = Output::text;
};

// cambium inspect --graph MODEL: the network as it was traced (DOT) or as it runs (text, JSON).
Exit inspect_graph(const GraphOptions& options);

}  // namespace cambium
