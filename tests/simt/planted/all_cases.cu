// The table of all cases, as the module shows it to the test.
#include <vector>

#include "tests/simt/planted/planted.h"

namespace cambium::planted {

std::span<const Case> all_cases() {
    static const std::vector<Case> all = [] {
        std::vector<Case> list;
        for (const auto& part : {race_cases(), block_cases(), stream_cases(), memory_cases(), initialisation_cases(),
                                 meeting_cases(), async_cases()}) {
            list.insert(list.end(), part.begin(), part.end());
        }
        return list;
    }();
    return all;
}

}  // namespace cambium::planted

extern "C" const std::span<const cambium::planted::Case>* cambium_planted_cases() {
    static const std::span<const cambium::planted::Case> all = cambium::planted::all_cases();
    return &all;
}
