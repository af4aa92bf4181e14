# Checking CUDA kernels on a machine without a GPU. One function, used in this tree and, through find_package(cambium), in
# anybody's.
#
# cambium_simt_test(NAME KERNELS a.cu ... SOURCES test.cpp ... [LINK ...] [LABELS ...] [CUDA])
#
# builds the kernels three times and runs the test program with each:
#   NAME             the fast run: the kernels as they are, blocks on several threads
#   NAME.check       the checked run: instrumented; a race, a stray access or an uninitialised read fails the test
#   NAME.registers   the checked run again with zeroed registers: output that differs from NAME.check's depends on a register
#                    that nobody wrote
# With CUDA, where nvcc is found, the target NAME_cuda (not part of all) is the same program for the GPU, sm_80 and sm_90a; its
# test program must do without kernels/simt/simt.h.
# The kernels of each build are a module of their own, so that the linker cannot choose a plain copy of an inline function
# where an instrumented one is meant.

# -Og: from -O1 on GCC moves and merges accesses before it instruments them. The sanitizers' own libraries are not linked:
# cambium::simt answers their calls.
set(CAMBIUM_SIMT_CHECK_OPTIONS -Og -fsanitize=thread,alignment,bounds,null --param=tsan-distinguish-volatile=1
    -fno-builtin -fno-omit-frame-pointer)
set(CAMBIUM_SIMT_COMPARE ${CMAKE_CURRENT_LIST_DIR}/simt_compare.cmake)
set(CAMBIUM_GPU_CUDA_SOURCE ${CMAKE_CURRENT_LIST_DIR}/cuda.cpp)  # beside this file where it is installed
if(NOT EXISTS ${CAMBIUM_GPU_CUDA_SOURCE})
    set(CAMBIUM_GPU_CUDA_SOURCE ${CMAKE_CURRENT_LIST_DIR}/../kernels/gpu/cuda.cpp)
endif()
set(CAMBIUM_SIMT_WRAP -Wl,--wrap=memcpy,--wrap=memmove,--wrap=memset)

function(cambium_simt_kernels target)  # the module `target` of the given sources; further options are passed on
    cmake_parse_arguments(ARG "" "" "KERNELS;OPTIONS;LINK_OPTIONS;LINK" ${ARGN})
    set_source_files_properties(${ARG_KERNELS} PROPERTIES LANGUAGE CXX)
    add_library(${target} SHARED ${ARG_KERNELS})
    target_compile_features(${target} PUBLIC cxx_std_20)
    target_compile_options(${target} PRIVATE -g -x c++ -fvisibility-inlines-hidden -fno-gnu-unique ${ARG_OPTIONS})
    # Sorted: where a function that several sources share lies between two of one source's own, GCC 12's libbacktrace finds no
    # source line for what follows it. By name, shared ones lie apart.
    target_link_options(${target} PRIVATE -Wl,-Bsymbolic,--sort-section=name ${ARG_LINK_OPTIONS})
    target_link_libraries(${target} PUBLIC cambium::simt ${ARG_LINK})
endfunction()

function(cambium_simt_cuda_program target)
    cmake_parse_arguments(ARG "" "" "KERNELS;SOURCES" ${ARGN})
    find_program(CAMBIUM_NVCC nvcc)
    if(NOT CAMBIUM_NVCC)
        return()
    endif()
    get_target_property(includes cambium::simt INTERFACE_INCLUDE_DIRECTORIES)
    set(objects)
    foreach(source ${ARG_KERNELS} ${CAMBIUM_GPU_CUDA_SOURCE})
        get_filename_component(path ${source} ABSOLUTE)
        get_filename_component(stem ${source} NAME_WE)
        set(object ${CMAKE_CURRENT_BINARY_DIR}/${target}_${stem}.o)
        add_custom_command(OUTPUT ${object} DEPENDS ${path}
            COMMAND ${CAMBIUM_NVCC} -std=c++20 -O3 -x cu -gencode arch=compute_80,code=sm_80
                    -gencode arch=compute_90a,code=sm_90a "-I$<JOIN:${includes},;-I>" -c ${path} -o ${object}
            COMMAND_EXPAND_LISTS VERBATIM)
        list(APPEND objects ${object})
    endforeach()
    get_filename_component(cuda_bin ${CAMBIUM_NVCC} REALPATH)
    get_filename_component(cuda_root ${cuda_bin}/../.. ABSOLUTE)
    add_executable(${target} EXCLUDE_FROM_ALL ${objects} ${ARG_SOURCES})
    target_compile_features(${target} PRIVATE cxx_std_20)
    target_compile_definitions(${target} PRIVATE CAMBIUM_CUDA)
    target_include_directories(${target} PRIVATE ${includes})
    target_include_directories(${target} SYSTEM PRIVATE ${cuda_root}/include)
    target_link_directories(${target} PRIVATE ${cuda_root}/lib64 ${cuda_root}/targets/x86_64-linux/lib)
    target_link_libraries(${target} PRIVATE cudart_static dl rt pthread)
    if(NOT TARGET cuda_programs)
        add_custom_target(cuda_programs)
    endif()
    add_dependencies(cuda_programs ${target})
