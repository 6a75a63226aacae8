// From shards and their tokens to an index file.
#pragma once

#include "integrations/index/index_request.h"
#include "plugin/trace/row_file_format.h"

namespace saetap::index {

// Looks at all files before it writes anything: the rows of each have to be as many as the tokens that have one.
// Throws cli::Failure or RowFileError, one line that names the file.
RowFileHead write_index(const IndexRequest& request);

}  // namespace saetap::index
