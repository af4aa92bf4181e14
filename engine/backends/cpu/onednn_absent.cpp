// The build without oneDNN: nothing is offered, everything runs on our own loops.
#include "engine/backends/cpu/onednn.h"

namespace cambium::cpu {

struct OneDnn::State {};

OneDnn::OneDnn() = default;
OneDnn::~OneDnn() = default;
bool OneDnn::present() { return false; }
std::string OneDnn::version() { return {}; }
bool OneDnn::native_bf16() const { return false; }
int OneDnn::preferred_block() const { return 0; }
std::unique_ptr<Executable> OneDnn::prepare(const ops::Conv2d&, const NodeSpec&, int) const { return nullptr; }
std::unique_ptr<Executable> OneDnn::prepare(const ops::Conv2dInputGradient&, const NodeSpec&, int) const {
    return nullptr;
}
std::unique_ptr<Executable> OneDnn::prepare(const ops::Conv2dFilterGradient&, const NodeSpec&, int) const {
    return nullptr;
}
std::unique_ptr<Executable> OneDnn::prepare(const ops::MatMul&, const NodeSpec&, int) const { return nullptr; }
std::unique_ptr<Executable> OneDnn::reorder(const OperandSpec&, const Layout&) const { return nullptr; }

}  // namespace cambium::cpu