endfunction()

# The three programs and tests of NAME, linked with the modules MODULES_fast, MODULES_check and MODULES_check_zero.
function(cambium_simt_programs name)
    cmake_parse_arguments(ARG "" "MODULES" "SOURCES;LINK;LABELS" ${ARGN})
    foreach(build fast check check_zero)
        add_executable(test_${name}_${build} ${ARG_SOURCES})
        target_link_libraries(test_${name}_${build} PRIVATE ${ARG_MODULES}_${build} ${ARG_LINK})
    endforeach()
    set(digest ${CMAKE_CURRENT_BINARY_DIR}/${name}.digest)
    add_test(NAME ${name} COMMAND test_${name}_fast)
    add_test(NAME ${name}.check COMMAND ${CMAKE_COMMAND} -E env CAMBIUM_SIMT_DIGEST=${digest} $<TARGET_FILE:test_${name}_check>)
    add_test(NAME ${name}.registers COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:test_${name}_check_zero>
        -DEXPECTED=${digest} -P ${CAMBIUM_SIMT_COMPARE})
    set_tests_properties(${name}.check PROPERTIES FIXTURES_SETUP ${name}.digest)
    set_tests_properties(${name}.registers PROPERTIES FIXTURES_REQUIRED ${name}.digest)
    if(TARGET ${ARG_MODULES}_cuda)  # the same program on a GPU; it says so where there is none (77)
        add_executable(test_${name}_cuda ${ARG_SOURCES})
        target_link_libraries(test_${name}_cuda PRIVATE ${ARG_MODULES}_cuda ${ARG_LINK})
        add_test(NAME ${name}.cuda COMMAND test_${name}_cuda)
        set_tests_properties(${name}.cuda PROPERTIES LABELS cuda SKIP_RETURN_CODE 77)
        if(NOT TARGET cuda_programs)
            add_custom_target(cuda_programs)
        endif()
        add_dependencies(cuda_programs test_${name}_cuda)
    endif()
    if(ARG_LABELS)
        set_tests_properties(${name} ${name}.check ${name}.registers PROPERTIES LABELS "${ARG_LABELS}")
    endif()
endfunction()

function(cambium_simt_test name)
    cmake_parse_arguments(ARG "CUDA" "" "KERNELS;SOURCES;LINK;LABELS" ${ARGN})
    cambium_simt_kernels(${name}_fast KERNELS ${ARG_KERNELS} LINK ${ARG_LINK})
    cambium_simt_kernels(${name}_check KERNELS ${ARG_KERNELS} LINK ${ARG_LINK} LINK_OPTIONS ${CAMBIUM_SIMT_WRAP}
        OPTIONS ${CAMBIUM_SIMT_CHECK_OPTIONS} -ftrivial-auto-var-init=pattern)
    cambium_simt_kernels(${name}_check_zero KERNELS ${ARG_KERNELS} LINK ${ARG_LINK} LINK_OPTIONS ${CAMBIUM_SIMT_WRAP}
        OPTIONS ${CAMBIUM_SIMT_CHECK_OPTIONS} -ftrivial-auto-var-init=zero)
    cambium_simt_programs(${name} MODULES ${name} SOURCES ${ARG_SOURCES} LINK ${ARG_LINK} LABELS ${ARG_LABELS})
    if(ARG_CUDA)
        cambium_simt_cuda_program(${name}_cuda KERNELS ${ARG_KERNELS} SOURCES ${ARG_SOURCES})
    endif()
endfunction()
