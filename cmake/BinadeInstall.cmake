# find_package(binade): the libraries of the folders, their headers and the command.
include(CMakePackageConfigHelpers)

install(TARGETS formats emulation cuda_twins experiments EXPORT binadeTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/binade DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(BINADE_CLI)
  install(TARGETS binade_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY experiments/plots DESTINATION ${CMAKE_INSTALL_DATADIR}/binade
          FILES_MATCHING PATTERN "*.py")
endif()
install(EXPORT binadeTargets NAMESPACE binade::
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/binade)
configure_package_config_file(cmake/binadeConfig.cmake.in binadeConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/binade)
write_basic_package_version_file(binadeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/binadeConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/binadeConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/binade)
