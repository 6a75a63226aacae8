#include "plugin/session/collection.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "hooks/libtorch.h"
#include "plugin/callbacks/json_lines.h"
#include "plugin/callbacks/library_callback.h"
#include "plugin/callbacks/progress_lines.h"
#include "plugin/log.h"
#include "plugin/session/run_identity.h"
#include "plugin/store/ranks.h"
#include "plugin/store/samples_json.h"
#include "plugin/store/store_files.h"
#include "plugin/store/store_format.h"
#include "plugin/store/store_reader.h"

namespace saetap {

namespace {

// What may wait for the collector: dozens of batches once the tables are full, a few while they fill.
constexpr std::size_t kMostWaiting = std::size_t{128} << 20;
// How long training waits for a collector that does not move.
constexpr std::chrono::seconds kStandstill{30};

CollectorOptions collector_options(const Config& config) {
  CollectorOptions options;
  options.max_samples_per_feature =
      config.callbacks.top_samples ? static_cast<std::uint32_t>(config.max_samples_per_feature) : 0;
  options.sample_context_size = static_cast<std::uint32_t>(config.sample_context_size);
  options.sample_activation_threshold = static_cast<float>(config.sample_activation_threshold);
  options.window_rule = config.sample_window_steps;
  options.random_samples_per_feature =
      config.callbacks.random_samples ? static_cast<std::uint32_t>(config.random_samples_per_feature) : 0;
  if (config.collapse_near_duplicates) {
    options.limit = {SampleLimit::Alike::same_text, 1};
  } else if (config.max_samples_per_sequence > 0) {
    options.limit = {SampleLimit::Alike::same_sequence, static_cast<std::uint32_t>(config.max_samples_per_sequence)};
  }
  options.most_bytes = static_cast<std::size_t>(config.max_memory_mb) << 20;
  return options;
}

void warn(const std::string& what) {
  log(LogLevel::warning, what);
}

}  // namespace

Collection::Collection(const Config& config, const std::string& program, std::shared_ptr<const Tokenizer> tokenizer)
    : config_(config),
      tokenizer_(std::move(tokenizer)),
      header_(run_header(config, program)),
      folder_(rank_folder(config.output_dir, header_.rank)),
      writer_((std::filesystem::path(folder_) / kStoreFileName).string(), header_),
      resumption_(writer_),
      request_(folder_),
      callbacks_(warn),
      thread_(kMostWaiting, [](const std::string& what) { log(LogLevel::error, "collector: " + what); }) {
  auto options = collector_options(config_);
  if (config_.resume) {
    options = resumption_.begin(config_, options);
  } else if (header_.rank.ranks > 1) {
    clear_the_place();
  }
  collector_ = std::make_shared<SampleCollector>(
      options,
      [this](const SampleCollector& collector, const CheckpointEvent& event) { return save_files(collector, event); });
  callbacks_.add("top_samples", collector_);
  if (config_.callbacks.jsonl) {
    callbacks_.add("jsonl", std::make_shared<JsonLines>(*config_.callbacks.jsonl, events_path(), header_.run_id));
  }
  if (config_.callbacks.progress) {
    const auto say = [](const std::string& line) { log(LogLevel::info, line); };
    callbacks_.add("progress", std::make_shared<ProgressLines>(*config_.callbacks.progress, say));
  }
  for (const auto& library : config_.callbacks.libraries) add_library(library);
}

// A library that cannot be had costs what it would have done, not the recording.
void Collection::add_library(const LibraryOptions& library) {
  try {
    callbacks_.add(library.path, std::make_shared<LibraryCallback>(library, saetap_get_api(SAETAP_ABI_VERSION)));
  } catch (const std::exception& error) {
    log(LogLevel::error, "no callback   " + library.path + ": " + error.what());
  } catch (...) {
    log(LogLevel::error, "no callback   " + library.path + ": it threw something that is no exception");
  }
}

// Another run's store is moved aside when there is something to save; not so a rank's: if this one should never save,
// the others would take it for this run's. One that has not ended is taken for nobody's, and may be that of a living
// process which started this one.
void Collection::clear_the_place() {
  try {
    std::error_code failed;
    if (!std::filesystem::exists(writer_.path(), failed) || !StoreReader(writer_.path()).run().finished) return;
    const auto aside = move_aside(writer_.path(), read_stamp(writer_.path()));
    if (!aside.empty()) log(LogLevel::info, "the store of an earlier run is now " + aside);
  } catch (const std::exception& error) {
    warn("store         " + std::string(error.what()));
  }
}

// Of each rank a file of its own, also where an absolute path is told.
std::string Collection::events_path() const {
  const std::filesystem::path told =
      config_.callbacks.jsonl->path.empty() ? "events.jsonl" : config_.callbacks.jsonl->path;
  if (told.is_relative() || !is_rank()) return (std::filesystem::path(folder_) / told).string();
  return told.string() + ".rank" + std::to_string(header_.rank.rank);
}

void Collection::add_callback(std::string name, std::shared_ptr<Callback> callback) {
  callbacks_.add(std::move(name), std::move(callback));
}

void Collection::identify(Site& site, const std::function<std::vector<float>()>& decoder) {
  next_site_id_ = std::max(next_site_id_, resumption_.first_free_id());
  const auto* before = resumption_.find(site, decoder);
  site.id = before != nullptr ? before->site.id : next_site_id_++;
}

std::optional<SiteCounts> Collection::counts_before(const Site& site) const {
  return resumption_.counts_before(site);
}

std::shared_ptr<BarBoard> Collection::attach(const Site& site) {
  auto board = std::make_shared<BarBoard>();
  thread_.post(0, [this, &site, board] {
    at::enableRecordFunction(false);  // a callback's own modules are none of ours
    callbacks_.attach(site);
    publish(site, 0, *board);  // of an empty window: what the first batch of a later one wants
    if (!config_.resume) return;
    resumption_.take_up(site, *collector_);
    publish(site, 0, *board);
  });
  if (config_.resume) {
    thread_.drain();  // its steps are counted on from what the store has
  } else if (!thread_.drain(kStandstill)) {
    stand_still();
  }
  return board;
}

void Collection::publish(const Site& site, std::uint64_t step, BarBoard& board) {
  board.publish(callbacks_.bars(site, step), callbacks_.context_size());
}

void Collection::stand_still() {
  stands_still_ = true;
  warn(
      "collecting    it stands still (a disk that does not answer, or a callback): training goes on, and its calls are "
      "passed over until it goes on");
}

bool Collection::takes_batch() {
  if (!stands_still_ && !thread_.wait_for_room(kStandstill)) stand_still();
  if (stands_still_ && thread_.drain(std::chrono::milliseconds(0))) {
    stands_still_ = false;
    warn("collecting    it goes on: " + std::to_string(passed_over_) + " calls were passed over so far");
  }
  if (stands_still_) ++passed_over_;
  return !stands_still_;
}

bool Collection::takes_the_place() {
  if (!is_rank()) return false;
  std::error_code failed;
  return (config_.resume && resumption_.take_over()) || !std::filesystem::exists(writer_.path(), failed);
}

void Collection::batch(std::unique_ptr<CollectedBatch> batch, std::shared_ptr<BarBoard> board) {
  const auto bytes = batch->bytes();
  // A std::function has to be copyable.
  auto shared = std::make_shared<std::unique_ptr<CollectedBatch>>(std::move(batch));
  thread_.post(bytes, [this, shared, board = std::move(board)] {
    auto& handled = *shared;
    callbacks_.batch(handled->view());
    publish(*handled->site, handled->step, *board);
    pool_.give_back(std::move(handled));
    const bool waits = collector_->wants_save();
    if (waits && !waits_for_save_) window_closed_ = true;
    waits_for_save_ = waits;
    if (request_.look()) save_requested_ = true;
  });
}

void Collection::step(const StepEvent& event) {
  thread_.post(0, [this, &site = event.site, step = event.step, collected = event.collected] {
    callbacks_.step({site, step, collected});
  });
}

void Collection::checkpoint(SessionSnapshot snapshot, bool last) {
  ++saves_posted_;
  window_closed_ = false;
  auto known = std::make_shared<const SessionSnapshot>(std::move(snapshot));
  thread_.post(0, [this, known, last] {
    const auto of = []<typename Value>(const std::map<int, Value>& values, const Site& site) {
      const auto found = values.find(site.id);
      return found == values.end() ? Value{} : found->second;
    };
    CheckpointEvent event;
    event.last = last;
    event.counts = [known, of](const Site& site) { return of(known->counts, site); };
    event.decoder_directions = [known, of](const Site& site) { return of(known->decoder_directions, site); };
    event.tracing = [known, of](const Site& site) { return of(known->tracing, site); };
    if (config_.redact == Redact::nothing)
      event.token_text = [this, known](std::int32_t id) {
        auto text = callbacks_.token_text(id);
        return text || !known->token_text ? text : known->token_text(id);
      };
    saved_ = false;
    callbacks_.checkpoint(event);
    if (saved_) waits_for_save_ = false;
    ++saves_done_;
  });
}

// The last save waits longer for who reads the file: there will be no other.
void Collection::save_store(const SampleCollector& collector, const CheckpointEvent& event) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(event.last ? config_.exit_seconds : 0);
  while (true) {
    try {
      writer_.save(collector, event);
      return;
    } catch (const SqliteError& error) {
      if (!error.is_busy() || std::chrono::steady_clock::now() >= until) throw;
    }
  }
}

