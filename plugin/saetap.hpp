// The C++ interface of libsaetap.so for programs that load it: C++17, headers alone, nothing to link (before
// glibc 2.34 libdl), no LibTorch.
//
//   saetap::Plugin plugin = saetap::Plugin::load();
//   plugin.start(R"({"saetap": {"save_activation_samples": true}})");
//   saetap::Site site = plugin.attach({"layer 3", features, d_in, d_out}).value;
//   plugin.set_tokens(tokens.data(), batch, length);
//   site.observe({{activations.data(), {batch * length, features}}});
//
// Nothing here throws, and a program may go on whatever a Status says: where there is no library, every call says so
// and does nothing. What is given need only live as long as the call. Calls may come from any thread; a Plugin itself
// is moved, assigned and destroyed by one. Include <torch/version.h> before this file in a program that uses LibTorch:
// then a libsaetap.so that was built with another one is refused.
#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "saetap.h"
#include "saetap_array.hpp"
#include "saetap_status.hpp"

namespace saetap {

// The LibTorch that a program is compiled with; all 0: none.
struct LibTorch {
  int major = 0;
  int minor = 0;
  int cxx11_abi = 0;  // _GLIBCXX_USE_CXX11_ABI
};

// Of the file that includes this one, and so not the same everywhere in a program.
#if defined(TORCH_VERSION)
constexpr LibTorch kCompiledWith{TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR, _GLIBCXX_USE_CXX11_ABI};
#else
constexpr LibTorch kCompiledWith{};
#endif

// A place where feature activations enter a decoder.
struct SiteSpec {
  const char* name = nullptr;         // the site's name in the store; the same in every run of the same SAE
  std::int64_t features = 0;          // F, at most 2^26
  std::int64_t d_in = 0;              // width of a row given to the encoder
  std::int64_t d_out = 0;             // width of what the decoder gives
  const char* description = nullptr;  // one line for people, or nullptr
};

// One pass of a batch through a site.
struct Call {
  Array activations;                  // [rows, F], or with `indices` [rows, k]; [.., F] and [.., k] also; floating
  Array indices = {};                 // [rows, k]: which feature each value is of, each once in a row; integers
  Array rows = {};                    // [rows, d_in]: what the encoder was given; finds the rows' tokens
  saetap_phase phase = SAETAP_TRAIN;  // each SAETAP_TRAIN call is a step, unless the program tells steps: step()
};

// A site that was found or attached, as saetap_site_info, with strings of its own.
struct SiteInfo {
  std::int64_t place = 0;  // what statistics() and top_samples() call it
  std::int32_t id = 0;     // the site's number in the store
  std::string name;
  std::string module_type;  // of a TorchScript module; of a site attached by the program its name
  std::string path;         // of the SAE inside that module
  std::string method;
  std::string description;
  std::int64_t features = 0;
  std::int64_t d_in = 0;
  std::int64_t d_out = 0;
  std::int64_t group = -1;  // which layer of a stack; -1: no stack
};

// Tokens around a sample.
struct Excerpt {
  std::vector<std::int32_t> tokens;
  std::int64_t at = 0;  // which of them is the sample's
};

// The text of a token, in bytes that need not be whole characters; nullopt: not known.
using TokenText = std::function<std::optional<std::string>(std::int32_t token)>;

namespace detail {

inline std::int64_t write_token_text(std::int32_t token, char* text, std::int64_t size, void* user) noexcept {
  try {
    const std::optional<std::string> known = (*static_cast<const TokenText*>(user))(token);
    if (!known) return -1;
    std::memcpy(text, known->data(),
                std::min(known->size(), static_cast<std::size_t>(std::max<std::int64_t>(size, 0))));
    return static_cast<std::int64_t>(known->size());
  } catch (...) {
    return -1;
  }
}

// Takes the text of tokens back from the library before the function that gives it goes.
struct TakeBack {
  const saetap_api* api = nullptr;
  void operator()(TokenText* text) const noexcept {
    (void)call(api, &saetap_api::set_token_text, "set_token_text", nullptr, static_cast<void*>(text));
    delete text;
  }
};

// Why this program cannot use a library of that build; "" if it can.
inline std::string other_build(const saetap_api& api, const LibTorch& ours) {
  const std::string library = std::string("libsaetap.so ") + api.version();
  if (api.abi_version != SAETAP_ABI_VERSION) {
    return library + " has ABI version " + std::to_string(api.abi_version) + ", this program was compiled for " +
           std::to_string(SAETAP_ABI_VERSION);
  }
  if (ours.major == 0) return "";
  const std::string theirs = api.libtorch_version();
  const std::string wanted = std::to_string(ours.major) + "." + std::to_string(ours.minor);
  if (theirs.compare(0, wanted.size() + 1, wanted + ".") != 0) {
    return library + " was built with LibTorch " + theirs + ", this program with " + wanted;
  }
  if (api.cxx11_abi() != ours.cxx11_abi) {
    return library + " was built with _GLIBCXX_USE_CXX11_ABI=" + std::to_string(api.cxx11_abi()) +
           ", this program with " + std::to_string(ours.cxx11_abi);
  }
  return "";
}

}  // namespace detail

// A site that the program declared: Plugin::attach makes it. A value that refers to the library's own object, which
// lives as long as the process. One that was not attached answers every call with SAETAP_NOT_RUNNING.
class Site {
 public:
  Site() noexcept = default;

