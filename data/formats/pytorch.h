// What the three PyTorch readers share once they have a pickle: the state_dict in it, as a table of tensors. Internal
// to data/formats.
#pragma once

#include <functional>
#include <string>

#include "data/formats/contents.h"
#include "data/formats/pickle.h"

namespace cambium::formats {

// Where the bytes of a storage lie; throws Error if the file has none, or too few.
using StorageLocator = std::function<StorageRange(const PickleStorage& storage)>;

// Finds the state_dict, at top level or where training scripts put it, and locates its tensors.
Contents find_state_dict(const Pickle& pickle, const StorageLocator& locate);

std::uint64_t storage_bytes(const PickleStorage& storage);  // throws Error if they overflow

}  // namespace cambium::formats
