// Index files: what was written is found again row by row, and what is damaged is refused.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <numeric>
#include <random>

#include "tests/core/file_bytes.h"
#include "tests/core/stored_rows_file.h"

using namespace saetap;
using namespace saetap::testing;

namespace fs = std::filesystem;

namespace {

// The slow way: the place of each row, from the text alone (no ignored ids: only padding is stripped).
std::vector<TokenPosition> places(const Stored& stored) {
  std::vector<TokenPosition> all;
  for (std::size_t i = 0; i < stored.ids.size(); ++i) {
    if (stored.has_row[i] == 0) continue;
    const auto begin = i / stored.length * stored.length;
    const auto text = std::span(stored.ids).subspan(begin, stored.length - 2);
    all.push_back({sequence_id(text), static_cast<std::uint32_t>(i - begin)});
  }
  return all;
}

// How many of the rows, shuffled and in batches, are said to be what they are; padding has to be left out.
std::size_t found_right(
    Provenance& provenance, int reader, const Stored& stored,
    float (*changed)(float) = [](float value) { return value; }) {
  const auto truth = places(stored);
  std::vector<std::size_t> order(stored.count());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937(5));
  std::size_t right = 0;
  for (std::size_t at = 0; at < order.size(); at += 1000) {
    const auto count = std::min<std::size_t>(1000, order.size() - at);
    std::vector<float> values;
    std::vector<std::uint64_t> fingerprints;
    for (std::size_t i = at; i < at + count; ++i) {
      const auto* row = stored.rows.data() + order[i] * stored.width;
      std::transform(row, row + stored.width, std::back_inserter(values), changed);
      fingerprints.push_back(row_hash(values.data() + values.size() - stored.width, stored.width * sizeof(float)));
    }
    const auto found = provenance.resolve(reader, {values.data(), stored.width, fingerprints}, kRun);
    for (std::size_t i = 0; i < count; ++i) {
      const auto& place = truth[order[at + i]];
      const bool padding = place.position + 2 >= stored.length;
      right += (padding ? found.eligible[i] == 0 : found.eligible[i] != 0 && found.positions[i] == place) ? 1 : 0;
    }
  }
  return right;
}

}  // namespace

TEST_CASE("every row of an index file is found with its token, exactly and after scaling") {
  const Folder folder;
  const auto stored = random_stored(60, 50, kWide, 1);
  const auto head = write(folder.file("rows"), "layer3", stored);
  CHECK(head.rows == stored.count());
  CHECK(head.sequences == 60);
  CHECK(head.tokens == 3000);
  CHECK(head.file_bytes == fs::file_size(folder.file("rows")));

  Provenance provenance({});
  CHECK(load_row_file(folder.file("rows"), provenance) == stored.count());
  CHECK(found_right(provenance, 0, stored) == stored.count());
  CHECK(provenance.report(0).source == TokenSourceKind::fingerprint);
  CHECK(provenance.report(0).stream == "index layer3");
  // Rows as a trainer may scale them: no bit of any float stays as it was.
  const auto right = found_right(provenance, 1, stored, [](float value) { return value * 0.37F; });
  CHECK(provenance.report(1).source == TokenSourceKind::robust);
  CHECK(right >= stored.count() * 99 / 100);
}

TEST_CASE("signatures of a file are kept for a reader that comes late: they do not come again") {
  const Folder folder;
  const auto stored = random_stored(60, 50, kWide, 16);
  write(folder.file("rows"), "layer3", stored);
  Provenance provenance({});
  load_row_file(folder.file("rows"), provenance);
  // So many rows bit for bit that a model's stream would drop its signatures.
  for (int round = 0; round < 10; ++round) CHECK(found_right(provenance, 0, stored) == stored.count());
  CHECK(found_right(provenance, 1, stored, [](float value) { return value * 3.3F; }) >= stored.count() * 99 / 100);
}

TEST_CASE("narrow rows have exact fingerprints alone") {
  const Folder folder;
  const auto stored = random_stored(40, 50, kNarrow, 2);
  const auto head = write(folder.file("rows"), "narrow", stored);
  CHECK_FALSE(head.pairs.has_value());
  CHECK(head.file_bytes < stored.count() * 8 + stored.ids.size() * 5 + 2000);
  Provenance provenance({});
  CHECK(load_row_file(folder.file("rows"), provenance) == stored.count());
  CHECK(found_right(provenance, 0, stored) == stored.count());
  CHECK(found_right(provenance, 1, stored, [](float value) { return value * 0.5F; }) == 0);
}

TEST_CASE("several files are several streams; two of one name and width are refused") {
  const Folder folder;
  const auto wide = random_stored(30, 40, kWide, 3);
  const auto other = random_stored(30, 40, kWide, 4);
  const auto narrow = random_stored(30, 40, kNarrow, 5);
  write(folder.file("a"), "a", wide);
  write(folder.file("b"), "b", other);
  write(folder.file("c"), "a", narrow);  // the name again, and another width
  write(folder.file("d"), "a", other);
  Provenance provenance({});
  for (const auto* name : {"a", "b", "c"}) load_row_file(folder.file(name), provenance);
  CHECK(found_right(provenance, 0, wide) == wide.count());
  CHECK(found_right(provenance, 1, other) == other.count());
  CHECK(found_right(provenance, 2, narrow) == narrow.count());
  CHECK(provenance.report(1).stream == "index b");
  CHECK_THROWS_WITH_AS(load_row_file(folder.file("d"), provenance),
                       doctest::Contains("rows named \"a\" of width 96 were loaded from another file"), RowFileError);
  CHECK(found_right(provenance, 0, wide) == wide.count());
}

