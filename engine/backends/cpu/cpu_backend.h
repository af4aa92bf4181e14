// The CPU backend with its choices spelled out, for measurements and tests; make_cpu_backend() of backend.h makes them.
#pragma once

#include "engine/backends/backend.h"

namespace cambium::cpu {

struct Options {
    // Between convolutions: plain NHWC, or blocks of 8 or 16 channels, as oneDNN prefers them on this machine.
    enum class Activations : std::uint8_t { nhwc, blocked } activations = Activations::nhwc;
    // Off: our own convolutions and matrix products even where oneDNN is present.
    enum class Library : std::uint8_t { used, ignored } library = Library::used;
};

std::unique_ptr<Backend> make_backend(const Options& options);

}  // namespace cambium::cpu
