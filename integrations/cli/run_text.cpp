#include "integrations/cli/run_text.h"

#include "plugin/number_text.h"

namespace saetap::cli {

std::string run_text(const StoredRun& run) {
  const std::string which =
      run.ranks > 1 ? "rank " + std::to_string(run.rank) + " of " + std::to_string(run.ranks) : "run " + run.run_id;
  return which + ": " + count_text(run.steps) + " steps, " + (run.finished ? "finished" : "not finished in order") +
         ", started " + run.started;
}

Json json_of_runs(const StoreReader& store) {
  Json runs = Json::array();
  for (const StoredRun& run : store.runs()) {
    runs.push_back({{"run_id", run.run_id},
                    {"rank", run.rank},
                    {"ranks", run.ranks},
                    {"program", run.program},
                    {"started", run.started},
                    {"saved", run.saved},
                    {"finished", run.finished},
                    {"steps", run.steps}});
  }
  return runs;
}

}  // namespace saetap::cli
