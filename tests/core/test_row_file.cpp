// Index files: what was written is found again row by row, and what is damaged is refused.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>

#include "plugin/trace/row_file.h"
#include "plugin/trace/row_file_reader.h"
#include "plugin/trace/row_file_writer.h"
#include "plugin/trace/row_hash.h"

using namespace saetap;

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kWide = 96;
constexpr std::size_t kNarrow = 4;
constexpr SequenceId kRun = 12345;
constexpr std::int32_t kPad = 0;

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("saetap-index-" + std::to_string(::getpid()))) {
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }

 private:
  fs::path path_;
};

// Text [sequences, length] in which some tokens have no row, with the rows of the others.
struct Stored {
  std::size_t width = 0;
  std::size_t length = 0;
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> attended;
  std::vector<std::uint8_t> has_row;
  std::vector<float> rows;
  std::vector<std::uint64_t> fingerprints;

  [[nodiscard]] std::size_t count() const { return fingerprints.size(); }
  [[nodiscard]] RowMatrix matrix() const { return {rows.data(), width, fingerprints}; }
};

Stored random_stored(std::size_t sequences, std::size_t length, std::size_t width, unsigned seed, int without_row = 5) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Stored stored{width, length, {}, {}, {}, {}, {}};
  for (std::size_t i = 0; i < sequences * length; ++i) {
    const bool pad = i % length >= length - 2;
    stored.ids.push_back(pad ? kPad : 1 + static_cast<std::int32_t>(random() % 30000));
    stored.attended.push_back(pad ? 0 : 1);
    stored.has_row.push_back(without_row > 0 && random() % static_cast<unsigned>(without_row) == 0 ? 0 : 1);
    if (stored.has_row.back() == 0) continue;
    for (std::size_t d = 0; d < width; ++d) stored.rows.push_back(normal(random) + 0.1F * static_cast<float>(d % 7));
    const auto* row = stored.rows.data() + stored.rows.size() - width;
    stored.fingerprints.push_back(row_hash(row, width * sizeof(float)));
  }
  return stored;
}

// Written in calls of some sequences each.
RowFileHead write(const std::string& path, const std::string& name, const Stored& stored, std::size_t at_once = 7) {
  RowFileWriter writer(path, name, stored.width,
                       DimensionPairs::choose(stored.rows.data(), stored.count(), stored.width));
  std::size_t row = 0;
  const auto tokens = at_once * stored.length;
  for (std::size_t at = 0; at < stored.ids.size(); at += tokens) {
    const auto count = std::min(tokens, stored.ids.size() - at);
    const auto has_row = std::span(stored.has_row).subspan(at, count);
    const auto rows = static_cast<std::size_t>(std::ranges::count(has_row, std::uint8_t{1}));
    writer.add(
        {std::span(stored.ids).subspan(at, count), stored.length, std::span(stored.attended).subspan(at, count)},
        has_row,
        {stored.rows.data() + row * stored.width, stored.width, std::span(stored.fingerprints).subspan(row, rows)});
    row += rows;
  }
  return writer.finish();
}

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

