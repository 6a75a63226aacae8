#include "integrations/cli/active_directions.h"

#include "integrations/cli/failure.h"

namespace saetap::cli {

namespace {

UnitDirections stored_directions(const OpenedStore& store) {
  if (!store.stored().has_decoder) {
    throw Failure(Status::not_there, store.reader.path() + ": no decoder directions were saved of this site");
  }
  return unit_directions(store.reader.decoder_directions(store.site()), store.stored().site.features);
}

}  // namespace

UnitDirections active_directions(const OpenedStore& store) {
  std::vector<std::uint8_t> active;
  for (const FeatureStatistics& one : store.reader.statistics(store.site(), store.scope)) {
    active.push_back(one.active > 0 ? 1 : 0);
  }
  return only(stored_directions(store), active);
}

}  // namespace saetap::cli
