#include "host_children.h"

#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ATen/Parallel.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

constexpr int kStatus = 9;  // with which children end

// Whether it ended with that status, within half a minute.
bool ended(pid_t child, int status_wanted) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::seconds(30);
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (Clock::now() > until) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      std::printf("hung\n");
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == status_wanted;
}

// As a worker does whose data set is in a database. SQLite has locks of its own, which a thread of the parent may have
// held.
void use_a_database() {
  sqlite3* database = nullptr;
  sqlite3_open(":memory:", &database);
  for (int i = 0; i < 20; ++i) {
    sqlite3_exec(database, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(5000)); DROP TABLE t", nullptr, nullptr,
                 nullptr);
  }
  sqlite3_close(database);
}

void work(Training& training) {
  use_a_database();
  std::vector<std::vector<char>> memory;
  for (int i = 0; i < 100; ++i) memory.emplace_back(10000 + i * 1000, 'x');
  at::set_num_threads(1);  // LibTorch's pool does not come along
  training.call();
  training.call();
}

[[noreturn]] void end(const std::string& how) {
  if (how == "_exit") ::_exit(kStatus);
  if (how == "quick_exit") std::quick_exit(kStatus);
  if (how == "return") throw ChildReturns{kStatus};
  std::exit(kStatus);
}

bool forked(Training& training, bool bare, const std::string& how) {
  const auto child = static_cast<pid_t>(bare ? syscall(SYS_fork) : fork());
  if (child == 0) {
    work(training);
    end(how);
  }
  return ended(child, kStatus);
}

std::array<char*, 4> shell_command() {
  static char shell[] = "/bin/sh", option[] = "-c", command[] = "exit 9";
  return {shell, option, command, nullptr};
}

bool executed(bool as_vfork) {
  auto words = shell_command();
  const pid_t child = as_vfork ? vfork() : fork();
  if (child == 0) {
    execv(words[0], words.data());
    ::_exit(127);
  }
  return ended(child, kStatus);
}

bool spawned() {
  auto words = shell_command();
  pid_t child = 0;
  return posix_spawn(&child, words[0], nullptr, nullptr, words.data(), environ) == 0 && ended(child, kStatus);
}

// A worker: a number in, a call of the module, the number out; until there is no more to read.
[[noreturn]] void serve(Training& training, int in, int out) {
  at::set_num_threads(1);
  for (int number = 0; read(in, &number, sizeof number) == sizeof number;) {
    training.call();
    if (write(out, &number, sizeof number) != sizeof number) break;
  }
  std::exit(kStatus);
}

bool four_workers(Training& training) {
  struct Worker {
    pid_t process;
    int ask, answer;
  };
  std::vector<Worker> workers;
  for (int i = 0; i < 4; ++i) {
    int asked[2], answered[2];
    if (pipe(asked) != 0 || pipe(answered) != 0) return false;
    const pid_t child = fork();
    if (child == 0) {
      for (const auto& other : workers) close(other.ask);
      close(asked[1]);
      serve(training, asked[0], answered[1]);
    }
    close(asked[0]);
    close(answered[1]);
    workers.push_back({child, asked[1], answered[0]});
  }
  bool right = true;
  for (int round = 0; round < 3; ++round) {
    for (auto& worker : workers) right &= write(worker.ask, &round, sizeof round) == sizeof round;
    training.call();
    for (auto& worker : workers) {
      int number = -1;
      right &= read(worker.answer, &number, sizeof number) == sizeof number && number == round;
    }
  }
  for (auto& worker : workers) {
    close(worker.ask);
    right &= ended(worker.process, kStatus);
    close(worker.answer);
  }
  return right;
}

bool run_one(const std::string& kind, const std::string& how, Training& training) {
  if (kind == "fork") return forked(training, false, how);
  if (kind == "bare") return forked(training, true, how);
  if (kind == "exec") return executed(false);
  if (kind == "vfork") return executed(true);
  if (kind == "spawn") return spawned();
  if (kind == "workers") return four_workers(training);
  const int status = std::system("exit 9");
  return WIFEXITED(status) && WEXITSTATUS(status) == kStatus;
}

}  // namespace

void run_children(const std::string& what, Training& training) {
  if (what.empty()) return;
  std::fflush(stdout);  // a child that ends in order would print it again
  const auto first = what.find(':');
  const auto second = what.find(':', first + 1);
  const auto kind = what.substr(0, first);
  const int count = std::atoi(what.substr(first + 1, second - first - 1).c_str());
  const auto how = second == std::string::npos ? "" : what.substr(second + 1);
  int right = 0;
  for (int i = 0; i < count; ++i) {
    right += run_one(kind, how, training) ? 1 : 0;
    training.call();  // the parent goes on
  }
  std::printf("children %d of %d\n", right, count);
}