TEST_CASE("a model's rows do not push a file's out") {
  const Folder folder;
  const auto stored = random_stored(20, 40, kNarrow, 6);
  write(folder.file("a"), "m", stored);
  TraceOptions few;
  few.buffer_rows = 50;
  Provenance provenance(few);
  load_row_file(folder.file("a"), provenance);
  const auto live = random_stored(20, 40, kNarrow, 7, 0);
  provenance.record("m", {live.ids, live.length, live.attended}, live.matrix());
  CHECK(found_right(provenance, 0, stored) == stored.count());
}

TEST_CASE("a text is forgotten that no row leads to") {
  const Folder folder;
  const auto stored = random_stored(4, 10, kNarrow, 8, 0);
  // The third text has no row at all, the others miss their first token's.
  Stored part{kNarrow, 10, stored.ids, stored.attended, std::vector<std::uint8_t>(40, 1), {}, {}};
  for (std::size_t i = 0; i < 40; ++i) {
    part.has_row[i] = i / 10 == 2 || i % 10 == 0 ? 0 : 1;
    if (part.has_row[i] == 0) continue;
    part.rows.insert(part.rows.end(), stored.rows.begin() + static_cast<std::ptrdiff_t>(i * kNarrow),
                     stored.rows.begin() + static_cast<std::ptrdiff_t>((i + 1) * kNarrow));
    part.fingerprints.push_back(stored.fingerprints[i]);
  }
  write(folder.file("a"), "a", part);
  Provenance provenance({});
  CHECK(load_row_file(folder.file("a"), provenance) == 27);
  for (std::size_t text = 0; text < 4; ++text) {
    const auto tokens = std::span(stored.ids).subspan(text * 10, 8);
    CHECK(provenance.tokens().tokens(sequence_id(tokens)).empty() == (text == 2));
  }
  CHECK(found_right(provenance, 0, part) == 27);

  // Counts of tokens without a row are given back: each text goes with the last of its rows.
  Provenance ring({});
  auto* stream = ring.add_stream("ring", kNarrow, 9, std::nullopt);
  REQUIRE(stream != nullptr);
  std::vector<SignedRow> rows;
  for (const auto fingerprint : part.fingerprints) rows.push_back({fingerprint, {}});
  ring.record(*stream, {part.ids, 10, part.attended}, part.has_row, rows);  // 27 rows into room for 9: the last text's
  for (std::size_t text = 0; text < 4; ++text) {
    const auto tokens = std::span(stored.ids).subspan(text * 10, 8);
    CHECK(ring.tokens().tokens(sequence_id(tokens)).empty() == (text != 3));
  }
}

TEST_CASE("an index file is its owner's, and there whole or not at all") {
  const Folder folder;
  const auto stored = random_stored(20, 40, kNarrow, 9);
  const auto path = folder.file("rows");
  write_bytes(path, "old");
  {
    RowFileWriter unfinished(path, "a", kNarrow, std::nullopt);
    unfinished.add({stored.ids, stored.length, stored.attended}, stored.has_row, stored.matrix());
    CHECK(folder.files() == 2);
  }
  CHECK(folder.files() == 1);
  CHECK(bytes_of(path).size() == 3);
  write(path, "a", stored);
  CHECK(folder.files() == 1);
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);

  // A link stays one.
  fs::create_symlink(path, folder.file("link"));
  write(folder.file("link"), "a", stored);
  CHECK(fs::is_symlink(folder.file("link")));
  CHECK(refusal(path).empty());
  const auto said = [](const std::string& where, const std::string& name) -> std::string {
    try {
      const RowFileWriter writer(where, name, kNarrow, std::nullopt);
    } catch (const RowFileError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(says(said("/dev/null", "a"), "/dev/null cannot be written: it is no regular file"));
  CHECK(says(said(folder.file("no/such"), "a"), "No such file or directory"));
  CHECK(says(said(folder.file("new"), "two\nlines"), "no control characters"));
  CHECK(says(said(folder.file("new"), ""), "1 to 1024 bytes"));
}

TEST_CASE("rows that do not belong to the tokens are not written") {
  const Folder folder;
  const auto stored = random_stored(5, 10, kNarrow, 10);
  RowFileWriter writer(folder.file("rows"), "a", kNarrow, std::nullopt);
  CHECK_THROWS_AS(writer.add({stored.ids, stored.length, {}}, {}, stored.matrix()), RowFileError);  // all have a row?
  auto wide = stored.matrix();
  wide.width = kWide;
  CHECK_THROWS_AS(writer.add({stored.ids, stored.length, {}}, stored.has_row, wide), RowFileError);
  CHECK_THROWS_AS(writer.add({stored.ids, 7, {}}, stored.has_row, stored.matrix()), RowFileError);
}

TEST_CASE("the rules of tokens are those of who loads the file") {
  const Folder folder;
  const auto stored = random_stored(10, 20, kNarrow, 15, 0);
  write(folder.file("rows"), "a", stored);
  TraceOptions options;
  options.rules.ignored_ids = {stored.ids[0]};
  options.rules.first_positions = 3;
  Provenance provenance(options);
  load_row_file(folder.file("rows"), provenance);
  const auto found = provenance.resolve(0, {nullptr, kNarrow, std::span(stored.fingerprints).first(20)}, kRun);
  const auto text = sequence_id(std::span(stored.ids).subspan(1, 17));
  CHECK(found.eligible == std::vector<std::uint8_t>{0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0});
  CHECK(found.positions[4] == TokenPosition{text, 3});
}
