// What is written out of a store for other programs, and how far it got.
#pragma once

#include <cstdint>

#include "integrations/tokenizers/tokenizer.h"
#include "plugin/store/samples_json.h"

namespace saetap {

struct ExportRequest {
  const StoreReader& store;
  SamplesJsonOptions listed;             // which features and samples; told of each feature
  const Tokenizer* tokenizer = nullptr;  // null: ids alone, or ids as text
};

}  // namespace saetap
