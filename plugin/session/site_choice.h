// Which of a method's sites are recorded, and what is said of the others.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "hooks/discover.h"
#include "plugin/config.h"

namespace saetap {

struct SiteChoice {
  std::vector<std::size_t> chosen;     // of meeting.sites
  std::vector<std::string> not_found;  // sites that the config asks for and the method does not have, a line each
  struct Uncertain {
    std::string line;  // what was found
    std::string rule;  // the config that would hook it
  };
  std::vector<Uncertain> uncertain;  // worth naming, and left alone; only where nothing was chosen
};

// What the config says of the method, else every site that is certain.
[[nodiscard]] SiteChoice choose_sites(const Config& config, const hooks::Meeting& meeting);

// Where the SAE is: what the paths of its two weights begin with, "saes.1" of "saes.1.encoder.weight".
[[nodiscard]] std::string path_of(const hooks::FeatureSite& site);

}  // namespace saetap
