// The store of an earlier run, for a run that goes on with it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plugin/collect/sample_collector.h"
#include "plugin/store/store_files.h"
#include "plugin/store/store_reader.h"

namespace saetap {

// What the file holds is read once; it is opened again for each site that is taken up, and held by nobody in between.
class ResumedStore {
 public:
  // Throws StoreError: it is no store, damaged, or cannot be read.
  explicit ResumedStore(std::string path);

  [[nodiscard]] const StoreStamp& stamp() const { return stamp_; }
  [[nodiscard]] const RunFacts& facts() const { return facts_; }
  [[nodiscard]] const std::vector<StoredSite>& sites() const { return sites_; }
  // The site of this name, of whatever shape; null if there is none.
  [[nodiscard]] const StoredSite* find(const std::string& name) const;
  // Whether `site` is the stored one come again: of the same shape, and with decoder directions that are akin to the
  // stored ones, where both are known (compared_rows).
  [[nodiscard]] bool is_same(const StoredSite& stored, const Site& site, const std::vector<float>& decoder) const;

  // What was asked for, but as the store was begun: what it holds was kept under that. Fewer samples may be asked for.
  // Adds a line for each key that is not as asked.
  [[nodiscard]] CollectorOptions options(const CollectorOptions& asked, std::vector<std::string>& differences) const;

  // Puts the open window of an attached site that has the id of the stored one back into memory. Throws StoreError.
  void take_up(const Site& site, SampleCollector& collector) const;

 private:
  std::string path_;
  StoreStamp stamp_;
  RunFacts facts_;
  std::vector<StoredSite> sites_;
  std::map<int, std::vector<float>> decoders_;  // of each site, the rows that are compared
};

}  // namespace saetap
