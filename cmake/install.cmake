# Installs the libraries' headers and the package that find_package(cambium) reads; `cmake --install build/release`.
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/cambium)
foreach(part engine kernels data models)
    if(EXISTS ${PROJECT_SOURCE_DIR}/${part})
        install(DIRECTORY ${part} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cambium
            FILES_MATCHING PATTERN "*.h" PATTERN "*.cuh")
    endif()
endforeach()
install(FILES data/leaves/leafnet.safetensors DESTINATION ${CMAKE_INSTALL_DATADIR}/cambium)
install(EXPORT cambium NAMESPACE cambium:: FILE cambium-targets.cmake DESTINATION ${package})
configure_package_config_file(cmake/cambium-config.cmake.in cambium-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(cambium-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cambium-config.cmake ${PROJECT_BINARY_DIR}/cambium-config-version.cmake
    cmake/dependencies.cmake DESTINATION ${package})
