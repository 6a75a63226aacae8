// A program that trains, loads libraries, starts other programs and ends as it is told. It knows nothing of saetap but
// what its arguments name.
//
//   host KEY=VALUE...
//
//   steps, features, pause (ms after each step), sae (file), threads (of LibTorch)
//   load       a library that is loaded before the step load_at (0); global: with RTLD_GLOBAL; close: and closed again
//   also       another library, loaded behind the first one
//   init       a file: its text is given to saetap_plugin_init before the first step; restarts: so often, with
//              saetap_stop behind each
//   checkpoint saetap_checkpoint after every so many steps; turns: the n-th time, makes the file <turns>.n and waits
//              until <turns>.n.done is there
//   saver      a thread that calls saetap_checkpoint without end
//   done       a file: after each step its number is in it; saved: the same after each checkpoint
//   children   kind:count[:end] of other processes at half the steps, see host_children.h
//   busy       threads that call the module while the program ends; pool: LibTorch's instead of its own
//   end        how it ends, see end()
// HOST_EARLY in the environment names a library that a global object loads before main().
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ATen/Parallel.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>

#include "host_children.h"
#include "host_training.h"

namespace {

void* loaded(const std::string& path, int flags) {
  void* library = dlopen(path.c_str(), RTLD_NOW | flags);
  if (library == nullptr) std::fprintf(stderr, "host: %s\n", dlerror());
  return library;
}

struct Early {
  Early() {
    if (const char* path = std::getenv("HOST_EARLY")) loaded(path, RTLD_LOCAL);
  }
} const early;

class Arguments {
 public:
  Arguments(int count, char** words) {
    for (int i = 1; i < count; ++i) {
      const std::string word = words[i];
      values_[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
    }
  }
  [[nodiscard]] std::string text(const std::string& key, const std::string& otherwise = "") const {
    const auto found = values_.find(key);
    return found == values_.end() ? otherwise : found->second;
  }
  [[nodiscard]] std::int64_t number(const std::string& key, std::int64_t otherwise = 0) const {
    return values_.count(key) == 0 ? otherwise : std::stoll(values_.at(key));
  }

 private:
  std::map<std::string, std::string> values_;
};

std::string line_of(const char* path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name + ":", 0) == 0) return line.substr(name.size() + 1);
  }
  return "";
}

// The number is in the file when this returns, whatever happens to the process then.
void note(const std::string& path, std::int64_t number) {
  if (path.empty()) return;
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY, 0600);
  if (::pwrite(file, &number, sizeof number, 0) != sizeof number) std::abort();
  ::close(file);
}

class Host {
 public:
  explicit Host(Arguments arguments)
      : arguments_(std::move(arguments)), training_(arguments_.number("features", 64), arguments_.text("sae")) {
    if (arguments_.number("threads") > 0) at::set_num_threads(static_cast<int>(arguments_.number("threads")));
  }

