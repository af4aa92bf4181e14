// AverageSwap: while it lives, the Store holds weight averages in the place of the weights themselves.
#pragma once

#include <map>
#include <string>

#include "engine/tensor/store.h"

namespace cambium {

class AverageSwap {
  public:
    explicit AverageSwap(Store& store);
    ~AverageSwap();
    AverageSwap(const AverageSwap&) = delete;
    AverageSwap& operator=(const AverageSwap&) = delete;

  private:
    Store& store_;
    std::map<std::string, Tensor> live_;
};

}  // namespace cambium
