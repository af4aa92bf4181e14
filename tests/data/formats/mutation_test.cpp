// Random damage: 2000 copies of each golden file with a few bytes changed, removed or repeated. Whatever they hold,
// reading them gives tensors or an Error; under the sanitizers, nothing else.
#include <algorithm>

#include "engine/base/philox.h"
#include "tests/data/formats/golden.h"

using namespace cambium;
using namespace cambium::test;

namespace {

std::string mutated(std::string bytes, RandomStream& random) {
    const auto below = [&](std::size_t bound) { return random.below(static_cast<std::uint32_t>(bound)); };
    for (std::uint32_t changes = 1 + random.below(4); changes > 0; --changes) {
        const std::size_t at = below(bytes.size()), length = std::min<std::size_t>(1 + below(8), bytes.size() - at);
        switch (random.below(5)) {
            case 0:
                bytes[at] = static_cast<char>(random.below(256));
                break;
            case 1:
                bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
                break;
            case 2:
                bytes.replace(at, length, length, random.below(2) == 0 ? '\xff' : '\0');
                break;
            case 3:
                bytes.insert(at, bytes.substr(at, length));
                break;
            default:
                if (bytes.size() > length + 1) bytes.erase(at, length);
        }
    }
    return bytes;
}

}  // namespace

TEST_CASE("randomly damaged files give tensors or an error") {
    const TemporaryFolder folder;
    for (std::size_t i = 0; i < golden_names.size(); ++i) {
        const std::string whole = slurp(golden(golden_names[i]));
        int refused = 0;
        for (std::uint64_t trial = 0; trial < 2000; ++trial) {
            RandomStream random(20240601, static_cast<std::uint32_t>(i), trial);
            CAPTURE(golden_names[i]);
            CAPTURE(trial);
            if (!error_of(folder.put(golden_names[i], mutated(whole, random))).empty()) ++refused;
        }
        CHECK(refused > 0);
    }
}
