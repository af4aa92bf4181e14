# What every target of the project shares: warnings as errors, the include root, and two helpers.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
if(CAMBIUM_OPENMP)
    find_package(OpenMP REQUIRED COMPONENTS CXX)
endif()

add_library(cambium_options INTERFACE)
add_library(cambium::options ALIAS cambium_options)
target_compile_features(cambium_options INTERFACE cxx_std_20)
target_include_directories(cambium_options INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)

set(CAMBIUM_WARNINGS -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Werror)

# cambium_library(NAME [SOURCES ...] [LINK ...]): the static library cambium_NAME, also known as cambium::NAME.
function(cambium_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_library(cambium_${name} STATIC ${ARG_SOURCES})
    add_library(cambium::${name} ALIAS cambium_${name})
    target_link_libraries(cambium_${name} PUBLIC cambium::options ${ARG_LINK})
    target_compile_options(cambium_${name} PRIVATE ${CAMBIUM_WARNINGS})
endfunction()

# cambium_test(NAME LABELS ... SOURCES ... [LINK ...]): a doctest program test_NAME, run by CTest under the given labels.
function(cambium_test name)
    cmake_parse_arguments(ARG "" "" "LABELS;SOURCES;LINK" ${ARGN})
    add_executable(test_${name} ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/main.cpp)
    target_link_libraries(test_${name} PRIVATE cambium::options ${ARG_LINK})
    target_compile_options(test_${name} PRIVATE ${CAMBIUM_WARNINGS})
    add_test(NAME ${name} COMMAND test_${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
endfunction()