  [[nodiscard]] bool attached() const noexcept { return site_ != nullptr; }

  // Takes note of one batch; nothing of it is kept by reference. One that cannot be read (shape, type, an index out of
  // range or twice in a row) is refused with SAETAP_FAILED, and the site goes on.
  Status observe(const Call& given) const noexcept {
    const saetap_array activations = given.activations.c_array();
    const saetap_array indices = given.indices.c_array();
    const saetap_array rows = given.rows.c_array();
    const saetap_call pass{sizeof(saetap_call), given.phase, &activations, given.indices.given() ? &indices : nullptr,
                           given.rows.given() ? &rows : nullptr};
    return call(&saetap_api::observe, "observe", {&given.activations, &given.indices, &given.rows}, &pass);
  }

  // The decoder's directions as they are now, [F, d_out] floating; copied, in half precision. What was set last before
  // the latest batch is saved at the next checkpoint.
  Status set_decoder(const Array& directions) const noexcept {
    const saetap_array given = directions.c_array();
    return call(&saetap_api::set_decoder, "set_decoder", {&directions}, &given);
  }

  // Where it stands in Plugin::sites(); refused before its first batch.
  Result<std::int64_t> place() const noexcept {
    Result<std::int64_t> place;
    static_cast<Status&>(place) = call(&saetap_api::place_of, "place_of", {}, &place.value);
    return place;
  }

 private:
  friend class Plugin;

  template <class Entry, class Argument>
  Status call(Entry saetap_api::*entry, const char* name, std::initializer_list<const Array*> arrays,
              Argument argument) const noexcept {
    if (!attached()) return detail::failure(SAETAP_NOT_RUNNING, "the site was not attached");
    for (const Array* array : arrays) {
      if (array->fault() != nullptr) return detail::failure(SAETAP_FAILED, array->fault());
    }
    return detail::call(api_, entry, name, site_, argument);
  }

  const saetap_api* api_ = nullptr;
  saetap_site* site_ = nullptr;
};

// The library, loaded. Movable. It is never unloaded, and recording goes on when the Plugin is gone.
class Plugin {
 public:
  // Loads libsaetap.so, or takes the one that is in the process already. `library`: its path, or a name that the
  // dynamic loader finds. It needs LibTorch's libraries: in the process, or where the loader finds them. `ours` need
  // not be given. Whether it was loaded: loaded().
  static Plugin load(const char* library = "libsaetap.so", const LibTorch& ours = kCompiledWith) noexcept;

  Plugin() noexcept = default;

  [[nodiscard]] bool loaded() const noexcept { return api_ != nullptr; }
  // Why it was not loaded, in one line; "" if it was.
  [[nodiscard]] const std::string& why() const noexcept { return why_; }
  // "0.1.0"; "" without a library.
  [[nodiscard]] const char* version() const noexcept { return loaded() ? api_->version() : ""; }
  // The table of the C interface, or nullptr.
  [[nodiscard]] const saetap_api* api() const noexcept { return api_; }

  // Starts recording. `config`: the text of a JSON object, a trainer's own config or {"saetap": {...}}. SAETAP_OFF if
  // it does not ask for collection, SAETAP_RUNNING if recording goes on already, as under `saetap record`.
  Status start(const std::string& config) noexcept { return call(&saetap_api::start, "start", config.c_str()); }
  // Saves what was collected so far.
  Status checkpoint() noexcept { return call(&saetap_api::checkpoint, "checkpoint"); }
  // Ends recording: saves, and says what was done. Happens by itself at exit.
  Status stop() noexcept { return call(&saetap_api::stop, "stop"); }

  // Declares a site. The same name again gives the same site; with other sizes it is refused.
  Result<Site> attach(const SiteSpec& spec) noexcept;

