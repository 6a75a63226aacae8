// A report for programs; docs/json_output.md describes the fields.
#pragma once

#include "integrations/cli/json_text.h"
#include "integrations/cli/opened_store.h"
#include "integrations/report/report_material.h"

namespace saetap::cli {

// On stdout. Features are read and printed one by one: a large report as one object would not fit into memory.
void print_report_json(const OpenedStore& store, const ReportRequest& request, const ReportMaterial& material);

}  // namespace saetap::cli
