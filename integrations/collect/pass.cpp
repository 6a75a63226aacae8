#include "integrations/collect/pass.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/failure.h"
#include "integrations/collect/interrupt.h"
#include "integrations/collect/loaded_module.h"
#include "integrations/collect/model_rows.h"
#include "integrations/collect/pace.h"
#include "integrations/collect/pass_record.h"
#include "integrations/collect/sae.h"
#include "integrations/collect/stored_rows.h"
#include "integrations/tokenizers/tokenizer.h"
#include "plugin/log.h"
#include "plugin/number_text.h"
#include "plugin/session/run_identity.h"
#include "plugin/session/session.h"
#include "plugin/store/store_reader.h"

namespace saetap::collect {

using cli::Failure;
using cli::Status;

namespace {

// A config that was made for training says what is kept; when, and where tokens come from, is the pass's to say.
Config config_of(const CollectRequest& request) {
  Config config = request.config.empty() ? Config{} : load_config(request.config, /*collect_by_default=*/true);
  for (const auto& warning : config.warnings) std::cerr << "saetap: " << visible(warning) << '\n';
  config.save_activation_samples = true;
  config.output_dir = std::filesystem::absolute(request.output).string();
  config.resume = request.resume;
  const bool with_tokens = !request.shards.tokens.empty();
  config.tokens.source = with_tokens ? TokenSourceChoice::told : TokenSourceChoice::none;
  config.tokens.index.clear();
  config.collect_train = config.collect_eval = true;
  // Windows that grow are for an SAE that changes.
  if (config.sample_window_steps.kind == WindowRule::Kind::growing) {
    config.sample_window_steps.kind = WindowRule::Kind::single;
  }
  if (request.max_samples_per_feature) config.max_samples_per_feature = *request.max_samples_per_feature;
  if (request.sample_context_size) config.sample_context_size = *request.sample_context_size;
  if (request.sample_activation_threshold) config.sample_activation_threshold = *request.sample_activation_threshold;
  if (!request.tokenizer.empty()) config.tokenizer = request.tokenizer;
  if (config.tokenizer.empty()) return config;
  try {
    (void)load_tokenizer(config.tokenizer);
  } catch (const UnsupportedTokenizer& later) {
    std::cerr << "saetap: " << visible(later.what()) << '\n';
  }
  return config;
}

// A pass is no rank of whatever started it: each has its own folder, and saetap merge makes one of them.
void forget_ranks() {
  for (const char* variable : {"WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"}) unsetenv(variable);
}

class Pass {
 public:
  Pass(const CollectRequest& request, const Config& config)
      : request_(request), config_(config), sae_(request), earlier_(find_earlier()) {
    if (!sae_.has_certain_site() && config.hooks.empty()) sae_.refuse_for_its_sites("no site in it is certain");
    shape_.batch = request.batch.value_or(earlier_ ? earlier_->batch : shape_.batch);
    shape_.sequences = request.sequences.value_or(earlier_ ? earlier_->sequences : shape_.sequences);
    source_ = request.lm.empty() ? stored_rows(request.shards, sae_.widths())
                                 : model_rows(request, shape_.sequences, sae_.widths());
    shape_.rows = source_->rows();
    if (shape_.rows == 0) throw Failure(Status::bad_input, "there is no row to collect from");
    facts_ = pass_facts(request, shape_);
    sequence_ = earlier_ ? earlier_->sequence : std::max<SequenceId>(1, unresolved_sequence() >> 2);
    if (earlier_) check_same_pass(*earlier_, facts_);
  }

  void run() {
    if (earlier_) done_ = earlier_->rows_done;
    if (done_ >= shape_.rows) {
      std::cout << "all " << count_text(static_cast<std::uint64_t>(shape_.rows)) << " rows are in "
                << visible(request_.output) << " already\n";
      return;
    }
    source_->skip(done_);
    start();
    const at::NoGradGuard no_grad;
    const Interrupt interrupt;
    Pace pace(done_, shape_.rows);
    while (done_ < shape_.rows) {
      step();
      pace.update(done_);
      if (interrupt.asked() && done_ < shape_.rows) {
        pace.clear();
        stop(interrupt);
      }
    }
    pace.clear();
    finish();
  }

