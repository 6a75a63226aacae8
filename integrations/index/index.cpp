// saetap-index: what `saetap index` becomes, because the program itself links no LibTorch.
//
//   saetap-index --KEY=VALUE..., each key as often as it has values; see request_of
#include <charconv>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/json_text.h"
#include "integrations/index/write_index.h"
#include "integrations/libtorch/part_main.h"
#include "plugin/number_text.h"

namespace saetap::index {
namespace {

using cli::Failure;
using cli::Status;

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// `saetap index` has looked at the arguments before.
IndexRequest request_of(int argc, char** argv) {
  IndexRequest request;
  auto& shards = request.shards;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word(argv[i]);
    const auto equals = word.find('=');
    const auto key = word.substr(0, equals);
    const std::string value(equals == std::string_view::npos ? "" : word.substr(equals + 1));
    if (key == "--activations") shards.activations.push_back(value);
    if (key == "--tokens") shards.tokens.push_back(value);
    if (key == "--mask") shards.masks.push_back(value);
    if (key == "--omit-ids") shards.reading.omitted_ids.push_back(number(value));
    if (key == "--omit-masked") shards.reading.omit_masked = true;
    if (key == "--in-given-order") shards.in_given_order = true;
    if (key == "--length") shards.reading.length = number(value);
    if (key == "--name") request.name = value;
    if (key == "--output") request.output = value;
    if (key == "--json") request.json = true;
  }
  const bool whole = !shards.activations.empty() && !shards.tokens.empty() && !request.output.empty();
  if (!whole) throw Failure(Status::bad_input, "this is a part of saetap: use saetap index (--help)");
  return request;
}

void print(const IndexRequest& request, const RowFileHead& written, const nlohmann::json& key) {
  if (request.json) {
    cli::print_json({{"output", request.output},
                     {"name", request.name},
                     {"rows", written.rows},
                     {"width", written.width},
                     {"sequences", written.sequences},
                     {"bytes", written.file_bytes},
                     {"exact_only", !written.pairs.has_value()},
                     {"config", {{"tokens", key}}}});
    return;
  }
  std::cout << visible(request.output) << ": " << count_text(written.rows) << " rows of width "
            << count_text(written.width) << " in " << count_text(written.sequences)
            << (written.sequences == 1 ? " sequence, " : " sequences, ") << size_text(written.file_bytes) << '\n';
  if (!written.pairs) std::cout << "exact      too few, too narrow or too alike to be found after a change\n";
  std::cout << "config     \"tokens\": " << visible(key.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
            << '\n';
}

int index(const IndexRequest& request) {
  const auto written = write_index(request);
  const auto path = std::filesystem::absolute(request.output).lexically_normal().string();
  print(request, written, {{"index", {path}}});
  if (!std::cout.flush()) throw Failure(Status::bad_input, "the output could not be written");
  return static_cast<int>(Status::success);
}

int run(int argc, char** argv) {
  return run_part("index", "", [&] { return index(request_of(argc, argv)); });
}

}  // namespace
}  // namespace saetap::index

int main(int argc, char** argv) {
  return saetap::index::run(argc, argv);
}
