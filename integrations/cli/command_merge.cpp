#include <filesystem>
#include <iostream>
#include <memory>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/json_text.h"
#include "integrations/cli/new_store.h"
#include "integrations/cli/progress.h"
#include "integrations/cli/run_text.h"
#include "integrations/cli/shared_options.h"
#include "plugin/store/opened_file.h"
#include "plugin/store/store_merge.h"
#include "plugin/store/store_reader.h"

namespace saetap::cli {
namespace {

struct MergeRequest {
  std::string output;
  std::vector<std::string> inputs;
  bool force = false;
  bool mix = false;
  bool json = false;
};

std::string checked_output(const MergeRequest& request) {
  const std::string path = store_path(request.output);
  std::error_code failed;
  for (const std::string& input : request.inputs) {
    if (std::filesystem::equivalent(store_path(input), path, failed)) {
      throw Failure(Status::bad_input, path + " is one of the stores to merge: give the merged one another name");
    }
  }
  return new_store_path(request.output, request.force);
}

void merge(const MergeRequest& request) {
  const std::string output = checked_output(request);
  constexpr std::size_t kParts = 100;
  Progress progress("% merged", kParts);
  merge_stores(
      request.inputs, output,
      [&](double done) {
        progress.update(static_cast<std::size_t>(done * kParts));
        return true;
      },
      request.mix ? MergeOf::whatever : MergeOf::one_training);
  progress.clear();
  const StoreReader store(output);
  if (request.json) {
    print_json({{"store", output}, {"sites", store.sites().size()}, {"runs", json_of_runs(store)}});
    return;
  }
  std::cout << "merged " << request.inputs.size() << " stores into " << visible(output) << "\n";
  for (const StoredRun& run : store.runs()) std::cout << "  " << visible(run_text(run)) << '\n';
}

}  // namespace

void add_merge(CLI::App& program) {
  auto request = std::make_shared<MergeRequest>();
  CLI::App* sub = program.add_subcommand("merge", "Make one store of several: of the ranks of a run, or of more runs");
  sub->add_option("OUT", request->output, "The merged store, or the folder for its samples.saetap")
      ->check(file_name())
      ->required();
  sub->add_option("IN", request->inputs, "Stores, or folders that hold samples.saetap")->required()->expected(2, -1);
  sub->add_flag("--force", request->force, "Replace OUT if it is there");
  sub->add_flag("--mix", request->mix,
                "Merge ranks of different starts, and sites of one name whose decoders differ, all the same");
  add_json_option(*sub, request->json);
  sub->footer(
      "The result is what one collector would have kept that had seen all of it, in whatever order stores are named.\n"
      "Example: saetap merge all.saetap activation_samples/rank*/samples.saetap");
  sub->callback([request] { merge(*request); });
}

}  // namespace saetap::cli
