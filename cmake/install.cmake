# What `cmake --install` puts where. Nothing installed holds an absolute path: the tree may be moved.
#
#   bin/                saetap, and the parts of it that have LibTorch
#   lib/                libsaetap.so and the launch shim, where `saetap record` looks for them: ../lib from its own folder
#   lib/cmake/saetap/   find_package(saetap): saetap::api, and with COMPONENTS plugin saetap::plugin
#   lib/pkgconfig/      saetap.pc, for saetap::api
#   share/              completion for bash and zsh, the manual page
#   include/saetap/     saetap.h, saetap.hpp; hooks/forward_hook.h
#
# LibTorch comes from the program that libsaetap.so is loaded into. `saetap inspect`, `saetap index` and programs without
# LibTorch find it by the dynamic loader: CMAKE_INSTALL_RPATH names its lib folder to all of them, LD_LIBRARY_PATH to one.
include(CMakePackageConfigHelpers)

set(SAETAP_PACKAGE_DIR lib/cmake/saetap)

add_library(saetap_api INTERFACE)
add_library(saetap::api ALIAS saetap_api)
# What is built here finds the headers as if they were installed.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/include)
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/plugin ${CMAKE_BINARY_DIR}/include/saetap SYMBOLIC)
target_include_directories(saetap_api INTERFACE
  $<INSTALL_INTERFACE:include> $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include>)
target_link_libraries(saetap_api INTERFACE ${CMAKE_DL_LIBS})
set_target_properties(saetap_api PROPERTIES EXPORT_NAME api)
install(TARGETS saetap_api EXPORT saetap_api_targets)
install(FILES plugin/saetap.h plugin/saetap.hpp plugin/saetap_array.hpp plugin/saetap_status.hpp
        DESTINATION include/saetap)
install(EXPORT saetap_api_targets NAMESPACE saetap:: DESTINATION ${SAETAP_PACKAGE_DIR})

install(TARGETS saetap RUNTIME DESTINATION bin)
# What shells and man know of it, printed by the program itself.
set(SAETAP_SHARE ${CMAKE_BINARY_DIR}/share)
set(printed ${SAETAP_SHARE}/saetap.bash ${SAETAP_SHARE}/_saetap ${SAETAP_SHARE}/saetap.1)
add_custom_command(OUTPUT ${printed}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${SAETAP_SHARE}
  COMMAND saetap completion bash > ${SAETAP_SHARE}/saetap.bash
  COMMAND saetap completion zsh > ${SAETAP_SHARE}/_saetap
  COMMAND saetap man > ${SAETAP_SHARE}/saetap.1
  DEPENDS saetap VERBATIM)
add_custom_target(saetap_share ALL DEPENDS ${printed})
install(FILES ${SAETAP_SHARE}/saetap.bash DESTINATION share/bash-completion/completions RENAME saetap)
install(FILES ${SAETAP_SHARE}/_saetap DESTINATION share/zsh/site-functions)
install(FILES ${SAETAP_SHARE}/saetap.1 DESTINATION share/man/man1)
install(TARGETS saetap_preload LIBRARY DESTINATION lib)

if(SAETAP_WITH_LIBTORCH)
  # forward_hook.h names its neighbours from the folder above `hooks`.
  target_include_directories(saetap_plugin INTERFACE $<INSTALL_INTERFACE:include> $<INSTALL_INTERFACE:include/saetap>)
  set_target_properties(saetap_plugin PROPERTIES EXPORT_NAME plugin INSTALL_RPATH "$ORIGIN;${CMAKE_INSTALL_RPATH}")
  install(TARGETS saetap_plugin EXPORT saetap_plugin_targets LIBRARY DESTINATION lib)
  foreach(part inspect index collect)
    if(TARGET saetap_${part})
      set_target_properties(saetap_${part} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib;${CMAKE_INSTALL_RPATH}")
      install(TARGETS saetap_${part} RUNTIME DESTINATION bin)
    endif()
  endforeach()
  install(FILES hooks/forward_hook.h hooks/phase.h DESTINATION include/saetap/hooks)
  install(EXPORT saetap_plugin_targets NAMESPACE saetap:: DESTINATION ${SAETAP_PACKAGE_DIR})
endif()

configure_package_config_file(cmake/saetapConfig.cmake.in ${CMAKE_BINARY_DIR}/package/saetapConfig.cmake
  INSTALL_DESTINATION ${SAETAP_PACKAGE_DIR} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/saetapConfigVersion.cmake COMPATIBILITY SameMinorVersion)
configure_file(cmake/saetap.pc.in ${CMAKE_BINARY_DIR}/package/saetap.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/package/saetapConfig.cmake ${CMAKE_BINARY_DIR}/package/saetapConfigVersion.cmake
        DESTINATION ${SAETAP_PACKAGE_DIR})
install(FILES ${CMAKE_BINARY_DIR}/package/saetap.pc DESTINATION lib/pkgconfig)