  // What was seen so far is not lost with what went wrong.
  void save_what_there_is() {
    if (session_ && is_begun_) (void)session_->checkpoint();
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::optional<EarlierPass> find_earlier() const {
    return request_.resume ? earlier_pass(request_.output, config_) : std::nullopt;
  }

  void start() {
    auto config = config_;
    // The pass saves between two batches; the session by itself only where it has to.
    config.checkpoint_seconds = config.exit_seconds = 1'000'000;
    session_ = std::make_shared<Session>(config, request_.command);
    // Rows without tokens are known by their place in the files.
    const auto calls = earlier_ ? earlier_->site_calls : 1;
    session_->number_rows(sequence_, static_cast<std::uint64_t>(done_ * calls));
    session_->start();
    session_->end_step();  // from here on a step is a batch, though nothing is learnt
    if (!earlier_) remove_pass_record(request_.output);
    latest_save_ = Clock::now();
  }

  void step() {
    const auto batch = source_->next(shape_.batch);
    const auto rows = batch.rows.defined() ? batch.rows.size(0) : 0;
    if (rows == 0) throw Failure(Status::bad_input, "the files ended before all rows were read");
    if (!batch.ids.empty()) session_->set_tokens({batch.ids, batch.length, batch.attended}, batch.places);
    sae_.call(batch.rows);
    session_->end_step();
    done_ += rows;
    if (!is_begun_) return begin(rows);
    if (Clock::now() - latest_save_ < std::chrono::seconds(config_.checkpoint_seconds) || done_ == shape_.rows) return;
    (void)session_->checkpoint();
    latest_save_ = Clock::now();
  }

  // After the first batch: whatever cannot go well is to be known before hours have passed.
  void begin(std::int64_t rows) {
    const auto sites = session_->sites();
    if (sites.empty()) sae_.refuse_for_its_sites("no site was hooked when its " + request_.method + " was called");
    const auto seen = static_cast<std::int64_t>(sites.front().second.rows_seen);
    if (earlier_) {
      const auto calls = earlier_->site_calls;
      if (seen != done_ * calls)
        throw Failure(Status::bad_input, "--resume: " + request_.output + ": not gone on with");
    } else {
      if (!session_->checkpoint()) throw Failure(Status::bad_input, request_.output + ": nothing can be saved there");
      write_pass_record(request_.output, facts_, std::max<std::int64_t>(1, seen / rows), sequence_);
    }
    is_begun_ = true;
  }

  [[noreturn]] void stop(const Interrupt& interrupt) {
    const bool saved = session_->checkpoint();
    const auto so_far = count_text(static_cast<std::uint64_t>(done_)) + " of " +
                        count_text(static_cast<std::uint64_t>(shape_.rows)) + " rows";
    log(LogLevel::error, saved ? "stopped   " + so_far + " are saved; to go on: " + request_.command + " --resume"
                               : "stopped   what came after the latest checkpoint is not saved");
    interrupt.end();
  }

  void finish() {
    (void)session_->finish();
    if (!StoreReader(request_.output).run().finished) {
      throw Failure(Status::bad_input, request_.output + ": not all could be saved");
    }
  }

  const CollectRequest& request_;
  const Config& config_;
  Sae sae_;
  std::optional<EarlierPass> earlier_;
  PassShape shape_;
  std::unique_ptr<RowSource> source_;
  nlohmann::ordered_json facts_;
  SequenceId sequence_ = 0;
  std::shared_ptr<Session> session_;
  std::int64_t done_ = 0;  // rows
  bool is_begun_ = false;  // the store is there, or gone on with
  Clock::time_point latest_save_;
};

}  // namespace

void run_pass(const CollectRequest& request) {
  forget_ranks();
  (void)device_of(request.device);
  const auto config = config_of(request);
  set_log_level(config.log_level);
  Pass pass(request, config);
  try {
    pass.run();
  } catch (...) {
    pass.save_what_there_is();
    throw;
  }
}

}  // namespace saetap::collect
