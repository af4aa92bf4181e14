#include "tools/training/average_swap.h"

#include "engine/optim/optimizer.h"

namespace cambium {

AverageSwap::AverageSwap(Store& store) : store_(store) {
    for (const std::string& name : store.names()) {
        const std::string average = average_of(name);
        if (!store.contains(average)) continue;
        live_.emplace(name, store.read(name));
        store.write(name, store.read(average));
    }
}

AverageSwap::~AverageSwap() { store_.restore(live_); }

}  // namespace cambium
