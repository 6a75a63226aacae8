#include "integrations/cli/libtorch_part.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "integrations/cli/failure.h"

namespace saetap::cli {
namespace fs = std::filesystem;

void become(const std::string& name, const std::vector<std::string>& arguments) {
  std::error_code error;
  const std::string program = fs::read_symlink("/proc/self/exe", error).parent_path() / name;
  if (!fs::exists(program, error)) {
    throw Failure(Status::bad_input, program + " is not there: was saetap built without LibTorch?");
  }
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  // Whatever started us may be recorded; this is not.
  unsetenv("SAETAP_PLUGIN");
  execv(program.c_str(), pointers.data());
  throw Failure(Status::bad_input, program + " cannot be started: " + std::strerror(errno));
}

}  // namespace saetap::cli
