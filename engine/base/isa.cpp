#include "engine/base/isa.h"

#include <cstdlib>

#include "engine/base/fail.h"

namespace cambium {
namespace {

Isa machine_isa() {
    if (__builtin_cpu_supports("x86-64-v4")) return Isa::v4;
    if (__builtin_cpu_supports("x86-64-v3")) return Isa::v3;
    return Isa::v1;
}

Isa chosen_isa() {
    const Isa best = machine_isa();
    const char* variable = std::getenv("CAMBIUM_ISA");
    if (variable == nullptr || *variable == '\0') return best;
    const std::string_view wanted = variable;
    for (const Isa isa : {Isa::v1, Isa::v3, Isa::v4}) {
        if (!name_of(isa).ends_with(wanted) || wanted.size() != 2) continue;
        if (isa > best) fail_usage("CAMBIUM_ISA={} asks for more than this machine has, {}", wanted, name_of(best));
        return isa;
    }
    fail_usage("CAMBIUM_ISA={} is not an instruction set; v1, v3 and v4 are", wanted);
}

}  // namespace

Isa isa() {
    static const Isa isa = chosen_isa();
    return isa;
}

}  // namespace cambium
