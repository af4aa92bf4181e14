# nvcc, and cambium_cuda_kernels(): kernels compiled for GPUs. Machine code only ("-real", an explicit -gencode each), no PTX:
# code for a GPU that this build does not know would be compiled when the program starts, for minutes.
if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90a-real)  # A100 and everything else of 8.x; H100 and H200
endif()
if(NOT CMAKE_CUDA_COMPILER_LAUNCHER)
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
    message(FATAL_ERROR "cambium: CAMBIUM_CUDA needs nvcc of CUDA 12 or later, and it is not in the path; set CUDACXX=/path/to/nvcc")
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that nvcc has it
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.0)
    message(FATAL_ERROR "cambium: nvcc ${CMAKE_CUDA_COMPILER_VERSION} lacks C++20 and Hopper; the kernels need CUDA 12 or later")
endif()
if(CMAKE_CUDA_ARCHITECTURES MATCHES "1[02]0" AND CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.8)
    message(FATAL_ERROR "cambium: nvcc ${CMAKE_CUDA_COMPILER_VERSION} does not know sm_100 and sm_120; take CUDA 12.8 or later, or the preset cuda")
endif()
find_package(CUDAToolkit REQUIRED)
message(STATUS "cambium: CUDA ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")

# The static library TARGET of kernels and of the runtime layer under them.
function(cambium_cuda_kernels target)
    cmake_parse_arguments(ARG "" "" "KERNELS" ${ARGN})
    add_library(${target} STATIC ${ARG_KERNELS} ${PROJECT_SOURCE_DIR}/kernels/gpu/cuda.cpp)
    set_source_files_properties(${ARG_KERNELS} PROPERTIES LANGUAGE CUDA)
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden
        CUDA_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    list(TRANSFORM CMAKE_CUDA_ARCHITECTURES REPLACE "-real" "" OUTPUT_VARIABLE architectures)
    list(JOIN architectures " " architectures)
    set_property(SOURCE ${PROJECT_SOURCE_DIR}/kernels/gpu/cuda.cpp
        PROPERTY COMPILE_DEFINITIONS "CAMBIUM_CUDA_ARCHITECTURES=\"${architectures}\"")
    target_compile_definitions(${target} PUBLIC CAMBIUM_CUDA)
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} PUBLIC CUDA::cudart_static)
endfunction()
