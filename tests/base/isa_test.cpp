// The choice of instruction set. CTest runs this once as it is and again with CAMBIUM_ISA set.
#include "engine/base/isa.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "engine/base/error.h"

using namespace cambium;

TEST_CASE("isa is what the machine has, what CAMBIUM_ISA asks for, or an error that names the choices") {
    const char* variable = std::getenv("CAMBIUM_ISA");
    const std::string wanted = variable == nullptr ? "" : variable;
    if (wanted == "v9") {
        CHECK_THROWS_WITH_AS(isa(), "CAMBIUM_ISA=v9 is not an instruction set; v1, v3 and v4 are", UsageError);
        return;
    }
    if (wanted == "v1") CHECK(isa() == Isa::v1);
    const int v1 = 1, v3 = 3, v4 = 4;
    const int chosen = by_isa(v1, v3, v4);
    CHECK(name_of(isa()) == "x86-64-v" + std::to_string(chosen));
}
