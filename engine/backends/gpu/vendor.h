// The provider `vendor`: convolutions and attention by cuDNN, products by cuBLASLt, in place of our kernels, to compare
// with. All other operators stay our own. The libraries are opened when first used, and never linked.
//
// A node's algorithm is the fastest of those that the library offers, tried when the node is prepared, and one problem
// is tried once. Which one wins may change from run to run, and some do not give the same bits twice (their names say
// so). Where the library does not do a node's epilogue, our kernels do it afterwards, rounding after each step.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/backends/gpu/executable.h"

namespace cambium::gpu {

class Vendor {
  public:
    virtual ~Vendor() = default;
    // Whether the provider is about this operator at all; others stay our own.
    virtual bool is_for(const Op& op) const = 0;
    // Of a node that it is for: nothing, or what is missing, in words.
    virtual std::optional<std::string> missing(const NodeSpec& node) const = 0;
    // Throws Error where a library is not there, or has no algorithm for the node.
    virtual Prepared prepare(const NodeSpec& node) = 0;
};

// Throws Error where this module has no such provider: on the CPU, or built without the libraries' headers.
std::unique_ptr<Vendor> make_vendor(const Context& context);

// "cuDNN 9.19.0, cuBLASLt 13.1.0", or what is missing of them; opens both.
std::string vendor_versions();

}  // namespace cambium::gpu
