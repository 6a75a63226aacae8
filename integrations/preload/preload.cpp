// Preloaded into a program by `saetap record`: loads libsaetap.so once LibTorch is mapped, and does nothing in any
// other program.
//
// It knows no LibTorch and no C++ library, so it changes nothing in a program that uses neither. It acts right before
// main(), when every library that the program is linked with is initialised, or else when the program loads LibTorch.
#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "integrations/preload/late_libtorch.h"
#include "integrations/preload/other_libtorch.h"
#include "plugin/stderr_line.h"

namespace {

using Main = int (*)(int, char**, char**);
using StartMain = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);

constexpr const char* kOurVariables[] = {"SAETAP_PLUGIN",         "SAETAP_CONFIG",  "SAETAP_RECORD",
                                         "SAETAP_OUTPUT_DIR",     "SAETAP_PROGRAM", "SAETAP_PID",
                                         "SAETAP_FOLLOW_CHILDREN"};

Main program_main = nullptr;
std::atomic<bool> plugin_loaded{false};
std::atomic<bool> waits_for_libtorch{false};

int is_libtorch(dl_phdr_info* library, size_t, void* found) {
  const char* slash = std::strrchr(library->dlpi_name, '/');
  const char* name = slash != nullptr ? slash + 1 : library->dlpi_name;
  if (std::strncmp(name, "libtorch_cpu.so", std::strlen("libtorch_cpu.so")) != 0) return 0;
  *static_cast<const char**>(found) = library->dlpi_name;
  return 1;
}

// Its path, or null: it is not loaded.
const char* loaded_libtorch() {
  const char* path = nullptr;
  dl_iterate_phdr(is_libtorch, &path);
  return path;
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

bool follows_children() {
  return std::getenv("SAETAP_FOLLOW_CHILDREN") != nullptr;
}

// The process that `saetap record` became, and its children if these were asked for. exec keeps the process id, so a
// program that was started through env, nice, taskset or a script's `exec` is still the one meant.
bool is_recorded_process() {
  const char* id = std::getenv("SAETAP_PID");
  return id == nullptr || follows_children() || std::atol(id) == static_cast<long>(getpid());
}

// Children of this process are not to be recorded. Before main(), where no other thread reads the environment.
void clean_environment() {
  Dl_info self{};
  if (dladdr(reinterpret_cast<void*>(&clean_environment), &self) != 0 && self.dli_fname != nullptr) {
    leave_no_trace(self.dli_fname);
  }
  for (const char* name : kOurVariables) unsetenv(name);
}

// A program with other children than the one meant may have loaded LibTorch in one of them.
void say_nothing_was_recorded() {
  if (!waits_for_libtorch || !is_recorded_process() || follows_children()) return;
  waits_for_libtorch = false;
  char line[512];
  const int length =
      std::snprintf(line, sizeof line,
                    "saetap: nothing recorded: %.200s loaded no LibTorch (to record what it starts: saetap record "
                    "--follow-children)\n",
                    program_invocation_short_name);
  (void)saetap::write_to_stderr(line, static_cast<size_t>(length));
}

// Once LibTorch is there.
void load_plugin() {
  if (!is_recorded_process() || plugin_loaded.exchange(true)) return;
  waits_for_libtorch = false;
  saetap::preload::watch_loading(nullptr);
  const char* plugin = std::getenv("SAETAP_PLUGIN");
  if (plugin == nullptr || dlopen(plugin, RTLD_NOW | RTLD_LOCAL) != nullptr) return;
  char why[600];
  std::snprintf(why, sizeof why, "%s", dlerror());
  char other[256] = "";
  if (const char* libtorch = loaded_libtorch()) saetap::preload::name_other_libtorch(libtorch, other, sizeof other);
  char line[1024];
  const int length = std::snprintf(line, sizeof line, "saetap: not recording: %s%s\n", other, why);
  (void)saetap::write_to_stderr(line, static_cast<size_t>(length));
}

// A program without LibTorch keeps the environment as it is: it may yet load LibTorch, or exec the trainer. Its
// children are told by their process id that they are not meant.
void begin() {
  const bool found = loaded_libtorch() != nullptr;
  const bool meant = std::getenv("SAETAP_PLUGIN") != nullptr && is_recorded_process();
  if (meant && found) load_plugin();
  if (meant && !found) {
    waits_for_libtorch = true;
    saetap::preload::watch_loading(load_plugin);
    std::atexit(say_nothing_was_recorded);
  } else if (!follows_children()) {
    clean_environment();
  }
}

int recorded_main(int argc, char** argv, char** environment) {
  // A program that runs with more rights than who started it takes no library from that one's environment.
  if (getauxval(AT_SECURE) == 0) begin();
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

// How a shell ends, without what is registered with atexit().
extern "C" __attribute__((visibility("default"))) void _exit(int status) {
  say_nothing_was_recorded();
  while (true) syscall(SYS_exit_group, status);
}
