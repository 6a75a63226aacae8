// A store that is written in one go, by a tool.
#pragma once

#include <string>

#include "plugin/store/sqlite.h"

namespace saetap {

// A file beside the one it will be: renamed when it is whole, else gone. Readable by its owner only. Throws StoreError.
class UnfinishedStore {
 public:
  explicit UnfinishedStore(std::string path);
  UnfinishedStore(const UnfinishedStore&) = delete;
  UnfinishedStore& operator=(const UnfinishedStore&) = delete;
  ~UnfinishedStore();

  // Empty, and to be written in one transaction.
  [[nodiscard]] Database open() const;
  // In place of what has the name. Nothing may have it open any more.
  void finish();

 private:
  std::string path_;
  std::string temporary_;
};

}  // namespace saetap
