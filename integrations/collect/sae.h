// The finished SAE that a pass is made under.
#pragma once

#include <set>
#include <string>

#include "integrations/collect/collect_request.h"
#include "integrations/inspect/inspection.h"

namespace saetap::collect {

class Sae {
 public:
  // Throws cli::Failure: the file cannot be read, or holds no such method.
  explicit Sae(const CollectRequest& request);

  // Of rows that the sites of its method take that are certain; empty: there is none.
  [[nodiscard]] const std::set<std::int64_t>& widths() const { return widths_; }
  // Whether something in it would be hooked without a rule in the config.
  [[nodiscard]] bool has_certain_site() const;
  // Says what `saetap inspect` says, and throws cli::Failure with its status. `why`: the sites that were found are none
  // to record.
  [[noreturn]] void refuse_for_its_sites(const std::string& why) const;

  // Calls it with rows [n, d] of any floating-point type, on any device; they stay as they are. Throws cli::Failure.
  void call(const at::Tensor& rows);

 private:
  std::string path_;
  std::string method_;
  torch::jit::Module module_;
  at::Device device_;
  at::ScalarType type_;
  inspect::Inspection inspection_;
  std::set<std::int64_t> widths_;
};

}  // namespace saetap::collect
