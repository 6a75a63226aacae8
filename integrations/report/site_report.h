// A site's features as a document that can be read, sent and kept.
#pragma once

#include "integrations/report/document_writer.h"
#include "integrations/report/report_material.h"

namespace saetap {

// Chapters: the run, the features at a glance, families, what is suspicious, and each feature. Features are read one by
// one as they are written. Throws StoreError.
void write_report(DocumentWriter& writer, const ReportRequest& request, const ReportMaterial& material);

}  // namespace saetap
