# Everything outside the tree, found in one place and said once. The installed package's configuration includes this same
# file, so that a user of cambium:: targets needs exactly what this build had.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)

# libzip's own configuration asks for its command-line tools, which we do not use; hence by hand: target libzip::zip.
find_path(CAMBIUM_ZIP_INCLUDE zip.h REQUIRED)
find_library(CAMBIUM_ZIP_LIBRARY zip REQUIRED)
if(NOT TARGET libzip::zip)
    add_library(libzip::zip UNKNOWN IMPORTED)
    set_target_properties(libzip::zip PROPERTIES IMPORTED_LOCATION ${CAMBIUM_ZIP_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${CAMBIUM_ZIP_INCLUDE})
endif()

# cambium_optional(VARIABLE LABEL FOUND "what is left out without it"): records a finding and prints one line.
function(cambium_optional variable label found without)
    if(found)
        set(${variable} ON PARENT_SCOPE)
        set(said "${label}: yes")
    else()
        set(${variable} OFF PARENT_SCOPE)
        set(said "${label}: no (${without})")
    endif()
    if(NOT CAMBIUM_QUIET)
        message(STATUS "cambium: ${said}")
    endif()
endfunction()

if(CAMBIUM_OPENMP)
    find_package(OpenMP QUIET COMPONENTS CXX)
endif()
cambium_optional(CAMBIUM_HAVE_OPENMP "OpenMP" "${OpenMP_CXX_FOUND}" "loops use std::threads of their own")

# Debian's own dnnl-config.cmake asks for OpenCL's headers, which neither it nor we use; hence by hand: target DNNL::dnnl.
if(CAMBIUM_ONEDNN)
    find_path(CAMBIUM_DNNL_INCLUDE oneapi/dnnl/dnnl.hpp)
    find_library(CAMBIUM_DNNL_LIBRARY dnnl)
endif()
set(dnnl_found OFF)
if(CAMBIUM_ONEDNN AND CAMBIUM_DNNL_INCLUDE AND CAMBIUM_DNNL_LIBRARY)
    set(dnnl_found ON)
    if(NOT TARGET DNNL::dnnl)
        add_library(DNNL::dnnl UNKNOWN IMPORTED)
        set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION ${CAMBIUM_DNNL_LIBRARY}
            INTERFACE_INCLUDE_DIRECTORIES ${CAMBIUM_DNNL_INCLUDE})
    endif()
endif()
cambium_optional(CAMBIUM_HAVE_ONEDNN "oneDNN" ${dnnl_found}
    "convolutions and matrix products use slower loops of our own; libdnnl-dev")

find_package(libjpeg-turbo QUIET CONFIG)  # target libjpeg-turbo::jpeg
cambium_optional(CAMBIUM_HAVE_JPEG "libjpeg-turbo ${libjpeg-turbo_VERSION}" "${libjpeg-turbo_FOUND}"
    "JPEGs are decoded by stb_image, not bit-equal to Pillow; libjpeg-dev")

find_package(CURL QUIET)  # target CURL::libcurl
cambium_optional(CAMBIUM_HAVE_CURL "libcurl ${CURL_VERSION_STRING}" "${CURL_FOUND}"
    "no downloads of weights; libcurl4-openssl-dev")

find_package(Boost 1.74 QUIET COMPONENTS context)  # target Boost::context
cambium_optional(CAMBIUM_HAVE_BOOST_CONTEXT "Boost.Context ${Boost_VERSION_STRING}" "${Boost_context_FOUND}"
    "no simt device: CUDA kernels are not run on the CPU; libboost-context-dev")
