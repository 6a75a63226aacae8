// What a site of a merged store has in each part and in history.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "plugin/store/merge_input.h"
#include "plugin/store/merged_rows.h"
#include "plugin/store/merged_text.h"

namespace saetap {

// Sorts the inputs' parts by the windows they are of, as one collector that had seen all of it would have: the newest
// window of any input is the open one, the one before it in which anything was collected is closed, and what is older
// is past and history. Then feature by feature, so that memory does not grow with the inputs. Throws StoreError.
class MergedParts {
 public:
  using Tick = std::function<void()>;  // called for every feature of every table; may throw
  MergedParts(Database& merged, const MergedSite& site, const KeptLimits& limits, MergedText& text, Tick tick);

  void write();

 private:
  struct Contribution {
    const MergedSite::Source* source;
    PartKind kind;  // in the input
    PartRow row;
  };
  // A window that is over in the merged store.
  struct PastWindow {
    Window window;
    std::uint64_t eligible = 0;
    std::vector<const MergedSite::Source*> history;  // those that have it as history
    std::vector<Contribution> parts;                 // those that have it as a part
  };

  void add_history(const MergedSite::Source& source);
  void sort_parts(std::vector<Contribution> all);
  void write_part(PartKind kind);
  void write_tokens(PartKind kind);
  void write_history(const PastWindow& past);

  Database& merged_;
  const MergedSite& site_;
  KeptLimits limits_;
  MergedText& text_;
  Tick tick_;
  std::map<PartKind, std::vector<Contribution>> parts_;  // by their kind in the merged store
  std::map<std::uint64_t, PastWindow> history_;          // by number
};

}  // namespace saetap
