#include "engine/backends/gpu/checker.h"

#include "engine/backends/gpu/module.h"

namespace cambium::gpu {
namespace {

class SimtChecker final : public Checker {
  public:
    void start(std::uint64_t seed, bool count) override {
        collected_.reset();
        collected_ = std::make_unique<simt::Collect>();
        simt::options().seed = seed;
        simt::options().count = count;
        simt::reset_counters();
    }
    std::vector<simt::Report> reports() const override {
        return collected_ ? collected_->reports() : std::vector<simt::Report>{};
    }
    std::vector<simt::Counter> counters() const override { return simt::counters(); }
    std::string text(const simt::Report& report) const override { return simt::to_text(report); }
    std::string json(const std::vector<simt::Report>& reports) const override { return simt::to_json(reports); }

  private:
    std::unique_ptr<simt::Collect> collected_;
};

}  // namespace
}  // namespace cambium::gpu

extern "C" __attribute__((visibility("default"))) cambium::gpu::Checker* cambium_gpu_make_checker() {
    return std::make_unique<cambium::gpu::SimtChecker>().release();
}
