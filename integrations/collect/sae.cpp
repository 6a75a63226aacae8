#include "integrations/collect/sae.h"

#include <algorithm>
#include <iostream>

#include "integrations/cli/failure.h"
#include "integrations/collect/loaded_module.h"
#include "integrations/inspect/listing.h"
#include "integrations/inspect/model_sites.h"
#include "integrations/libtorch/first_line.h"
#include "integrations/tensors/mapped_tensor.h"

namespace saetap::collect {

using cli::Failure;
using cli::Status;
using inspect::Confidence;

Sae::Sae(const CollectRequest& request)
    : path_(request.sae),
      method_(request.method),
      module_(load_module(request.sae, request.device)),
      device_(request.device),
      type_(number_type(module_)),
      inspection_(inspect::inspect_model(module_, request.sae)) {
  if (!module_.find_method(method_)) {
    throw Failure(Status::bad_input, path_ + ": it has no method " + method_ + " (--method)");
  }
  for (const auto& site : inspection_.sites) {
    const bool is_called = site.module_path.empty() && site.method == method_;
    if (is_called && site.confidence == Confidence::certain) widths_.insert(site.d_in);
  }
}

bool Sae::has_certain_site() const {
  return std::ranges::any_of(inspection_.sites, [](auto& site) { return site.confidence == Confidence::certain; });
}

void Sae::refuse_for_its_sites(const std::string& why) const {
  if (inspection_.sites.empty()) {
    throw Failure(Status::not_there, path_ + ": no SAE or transcoder found in " + std::to_string(inspection_.methods) +
                                         (inspection_.methods == 1 ? " method" : " methods"));
  }
  std::cout << inspect::text_of(inspection_, /*all=*/false) << std::flush;
  throw Failure(Status::not_there, path_ + ": " + why + ": name one in a --config, with the key hooks");
}

void Sae::call(const at::Tensor& rows) {
  // A copy: the SAE may change its input, which may lie in a file.
  const auto given = rows.to(device_, type_, /*non_blocking=*/false, /*copy=*/true);
  try {
    (void)module_.get_method(method_)({given});
  } catch (const std::exception& error) {
    throw Failure(Status::bad_input, path_ + ": its " + method_ + " fails on rows " +
                                         tensors::shape_text(type_, given.sizes()) + ": " + first_line(error));
  }
}

}  // namespace saetap::collect
