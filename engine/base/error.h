// Errors: one sentence that says what was attempted, on what, what was found, and what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace cambium {

// Something failed at run time; a command ends with exit status 1.
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// The caller asked for something that makes no sense; a command ends with exit status 2.
class UsageError : public Error {
  public:
    using Error::Error;
};

}  // namespace cambium
