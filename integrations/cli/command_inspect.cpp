#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "integrations/cli/commands.h"
#include "integrations/cli/failure.h"

namespace saetap::cli {
namespace fs = std::filesystem;

namespace {

struct InspectRequest {
  std::string model;
  bool json = false;
  bool all = false;
};

fs::path find_inspector() {
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  const fs::path inspector = folder / "saetap-inspect";
  if (fs::exists(inspector, error)) return inspector;
  throw Failure(Status::bad_input, inspector.native() + " is not there: was saetap built without LibTorch?");
}

// This process becomes saetap-inspect: reading a model takes LibTorch, which the other commands start without.
[[noreturn]] void inspect(const InspectRequest& request) {
  const std::string inspector = find_inspector();
  std::vector<std::string> words{inspector};
  if (request.json) words.emplace_back("--json");
  if (request.all) words.emplace_back("--all");
  words.insert(words.end(), {"--", request.model});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // Whatever started us may be recorded; looking at a model is not.
  unsetenv("SAETAP_PLUGIN");
  execv(inspector.c_str(), arguments.data());
  throw Failure(Status::bad_input, inspector + " cannot be started: " + std::strerror(errno));
}

}  // namespace

void add_inspect(CLI::App& program) {
  auto request = std::make_shared<InspectRequest>();
  CLI::App* sub = program.add_subcommand("inspect", "What would be hooked in a TorchScript model, and why");
  sub->add_option("MODEL", request->model, "A file of torch.jit.save")->required();
  sub->add_flag("--all", request->all, "Also show pairs of weights that are no SAE or transcoder");
  sub->add_flag("--json", request->json, "Print one JSON object (docs/json_output.md)");
  sub->footer("Example: saetap inspect sae.pt");
  sub->callback([request] { inspect(*request); });
}

}  // namespace saetap::cli
