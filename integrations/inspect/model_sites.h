// Every place in a model where features may enter a decoder.
#pragma once

#include "hooks/libtorch.h"
#include "integrations/inspect/inspection.h"

namespace saetap::inspect {

// Looks at every method of `model`, then at those of its submodules, which people call by themselves: there what the
// modules above have shown already, with the same decoder, is left out. Does not change the module. `path`: as the user
// named the file.
[[nodiscard]] Inspection inspect_model(const torch::jit::Module& model, const std::string& path);

}  // namespace saetap::inspect
