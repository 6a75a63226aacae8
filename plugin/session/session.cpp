#include "plugin/session/session.h"

#include <unistd.h>

#include <algorithm>

#include "plugin/log.h"
#include "plugin/session/float_rows.h"
#include "plugin/session/run_identity.h"
#include "plugin/session/session_turn.h"
#include "plugin/session/site_choice.h"
#include "plugin/session/token_mask.h"
#include "plugin/session/token_rules.h"
#include "plugin/trace/row_file.h"

namespace saetap {

Session::Session(Config config, std::string program)
    : config_(std::move(config)),
      process_(getpid()),
      tokenizer_(configured_tokenizer(config_)),
      provenance_(trace_options(config_, tokenizer_.get()), libtorch_threads()),
      collection_(config_, program, tokenizer_),
      unresolved_(unresolved_sequence()) {
  device_queue_.on_failure([this](const std::string& what) { lose_call("on an accelerator: " + what); });
}

// One call in a million is no reason to stop: what went wrong may pass.
void Session::lose_call(const std::string& why) {
  ++calls_lost_;
  if (said_.insert("lost " + why).second) log(LogLevel::error, "a call was lost: " + why);
}

void Session::add_callback(std::string name, std::shared_ptr<Callback> callback) {
  const std::lock_guard lock(mutex_);
  collection_.add_callback(std::move(name), std::move(callback));
}

void Session::start() {
  load_token_files();
  hooks::Discovery::of_process().add(*this, weak_from_this().lock());
}

// A file that cannot be read costs its tokens, not the recording.
void Session::load_token_files() {
  const std::lock_guard lock(mutex_);
  if (!config_.tokens.index.empty() && !looks_rows_up(config_.tokens)) {
    log(LogLevel::warning, "no tokens     from the files of tokens.index: tokens.source does not look rows up");
    return;
  }
  for (const auto& path : config_.tokens.index) {
    try {
      const auto rows = load_row_file(path, provenance_);
      log(LogLevel::info, "tokens    " + token_file_line(rows, path));
    } catch (const std::exception& error) {
      log(LogLevel::error, "no tokens     from " + path + ": " + error.what());
    }
  }
}

// ---- attach ----

void Session::on_failure(const std::string& what) {
  log(LogLevel::warning, "left alone    " + what);
}

hooks::Wanted Session::on_meeting(const hooks::Meeting& meeting) {
  if (is_copy()) return {};
  const Inside inside(*this);
  hooks::Wanted wanted;
  if (finished_) return wanted;
  ++facts_.methods_met;
  for (auto& [id, site] : sites_) site->release_decoder_of_dead_owner();
  wanted.sites = choose(meeting);
  attach_sites(meeting, wanted.sites);
  if (!listens_to_models(config_.tokens, meeting.type_name)) return wanted;
  wanted.inputs = token_inputs(meeting);
  wanted.when_called = meeting.arguments.empty();
  if (wanted.inputs.tokens != nullptr && stream_taps_.count(meeting.stream_tap()) == 0) {
    const auto name = meeting.type_name + " › " + meeting.function.name();
    const auto* mask = wanted.inputs.mask;
    stream_taps_.emplace(meeting.stream_tap(), TokenStreamTap{name, mask != nullptr && marks_padding(*mask), false});
    log(LogLevel::debug, "listening to " + name + (mask != nullptr ? ", mask " + mask->debugName() : ""));
  }
  return wanted;
}

std::vector<std::size_t> Session::choose(const hooks::Meeting& meeting) {
  auto choice = choose_sites(config_, meeting);
  for (const auto& line : choice.not_found) {
    if (said_.insert(line).second) log(LogLevel::warning, "not hooked    " + line);
  }
  for (const auto& [line, rule] : choice.uncertain) {
    if (!said_.insert(line).second) continue;
    facts_.uncertain.push_back(line);
    log(LogLevel::info, "not hooked    " + line + "; to hook it: " + rule);
  }
  return choice.chosen;
}

void Session::attach_sites(const hooks::Meeting& meeting, const std::vector<std::size_t>& chosen) {
  std::map<std::string, int> at_path;
  for (const auto i : chosen) ++at_path[path_of(meeting.sites[i])];
  for (const auto i : chosen) {
    const auto& found = meeting.sites[i];
    if (feature_taps_.count(meeting.taps[i]) != 0) continue;  // met again: other listeners came or went
    // Several decoders in one object are told apart by their weights.
    const auto path = at_path[path_of(found)] == 1 ? path_of(found) : found.value;
    FeatureTap tap(meeting, found, path);
    if (said_.insert("attached " + tap.site.description).second) {
      log(LogLevel::info, "attached  " + tap.site.description);
    }
    feature_taps_.emplace(meeting.taps[i], std::move(tap));
  }
}

// A module that was reloaded, cloned into place of a dead one or moved to another autocast state goes on with its site;
// another instance beside it or after it gets a site of its own, told apart by an ordinal.
AttachedSite& Session::site_of(const FeatureTap& tap, const c10::IValue& owner, std::int64_t group) {
  const auto identity = [](const Site& site) {
    return std::tie(site.module_type, site.path, site.method, site.features, site.d_in, site.d_out);
  };
  std::vector<AttachedSite*> of_same_shape;
  for (auto& [id, site] : sites_) {
    const auto& known = site->site();
    if (known.group != group || identity(known) != identity(tap.site)) continue;
    if (site->belongs_to(owner) || !owner.isObject()) return *site;  // nearly every call
    of_same_shape.push_back(site.get());
  }
  // Decoders are compared only for a module that is new here: it takes time, and a dead site stays in the list.
  for (auto* site : of_same_shape) {
    if (!site->orphaned() || !site->continues_in(tap, owner)) continue;
    site->adopt(owner);
    return *site;
  }
  Site site = tap.site;
  site.group = group;
  // One that the program declared has a name of its own.
  const auto name = !site.name.empty()
                        ? site.name
                        : site.module_type + (site.path.empty() ? "" : "." + site.path) + "." + site.method + "." +
                              std::to_string(site.features) + (group < 0 ? "" : "[" + std::to_string(group) + "]");
  const auto is_taken = [&](const std::string& one) {
    return std::any_of(sites_.begin(), sites_.end(),
                       [&](const auto& entry) { return entry.second->site().name == one; });
  };
  site.name = name;
  for (int number = 1; is_taken(site.name); ++number) site.name = name + "#" + std::to_string(number);
  collection_.identify(site, [&] { return AttachedSite::compared_decoder(site, tap, owner); });
  const auto added = sites_.emplace(site.id, std::make_unique<AttachedSite>(std::move(site), owner)).first;
  auto& attached = *added->second;
  try {
    attached.listen(collection_.attach(attached.site()));
  } catch (...) {
    sites_.erase(added);  // nobody was told of it
    throw;
  }
  if (const auto before = collection_.counts_before(attached.site())) attached.go_on_from(*before);
  return attached;
}

// ---- taps ----

void Session::on_features(const hooks::FeatureEvent& event) noexcept {
  try {
    const Turn turn(*this);
    const auto found = turn ? feature_taps_.find(event.tap) : feature_taps_.end();
    if (found == feature_taps_.end()) return;
    auto& tap = found->second;
    try {
      handle_features(tap, event);
    } catch (const std::exception& error) {
      if (tap.failed) return;
      tap.failed = true;
      log(LogLevel::error, "switched off  " + tap.site.description + ": " + error.what());
    }
  } catch (...) {
    // Locking or logging failed: there is no one left to tell, and training goes on.
  }
}

void Session::handle_features(const FeatureTap& tap, const hooks::FeatureEvent& event) {
  const auto shape = shape_of_call(tap, event);
  SiteContext context{config_, provenance_, collection_, device_queue_, unresolved_, steps_told_};
  device_queue_.advance();
  std::string failure;  // of a stack, the first layer's
  for (std::int64_t group = 0; group < shape.groups; ++group) {
    auto& site = site_of(tap, event.owner, shape.stack ? group : -1);
    if (tap.failed || site.off()) {
      site.count(shape.rows, event.grad_enabled, steps_told_);
      continue;
    }
    try {
      site.handle(tap, event, shape, context);
      say_source(site);
    } catch (const std::bad_alloc&) {
      lose_call("there was no memory for it");
    } catch (const c10::OutOfMemoryError&) {
      lose_call("there was no memory for it on the accelerator");
    } catch (const std::exception& error) {
      site.switch_off();
      if (failure.empty()) failure = site.site().name + " (" + site.site().description + "): " + error.what();
    }
  }
  if (!failure.empty()) log(LogLevel::error, "switched off  " + failure);
  if (save_is_due()) save(false);
}

void Session::on_stream(const hooks::StreamEvent& event) noexcept {
  try {
    const Turn turn(*this);
    if (!turn) return;
    device_queue_.advance();
    const auto reader = feature_taps_.find(event.tap);
    if (reader != feature_taps_.end()) {  // the rows of an SAE inside the model
      const auto& site = reader->second.site;
      record_stream({site.module_type + " › " + site.path, false, false}, event, {});
      return;
    }
    const auto found = stream_taps_.find(event.tap);
    if (found == stream_taps_.end() || found->second.failed) return;
    auto& tap = found->second;
    try {
      std::set<std::int64_t> widths;  // of rows that some site reads; all, while there is none
      for (const auto& [id, site] : sites_) widths.insert(site->site().d_in);
      record_stream(tap, event, widths);
    } catch (const std::exception& error) {
      tap.failed = true;
      log(LogLevel::error, "switched off  tokens from " + tap.name + ": " + error.what());
    }
  } catch (...) {
    // As in on_features.
  }
}

// On an accelerator the rows are copied to the host behind the model's back, and remembered when they are there.
void Session::record_stream(const TokenStreamTap& model, const hooks::StreamEvent& event,
                            const std::set<std::int64_t>& widths) {
  const auto call = read_token_stream(event, widths);
  if (!call) return;
  const auto device = call->device();
  if (!device_queue_.wants(device)) {
    device_queue_.finish();
    record_token_stream(model, *call, provenance_);
    return;
  }
  device_queue_.add(device,
                    {[this, model, here = call->to_host_later()] { record_token_stream(model, here, provenance_); }});
}

void Session::say_source(const AttachedSite& site) {
  const auto line = source_line(provenance_.report(site.site().id));
  if (!line.empty() && said_.insert("source " + site.site().name + line).second) {
    log(LogLevel::info, "tokens    " + site.site().name + ": " + line);
  }
}

// At every checkpoint; again only where it changed.
void Session::say_tracing(const AttachedSite& site) {
  const auto line = tracing_line(site.counts(), provenance_.report(site.site().id));
  auto& said = said_tracing_[site.site().id];
  log(said == line ? LogLevel::debug : LogLevel::info, "tokens    " + site.site().name + ": " + line);
  said = line;
}

void Session::set_tokens(const TokenMatrix& tokens, std::span<const std::int64_t> rows) {
  const Turn turn(*this);
  if (!turn) return;
  if (device_queue_.empty()) {
    provenance_.tell(tokens, rows);
    return;
  }
  // Calls before this one have still to be traced.
  device_queue_.add(at::kCPU, {[this, ids = std::vector(tokens.ids.begin(), tokens.ids.end()), length = tokens.length,
                                attended = std::vector(tokens.attended.begin(), tokens.attended.end()),
                                told = std::vector(rows.begin(), rows.end())] {
                      provenance_.tell({ids, length, attended}, told);
                    }});
}

void Session::take_back_token_text(const void* owner) {
  if (collection_.is_current()) return;  // from a callback
  const Inside inside(*this);
  if (finished_ || (owner != nullptr && owner != token_text_owner_)) return;
  token_text_ = {};
  collection_.drain();  // a checkpoint may be at work with it
}

void Session::set_token_text(TokenText text, const void* owner) {
  if (collection_.is_current()) return;  // from a callback
  const Inside inside(*this);
  if (finished_) return;
  token_text_ = {};
  token_text_owner_ = owner;
  if (text) {
    // A checkpoint may be at work with it when the program exits.
    token_text_ = [text = std::move(text), gone = text_is_gone_](std::int32_t id) {
      return gone->load() ? std::nullopt : text(id);
    };
  }
  collection_.drain();  // a checkpoint may be at work with the one before
}

void Session::number_rows(SequenceId sequence, std::uint64_t first) {
  const std::lock_guard lock(mutex_);
  unresolved_ = sequence & ~kHasTokens;
  provenance_.number_rows_from(first);
}

void Session::take_host_for_device(int asked) {
  device_queue_.take_host_for_device(asked);
}

bool Session::is_copy() const {
  return getpid() != process_;
}

SessionFacts Session::facts() {
  const std::lock_guard lock(mutex_);
  return facts_;
}

std::vector<std::pair<Site, SiteCounts>> Session::sites() {
  if (is_callback_thread()) throw std::runtime_error("called from within a callback");
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<Site, SiteCounts>> all;
  for (const auto& [id, site] : sites_) all.emplace_back(site->site(), site->counts());
  return all;
}

}  // namespace saetap