bool Collection::save_files(const SampleCollector& collector, const CheckpointEvent& event) {
  try {
    save_store(collector, event);
  } catch (const std::exception& error) {
    const bool new_reason = std::exchange(said_unsaved_, error.what()) != error.what();
    if (event.last) {
      log(LogLevel::error, "not saved     " + said_unsaved_ + "; what came after the latest checkpoint is lost");
    } else if (new_reason) {
      warn("not saved     " + said_unsaved_ + "; kept in memory, tried again at each checkpoint");
    }
    return false;
  }
  if (!std::exchange(said_unsaved_, "").empty()) warn("saved again   " + writer_.path());
  if (said_path_.empty()) said_path_ = writer_.path();
  if (writer_.path() != said_path_) {
    said_path_ = writer_.path();
    warn("store         another run has taken its name: it is " + said_path_);
  }
  if (writer_.moved_aside() != said_aside_) {
    said_aside_ = writer_.moved_aside();
    log(LogLevel::info,
        "the store of " + std::string(saved_before_ ? "another" : "an earlier") + " run is now " + said_aside_);
  }
  if (writer_.missing_before() > 0) {
    warn("store         it is not where it was left: what was kept before step " +
         std::to_string(writer_.missing_before()) + " is not in " + writer_.path());
  }
  saved_ = saved_before_ = true;
  save_json(writer_.path());
  save_requested_ = false;
  request_.done();
  return true;
}

