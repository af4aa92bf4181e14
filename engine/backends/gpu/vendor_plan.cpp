#include "engine/backends/gpu/vendor_plan.h"

#include <algorithm>
#include <limits>

#include "engine/base/error.h"

namespace cambium::gpu {
namespace {

constexpr int runs = 5;  // after one that warms up

struct Candidate {
    std::unique_ptr<VendorPlan> plan;
    std::function<void()> call;
    double best = std::numeric_limits<double>::infinity();
};

}  // namespace

std::unique_ptr<VendorPlan> fastest(std::vector<std::unique_ptr<VendorPlan>> plans, std::span<const std::size_t> bytes,
                                    Trial& trial) {
    if (plans.empty()) return nullptr;
    std::vector<void*> operands;
    for (const std::size_t size : bytes) operands.push_back(size == 0 ? nullptr : trial.buffer(size));
    std::size_t workspace = 0;
    for (const auto& plan : plans) workspace = std::max(workspace, plan->workspace_bytes);
    void* space = workspace == 0 ? nullptr : trial.buffer(workspace);
    std::vector<Candidate> candidates;
    for (auto& plan : plans) {
        try {  // heuristics promise what a kernel may then refuse
            Candidate candidate{.plan = std::move(plan), .call = {}};
            candidate.call = candidate.plan->bind(operands, space);
            trial.microseconds(candidate.call);
            candidates.push_back(std::move(candidate));
        } catch (const Error&) {
            continue;
        }
    }
    if (candidates.empty()) return nullptr;
    for (int run = 0; run < runs && candidates.size() > 1; ++run) {
        for (Candidate& one : candidates) one.best = std::min(one.best, trial.microseconds(one.call));
    }
    return std::move(std::ranges::min_element(candidates, {}, &Candidate::best)->plan);
}

}  // namespace cambium::gpu
