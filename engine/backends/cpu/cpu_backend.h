// The CPU backend with its choices spelled out, for measurements and tests; make_cpu_backend() of backend.h makes them.
#pragma once

#include "engine/backends/backend.h"

namespace cambium::cpu {

struct Options {
    // Between convolutions: plain NHWC, or blocks of 8 or 16 channels. ResNet's convolutions take 5-7 % less time
    // blocked on a Xeon, where a whole step of ResNet-18 gains nothing; on Zen 3 ResNet-18's take 22 % less. Hence
    // `fastest`: blocked below AVX-512, NHWC with it.
    enum class Activations : std::uint8_t { fastest, nhwc, blocked } activations = Activations::fastest;
    // Off: our own convolutions and matrix products even where oneDNN is present.
    enum class Library : std::uint8_t { used, ignored } library = Library::used;
};

std::unique_ptr<Backend> make_backend(const Options& options);

}  // namespace cambium::cpu
