// SHA-256 (FIPS 180-4): checksums of checkpoints and of known weights.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace cambium {

class Sha256 {
  public:
    void update(std::span<const std::byte> bytes);
    std::array<std::byte, 32> digest();  // ends the message; afterwards the object starts a new one

  private:
    void block(const std::byte* data);
    void reset() { *this = Sha256(); }

    std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::byte, 64> pending_{};
    std::uint64_t size_ = 0;  // bytes so far
};

// 64 lower-case hexadecimal digits.
std::string sha256(std::span<const std::byte> bytes);
std::string sha256_of_file(const std::filesystem::path& path);  // throws Error if it cannot be read

}  // namespace cambium
