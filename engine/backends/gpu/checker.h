// What the checked module knows beside results: what its kernels did wrong, and what their accesses cost.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/simt/simt.h"

namespace cambium::gpu {

class Checker {
  public:
    virtual ~Checker() = default;
    // Forgets all reports and counters. seed: the order in which threads run; 0: warp by warp. From the first call on,
    // a finding is kept for reports() instead of being thrown by the launch that caused it.
    virtual void start(std::uint64_t seed, bool count) = 0;
    virtual std::vector<simt::Report> reports() const = 0;
    virtual std::vector<simt::Counter> counters() const = 0;
    virtual std::string text(const simt::Report& report) const = 0;
    virtual std::string json(const std::vector<simt::Report>& reports) const = 0;
};

// Of the module behind Device::simt_check. Throws Error where this build has none.
std::unique_ptr<Checker> make_checker();

}  // namespace cambium::gpu
