#include "plugin/session/session.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "plugin/log.h"
#include "plugin/session/run_identity.h"
#include "plugin/session/token_streams.h"
#include "plugin/store/samples_json.h"

namespace saetap {

namespace {

// How long finish() waits for a call in flight on another thread.
constexpr std::chrono::seconds kFinishPatience{10};
constexpr std::chrono::seconds kFirstSave{15};

CollectorOptions collector_options(const Config& config) {
  return {static_cast<std::uint32_t>(config.max_samples_per_feature),
          static_cast<std::uint32_t>(config.sample_context_size),
          static_cast<float>(config.sample_activation_threshold), config.sample_window_steps};
}

}  // namespace

// Holds the session for one event, unless it is over or this very thread is inside already.
class Session::Turn {
 public:
  explicit Turn(Session& session) : session_(session) {
    if (session.inside_.load() == std::this_thread::get_id()) return;
    lock_ = std::unique_lock(session.mutex_);
    if (session.finished_) return;
    session.inside_.store(std::this_thread::get_id());
    begin_ = Clock::now();
    if (session.first_tap_ == Clock::time_point{}) session.first_tap_ = session.latest_save_ = begin_;
    granted_ = true;
  }
  ~Turn() {
    if (!granted_) return;
    const auto end = Clock::now();
    session_.facts_.seconds_inside += std::chrono::duration<double>(end - begin_).count();
    session_.facts_.seconds_total = std::chrono::duration<double>(end - session_.first_tap_).count();
    session_.inside_.store({});
  }
  explicit operator bool() const { return granted_; }

