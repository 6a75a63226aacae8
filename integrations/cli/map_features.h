// The text of map_features.py, which the build puts into the program: it has to be found wherever that is.
#pragma once

namespace saetap::cli {

extern const char* const kMapFeaturesScript;

}  // namespace saetap::cli
