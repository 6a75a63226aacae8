// Why the plugin cannot be loaded into a program: most often it has another LibTorch than the plugin was built with.
#pragma once

#include <cstddef>

namespace saetap::preload {

// Writes "built for LibTorch 2.13 but this program runs LibTorch 2.4: " to `text`, or nothing where they do not differ.
// `libtorch`: path of the program's libtorch_cpu.so, which is loaded.
void name_other_libtorch(const char* libtorch, char* text, std::size_t size);

}  // namespace saetap::preload
