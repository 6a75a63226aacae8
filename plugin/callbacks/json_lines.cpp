#include "plugin/callbacks/json_lines.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "plugin/private_file.h"

namespace saetap {
namespace {

using Json = nlohmann::ordered_json;

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

// Above 2^53 a JSON reader may round, so the name of a sequence is text.
std::string name_of_sequence(SequenceId sequence) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(sequence));
  return text;
}

Json sample_line(const Batch& batch, const Candidate& candidate) {
  const TokenPosition& at = batch.positions[candidate.row];
  return {{"event", "sample"},
          {"site", batch.site.name},
          {"step", batch.step},
          {"feature", candidate.feature},
          {"activation", candidate.activation},
          {"sequence", name_of_sequence(at.sequence)},
          {"position", at.position},
          {"has_token", has_tokens(at.sequence)}};
}

Json batch_line(const Batch& batch) {
  std::uint64_t active = 0;
  std::uint64_t nonfinite = 0;
  float largest = 0;
  for (const FeatureSums& sums : batch.sums) {
    active += sums.active;
    nonfinite += sums.nonfinite;
    largest = larger(largest, sums.max);
  }
  std::size_t candidates = 0;
  for (const RangeScan& range : batch.found) candidates += range.candidates.size();
  return {{"event", "batch"},
          {"site", batch.site.name},
          {"step", batch.step},
          {"phase", batch.phase == Phase::train ? "train" : "eval"},
          {"rows", batch.rows},
          {"eligible", batch.eligible},
          {"active", active},
          {"l0", batch.eligible == 0 ? 0 : static_cast<double>(active) / static_cast<double>(batch.eligible)},
          {"max", largest},
          {"nonfinite", nonfinite},
          {"candidates", candidates}};
}

}  // namespace

JsonLines::JsonLines(JsonLinesOptions options, std::string path, std::string run)
    : options_(std::move(options)), path_(std::move(path)), run_(std::move(run)) {}

JsonLines::~JsonLines() {
  if (file_ >= 0) ::close(file_);
}

// After a failure nothing more is written: half a line may be the last one.
void JsonLines::append(const std::string& lines) {
  if (failed_) return;
  failed_ = true;
  if (file_ < 0) {
    make_private_folder(std::filesystem::path(path_).parent_path());
    file_ = open_private(path_, O_APPEND);
  }
  for (std::size_t done = 0; done < lines.size();) {
    const auto written = file_ < 0 ? -1 : ::write(file_, lines.data() + done, lines.size() - done);
    if (written < 0 && (file_ < 0 || errno != EINTR)) throw std::runtime_error(path_ + ": " + std::strerror(errno));
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  failed_ = false;
}

void JsonLines::on_attach(const Site& site) {
  append(line_of({{"event", "attach"},
                  {"run", run_},
                  {"site", site.name},
                  {"module_type", site.module_type},
                  {"method", site.method},
                  {"description", site.description},
                  {"features", site.features},
                  {"d_in", site.d_in},
                  {"d_out", site.d_out}}));
}

void JsonLines::on_batch(const Batch& batch) {
  if (calls_[batch.site.id]++ % options_.every != 0) return;
  std::string lines = line_of(batch_line(batch));
  if (options_.samples) {
    for (const RangeScan& range : batch.found) {
      for (const Candidate& candidate : range.candidates) lines += line_of(sample_line(batch, candidate));
    }
  }
  append(lines);
}

void JsonLines::on_step(const StepEvent& event) {
  if (event.step % static_cast<std::uint64_t>(options_.every) != 0) return;
  append(line_of({{"event", "step"}, {"site", event.site.name}, {"step", event.step}, {"collected", event.collected}}));
}

void JsonLines::on_checkpoint(const CheckpointEvent& event) {
  if (file_ >= 0) append(line_of({{"event", "checkpoint"}, {"last", event.last}}));
}

void JsonLines::on_finish() {
  if (file_ >= 0) append(line_of({{"event", "finish"}}));
}

}  // namespace saetap
