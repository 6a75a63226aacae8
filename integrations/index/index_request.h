// What `saetap index` was asked for.
#pragma once

#include <string>

#include "integrations/tensors/shards.h"

namespace saetap::index {

struct IndexRequest {
  tensors::ShardRequest shards;
  std::string name;
  std::string output;
  bool json = false;  // what is printed
};

}  // namespace saetap::index
