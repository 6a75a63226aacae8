#include "integrations/preload/other_libtorch.h"

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>

namespace saetap::preload {

namespace {

// A function of LibTorch's that takes a std::string, under the names that it has in either C++ library's ABI.
constexpr const char* kWithNewStrings =
    "_ZN3c105ErrorC1ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE";
constexpr const char* kWithOldStrings = "_ZN3c105ErrorC1ENS_14SourceLocationESs";

struct Build {
  unsigned major = 0;
  unsigned minor = 0;  // both 0: before 2.9, which does not say
  int cxx11_abi = -1;  // -1: not known
};

#ifndef SAETAP_TORCH_MAJOR  // built without one: there is no plugin
#define SAETAP_TORCH_MAJOR 0
#define SAETAP_TORCH_MINOR 0
#endif
constexpr Build kOurs{SAETAP_TORCH_MAJOR, SAETAP_TORCH_MINOR, _GLIBCXX_USE_CXX11_ABI};

Build build_of(void* libtorch) {
  Build build;
  // The version in the layout of TORCH_ABI_VERSION: major in the highest byte, minor in the next.
  if (void* function = dlsym(libtorch, "aoti_torch_abi_version")) {
    const std::uint64_t version = reinterpret_cast<std::uint64_t (*)()>(function)();
    build.major = static_cast<unsigned>(version >> 56 & 0xFF);
    build.minor = static_cast<unsigned>(version >> 48 & 0xFF);
  }
  if (dlsym(libtorch, kWithNewStrings) != nullptr) build.cxx11_abi = 1;
  if (dlsym(libtorch, kWithOldStrings) != nullptr) build.cxx11_abi = 0;
  return build;
}

}  // namespace

void name_other_libtorch(const char* libtorch, char* text, std::size_t size) {
  text[0] = '\0';
  void* handle = dlopen(libtorch, RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return;
  const Build theirs = build_of(handle);
  dlclose(handle);
  const bool same_version = theirs.major == kOurs.major && theirs.minor == kOurs.minor;
  const bool same_abi = theirs.cxx11_abi < 0 || theirs.cxx11_abi == kOurs.cxx11_abi;
  char version[32] = "one before 2.9";
  if (theirs.major > 0) std::snprintf(version, sizeof version, "%u.%u", theirs.major, theirs.minor);
  if (!same_abi) {
    std::snprintf(text, size,
                  "built for LibTorch %u.%u with _GLIBCXX_USE_CXX11_ABI=%d but this program runs LibTorch %s with "
                  "_GLIBCXX_USE_CXX11_ABI=%d: ",
                  kOurs.major, kOurs.minor, kOurs.cxx11_abi, version, theirs.cxx11_abi);
  } else if (!same_version) {
    std::snprintf(text, size, "built for LibTorch %u.%u but this program runs LibTorch %s: ", kOurs.major, kOurs.minor,
                  version);
  }
}

}  // namespace saetap::preload
