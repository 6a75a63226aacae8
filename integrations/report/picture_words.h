// Words that all pictures share.
#pragma once

#include <string>

#include "integrations/report/pictures.h"

namespace saetap {

inline constexpr const char* kMagnitudeLabel = "size of the activation (log scale)";

// "Site Sae.forward.8, steps 10 to 29 of 0 to 29: 160 tokens, 66.7 % of those collected." Ends every caption.
[[nodiscard]] std::string source_text(const PictureRequest& request);
// The same of the whole run, whatever the scope.
[[nodiscard]] std::string whole_run_text(const PictureRequest& request);

// Throws NothingToDraw for a store that was made of a samples.json, which has no histograms.
void need_histograms(const PictureRequest& request);

// "1 feature", "4,096 features"
[[nodiscard]] std::string counted(std::uint64_t count, const std::string& noun);

}  // namespace saetap
