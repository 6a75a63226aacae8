// A store that leaves out the text trained on; and what a store cannot make its reader do.
#include <doctest/doctest.h>

#include <string>

#include "plugin/store/sqlite.h"
#include "tests/core/pipeline.h"

using namespace saetap;
using saetap::testing::Pipeline;
using saetap::testing::Row;
using saetap::testing::TemporaryFolder;

namespace {

std::int64_t rows_of(const std::string& path, const std::string& table) {
  const Database database(path, Database::Mode::read_only);
  Statement count = database.prepare(("SELECT count(*) FROM " + table).c_str());
  REQUIRE(count.step());
  return count.integer(0);
}

// Windows close, some of them while nothing can be saved, and texts are dropped, so that all that a checkpoint does
// with texts is done.
void train(Pipeline& pipeline, Redact redact) {
  pipeline.header.redact = redact;
  pipeline.token_text = [](std::int32_t id) { return "word" + std::to_string(id); };
  for (std::uint64_t step = 0; step < 14; ++step) {
    const auto token = static_cast<std::int32_t>(step);
    pipeline.sequence(step, {token, token + 1}, {Row{1.0f + static_cast<float>(step)}, Row{0.5f}});
    pipeline.fails = step >= 5 && step < 12;
    pipeline.checkpoint();
  }
}

}  // namespace

TEST_CASE("redact leaves out the text, or the tokens with it; where the samples were stays") {
  CollectorOptions options;
  options.max_samples_per_feature = 2;
  options.random_samples_per_feature = 0;
  options.window_rule = {WindowRule::Kind::fixed, 2};
  Pipeline all(1, options), no_text(1, options), no_tokens(1, options);
  train(all, Redact::nothing);
  train(no_text, Redact::text);
  train(no_tokens, Redact::tokens);
  const auto path = [](const Pipeline& pipeline) { return pipeline.folder.file("samples.saetap"); };
  CHECK(rows_of(path(all), "token") > 0);
  CHECK(rows_of(path(no_text), "token") == 0);
  CHECK(rows_of(path(no_tokens), "token") == 0);
  CHECK(rows_of(path(all), "sequence") > 0);
  CHECK(rows_of(path(no_text), "sequence") == rows_of(path(all), "sequence"));
  CHECK(rows_of(path(no_tokens), "sequence") == 0);
  CHECK(rows_of(path(all), "token_count") > 0);
  CHECK(rows_of(path(no_text), "token_count") == rows_of(path(all), "token_count"));
  CHECK(rows_of(path(no_tokens), "token_count") == 0);
  const auto strongest = StoreReader(path(all)).samples(0, 0, Scope::all_time);
  CHECK(StoreReader(path(no_text)).samples(0, 0, Scope::all_time) == strongest);
  CHECK(StoreReader(path(no_tokens)).samples(0, 0, Scope::all_time) == strongest);
  CHECK(StoreReader(path(all)).run().redact == "none");
  CHECK(StoreReader(path(no_text)).run().redact == "text");
  CHECK(StoreReader(path(no_tokens)).run().redact == "tokens");
  CHECK(StoreReader(path(no_tokens)).context(strongest.front(), 5, 5).tokens.empty());
}

TEST_CASE("a store cannot have a library loaded") {
  const TemporaryFolder folder;
  Database database(folder.file("samples.saetap"), Database::Mode::create);
  std::string refusal;
  try {
    database.execute("SELECT load_extension('planted.so')");
  } catch (const StoreError& error) {
    refusal = error.what();
  }
  CHECK(refusal.find("not authorized") != std::string::npos);
}
