// fail("cannot read {}: {}", path, reason): formats the sentence and throws it. Kept apart from error.h so that device
// code can include the latter without the formatting library.
#pragma once

#include <fmt/core.h>

#include "engine/base/error.h"

namespace cambium {

template <class... Arguments>
[[noreturn]] void fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    throw Error(fmt::format(format, std::forward<Arguments>(arguments)...));
}

template <class... Arguments>
[[noreturn]] void fail_usage(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    throw UsageError(fmt::format(format, std::forward<Arguments>(arguments)...));
}

}  // namespace cambium
