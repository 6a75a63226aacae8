// Features as JSON lines, for programs that read one at a time. docs/json_output.md has the fields.
#pragma once

#include <iosfwd>

#include "integrations/report/export_request.h"

namespace saetap {

// One object a line, for each feature of each site; memory does not grow with their number. Throws StoreError.
void write_feature_lines(std::ostream& out, const ExportRequest& request);

}  // namespace saetap
