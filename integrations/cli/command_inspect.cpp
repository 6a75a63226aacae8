#include <memory>
#include <string>
#include <vector>

#include "integrations/cli/commands.h"
#include "integrations/cli/libtorch_part.h"
#include "integrations/cli/shared_options.h"

namespace saetap::cli {
namespace {

struct InspectRequest {
  std::string model;
  bool json = false;
  bool all = false;
};

[[noreturn]] void inspect(const InspectRequest& request) {
  std::vector<std::string> words;
  if (request.json) words.emplace_back("--json");
  if (request.all) words.emplace_back("--all");
  words.insert(words.end(), {"--", request.model});
  become("saetap-inspect", words);
}

}  // namespace

void add_inspect(CLI::App& program) {
  auto request = std::make_shared<InspectRequest>();
  CLI::App* sub = program.add_subcommand("inspect", "What would be hooked in a TorchScript model, and why");
  sub->add_option("MODEL", request->model, "A file of torch.jit.save")->required();
  sub->add_flag("--all", request->all, "Also show pairs of weights that are no SAE or transcoder");
  add_json_option(*sub, request->json);
  sub->footer("Example: saetap inspect sae.pt");
  sub->callback([request] { inspect(*request); });
}

}  // namespace saetap::cli
