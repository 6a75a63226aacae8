#include "integrations/collect/pass_record.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "integrations/cli/failure.h"
#include "integrations/cli/written_file.h"
#include "integrations/tensor_files/mapped_file.h"
#include "integrations/tensor_files/stored_tensor.h"
#include "plugin/file_content.h"
#include "plugin/log.h"
#include "plugin/session/run_identity.h"
#include "plugin/store/store_format.h"
#include "plugin/store/store_reader.h"
#include "plugin/trace/row_hash.h"

namespace saetap::collect {

namespace fs = std::filesystem;
using cli::Failure;
using cli::Status;
using Json = nlohmann::ordered_json;

namespace {

constexpr const char* kName = "collect.json";
constexpr const char* kSiteCalls = "site_calls_per_batch";
constexpr const char* kContents = "contents";
constexpr const char* kSequence = "sequence_of_rows";
constexpr std::size_t kLargestRecord = std::size_t{4} << 20;

[[noreturn]] void refuse(const std::string& folder, const std::string& reason) {
  throw Failure(Status::bad_input, "--resume: " + folder + ": " + reason);
}

Json read_record(const std::string& folder) {
  const auto path = (fs::path(folder) / kName).string();
  std::error_code failed;
  if (!fs::exists(path, failed)) {
    refuse(folder,
           "there is no collect.json beside its store, which saetap collect leaves there: leave out --resume to "
           "begin anew (that store is renamed)");
  }
  try {
    const auto facts = Json::parse(file_content(path, kLargestRecord), nullptr, /*allow_exceptions=*/false);
    const auto is_count = [&](const char* key) {
      return facts.is_object() && facts.contains(key) && facts[key].is_number_unsigned() && facts[key] > 0 &&
             facts[key] < std::uint64_t{1} << 62;
    };
    if (!is_count("batch") || !is_count("sequences") || !is_count(kSiteCalls) || !is_count(kSequence))
      refuse(folder, "collect.json is damaged");
    return facts;
  } catch (const FileError& error) {
    refuse(folder, std::string("collect.json cannot be read: ") + error.what());
  }
}

std::int64_t rows_in(const StoreReader& store, std::int64_t site_calls, const std::string& folder) {
  if (store.sites().empty()) refuse(folder, "its store has no site");
  const auto seen = static_cast<std::int64_t>(store.sites().front().counts.rows_seen);
  if (seen % site_calls != 0) refuse(folder, "it was saved in the middle of a batch");
  return seen / site_calls;
}

std::string bytes_of(const std::string& path) {
  std::error_code unknown;
  const auto bytes = fs::file_size(tensors::tensor_place(path).file, unknown);
  return unknown ? "unknown" : std::to_string(bytes) + " bytes";
}

Json sizes_of(const std::vector<std::string>& paths) {
  Json sizes = Json::array();
  for (const auto& path : paths) sizes.push_back(bytes_of(path));
  return sizes;
}

// Of how files begin and end; of small ones all of it counts.
Json contents_of(const std::vector<std::string>& paths) {
  constexpr std::size_t kLooked = std::size_t{8} << 20;
  Json hashes = Json::array();
  for (const auto& path : paths) {
    const tensors::MappedFile file(tensors::tensor_place(path).file);
    const auto bytes = file.bytes();
    const auto ends = std::min(bytes.size(), kLooked);
    hashes.push_back(row_hash(bytes.data(), ends));
    hashes.push_back(row_hash(bytes.data() + (bytes.size() - ends), ends));
  }
  return hashes;
}

// Files may be put right where a pass could not go on. What was kept before is of what they were, and that is said.
void say_what_changed(const Json& before, const Json& now) {
  for (const auto& [key, hashes] : now.items()) {
    if (before.is_object() && before.contains(key) && before[key] == hashes) continue;
    log(LogLevel::warning, "--resume      the file given as " + key +
                               " has changed since the pass was begun: what the store has is of what it was");
  }
}

}  // namespace

std::optional<EarlierPass> earlier_pass(const std::string& folder, const Config& config) {
  const auto path = fs::path(folder) / kStoreFileName;
  std::error_code failed;
  if (!fs::exists(path, failed)) return std::nullopt;
  const StoreReader store(path.string());
  EarlierPass earlier;
  earlier.facts = read_record(folder);
  if (!store.run().program.starts_with("saetap collect ")) {
    refuse(folder, "its store is of another program: " + store.run().program);
  }
  if (store.run().counted != counted_text(config)) refuse(folder, "it was begun with " + store.run().counted);
  if (store.run().redact != name_of(config.redact)) refuse(folder, "it was begun with redact " + store.run().redact);
  earlier.batch = earlier.facts["batch"];
  earlier.sequences = earlier.facts["sequences"];
  earlier.site_calls = earlier.facts[kSiteCalls];
  earlier.sequence = earlier.facts[kSequence];
  earlier.rows_done = rows_in(store, earlier.site_calls, folder);
  return earlier;
}

Json pass_facts(const CollectRequest& request, const PassShape& shape) {
  const auto& shards = request.shards;
  auto omitted = shards.reading.omitted_ids;
  std::ranges::sort(omitted);
  const tensors::MappedFile sae(request.sae);
  Json facts;
  facts["batch"] = shape.batch;
  facts["sequences"] = shape.sequences;
  facts["rows"] = shape.rows;
  facts["sae"] = row_hash(sae.bytes().data(), sae.bytes().size());
  facts["method"] = request.method;
  facts["lm"] = request.lm.empty() ? "none" : bytes_of(request.lm);
  facts["lm_output"] = request.lm_output ? Json(*request.lm_output) : Json("the one that fits");
  facts["activations"] = sizes_of(shards.activations);
  facts["tokens"] = sizes_of(shards.tokens);
  facts["mask"] = sizes_of(shards.masks);
  facts["length"] = shards.reading.length;
  facts["omit_ids"] = omitted;
  facts["omit_masked"] = shards.reading.omit_masked;
  facts[kContents] = {{"--activations", contents_of(shards.activations)},
                      {"--tokens", contents_of(shards.tokens)},
                      {"--mask", contents_of(shards.masks)},
                      {"--lm", contents_of(request.lm.empty() ? std::vector<std::string>{} : std::vector{request.lm})}};
  return facts;
}

void check_same_pass(const EarlierPass& earlier, const Json& facts) {
  for (const auto& [key, now] : facts.items()) {
    const auto before = earlier.facts.find(key);
    if (key == kContents) {
      say_what_changed(before == earlier.facts.end() ? Json() : *before, now);
      continue;
    }
    if (before != earlier.facts.end() && *before == now) continue;
    const auto text = [](const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); };
    throw Failure(Status::bad_input, "--resume: the pass was begun with another \"" + key +
                                         "\": " + (before == earlier.facts.end() ? "none" : text(*before)) +
                                         ", and now it is " + text(now));
  }
}

void write_pass_record(const std::string& folder, Json facts, std::int64_t site_calls, SequenceId sequence) {
  facts[kSiteCalls] = site_calls;
  facts[kSequence] = sequence;
  cli::write_atomically((fs::path(folder) / kName).string(), [&](std::ostream& file) {
    file << facts.dump(1, ' ', false, Json::error_handler_t::replace) << '\n';
  });
}

void remove_pass_record(const std::string& folder) {
  std::error_code failed;
  fs::remove(fs::path(folder) / kName, failed);
}

}  // namespace saetap::collect
