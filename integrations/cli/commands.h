// Each adds one command to the program; its callback throws Failure, StoreError or ConfigError.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace saetap::cli {

// `command`: what stands behind "--"; must live as long as `program`.
void add_record(CLI::App& program, const std::vector<std::string>& command);
void add_inspect(CLI::App& program);  // does not return when it runs: the process becomes saetap-inspect
void add_index(CLI::App& program);    // the same, saetap-index
void add_collect(CLI::App& program);  // the same, saetap-collect
void add_info(CLI::App& program);
void add_features(CLI::App& program);
void add_show(CLI::App& program);
void add_compare(CLI::App& program);
void add_similar(CLI::App& program);
void add_cluster(CLI::App& program);
void add_map(CLI::App& program);
void add_report(CLI::App& program);
void add_plot(CLI::App& program);
void add_merge(CLI::App& program);
void add_agree(CLI::App& program);
void add_export(CLI::App& program);
void add_import(CLI::App& program);
void add_completion(CLI::App& program);  // what the program has, and so after all others
void add_man(CLI::App& program);

}  // namespace saetap::cli
