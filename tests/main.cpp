// doctest's main(). Programs for the GPU end with 77, CTest's mark for a skipped test, where there is none to run on.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#if defined(CAMBIUM_CUDA)
#include <cstdio>

#include "kernels/gpu/launch.h"
#endif

int main(int argc, char** argv) {
#if defined(CAMBIUM_CUDA)
    if (const auto device = cambium::dev::device_info(); !device.unavailable.empty()) {
        std::printf("skipped: %s\n", device.unavailable.c_str());
        return 77;
    }
#endif
    return doctest::Context(argc, argv).run();
}
