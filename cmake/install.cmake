# What `cmake --install` puts where, and how other projects find it:
#   find_package(estab)   estab::estab   the C++ library, static, with the headers estab/*.h
#                         estab::shared  the C interface of estab/estab.h alone
#   pkg-config estab      the C interface
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# In the build tree the headers are the source's own, installed they are beside the library.
foreach(target estab_static estab_shared)
  set_property(TARGET ${target} PROPERTY INTERFACE_INCLUDE_DIRECTORIES
               "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
               "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
endforeach()
target_compile_features(estab_static PUBLIC cxx_std_23)
set_target_properties(estab_static PROPERTIES EXPORT_NAME estab)
set_target_properties(estab_shared PROPERTIES EXPORT_NAME shared)
add_library(estab::estab ALIAS estab_static)
add_library(estab::shared ALIAS estab_shared)

install(TARGETS estab_static estab_shared EXPORT estab_targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/estab DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(EXPORT estab_targets NAMESPACE estab:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/estab)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/estab-config.cmake.in
                              ${PROJECT_BINARY_DIR}/estab-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/estab
                              NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may break what the one before it promised.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/estab-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/estab-config.cmake
              ${PROJECT_BINARY_DIR}/estab-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/estab)

# The .pc file finds its prefix from its own place, so that an installation can be moved.
file(RELATIVE_PATH ESTAB_PREFIX_FROM_PC ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
     ${CMAKE_INSTALL_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/estab.pc.in ${PROJECT_BINARY_DIR}/estab.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/estab.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(TARGET estab_command)
  install(TARGETS estab_command DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(EXISTS ${PROJECT_SOURCE_DIR}/docs/estab.1)
  install(FILES ${PROJECT_SOURCE_DIR}/docs/estab.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/docs/completion/estab.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME estab)