std::vector<char> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(const std::string& path, std::span<const char> bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// Why the file is refused; "" if it is not. Nothing of a refused file is remembered.
std::string refusal(const std::string& path) {
  Provenance provenance({});
  const auto before = provenance.bytes();
  try {
    load_row_file(path, provenance);
    return "";
  } catch (const RowFileError& error) {
    CHECK(provenance.bytes() == before);
    return error.what();
  }
}

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
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
  put(path, std::vector<char>{'o', 'l', 'd'});
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

TEST_CASE("an index file cut short anywhere is refused, and so is one with something behind its end") {
  const Folder folder;
  const auto stored = random_stored(60, 12, kWide, 11);
  write(folder.file("rows"), "a", stored);
  const auto whole = bytes_of(folder.file("rows"));
  const auto cut = folder.file("cut");
  for (std::size_t size = 0; size < whole.size(); size += size < 5000 || whole.size() - size < 600 ? 1 : 97) {
    put(cut, std::span(whole).first(size));
    const auto reason = refusal(cut);
    REQUIRE(!reason.empty());
    REQUIRE(says(reason, size < 16 ? "it is no file of saetap index" : "it is cut short"));
  }
  auto longer = whole;
  longer.push_back(0);
  put(cut, longer);
  CHECK(says(refusal(cut), "something was added to it: " + std::to_string(longer.size()) + " bytes are there"));
}

TEST_CASE("an index file with any bit flipped is refused") {
  const Folder folder;
  const auto stored = random_stored(25, 12, kWide, 12, 3);
  write(folder.file("rows"), "a", stored);
  const auto whole = bytes_of(folder.file("rows"));
  const auto path = folder.file("flipped");
  std::mt19937 random(13);
  const auto flip = [&](std::size_t byte, int bit) {
    auto flipped = whole;
    flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << bit));
    put(path, flipped);
    REQUIRE(!refusal(path).empty());
  };
  for (std::size_t byte = 0; byte < 80; ++byte) {
    for (int bit = 0; bit < 8; ++bit) flip(byte, bit);
  }
  for (int i = 0; i < 2000; ++i) flip(random() % whole.size(), static_cast<int>(random() % 8));

  auto other = whole;
  other[0] = 'S';
  put(path, other);
  CHECK(refusal(path) == "it is no file of saetap index");
  other = whole;
  other[8] = 2;
  put(path, other);
  CHECK(says(refusal(path), "version 2 of the format, this program reads version 1"));
}

TEST_CASE("batches in another order, left out or twice are refused, and lies with a right checksum") {
  const Folder folder;
  const auto stored = random_stored(14, 12, kNarrow, 14, 0);
  write(folder.file("rows"), "a", stored, 7);  // two batches of one size
  const auto whole = bytes_of(folder.file("rows"));
  const auto batch = static_cast<std::ptrdiff_t>(24 + 84 * 5 + 84 * 8 + 8);
  const auto head = static_cast<std::ptrdiff_t>(whole.size()) - 2 * batch;
  const auto path = folder.file("other");
  auto swapped = whole;
  std::swap_ranges(swapped.begin() + head, swapped.begin() + head + batch, swapped.begin() + head + batch);
  put(path, swapped);
  CHECK(says(refusal(path), "sequence 0 should follow, not 7"));
  auto twice = whole;
  std::copy_n(twice.begin() + head, batch, twice.begin() + head + batch);
  put(path, twice);
  CHECK(says(refusal(path), "sequence 7 should follow, not 0"));

  // What stands at `offset` of the first batch is made `value`, and the checksum right again.
  const auto with = [&](std::ptrdiff_t offset, std::uint32_t value) {
    auto changed = whole;
    std::memcpy(changed.data() + head + offset, &value, sizeof value);
    const auto sum = row_hash(changed.data() + head, static_cast<std::size_t>(batch) - 8);
    std::memcpy(changed.data() + head + batch - 8, &sum, sizeof sum);
    put(path, changed);
    return refusal(path);
  };
  CHECK(with(8, 7) == "");                          // as it was
  CHECK(says(with(8, 0xFFFFFFFF), "do not fit"));   // sequences
  CHECK(says(with(12, 0xFFFFFFFF), "do not fit"));  // their length
  CHECK(says(with(12, 0), "do not fit"));
  CHECK(says(with(16, 0xFFFFFFFF), "do not fit"));  // rows
  CHECK(says(with(24, 0x80000000), "a token id is negative"));
  CHECK(says(with(24 + 84 * 4, 0), "80 tokens have a row, and there are 84 rows"));  // flags
}

TEST_CASE("what is no index file is refused in words") {
  const Folder folder;
  CHECK(refusal(folder.file("missing")) == "No such file or directory");
  CHECK(refusal(fs::temp_directory_path().string()) == "it is no regular file");
  put(folder.file("empty"), {});
  CHECK(refusal(folder.file("empty")) == "it is no file of saetap index");
  put(folder.file("text"), std::vector<char>(1000, 'a'));
  CHECK(refusal(folder.file("text")) == "it is no file of saetap index");
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
