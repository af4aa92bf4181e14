// Images of three channels: pixels of 6 bytes are aligned to nothing that cp.async copies. Such a convolution runs on a
// copy of x and of the filter whose pixels have four channels and whose lines begin with the padding, so that windows
// begin at multiples of the stride: then tiles are copied 16 bytes at a time as everywhere else.
#pragma once

#include <optional>

#include "kernels/conv/conv.h"

namespace cambium::conv {

inline constexpr int kStemChannels = 3, kPixelChannels = 4;  // of x, and of its copy

// The convolution of the copies, if that is what runs. It has as many pixels of y; of its filter, taps beyond S and the
// fourth channel are zeros.
std::optional<Conv> padded_stem(const Conv& conv);

// Where the copies lie in the workspace, in bytes from its beginning, behind what padded_stem() needs itself.
struct StemWorkspace {
    std::size_t filter, x, end;  // for wgrad the filter is dw
};
StemWorkspace stem_workspace(const Conv& padded);

// Enqueues the copies of x and, for fprop, of the filter to the workspace.
void pad_stem(const Conv& conv, const Conv& padded, const void* x, const void* filter, std::byte* workspace,
              dev::Stream& stream);
// dw [K, R, S, C] from that of the padded filter in the workspace.
void crop_stem(const Conv& conv, const Conv& padded, void* dw, const std::byte* workspace, dev::Stream& stream);

}  // namespace cambium::conv