  // Says which tokens the rows of the next call are, of each site, that has so many rows; see saetap_set_tokens.
  // `tokens`: [batch, length]. `mask`: the same shape, 0 for tokens that do not count, or nullptr. `rows`: [row_count],
  // the token of each row, -1: none; nullptr: row i is token i. All are copied.
  Status set_tokens(const std::int64_t* tokens, std::int64_t batch, std::int64_t length,
                    const std::uint8_t* mask = nullptr, const std::int64_t* rows = nullptr,
                    std::int64_t row_count = 0) noexcept {
    return call(&saetap_api::set_tokens, "set_tokens", tokens, batch, length, mask, rows, row_count);
  }

  // What a language model computed from its tokens, so that rows of a later call are found again. `model`: its name.
  // `tokens`: [batch, length] integers. `rows`: [batch, length, d] or [batch · length, d], floating. `mask`: [batch,
  // length], 0 for what does not count.
  Status observe_model(const char* model, const Array& tokens, const Array& rows, const Array& mask = {}) noexcept;

  // Gives the text of tokens; see saetap_set_token_text. Called on a thread of saetap's own, for each token once or
  // twice; it must not call saetap. What it throws counts as a token without text. It is kept until another is given,
  // an empty one, or the Plugin goes: when that is done it is not called any more. Call stop() before, so that no token
  // lacks its text.
  Status set_token_text(TokenText text) noexcept;

  // Ends a step of every site: from now on the program tells where a step ends, and calls do not. Call it before the
  // first batch, too.
  Status step() noexcept { return call(&saetap_api::step, "step"); }

  // Every site, those hooked in TorchScript modules included, in the order of their ids; each from its first batch on.
  Result<std::vector<SiteInfo>> sites() const noexcept;
  // What was seen so far of the site that has this place in sites().
  Result<saetap_site_counts> counts(std::int64_t place) const noexcept;
  // Totals of the features first..first + count - 1 of a site over the open window, up to the latest call. Waits for
  // the collector, some milliseconds.
  Result<std::vector<saetap_statistics>> statistics(std::int64_t place, std::int64_t first,
                                                    std::int64_t count) const noexcept;
  // The strongest samples of a feature in the open window, strongest first, at most so many.
  Result<std::vector<saetap_sample>> top_samples(std::int64_t place, std::int64_t feature,
                                                 std::int64_t most = 100) const noexcept;
  // The tokens around a kept sample: at most `before` ahead of it and `after` behind.
  Result<Excerpt> sample_tokens(const saetap_sample& sample, std::int64_t before = 20,
                                std::int64_t after = 20) const noexcept;

 private:
  template <class Entry, class... Arguments>
  Status call(Entry saetap_api::*entry, const char* name, Arguments... arguments) const noexcept {
    if (!loaded()) return detail::failure(SAETAP_FAILED, why_.empty() ? "no library was loaded" : why_.c_str());
    return detail::call(api_, entry, name, arguments...);
  }

  const saetap_api* api_ = nullptr;
  std::string why_;
  std::unique_ptr<TokenText, detail::TakeBack> token_text_;
};

inline Plugin Plugin::load(const char* library, const LibTorch& ours) noexcept {
  Plugin plugin;
  try {
    void* handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      plugin.why_ = dlerror();
      if (plugin.why_.find("libtorch") == 0 || plugin.why_.find("libc10") == 0) {
        plugin.why_ += " (libsaetap.so needs LibTorch: in the process, or its lib folder in LD_LIBRARY_PATH)";
      }
      return plugin;
    }
    const auto get_api = reinterpret_cast<decltype(&saetap_get_api)>(dlsym(handle, "saetap_get_api"));
    if (get_api == nullptr) {
      plugin.why_ = std::string(library) + " has no saetap_get_api: not a libsaetap.so, or one before 0.1.0";
      return plugin;
    }
    const saetap_api* api = get_api(SAETAP_ABI_VERSION);
    if (api == nullptr) {
      const auto last_error = reinterpret_cast<decltype(&saetap_last_error)>(dlsym(handle, "saetap_last_error"));
      plugin.why_ = last_error != nullptr ? last_error() : "its ABI is another version";
      return plugin;
    }
    plugin.why_ = detail::other_build(*api, ours);
    if (plugin.why_.empty()) plugin.api_ = api;
  } catch (...) {
    // Without memory for the reason: loaded() is false, and that has to do.
  }
  return plugin;
}

