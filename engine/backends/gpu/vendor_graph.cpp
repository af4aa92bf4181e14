#include "engine/backends/gpu/vendor_graph.h"

#include <algorithm>
#include <array>

#include "engine/base/fail.h"

namespace cambium::gpu::dnn {
namespace {

constexpr std::array files{"libcudnn.so.9", "libcudnn.so"};
constexpr std::size_t least_version = 90000;

}  // namespace

Functions::Functions() : library("cuDNN", "CAMBIUM_CUDNN", files) {
    library.find(version, "cudnnGetVersion");
    if (version() < least_version) fail("cuDNN is too old here ({}); install version 9", version());
    library.find(status_text, "cudnnGetErrorString");
    library.find(create, "cudnnCreate");
    library.find(destroy, "cudnnDestroy");
    library.find(set_stream, "cudnnSetStream");
    library.find(create_descriptor, "cudnnBackendCreateDescriptor");
    library.find(destroy_descriptor, "cudnnBackendDestroyDescriptor");
    library.find(set, "cudnnBackendSetAttribute");
    library.find(get, "cudnnBackendGetAttribute");
    library.find(finalize, "cudnnBackendFinalize");
    library.find(execute, "cudnnBackendExecute");
}

void Functions::check(cudnnStatus_t status, const char* what) const {
    if (status != CUDNN_STATUS_SUCCESS) fail("cuDNN failed in {}: {}", what, status_text(status));
}

Descriptor::Descriptor(const Functions& dnn, cudnnBackendDescriptorType_t type) : dnn_(&dnn) {
    dnn.check(dnn.create_descriptor(type, &handle_), "cudnnBackendCreateDescriptor");
}

Descriptor::~Descriptor() {
    if (handle_ != nullptr) dnn_->destroy_descriptor(handle_);
}

std::vector<Descriptor> Descriptor::parts(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                          std::size_t most) const {
    std::vector<Descriptor> result;
    std::vector<cudnnBackendDescriptor_t> handles;
    for (std::size_t i = 0; i < most; ++i) handles.push_back(result.emplace_back(*dnn_, type).handle_);
    std::int64_t count = 0;
    dnn_->check(dnn_->get(handle_, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<std::int64_t>(most), &count,
                          handles.data()),
                "cudnnBackendGetAttribute");
    result.erase(result.begin() + std::min<std::ptrdiff_t>(count, std::ssize(result)), result.end());
    return result;
}

}  // namespace cambium::gpu::dnn
