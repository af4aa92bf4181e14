// Everything this backend has from oneDNN, behind an interface without its types: convolutions, matrix products, and
// the packing of filters. Where oneDNN would answer with its reference code, or is absent, there is no executable, and
// the caller uses its own. Activations are NHWC or blocked; filters always in whatever layout the primitive likes best.
#pragma once

#include <memory>
#include <string>

#include "engine/backends/backend.h"

namespace cambium::cpu {

class OneDnn {
  public:
    OneDnn();
    ~OneDnn();
    OneDnn(const OneDnn&) = delete;
    OneDnn& operator=(const OneDnn&) = delete;

    static bool present();
    static std::string version();  // "2.6.3"; empty where absent
    // Whether bf16 is computed by instructions made for it.
    bool native_bf16() const;
    // Channels in a block of its favourite activation layout; 0 where NHWC is as good or there is no oneDNN.
    int preferred_block() const;

    // Null where oneDNN has nothing but reference code. block: of activations, 0 for NHWC.
    std::unique_ptr<Executable> prepare(const ops::Conv2d& op, const NodeSpec& node, int block) const;
    std::unique_ptr<Executable> prepare(const ops::Conv2dInputGradient& op, const NodeSpec& node, int block) const;
    std::unique_ptr<Executable> prepare(const ops::Conv2dFilterGradient& op, const NodeSpec& node, int block) const;
    std::unique_ptr<Executable> prepare(const ops::MatMul& op, const NodeSpec& node, int block) const;
    // Between the plain layout and one that an executable of this object asked for; null if neither is.
    std::unique_ptr<Executable> reorder(const OperandSpec& from, const Layout& to) const;

    struct State;  // onednn_state.h

  private:
    std::shared_ptr<State> state_;
};

}  // namespace cambium::cpu
