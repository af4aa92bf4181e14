// What the stand-in for cuDNN keeps of a backend descriptor, and a tensor as one describes it.
#pragma once

#include <cudnn.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

#include "engine/base/numeric.h"

namespace fake {

using cambium::bf16;

struct Attribute {
    cudnnBackendAttributeType_t type;
    std::vector<unsigned char> bytes;
};

struct Descriptor {
    cudnnBackendDescriptorType_t type;
    bool finalized = false;
    std::map<int, Attribute> attributes;

    template <class T>
    std::vector<T> all(int name) const {
        const auto found = attributes.find(name);
        if (found == attributes.end()) return {};
        std::vector<T> values(found->second.bytes.size() / sizeof(T));
        std::memcpy(values.data(), found->second.bytes.data(), found->second.bytes.size());
        return values;
    }
    template <class T>
    T one(int name) const {
        const std::vector<T> values = all<T>(name);
        return values.size() == 1 ? values[0] : T{};
    }
    const Descriptor* part(int name) const { return one<const Descriptor*>(name); }
};

struct View {
    std::int64_t id = 0;
    bool rounds = false;  // f32 operands, as tensor cores do
    cudnnDataType_t type = CUDNN_DATA_FLOAT;
    std::vector<std::int64_t> sizes, strides;
    explicit View(const Descriptor& tensor)
        : id(tensor.one<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID)),
          type(tensor.one<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE)),
          sizes(tensor.all<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS)),
          strides(tensor.all<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES)) {}
    std::int64_t at(const std::array<std::int64_t, 4>& index) const {
        std::int64_t offset = 0;
        for (std::size_t axis = 0; axis < 4; ++axis) offset += index[axis] * strides[axis];
        return offset;
    }
    double read(const void* data, const std::array<std::int64_t, 4>& index) const {
        if (type != CUDNN_DATA_FLOAT) {
            return static_cast<double>(static_cast<float>(static_cast<const bf16*>(data)[at(index)]));
        }
        const float value = static_cast<const float*>(data)[at(index)];
        return static_cast<double>(rounds ? static_cast<float>(bf16(value)) : value);
    }
    void write(void* data, std::int64_t offset, double value) const {
        if (type == CUDNN_DATA_FLOAT) {
            static_cast<float*>(data)[offset] = static_cast<float>(value);
        } else {
            static_cast<bf16*>(data)[offset] = bf16(static_cast<float>(value));
        }
    }
};

// Runs operations one after another: pointwise ones, products, sums and views of other sizes. data: of the tensors that
// are not virtual, by their names.
void run_operations(const std::vector<const Descriptor*>& operations, const std::map<std::int64_t, void*>& data);

}  // namespace fake
