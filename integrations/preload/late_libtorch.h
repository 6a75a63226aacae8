// Notices a LibTorch that a running program loads: Python's `import torch`, a trainer that is a plugin itself.
#pragma once

namespace saetap::preload {

// Called after each dlopen() of the program's that may have brought LibTorch, once its libraries are initialised. On
// the thread that called dlopen(), or on a short-lived one of ours.
using AfterLoad = void (*)();

// From now on; before that, and without it, dlopen() is just the C library's.
void watch_loading(AfterLoad after);

}  // namespace saetap::preload
