// Samples as a table for spreadsheets and data frames. docs/file_format.md has the columns.
#pragma once

#include <iosfwd>

#include "integrations/report/export_request.h"

namespace saetap {

// CSV as RFC 4180 has it, a sample a line below a line of names; memory does not grow with their number. Throws
// StoreError.
void write_samples_csv(std::ostream& out, const ExportRequest& request);

}  // namespace saetap
