// A program that loads its trainer when it runs.
//
//   late LIBRARY STEPS PAUSE    LIBRARY: a path, or a name that is looked up in the folders this program names
//   (RUNPATH)
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

int main(int, char** arguments) {
  void* library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "late: %s\n", dlerror());
    return 1;
  }
  const auto train = reinterpret_cast<void (*)(int, int)>(dlsym(library, "train"));
  train(std::atoi(arguments[2]), std::atoi(arguments[3]));
  return 4;
}
