#include "engine/backends/gpu/memory.h"

#include <algorithm>
#include <cstring>

namespace cambium::gpu {

void Uploads::copy(void* device, const void* host, std::size_t bytes) {
    if (bytes <= kSmallBytes) return copy_small(device, host, bytes);
    for (std::size_t done = 0; done < bytes; done += kMostBytes) {
        copy_large(static_cast<std::byte*>(device) + done, static_cast<const std::byte*>(host) + done,
                   std::min(bytes - done, kMostBytes));
    }
}

void Uploads::copy_small(void* device, const void* host, std::size_t bytes) {
    std::optional<Small>& place = small_[next_small_++ % small_.size()];
    if (place) {
        place->copied.synchronize();
    } else {
        place.emplace(Small{dev::HostBuffer(kSmallBytes), {}});
    }
    std::memcpy(place->locked.data(), host, bytes);
    dev::copy_to_device(device, place->locked.data(), bytes, stream_);
    place->copied.record(stream_);
}

void Uploads::copy_large(void* device, const void* host, std::size_t bytes) {
    std::optional<Large>& place = large_[next_large_++ % large_.size()];
    if (place && place->locked.bytes() >= bytes) {
        place->arrived.synchronize();
    } else {
        if (place) place->placed.synchronize();
        place.reset();
        place.emplace(Large{dev::HostBuffer(bytes), dev::Buffer<std::byte>(bytes, "upload"), {}, {}});
    }
    std::memcpy(place->locked.data(), host, bytes);
    place->placed.make_wait(beside_);  // its former content is still being brought to its address
    dev::copy_to_device(place->staged.data(), place->locked.data(), bytes, beside_);
    place->arrived.record(beside_);
    place->arrived.make_wait(stream_);
    dev::copy_on_device(device, place->staged.data(), bytes, stream_);
    place->placed.record(stream_);
}

}  // namespace cambium::gpu
