# Finds LibTorch and makes the target `libtorch`.
#
# find_package(Torch) is not used on purpose: its TorchConfig.cmake looks for libraries in the system's folders too (with
# Debian's libtorch-dev installed beside, a build silently links Debian's libc10 and crashes at start), and a CUDA build
# of it demands a CUDA toolkit that we do not need. What we need is a folder with headers and three libraries.
#
# Where it looks: CMAKE_PREFIX_PATH (a libtorch folder, or the share/cmake folder inside one), else the torch wheel in
# .venv, which `make` installs.

set(torch_roots "")
foreach(prefix IN LISTS CMAKE_PREFIX_PATH)
  list(APPEND torch_roots ${prefix} ${prefix}/../.. ${prefix}/libtorch)
endforeach()
file(GLOB venv_torch ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
list(APPEND torch_roots ${venv_torch})

set(SAETAP_TORCH_ROOT "")
foreach(root IN LISTS torch_roots)
  if(EXISTS ${root}/include/torch/script.h)
    get_filename_component(SAETAP_TORCH_ROOT ${root} REALPATH)
    break()
  endif()
endforeach()
if(NOT SAETAP_TORCH_ROOT)
  message(FATAL_ERROR "LibTorch not found: no include/torch/script.h under '${torch_roots}'. Run `make venv`, or pass -DCMAKE_PREFIX_PATH=/path/to/libtorch")
endif()

file(STRINGS ${SAETAP_TORCH_ROOT}/include/torch/headeronly/version.h version_lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR) ")
string(REGEX REPLACE ".*TORCH_VERSION_MAJOR ([0-9]+).*TORCH_VERSION_MINOR ([0-9]+).*" "\\1.\\2" SAETAP_TORCH_VERSION "${version_lines}")
if(SAETAP_TORCH_VERSION VERSION_LESS 2.11 OR SAETAP_TORCH_VERSION VERSION_GREATER 2.13)
  message(FATAL_ERROR "LibTorch ${SAETAP_TORCH_VERSION} at ${SAETAP_TORCH_ROOT}: saetap builds against 2.11 to 2.13")
endif()

add_library(libtorch INTERFACE)
foreach(name torch torch_cpu c10)
  if(NOT EXISTS ${SAETAP_TORCH_ROOT}/lib/lib${name}.so)
    message(FATAL_ERROR "LibTorch at ${SAETAP_TORCH_ROOT} has no lib/lib${name}.so beside its headers: not a complete LibTorch")
  endif()
  target_link_libraries(libtorch INTERFACE ${SAETAP_TORCH_ROOT}/lib/lib${name}.so)
endforeach()
target_include_directories(libtorch SYSTEM INTERFACE
  ${SAETAP_TORCH_ROOT}/include ${SAETAP_TORCH_ROOT}/include/torch/csrc/api/include)
# RecordFunction::inputs() tests a member that exists only without NDEBUG and that a release LibTorch never sets, so every
# file that includes LibTorch defines NDEBUG, in every preset.
target_compile_definitions(libtorch INTERFACE NDEBUG)
message(STATUS "LibTorch ${SAETAP_TORCH_VERSION} at ${SAETAP_TORCH_ROOT}")