inline Result<Site> Plugin::attach(const SiteSpec& spec) noexcept {
  const saetap_site_spec given{sizeof(saetap_site_spec), spec.name, spec.features, spec.d_in, spec.d_out,
                               spec.description};
  Result<Site> attached;
  static_cast<Status&>(attached) = call(&saetap_api::attach, "attach", &given, &attached.value.site_);
  if (attached) attached.value.api_ = api_;
  if (!attached) attached.value = Site{};
  return attached;
}

inline Status Plugin::observe_model(const char* model, const Array& tokens, const Array& rows,
                                    const Array& mask) noexcept {
  for (const Array* array : {&tokens, &rows, &mask}) {
    if (array->fault() != nullptr) return detail::failure(SAETAP_FAILED, array->fault());
  }
  const saetap_array ids = tokens.c_array();
  const saetap_array counted = mask.c_array();
  const saetap_array computed = rows.c_array();
  const saetap_array* given_mask = mask.given() ? &counted : nullptr;
  return call(&saetap_api::observe_model, "observe_model", model, &ids, given_mask, &computed);
}

inline Status Plugin::set_token_text(TokenText text) noexcept {
  if (!text) {
    const Status status = call(&saetap_api::set_token_text, "set_token_text", nullptr, nullptr);
    token_text_.reset();
    return status;
  }
  std::unique_ptr<TokenText> given(new (std::nothrow) TokenText(std::move(text)));
  if (given == nullptr) return detail::failure(SAETAP_FAILED, "out of memory");
  Status status = call(&saetap_api::set_token_text, "set_token_text", &detail::write_token_text, given.get());
  if (status) {
    // The library has let go of the one before.
    delete token_text_.release();
    token_text_ = std::unique_ptr<TokenText, detail::TakeBack>(given.release(), {api_});
  }
  return status;
}

inline Result<std::vector<SiteInfo>> Plugin::sites() const noexcept {
  return detail::answer<std::vector<SiteInfo>>([&](std::vector<SiteInfo>& sites) {
    std::int64_t count = 0;
    Status status = call(&saetap_api::site_count, "site_count", &count);
    for (std::int64_t place = 0; status && place < count; ++place) {
      saetap_site_info site{};
      site.struct_size = sizeof site;
      status = call(&saetap_api::site_at, "site_at", place, &site);
      if (!status) break;
      const auto text = [](const char* given) { return std::string(given != nullptr ? given : ""); };
      sites.push_back({place, site.id, text(site.name), text(site.module_type), text(site.path), text(site.method),
                       text(site.description), site.features, site.d_in, site.d_out, site.group});
    }
    return status;
  });
}

inline Result<saetap_site_counts> Plugin::counts(std::int64_t place) const noexcept {
  Result<saetap_site_counts> result;
  result.value.struct_size = sizeof(saetap_site_counts);
  static_cast<Status&>(result) = call(&saetap_api::site_counts, "site_counts", place, &result.value);
  return result;
}

inline Result<std::vector<saetap_statistics>> Plugin::statistics(std::int64_t place, std::int64_t first,
                                                                 std::int64_t count) const noexcept {
  return detail::answer<std::vector<saetap_statistics>>([&](std::vector<saetap_statistics>& totals) {
    totals.resize(static_cast<std::size_t>(std::max<std::int64_t>(count, 0)));
    return call(&saetap_api::statistics, "statistics", place, first, count, totals.data());
  });
}

inline Result<std::vector<saetap_sample>> Plugin::top_samples(std::int64_t place, std::int64_t feature,
                                                              std::int64_t most) const noexcept {
  return detail::answer<std::vector<saetap_sample>>([&](std::vector<saetap_sample>& samples) {
    samples.resize(static_cast<std::size_t>(std::max<std::int64_t>(most, 0)));
    std::int64_t count = 0;
    Status status = call(&saetap_api::top_samples, "top_samples", place, feature, samples.data(), most, &count);
    samples.resize(static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, samples.size())));
    return status;
  });
}

inline Result<Excerpt> Plugin::sample_tokens(const saetap_sample& sample, std::int64_t before,
                                             std::int64_t after) const noexcept {
  return detail::answer<Excerpt>([&](Excerpt& excerpt) {
    before = std::max<std::int64_t>(before, 0);
    after = std::max<std::int64_t>(after, 0);
    excerpt.tokens.resize(static_cast<std::size_t>(before) + 1 + static_cast<std::size_t>(after));
    std::int64_t count = 0;
    Status status = call(&saetap_api::sample_tokens, "sample_tokens", &sample, before, after, excerpt.tokens.data(),
                         &count, &excerpt.at);
    excerpt.tokens.resize(static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, excerpt.tokens.size())));
    return status;
  });
}

}  // namespace saetap
