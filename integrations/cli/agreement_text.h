// What `saetap agree` found, for people and for programs.
#pragma once

#include <vector>

#include "integrations/analysis/site_agreement.h"
#include "integrations/cli/json_text.h"

namespace saetap::cli {

struct ComparedSites {
  SiteOf training;
  SiteOf final_pass;
  SiteAgreement agreement;
  std::vector<FeatureAgreement> least;  // those that agree least, if they were asked for
};

// `listed`: which part of the run `least` is of.
void print_agreement(const std::vector<ComparedSites>& compared, Scope listed);
[[nodiscard]] Json json_of(const std::vector<ComparedSites>& compared, Scope listed);

}  // namespace saetap::cli
