// Preloaded into a program by `saetap record`: loads libsaetap.so once LibTorch is mapped, and does nothing in any
// other program.
//
// It knows no LibTorch and no C++ library, so it changes nothing in a program that uses neither. It acts right before
// main(): every library the program is linked with is initialised then. Programs that load LibTorch later (Python) are
// not served yet.
#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using Main = int (*)(int, char**, char**);
using StartMain = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);

constexpr const char* kOurVariables[] = {"SAETAP_PLUGIN",     "SAETAP_CONFIG",  "SAETAP_RECORD",
                                         "SAETAP_OUTPUT_DIR", "SAETAP_PROGRAM", "SAETAP_PID"};

Main program_main = nullptr;

int is_libtorch(dl_phdr_info* library, size_t, void* found) {
  const char* slash = std::strrchr(library->dlpi_name, '/');
  const char* name = slash != nullptr ? slash + 1 : library->dlpi_name;
  if (std::strncmp(name, "libtorch_cpu.so", std::strlen("libtorch_cpu.so")) != 0) return 0;
  *static_cast<bool*>(found) = true;
  return 1;
}

// Takes this library out of LD_PRELOAD: child processes are not to be recorded.
void leave_no_trace(const char* own_path) {
  const char* preload = std::getenv("LD_PRELOAD");
  if (preload == nullptr) return;
  const auto length = std::strlen(own_path);
  if (std::strncmp(preload, own_path, length) != 0) return;
  const char* rest = preload + length;
  if (*rest == ':') {
    setenv("LD_PRELOAD", rest + 1, 1);
  } else if (*rest == '\0') {
    unsetenv("LD_PRELOAD");
  }
}

// The process that `saetap record` became, as against its children. exec keeps the process id, so a program that was
// started through env, nice, taskset or a script's `exec` is still the one meant.
bool is_recorded_process() {
  const char* id = std::getenv("SAETAP_PID");
  return id == nullptr || std::atol(id) == static_cast<long>(getpid());
}

void load_plugin() {
  const char* plugin = std::getenv("SAETAP_PLUGIN");
  const bool recorded = plugin != nullptr && is_recorded_process();
  bool found = false;
  dl_iterate_phdr(is_libtorch, &found);
  if (recorded && !found) return;  // it may yet exec the trainer: the environment stays for that
  if (recorded && dlopen(plugin, RTLD_NOW | RTLD_LOCAL) == nullptr) {
    std::fprintf(stderr, "saetap: not recording: %s\n", dlerror());
  }
  Dl_info self{};
  if (dladdr(reinterpret_cast<void*>(&load_plugin), &self) != 0 && self.dli_fname != nullptr) {
    leave_no_trace(self.dli_fname);
  }
  for (const char* name : kOurVariables) unsetenv(name);
}

int recorded_main(int argc, char** argv, char** environment) {
  // A program that runs with more rights than who started it takes no library from that one's environment.
  if (getauxval(AT_SECURE) == 0) load_plugin();
  // unsetenv may have moved the environment; main's third argument has to be the one that getenv reads.
  (void)environment;
  return program_main(argc, argv, environ);
}

}  // namespace

// glibc's entry into a program: the last step before main(). The older symbol version of programs linked against glibc
// before 2.34 is the same code in newer ones (csu/libc-start.c), so the default version serves both.
extern "C" __attribute__((visibility("default"))) int __libc_start_main(Main main, int argc, char** argv,
                                                                        void (*init)(), void (*fini)(),
                                                                        void (*rtld_fini)(), void* stack_end) {
  program_main = main;
  const auto next = reinterpret_cast<StartMain>(dlsym(RTLD_NEXT, "__libc_start_main"));
  return next(recorded_main, argc, argv, init, fini, rtld_fini, stack_end);
}
