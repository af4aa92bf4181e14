# What every target of the project shares: warnings as errors, the include root, and four helpers:
#   cambium_library       a static library cambium::NAME, installed and exported
#   cambium_program       an executable of tools/
#   cambium_test          a doctest program, run by CTest under labels
#   cambium_isa_sources   files compiled once per instruction set, chosen between when the program starts
include(GNUInstallDirs)

# Contraction of a * b + c into one rounding depends on the instruction set. It is off, so that decoding, resizing, sampling
# and the reference backend give the same bits on every machine; cambium_isa_sources() turns it on for vectorised kernels,
# whose results are promised per instruction set only.
set(CAMBIUM_FLAGS -ffp-contract=off)
# GCC 12 warns of a restrict violation in "text" + std::string where there is none (GCC bug 105651, fixed in 13),
# and of uninitialised members in temporaries that it has inlined far enough.
set(CAMBIUM_WARNINGS -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wno-restrict -Wno-maybe-uninitialized -Werror)

add_library(cambium_options INTERFACE)
add_library(cambium::options ALIAS cambium_options)
target_compile_features(cambium_options INTERFACE cxx_std_20)
target_include_directories(cambium_options INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/cambium>)
set_target_properties(cambium_options PROPERTIES EXPORT_NAME options)
install(TARGETS cambium_options EXPORT cambium)

# cambium_library(NAME [SOURCES ...] [LINK ...] [PRIVATE_LINK ...]): the static library cambium_NAME, known as cambium::NAME
# here and to find_package(cambium). LINK is for what its headers include, PRIVATE_LINK for what only its sources do.
function(cambium_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
    add_library(cambium_${name} STATIC ${ARG_SOURCES})
    add_library(cambium::${name} ALIAS cambium_${name})
    target_link_libraries(cambium_${name} PUBLIC cambium::options ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
    target_compile_options(cambium_${name} PRIVATE ${CAMBIUM_FLAGS} ${CAMBIUM_WARNINGS})
    set_target_properties(cambium_${name} PROPERTIES EXPORT_NAME ${name})
    install(TARGETS cambium_${name} EXPORT cambium ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endfunction()

# cambium_program(NAME SOURCES ... [LINK ...]): the executable NAME.
function(cambium_program name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE cambium::options ${ARG_LINK})
    target_compile_options(${name} PRIVATE ${CAMBIUM_FLAGS} ${CAMBIUM_WARNINGS})
endfunction()

# cambium_test(NAME LABELS ... SOURCES ... [LINK ...]): a doctest program test_NAME, run by CTest under the given labels.
function(cambium_test name)
    cmake_parse_arguments(ARG "" "" "LABELS;SOURCES;LINK" ${ARGN})
    if(NOT TARGET cambium_test_main)  # doctest's own templates are compiled once, not per program
        add_library(cambium_test_main OBJECT ${PROJECT_SOURCE_DIR}/tests/main.cpp)
        target_link_libraries(cambium_test_main PRIVATE cambium::options)
    endif()
    add_executable(test_${name} ${ARG_SOURCES})
    target_link_libraries(test_${name} PRIVATE cambium::options ${ARG_LINK} cambium_test_main)
    target_compile_options(test_${name} PRIVATE ${CAMBIUM_FLAGS} ${CAMBIUM_WARNINGS})
    add_test(NAME ${name} COMMAND test_${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
endfunction()

# cambium_isa_sources(TARGET FILE...), once per target: compiles each file for x86-64-v1, -v3 (AVX2, FMA) and -v4 (AVX-512) and adds the
# objects to TARGET. Each copy is compiled with CAMBIUM_ISA=v1|v3|v4, the namespace it must put its functions in, and
# CAMBIUM_ISA_LEVEL=1|3|4 for #if. engine/base/isa.h chooses once at start:
#
#   // kernels.h
#   struct Kernels { void (*relu)(const float*, float*, std::int64_t); };
#   namespace v1 { extern const Kernels kernels; }  namespace v3 { ... }  namespace v4 { ... }
#   const Kernels& kernels();      // by_isa(v1::kernels, v3::kernels, v4::kernels)
#   // kernels.isa.cpp
#   namespace cambium::cpu::CAMBIUM_ISA { const Kernels kernels{.relu = ...}; }
#
# Inline functions of headers (std::vector, fmt) get internal linkage in these files (-fno-weak): otherwise the linker
# could hand an AVX-512 copy of one to the rest of the program, which then dies on an older machine. A test proves that no
# such symbol is left. Nobody reads the floating-point exception flags (-fno-trapping-math), so a choice between two results
# may compute both, as a vectorised loop must.
function(cambium_isa_sources target)
    list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    foreach(level 1 3 4)
        set(objects ${target}_v${level})
        add_library(${objects} OBJECT ${ARGN})
        target_include_directories(${objects} PRIVATE $<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>)
        target_compile_definitions(${objects} PRIVATE CAMBIUM_ISA=v${level} CAMBIUM_ISA_LEVEL=${level}
            $<TARGET_PROPERTY:${target},COMPILE_DEFINITIONS>)
        target_compile_options(${objects} PRIVATE $<TARGET_PROPERTY:${target},COMPILE_OPTIONS>
            $<$<NOT:$<CONFIG:Debug>>:-O3> -fno-weak -ffp-contract=fast -fno-trapping-math ${CAMBIUM_ISA_FLAGS_${level}})
        target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
        if(CAMBIUM_TESTS)
            add_test(NAME ${objects}_symbols COMMAND ${PROJECT_SOURCE_DIR}/cmake/no_weak_code.sh
                ${CMAKE_NM} $<TARGET_OBJECTS:${objects}> COMMAND_EXPAND_LISTS)
            set_tests_properties(${objects}_symbols PROPERTIES LABELS unit)
        endif()
    endforeach()
endfunction()
set(CAMBIUM_ISA_FLAGS_1 -march=x86-64)
set(CAMBIUM_ISA_FLAGS_3 -march=x86-64-v3 -mtune=haswell -mprefer-vector-width=256)
set(CAMBIUM_ISA_FLAGS_4 -march=x86-64-v4 -mtune=icelake-server -mprefer-vector-width=512)
