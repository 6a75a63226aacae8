// The STORE argument and the options that most commands share.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "integrations/tokenizers/tokenizer.h"
#include "plugin/store/store_reader.h"

namespace saetap::cli {

struct StoreRequest {
  std::string store;
  std::string site;       // number or name; empty: the first
  std::string tokenizer;  // empty: the one the run was recorded with
  bool all_time = false;
  bool json = false;
};

void add_store_argument(CLI::App& command, StoreRequest& request);
void add_scope_option(CLI::App& command, StoreRequest& request);
void add_site_option(CLI::App& command, StoreRequest& request);
void add_tokenizer_option(CLI::App& command, StoreRequest& request);
void add_json_option(CLI::App& command, StoreRequest& request);

// A store with one of its sites chosen.
struct OpenedStore {
  StoreReader reader;
  std::size_t site_index = 0;
  Scope scope = Scope::recent;
  std::unique_ptr<Tokenizer> tokenizer;  // null: ids are shown

  [[nodiscard]] const StoredSite& stored() const { return reader.sites()[site_index]; }
  [[nodiscard]] int site() const { return stored().site.id; }
  [[nodiscard]] const ScopeFacts& facts() const { return scope == Scope::recent ? stored().recent : stored().all_time; }
};

// Throws Failure or StoreError. Says on stderr, in one line each, that there are other sites, why ids are shown
// instead of text, and that a store was imported.
[[nodiscard]] OpenedStore open_store(const StoreRequest& request);
// The same for what shows no text: without a tokenizer, and nothing is said of it.
[[nodiscard]] OpenedStore open_site(const StoreRequest& request);

// What `open_store` finds, for who reads all sites. The scope that is read: of an imported store the one that it is of.
// Throws Failure for one that is not there.
[[nodiscard]] Scope chosen_scope(const StoreReader& reader, bool all_time);
// The one asked for; else what the run's program said of its tokens, and for what it did not the one that the run was
// recorded with. Null, and a line on stderr, if there is none.
[[nodiscard]] std::unique_ptr<Tokenizer> chosen_tokenizer(const StoreReader& reader, const std::string& wanted);
// Says on stderr what an imported store does not hold; nothing of others.
void note_import(const StoreReader& reader);

// Which of the store's sites is meant: by number, by name, or by a part of the name that only one has; empty: the
// first, and a line on stderr names the others. Throws Failure.
[[nodiscard]] std::size_t chosen_site(const StoreReader& reader, const std::string& wanted);
// "0 (Sae.forward.8), 1 (Sae.encode.8)"
[[nodiscard]] std::string list_of_sites(std::span<const StoredSite> sites);

// "steps 96 to 125 of 0 to 125, 31.2 % of the tokens collected (--all-time reads all)": what the figures rest on.
// `lost_before`: see RunFacts.
[[nodiscard]] std::string scope_text(const StoredSite& site, Scope scope, std::uint64_t lost_before);

// The feature if the site has it. Throws Failure that says which ones there are; and for one of which an imported store
// knows nothing, as nobody knows whether it was active.
[[nodiscard]] std::uint32_t checked_feature(const StoreReader& reader, const StoredSite& site, Scope scope,
                                            std::int64_t feature);
[[nodiscard]] std::uint32_t checked_feature(const OpenedStore& store, std::int64_t feature);
// All of them, in their order, each once. Throws as above.
[[nodiscard]] std::vector<std::uint32_t> asked_features(const StoreReader& reader, const StoredSite& site, Scope scope,
                                                        std::span<const std::int64_t> numbers);

}  // namespace saetap::cli
