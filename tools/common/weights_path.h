// Where weights are: a path as it stands, or the cached file of weights known by name.
#pragma once

#include <filesystem>
#include <string>

namespace cambium {

// A file or folder of that name wins over known weights. Throws Error if neither exists: known weights that are not in
// the cache yet (with the command that fetches them), or a mistyped name.
std::filesystem::path weights_path(const std::string& file_or_name);

// $CAMBIUM_CACHE, else $XDG_CACHE_HOME/cambium, else ~/.cache/cambium.
std::filesystem::path cache_folder();

}  // namespace cambium
