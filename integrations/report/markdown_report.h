// A site's features as a Markdown document that can be read, sent and kept.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "integrations/tokenizers/tokenizer.h"
#include "plugin/store/store_reader.h"

namespace saetap {

struct ReportRequest {
  const StoreReader& store;
  const StoredSite& site;
  Scope scope = Scope::recent;
  std::string scope_text;                          // which part of the run that is, for people
  std::vector<std::uint32_t> features;             // in the order of the report
  std::string order;                               // why these, in this order: "the 50 of highest max"
  std::size_t samples = 10;                        // per feature
  const Tokenizer* tokenizer = nullptr;            // null: ids are shown
  std::function<void(std::size_t done)> progress;  // after each feature; may be empty
};

// Throws StoreError.
void write_markdown_report(std::ostream& out, const ReportRequest& request);

}  // namespace saetap
