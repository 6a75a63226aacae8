// One pass over rows under a finished SAE, recorded as a training is.
#pragma once

#include "integrations/collect/collect_request.h"

namespace saetap::collect {

// Returns when all rows were seen and are saved. Throws cli::Failure, ConfigError or StoreError: what was seen by then
// is saved where it can be. A signal that asks for an end saves, says how to go on, and ends the process as it would.
// To be called once in a process, which has to end without static destructors after a throw: the recording is at work.
void run_pass(const CollectRequest& request);

}  // namespace saetap::collect