void Collection::save_json(const std::string& store_path) {
  const auto path = samples_json_path(store_path);
  try {
    const StoreReader store(store_path);
    auto options = samples_json_options(config_);
    const auto texts = store.token_texts();
    const auto tokenizer = texts.empty() ? tokenizer_ : tokenizer_of_texts(texts, tokenizer_);
    if (tokenizer && config_.redact == Redact::nothing) {
      options.decode = [&](std::span<const std::int32_t> tokens) { return tokenizer->excerpt(tokens); };
    }
    write_samples_json(store, path, options);
    said_no_json_.clear();
  } catch (const std::exception& error) {
    if (std::exchange(said_no_json_, error.what()) == error.what()) return;
    warn("not written   " + path + ": " + said_no_json_ + "; the store is whole");
  }
}

void Collection::look(std::function<void(const SampleCollector&)> look) {
  if (is_current()) {
    look(*collector_);
  } else {
    thread_.post(0, [this, look = std::move(look)] { look(*collector_); });
  }
}

bool Collection::drain_unless_it_stands_still() {
  return is_current() || thread_.drain(kStandstill);
}

bool Collection::finish(std::chrono::steady_clock::time_point until) {
  thread_.post(0, [this] { callbacks_.finish(); });
  return drain_until(until);
}

// On the collector's thread, which can be left behind with a disk that does not answer.
bool Collection::merge_ranks(std::chrono::steady_clock::time_point until) {
  if (!is_rank() || !saved_) return true;
  // It stops, and clears up, before it is left behind.
  static constexpr std::chrono::seconds kClearUp{2};
  thread_.post(0, [this, until] { merge(until - kClearUp); });
  return drain_until(until);
}

bool Collection::drain_until(std::chrono::steady_clock::time_point until) {
  const auto left = until - std::chrono::steady_clock::now();
  if (thread_.drain(std::chrono::duration_cast<std::chrono::milliseconds>(left))) return true;
  thread_.abandon();
  return false;
}

void Collection::merge(std::chrono::steady_clock::time_point until) {
  const RankOfRun& rank = header_.rank;
  const auto in_time = [until](double) { return std::chrono::steady_clock::now() < until; };
  const std::string name = "rank " + std::to_string(rank.rank) + " of " + std::to_string(rank.ranks);
  try {
    const RankMerge merge = saetap::merge_ranks(config_.output_dir, rank, in_time);
    switch (merge.outcome) {
      case RankMerge::Outcome::waiting:
        log(LogLevel::info, "ranks     " + name + " is saved; not merged yet: " + merge.why);
        return;
      case RankMerge::Outcome::elsewhere:
        log(LogLevel::info, "ranks     " + name + " is saved; another rank merges");
        return;
      case RankMerge::Outcome::merged:
        break;
    }
    for (const std::string& store : merge.left_out) {
      warn("ranks         " + store + " is of an earlier start with more ranks, and not in the merged store: saetap " +
           "merge OUT " + config_.output_dir + "/rank* takes it in");
    }
    if (!merge.aside.empty()) log(LogLevel::info, "the store of other runs is now " + merge.aside);
    save_json(merge.store);
    log(LogLevel::info, "ranks     all " + std::to_string(rank.ranks) + " merged.  Next: saetap features " +
                            std::filesystem::path(merge.store).parent_path().string());
  } catch (const std::exception& error) {
    warn("not merged    " + std::string(error.what()) + "; every rank's store is whole: saetap merge OUT " +
         config_.output_dir + "/rank*");
  }
}

}  // namespace saetap