 private:
  Session& session_;
  std::unique_lock<std::timed_mutex> lock_;
  Clock::time_point begin_;
  bool granted_ = false;
};

Session::Session(Config config, std::string program)
    : config_(std::move(config)),
      writer_((std::filesystem::path(config_.output_dir) / "samples.saetap").string(), run_header(config_, program)),
      discovery_([this](hooks::Meeting& meeting) { return on_meeting(meeting); },
                 [](const std::string& what) { log(LogLevel::warning, "left alone    " + what); }),
      provenance_({config_.tokens.ignore_token_ids, config_.tokens.ignore_first_positions},
                  static_cast<std::size_t>(config_.tokens.buffer_rows)),
      callbacks_([](const std::string& what) { log(LogLevel::warning, what); }),
      unresolved_(unresolved_sequence()) {
  collector_ = std::make_shared<SampleCollector>(
      collector_options(config_),
      [this](const SampleCollector& collector, const CheckpointEvent& event) { return save_files(collector, event); });
  callbacks_.add("top_samples", collector_);
}

void Session::add_callback(std::string name, std::shared_ptr<Callback> callback) {
  const std::lock_guard lock(mutex_);
  callbacks_.add(std::move(name), std::move(callback));
}

void Session::start() {
  hooks::set_tap_sink(this);
  discovery_.start();
}

// ---- attach ----

bool Session::on_meeting(hooks::Meeting& meeting) {
  const auto sites = hooks::find_feature_sites(*meeting.graph, meeting.module);
  const std::lock_guard lock(mutex_);
  if (finished_) return false;
  ++facts_.methods_met;
  for (auto& [id, site] : sites_) site->release_decoder_of_dead_owner();
  if (!sites.empty() && sites.front().certain) return attach_site(meeting, sites.front());
  for (const auto& site : sites) {
    if (!site.worth_naming) continue;
    facts_.uncertain.push_back(site_line(meeting, site));
    log(LogLevel::info, "not hooked    " + facts_.uncertain.back());
  }
  return attach_stream(meeting);
}

bool Session::attach_site(hooks::Meeting& meeting, const hooks::FeatureSite& found) {
  FeatureTap tap;
  tap.site.module_type = meeting.type_name;
  tap.site.method = meeting.function.name();
  tap.site.description = site_line(meeting, found);
  tap.site.features = found.width();
  tap.site.d_in = found.encoder.in;
  tap.site.d_out = found.decoder.out;
  tap.decoder_attribute = found.decoder.weight.attribute;
  if (tap.decoder_attribute.empty()) tap.decoder_constant.emplace(found.decoder.weight.tensor.getIntrusivePtr());
  tap.decoder_transposed = found.decoder.weight.transposed;
  hooks::insert_feature_tap(*meeting.graph, found, static_cast<int>(feature_taps_.size()));
  log(LogLevel::info, "attached  " + tap.site.description);
  feature_taps_.push_back(std::move(tap));
  return true;
}

bool Session::attach_stream(hooks::Meeting& meeting) {
  auto* tokens = token_input(meeting);
  if (tokens == nullptr) return false;
  hooks::insert_stream_tap(*meeting.graph, tokens, static_cast<int>(stream_taps_.size()));
  stream_taps_.push_back({meeting.type_name + " › " + meeting.function.name(), false});
  log(LogLevel::debug, "listening to " + stream_taps_.back().name);
  return true;
}

// A module that was reloaded, cloned into place of a dead one or moved to another autocast state goes on with its site;
// another instance beside it or after it gets a site of its own, told apart by an ordinal.
AttachedSite& Session::site_of(int tap_number, const c10::IValue& owner) {
  const auto& tap = feature_taps_[static_cast<std::size_t>(tap_number)];
  std::vector<AttachedSite*> of_same_shape;
  for (auto& [id, site] : sites_) {
    const auto& known = site->site();
    if (known.module_type != tap.site.module_type || known.method != tap.site.method ||
        known.features != tap.site.features || known.d_in != tap.site.d_in || known.d_out != tap.site.d_out) {
      continue;
    }
    if (site->belongs_to(owner)) return *site;  // nearly every call
    of_same_shape.push_back(site.get());
  }
  // Decoders are compared only for a module that is new here: it takes time, and a dead site stays in the list.
  for (auto* site : of_same_shape) {
    if (!site->orphaned() || !site->continues_in(tap, owner)) continue;
    site->adopt(owner);
    return *site;
  }
  Site site = tap.site;
  site.id = static_cast<int>(sites_.size());
  site.name = tap.site.module_type + "." + tap.site.method + "." + std::to_string(tap.site.features) +
              (of_same_shape.empty() ? "" : "#" + std::to_string(of_same_shape.size()));
  auto& attached = *sites_.emplace(site.id, std::make_unique<AttachedSite>(std::move(site), owner)).first->second;
  callbacks_.attach(attached.site());
  return attached;
}

// ---- taps ----

void Session::on_features(const hooks::FeatureEvent& event) noexcept {
  try {
    const Turn turn(*this);
    if (!turn) return;
    auto& tap = feature_taps_[static_cast<std::size_t>(event.tap)];
    try {
      if (tap.failed) return site_of(event.tap, event.owner).count(event);
      handle_features(event);
    } catch (const std::exception& error) {
      if (tap.failed) return;
      tap.failed = true;
      log(LogLevel::error, "switched off  " + tap.site.description + ": " + error.what());
    }
  } catch (...) {
    // Locking or logging failed: there is no one left to tell, and training goes on.
  }
}

void Session::handle_features(const hooks::FeatureEvent& event) {
  auto& site = site_of(event.tap, event.owner);
  SiteContext context{config_, provenance_, callbacks_, unresolved_};
  site.handle(feature_taps_[static_cast<std::size_t>(event.tap)], event, context);
  say_stream(site);
  // The first one comes early, so that a run that is broken off has something to show.
  const auto interval = std::chrono::seconds(config_.checkpoint_seconds);
  if (Clock::now() - latest_save_ >= (tried_to_save_ ? interval : std::min(interval, kFirstSave))) save(false);
}

void Session::on_stream(const hooks::StreamEvent& event) noexcept {
  try {
    const Turn turn(*this);
    if (!turn) return;
    auto& tap = stream_taps_[static_cast<std::size_t>(event.tap)];
    if (tap.failed) return;
    try {
      std::set<std::int64_t> widths;  // of rows that some site reads; all, while there is none
      for (const auto& [id, site] : sites_) widths.insert(site->site().d_in);
      record_token_stream(tap.name, event, widths, provenance_);
    } catch (const std::exception& error) {
      tap.failed = true;
      log(LogLevel::error, "switched off  tokens from " + tap.name + ": " + error.what());
    }
  } catch (...) {
    // As in on_features.
  }
}

void Session::say_stream(const AttachedSite& site) {
  const auto stream = provenance_.stream_of(site.site().id);
  auto& said = said_streams_[site.site().id];
  if (stream.empty() || said == stream) return;
  said = stream;
  log(LogLevel::info, "tokens    from " + stream + ", rows matched by fingerprint");
}

// ---- checkpoints and the end ----

bool Session::checkpoint() {
  const std::lock_guard lock(mutex_);
  return !finished_ && save(false);
}

bool Session::save(bool last) {
  latest_save_ = Clock::now();
  tried_to_save_ = true;
  saved_ = false;
  CheckpointEvent event;
  event.last = last;
  event.counts = [this](const Site& site) { return sites_.at(site.id)->counts(); };
  event.decoder_directions = [this](const Site& site) {
    return config_.save_decoder ? sites_.at(site.id)->decoder_directions() : HalfMatrix{};
  };
  callbacks_.checkpoint(event);
  return saved_;
}

bool Session::save_files(const SampleCollector& collector, const CheckpointEvent& event) {
  try {
    std::filesystem::create_directories(config_.output_dir);
    writer_.save(collector, event);
  } catch (const std::exception& error) {
    log(event.last ? LogLevel::error : LogLevel::warning,
        "not saved     " + std::string(error.what()) +
            (event.last ? "; what came after the latest checkpoint is lost"
                        : "; kept in memory, tried again at the next checkpoint"));
    return false;
  }
  if (!saved_before_ && !writer_.moved_aside().empty()) {
    log(LogLevel::info, "an earlier run's store is now " + writer_.moved_aside());
  }
  saved_ = saved_before_ = true;
  const auto json_path = samples_json_path(writer_.path());
  try {
    write_samples_json(StoreReader(writer_.path()), json_path, samples_json_options(config_));
  } catch (const std::exception& error) {
    log(LogLevel::warning, "not written   " + json_path + ": " + error.what() + "; the store is whole");
  }
  return true;
}

void Session::finish() {
  if (inside_.load() == std::this_thread::get_id()) {
    // exit() from a signal handler that interrupted a tap: this thread holds the lock, and what it was doing is half
    // done.
    log(LogLevel::error, "not finished: the program ended inside a call; the latest checkpoint stands");
    return;
  }
  std::unique_lock lock(mutex_, kFinishPatience);
  if (!lock.owns_lock()) {
    log(LogLevel::error, "not finished: a call is still in flight; the latest checkpoint stands");
    return;
  }
  if (finished_) return;
  finished_ = true;
  if (!sites_.empty()) {
    const bool saved = save(true);
    for (const auto& [id, site] : sites_) {
      log(LogLevel::info, site_summary(site->site(), site->counts(), *collector_, facts_));
      const auto warning = tracing_warning(site->counts(), config_.tokens.buffer_rows);
      if (!warning.empty()) log(LogLevel::warning, warning);
    }
    if (saved) log(LogLevel::info, saved_line(writer_.path()));
  } else {
    log(LogLevel::info, nothing_found(facts_));
  }
  callbacks_.finish();
  lock.unlock();
  hooks::set_tap_sink(nullptr);
  discovery_.stop();
}

SessionFacts Session::facts() {
  const std::lock_guard lock(mutex_);
  return facts_;
}

std::vector<std::pair<Site, SiteCounts>> Session::sites() {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<Site, SiteCounts>> all;
  for (const auto& [id, site] : sites_) all.emplace_back(site->site(), site->counts());
  return all;
}

}  // namespace saetap
