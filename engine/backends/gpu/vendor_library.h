// A shared library that is opened at run time, so that a program which may use it starts where it is not installed.
#pragma once

#include <span>
#include <string>

namespace cambium::gpu {

class Library {
  public:
    // `what` is its name in words ("cuDNN"). The file that the environment variable `variable` names, else the first of
    // `files` that there is. Throws Error that says what was looked for and how to provide it. It stays open.
    Library(std::string what, const char* variable, std::span<const char* const> files);

    // Throws Error where the library lacks it.
    template <class Function>
    void find(Function*& function, const char* name) const {
        function = reinterpret_cast<Function*>(address_of(name));
    }

  private:
    void* address_of(const char* name) const;

    std::string what_;
    void* handle_ = nullptr;
};

}  // namespace cambium::gpu
