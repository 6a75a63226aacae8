// The life of a recording: start, taps, checkpoints, finish. The one place that sees both ends of the data's road and
// wires its stages: attach -> tap -> trace -> scan -> keep -> store.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "hooks/discover.h"
#include "plugin/config.h"
#include "plugin/session/attached_site.h"
#include "plugin/session/collection.h"
#include "plugin/session/declared_site.h"
#include "plugin/session/device_queue.h"
#include "plugin/session/feature_tap.h"
#include "plugin/session/lines.h"
#include "plugin/session/token_streams.h"
#include "plugin/trace/provenance.h"

namespace saetap {

// Once started it must stay until it is finished and no call is in flight any more: Discovery holds a share of one that
// is shared. Thread-safe.
class Session : public hooks::Listener, public std::enable_shared_from_this<Session> {
 public:
  // `program`: the command line, for the store. Nothing is hooked before start().
  Session(Config config, std::string program);

  // A callback beside the sample collector; before start().
  void add_callback(std::string name, std::shared_ptr<Callback> callback);

  void start();
  // The tokens that the rows of the sites' next calls are: see Provenance::tell.
  void set_tokens(const TokenMatrix& tokens, std::span<const std::int64_t> rows);

  // ---- sites that the program declares: session_declared.cpp. These throw one line: std::invalid_argument for what
  // ---- cannot be, NotRecording, std::runtime_error for the rest.
  // Its number, for the calls below; of a name declared before the same. It has a place among the sites from its first
  // batch on.
  int declare(const DeclaredSite& site);
  // Its decoder, read at checkpoints: [F, d_out], or [d_out, F] if `transposed`.
  void set_decoder(int declared, const at::Tensor& directions, bool transposed, HoldDecoder hold);
  // The module is about to go: its decoder's directions are kept as they are now, and its memory is let go of.
  void release_decoder(int declared);
  // One batch: see DeclaredSite.
  void observe(int declared, const DeclaredCall& call);
  // Where it stands in sites(), once it had a batch.
  [[nodiscard]] std::int64_t place_of(int declared);
  // What a language model that no tap sees computed from its tokens.
  void observe_model(const std::string& model, const at::Tensor& tokens, const at::Tensor& mask,
                     const at::Tensor& rows);
  // A step of every site is over. From the first time on only this makes steps.
  void end_step();
  // Has somebody look at what is kept, when everything up to now is in. May be called from a callback.
  void look(const std::function<void(const SampleCollector&)>& look);

  // The program's own text of tokens; a callback that knows one goes before it. `owner`: whose it is.
  void set_token_text(TokenText text, const void* owner = nullptr);
  // Forgets that owner's; without one, whosever it is. It is not called any more when this returns.
  void take_back_token_text(const void* owner);
  // What rows without a token are called: a sequence that names the pass (without kHasTokens), and the first one's
  // number. Before the first call; else each session names its own, and counts from 0.
  void number_rows(SequenceId sequence, std::uint64_t first);
  // For tests: calls on the host take the way of those on an accelerator that is done when it was asked so often.
  void take_host_for_device(int asked);
  // Waits until all that was seen so far is with the callbacks. False from a callback.
  bool settle();
  // Saves what was collected so far. False if that failed (it was logged; collection goes on).
  bool checkpoint();
  enum class End : std::uint8_t {
    done,      // or there was nothing left to do
    busy,      // a call is in flight, on this thread or for exit_seconds on another: nothing has changed
    given_up,  // saving did not end in exit_seconds: the session must stay, its thread is at work
  };
  enum class Ending : std::uint8_t {
    stop,
    at_exit,  // what the program gave to be called (the text of tokens) may be gone already
  };
  // Stops observing, gives all functions their executors back, saves, says what was done. Later taps are ignored.
  End finish(Ending ending = Ending::stop);

  // Whether this process is a copy of the one that records, made by a fork of which nobody was told.
  [[nodiscard]] bool is_copy() const;
  // How often, and how long, calls waited for the collector.
  [[nodiscard]] QueueWaits waits() const { return collection_.waits(); }
  [[nodiscard]] SessionFacts facts();
  // In the order of their ids. Throws std::runtime_error from a callback.
  [[nodiscard]] std::vector<std::pair<Site, SiteCounts>> sites();
  // Whether this is called from a callback.
  [[nodiscard]] bool is_callback_thread() const { return collection_.is_current(); }

  hooks::Wanted on_meeting(const hooks::Meeting& meeting) override;
  void on_failure(const std::string& what) override;
  void on_features(const hooks::FeatureEvent& event) noexcept override;
  void on_stream(const hooks::StreamEvent& event) noexcept override;

 private:
  using Clock = std::chrono::steady_clock;
  class Turn;  // see session_turn.h
  class Request;
  // The session's lock, for what a program asks for. It may exit from a signal handler meanwhile.
  class Inside {
   public:
    explicit Inside(Session& session) : session_(session), lock_(session.mutex_) {
      session_.inside_.store(std::this_thread::get_id());
    }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() { session_.inside_.store({}); }

   private:
    Session& session_;
    const std::lock_guard<std::timed_mutex> lock_;
  };

  void load_token_files();
  [[nodiscard]] bool is_due(const Site& declared, const hooks::FeatureEvent& event) const;
  std::vector<std::size_t> choose(const hooks::Meeting& meeting);
  void attach_sites(const hooks::Meeting& meeting, const std::vector<std::size_t>& chosen);
  AttachedSite& site_of(const FeatureTap& tap, const c10::IValue& owner, std::int64_t group);
  void handle_features(const FeatureTap& tap, const hooks::FeatureEvent& event);
  void record_stream(const TokenStreamTap& model, const hooks::StreamEvent& event,
                     const std::set<std::int64_t>& widths);
  void say_source(const AttachedSite& site);
  void say_tracing(const AttachedSite& site);
  void lose_call(const std::string& why);
  void save(bool last);
  void say_end();
  [[nodiscard]] bool save_is_due();

  Config config_;
  const pid_t process_;
  std::timed_mutex mutex_;
  std::atomic<std::thread::id>
      inside_{};  // the thread that holds the lock: a callback that calls the module is not recorded
  std::atomic<bool> finished_ = false;

  std::shared_ptr<const Tokenizer> tokenizer_;  // null: none
  TokenText token_text_;                        // the program's own; empty: none
  const void* token_text_owner_ = nullptr;
  const std::shared_ptr<std::atomic<bool>> text_is_gone_ = std::make_shared<std::atomic<bool>>(false);
  Provenance provenance_;
  Collection collection_;
  DeviceQueue device_queue_;
  std::uint64_t calls_lost_ = 0;
  SequenceId unresolved_ = 0;
  bool steps_told_ = false;
  PairCheck pair_check_;

  std::map<int, FeatureTap> feature_taps_;  // by tap; of declared sites the number is below 0
  std::map<int, TokenStreamTap> stream_taps_;
  std::set<std::string> said_;                          // what is said once, however often a method is met
  std::map<int, std::unique_ptr<AttachedSite>> sites_;  // by Site::id
  std::map<int, std::string> said_tracing_;             // by Site::id: what was last said of how its rows were traced

  SessionFacts facts_;
  Clock::time_point first_tap_{};
  Clock::time_point latest_save_{};
  bool tried_to_save_ = false;  // at least once
};

}  // namespace saetap