  void run() {
    if (arguments_.number("restarts") > 0) {
      load();
      restart();
      return;
    }
    const auto steps = arguments_.number("steps", 10);
    for (std::int64_t step = 0; step < steps; ++step) {
      if (step == arguments_.number("load_at")) load();
      if (step == 0) start_busy_threads();
      if (step == 0 && arguments_.number("saver") != 0) start_saver();
      training_.step(step);
      note(arguments_.text("done"), step + 1);
      checkpoint(step);
      if (step == steps / 2) run_children(arguments_.text("children"), training_);
      if (arguments_.number("pause") > 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(arguments_.number("pause")));
      }
    }
  }

  void report() const {
    std::printf("state %s\n", training_.state().c_str());
    for (const char* name : {"SigCgt", "SigIgn", "SigBlk", "Threads"}) {
      std::printf("%s %s\n", name, line_of("/proc/self/status", name).c_str());
    }
    std::fflush(stdout);
  }

 private:
  void load() {
    const int flags = arguments_.number("global") != 0 ? RTLD_GLOBAL : RTLD_LOCAL;
    if (!arguments_.text("load").empty()) library_ = loaded(arguments_.text("load"), flags);
    if (!arguments_.text("init").empty() && arguments_.number("restarts") == 0) init(library_);
    if (!arguments_.text("also").empty()) {
      void* second = loaded(arguments_.text("also"), flags);
      if (!arguments_.text("init").empty()) init(second);
      std::printf("same %d\n", second == library_ ? 1 : 0);
    }
    if (library_ != nullptr && arguments_.number("close") != 0) dlclose(library_);
  }

  void init(void* library) {
    std::ifstream file(arguments_.text("init"));
    const std::string json{std::istreambuf_iterator<char>(file), {}};
    const auto start = reinterpret_cast<int (*)(const char*)>(dlsym(library, "saetap_plugin_init"));
    const auto reason = reinterpret_cast<const char* (*)()>(dlsym(library, "saetap_last_error"));
    const int status = start(json.c_str());
    std::printf("init %d %s\n", status, status == 0 ? "" : reason());
  }

  int call(const char* function) const { return reinterpret_cast<int (*)()>(dlsym(library_, function))(); }

  void restart() {
    const auto restarts = arguments_.number("restarts");
    for (std::int64_t i = 0; i < restarts; ++i) {
      init(library_);
      for (std::int64_t step = 0; step < arguments_.number("steps", 10); ++step) training_.step(step);
      const int status = call("saetap_stop");
      std::printf("stop %d threads %s rss %s\n", status, line_of("/proc/self/status", "Threads").c_str(),
                  line_of("/proc/self/status", "VmRSS").c_str());
    }
  }

  void checkpoint(std::int64_t step) {
    const auto every = arguments_.number("checkpoint");
    if (every == 0 || (step + 1) % every != 0) return;
    std::printf("checkpoint %lld: %d\n", static_cast<long long>(step + 1), call("saetap_checkpoint"));
    std::fflush(stdout);
    note(arguments_.text("saved"), step + 1);
    if (arguments_.text("turns").empty()) return;
    const auto turn = arguments_.text("turns") + "." + std::to_string((step + 1) / every);
    note(turn, step + 1);
    while (!std::filesystem::exists(turn + ".done")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

  // LibTorch cannot be called any more once its static objects are gone: then it throws. The end of the program waits
  // for what LibTorch's pool is doing.
  void start_busy_threads() {
    const bool pool = arguments_.number("pool") != 0;
    const auto work = [this, pool] {
      const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
      try {
        while (!pool || std::chrono::steady_clock::now() < until) training_.call();
      } catch (const std::exception&) {
        while (true) ::pause();
      }
    };
    for (std::int64_t i = 0; i < arguments_.number("busy"); ++i) {
      if (pool) {
        at::launch(work);
      } else {
        std::thread(work).detach();
      }
    }
  }

  void start_saver() {
    std::thread([this] {
      while (true) call("saetap_checkpoint");
    }).detach();
  }

  const Arguments arguments_;
  Training training_;
  void* library_ = nullptr;
};

void fault() {
  void* page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *static_cast<volatile int*>(page) = 1;
}

[[noreturn]] void end(const std::string& how) {
  if (how == "exit") std::exit(3);
  if (how == "_exit") ::_exit(4);
  if (how == "quick_exit") std::quick_exit(5);
  if (how == "throw") throw std::runtime_error("nobody catches this");
  if (how == "abort") std::abort();
  if (how == "fault") fault();
  ::raise(std::stoi(how));  // a signal by its number
  std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  // A crash is meant here: no core files.
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  const Arguments arguments(argc, argv);
  // Never destroyed: threads may be in the module until the process ends.
  auto& host = *new Host(arguments);
  try {
    host.run();
  } catch (const ChildReturns& child) {
    return child.status;
  }
  host.report();
  const auto how = arguments.text("end", "return");
  if (how != "return") end(how);
  return 6;
}
