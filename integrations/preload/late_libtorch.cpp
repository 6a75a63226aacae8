// dlopen() looks a bare name up in the folders that its caller names, and knows the caller by the address it returns
// to. So such a call is passed on as it is, by a jump, and a thread of ours looks at what came of it. What is opened by
// its path, Python's imports among it, is opened from here, and looked at as soon as it is done.
#include "integrations/preload/late_libtorch.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <atomic>
#include <cstdint>
#include <cstring>

namespace saetap::preload {

namespace {

using Open = void* (*)(const char*, int);

std::atomic<AfterLoad> after_load{nullptr};
std::atomic<bool> looking{false};
// Libraries open others while they are initialised themselves: what is not complete is not looked at.
__thread int depth = 0;
// Where on the stack the outermost call that was passed on stands, 0: none. Nobody tells when it is over; it is once a
// call comes from as high on the stack.
__thread std::uintptr_t passed_on = 0;

Open libc_open() {
  static std::atomic<Open> known{nullptr};
  Open open = known.load();
  if (open == nullptr) known = open = reinterpret_cast<Open>(dlsym(RTLD_NEXT, "dlopen"));
  return open;
}

// Asks the loader, which answers when no library is being initialised. (dl_iterate_phdr would hold a lock that a child
// forked meanwhile never gets.)
void look() {
  const auto after = after_load.load();
  if (after == nullptr) return;
  void* libtorch = libc_open()("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD);
  if (libtorch == nullptr) return;
  after();
  dlclose(libtorch);
}

void* look_for_a_while(void*) {
  constexpr timespec kPause{0, 2'000'000};
  constexpr int kLooks = 2500;  // five seconds
  for (int i = 0; i < kLooks && after_load.load() != nullptr; ++i) {
    nanosleep(&kPause, nullptr);
    look();
  }
  looking = false;
  return nullptr;
}

void look_from_a_thread() {
  if (looking.exchange(true)) return;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // a signal of the program's must find one of its own threads
  pthread_t thread{};
  if (pthread_create(&thread, nullptr, look_for_a_while, nullptr) == 0) {
    pthread_detach(thread);
  } else {
    looking = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

void watch_loading(AfterLoad after) {
  after_load = after;
}

// Both are called by the code below alone.
extern "C" {

// The C library's dlopen() if the call has to be passed on to it as it is, else null. `stack`: where the caller is.
__attribute__((visibility("hidden"), used)) Open saetap_passed_on_dlopen(const char* name, int, std::uintptr_t stack) {
  if (stack >= passed_on) passed_on = 0;
  // $ORIGIN is the caller's folder.
  if (name == nullptr || (std::strchr(name, '/') != nullptr && std::strchr(name, '$') == nullptr)) return nullptr;
  if (after_load.load() != nullptr && depth == 0) {
    if (passed_on == 0) passed_on = stack;
    look_from_a_thread();
  }
  return libc_open();
}

__attribute__((visibility("hidden"), used)) void* saetap_called_dlopen(const char* name, int flags) {
  ++depth;
  void* library = libc_open()(name, flags);
  --depth;
  if (library == nullptr || depth > 0 || after_load.load() == nullptr) return library;
  if (passed_on == 0) {
    look();
  } else {
    look_from_a_thread();  // this may be part of the call that was passed on
  }
  return library;
}

}  // extern "C"

}  // namespace saetap::preload

#if defined(__x86_64__)
asm(R"(
  .text
  .globl dlopen
  .type dlopen, @function
dlopen:
  endbr64
  push %rdi
  push %rsi
  sub $8, %rsp
  lea 24(%rsp), %rdx
  call saetap_passed_on_dlopen
  add $8, %rsp
  pop %rsi
  pop %rdi
  test %rax, %rax
  jz 1f
  jmp *%rax
1:
  jmp saetap_called_dlopen
  .size dlopen, .-dlopen
)");
#elif defined(__aarch64__)
asm(R"(
  .text
  .globl dlopen
  .type dlopen, %function
dlopen:
  hint #34
  stp x29, x30, [sp, #-32]!
  mov x29, sp
  stp x0, x1, [sp, #16]
  add x2, sp, #32
  bl saetap_passed_on_dlopen
  mov x16, x0
  ldp x0, x1, [sp, #16]
  ldp x29, x30, [sp], #32
  cbz x16, 1f
  br x16
1:
  b saetap_called_dlopen
  .size dlopen, .-dlopen
)");
#endif
