// A session's checkpoints and its end.
#include <algorithm>
#include <cstdlib>

#include "plugin/log.h"
#include "plugin/session/run_identity.h"
#include "plugin/session/session.h"

namespace saetap {

namespace {

constexpr std::chrono::seconds kFirstSave{15};
// A window that closes is saved soon, so that it leaves memory; short ones not each by itself. So is what somebody asks
// for.
constexpr std::chrono::seconds kBetweenWindows{5};

}  // namespace

bool Session::settle() {
  if (collection_.is_current()) return false;
  {
    const Inside inside(*this);
    device_queue_.finish();
  }
  return collection_.drain();
}

bool Session::checkpoint() {
  if (collection_.is_current()) return false;
  const Inside inside(*this);
  if (finished_) return false;
  device_queue_.finish();
  save(false);
  return collection_.drain() && collection_.saved();
}

// The first one comes early, so that a run that is broken off has something to show.
bool Session::save_is_due() {
  if (collection_.saving()) return false;
  auto interval = std::chrono::seconds(config_.checkpoint_seconds);
  if (!tried_to_save_) interval = std::min(interval, kFirstSave);
  if (collection_.window_closed() || collection_.save_requested()) interval = std::min(interval, kBetweenWindows);
  return Clock::now() - latest_save_ >= interval;
}

// Decoders are read here, where no optimizer is at work on them; the rest is the collector's thread's.
void Session::save(bool last) {
  latest_save_ = Clock::now();
  tried_to_save_ = true;
  SessionSnapshot snapshot;
  snapshot.token_text = token_text_;
  for (const auto& [id, site] : sites_) {
    snapshot.counts[id] = site->counts();
    snapshot.tracing[id] = provenance_.report(id);
    if (config_.save_decoder) snapshot.decoder_directions[id] = site->decoder_directions();
    say_tracing(*site);
  }
  collection_.checkpoint(std::move(snapshot), last);
}

Session::End Session::finish(Ending ending) {
  if (inside_.load() == std::this_thread::get_id() || collection_.is_current()) {
    // exit() from a signal handler that interrupted a tap, or from a callback: what this thread was doing is half done.
    log(LogLevel::error, "not finished: the program ended inside a call; the latest checkpoint stands");
    return End::busy;
  }
  const auto until = Clock::now() + std::chrono::seconds(config_.exit_seconds);
  std::unique_lock lock(mutex_, until);
  if (!lock.owns_lock()) {
    log(LogLevel::error, "not finished: a call is still in flight; the latest checkpoint stands");
    return End::busy;
  }
  if (finished_) return End::done;
  finished_ = true;
  if (ending == Ending::at_exit) *text_is_gone_ = true;
  device_queue_.finish();
  if (!sites_.empty() || collection_.takes_the_place()) save(true);
  bool ended = collection_.finish(until);
  if (ended) {
    say_end();
    ended = collection_.merge_ranks(until);
    if (!ended) log(LogLevel::error, "not merged    it takes longer than exit_seconds; every rank's store is whole");
  } else {
    log(LogLevel::error, "not finished: saving takes longer than " + std::to_string(config_.exit_seconds) +
                             " s (exit_seconds); the latest checkpoint stands");
  }
  if (!ended) *text_is_gone_ = true;  // the collector's thread is at work with it, and nobody waits for that any more
  lock.unlock();
  hooks::Discovery::of_process().remove(*this);
  return ended ? End::done : End::given_up;
}

void Session::say_end() {
  if (sites_.empty()) {
    // Of many programs that `saetap record` follows (a launcher, workers), most have nothing to record.
    const bool one_of_many = secure_getenv("SAETAP_FOLLOW_CHILDREN") != nullptr;
    log(one_of_many ? LogLevel::debug : LogLevel::info, nothing_found(facts_));
    return;
  }
  for (const auto& [id, site] : sites_) {
    log(LogLevel::info, site_summary(site->site(), site->counts(), collection_.collector(), facts_));
    const auto warning = tracing_warning(site->counts(), config_.tokens.buffer_rows);
    if (!warning.empty()) log(LogLevel::warning, warning);
  }
  for (const auto& line : collection_.left_alone()) log(LogLevel::info, line);
  if (calls_lost_ > 0) {
    log(LogLevel::warning,
        std::to_string(calls_lost_) + " calls were lost: they count as collected, and nothing of " + "them was kept");
  }
  if (collection_.passed_over() > 0) {
    log(LogLevel::warning, std::to_string(collection_.passed_over()) + " calls were not collected: collecting stood " +
                               "still, and training went on");
  }
  const auto waits = waits_line(collection_.waits(), device_queue_.waits());
  if (!waits.empty()) log(LogLevel::info, waits);
  if (collection_.saved()) log(LogLevel::info, saved_line(collection_.store_path()));
}

}  // namespace saetap
