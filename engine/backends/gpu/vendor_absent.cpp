// A module without the provider `vendor`.
#include "engine/backends/gpu/vendor.h"
#include "engine/base/fail.h"

namespace cambium::gpu {
namespace {

#if defined(CAMBIUM_CUDA)
constexpr const char* reason = "this build lacks it, for the headers of cuDNN 9 and cuBLAS were not there";
#else
constexpr const char* reason = "cuDNN and cuBLASLt need a GPU";
#endif

}  // namespace

std::unique_ptr<Vendor> make_vendor(const Context&) { fail("there is no provider vendor here: {}", reason); }
std::string vendor_versions() { return reason; }

}  // namespace cambium::gpu
