// How many rows find their token: real text through a real model, laid out, read and changed in all the ways that
// people train with.
//
//   provenance_matrix DEMO_FOLDER [--sequences N] [--brief] [--buffer ROWS] [--out FILE.md]
//
// Exit status 1 if a row found a wrong token where it must not, or too few found theirs.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/provenance/buffer_of_many.h"
#include "tests/provenance/page.h"
#include "tests/provenance/readings.h"

using namespace saetap::testing;

namespace {

struct Arguments {
  std::string demo;
  std::int64_t sequences = 64;  // of each layout
  bool brief = false;           // each change in one layout only
  std::int64_t buffer = 0;      // rows of the large buffer; 0: not run
  std::string out;
};

std::vector<std::int32_t> read_tokens(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::int32_t> ids;
  for (std::int32_t id = 0; file.read(reinterpret_cast<char*>(&id), sizeof id);) ids.push_back(id);
  if (ids.empty()) throw std::runtime_error(path + " holds no tokens");
  return ids;
}

// A cell is failed if it is not as it must be.
class Cells {
 public:
  std::string run(const Corpus& corpus, const Change& change, const Reading& reading) {
    const auto tally = reading.run(corpus, change);
    const auto why = failure(change, reading, tally);
    if (!why.empty()) {
      failed_ = true;
      std::cerr << corpus.layout << ", mask " << name_of(corpus.mask_kind) << " / " << change.name << " / "
                << reading.name << ": " << why << ": " << cell(tally) << " of " << tally.text << " (" << tally.source
                << ")\n";
    }
    return " " + cell(tally) + " |";
  }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  bool failed_ = false;
};

std::string header(const std::string& corner, const std::vector<std::string>& columns) {
  std::string line = "| " + corner + " |", rule = "\n| --- |";
  for (const auto& column : columns) {
    line += " " + column + " |";
    rule += " --- |";
  }
  return line + rule + "\n";
}

std::string matrix(const std::vector<Corpus>& corpora, const std::vector<Change>& changes, bool brief, Cells& cells) {
  std::ostringstream page;
  for (std::size_t layout = 0; layout < corpora.size(); ++layout) {
    const auto& corpus = corpora[layout];
    page << "### " << corpus.layout << "\n\n"
         << corpus.description << " Mask: " << name_of(corpus.mask_kind) << ".\n\n";
    std::vector<std::string> columns;
    for (const auto& reading : readings()) columns.push_back(reading.name);
    page << header("rows were", columns);
    for (std::size_t i = 0; i < changes.size(); ++i) {
      // In brief: the unchanged rows everywhere, each change in one layout.
      if (brief && i > 0 && i % corpora.size() != layout) continue;
      page << "| " << changes[i].name << " |";
      for (const auto& reading : readings()) page << cells.run(corpus, changes[i], reading);
      page << "\n";
    }
    page << "\n";
    std::cerr << corpus.layout << " done\n";
  }
  return page.str();
}

// Whatever says what is padding: the rows are the same, and so must be what is left out.
std::string masks(torch::jit::Module& model, const std::vector<std::int32_t>& text, std::int64_t sequences,
                  const std::vector<Corpus>& corpora, const std::vector<Change>& changes, Cells& cells) {
  std::vector<const Change*> shown;
  for (const auto& change : changes) {
    if (change.name == "not changed" || change.name == "bfloat16, centred, scaled, bfloat16") shown.push_back(&change);
  }
  std::vector<std::string> columns;
  for (const auto* change : shown) columns.push_back("shuffled, " + change->name);
  std::ostringstream page;
  page << header("padding: mask", columns);
  const auto shuffled = std::find_if(readings().begin(), readings().end(),
                                     [](const Reading& reading) { return reading.name == "shuffled"; });
  for (const bool left : {false, true}) {
    for (const bool known_by_id : {true, false}) {
      auto corpus = known_by_id ? corpora[left ? 2 : 1] : padded_rows(text, sequences, left, kFullStop);
      if (!known_by_id) run_model(model, corpus);
      for (const auto kind :
           {MaskKind::none, MaskKind::numbers, MaskKind::booleans, MaskKind::padding, MaskKind::added}) {
        if (known_by_id != (kind == MaskKind::none)) continue;
        give_mask(corpus, kind);
        page << "| " << (left ? "left: " : "right: ") << name_of(kind) << " |";
        for (const auto* change : shown) page << cells.run(corpus, *change, *shuffled);
        page << "\n";
      }
    }
  }
  std::cerr << "Masks done\n";
  return page.str();
}

int run(const Arguments& arguments) {
  auto model = torch::jit::load(arguments.demo + "/minilm.pt");
  model.eval();
  const auto text = read_tokens(arguments.demo + "/tokens.bin");
  auto corpora = layouts_of(text, arguments.sequences);
  for (auto& corpus : corpora) run_model(model, corpus);
  at::manual_seed(3);
  const auto changes = changes_of(corpora.front().rows.slice(0, 0, 4096));

  Cells cells;
  std::ostringstream page;
  page << R"(# Which rows find their token

An SAE is trained on rows of a language model's activations. By the time it sees them they have been buffered, shuffled
and often rounded, scaled or normalised, and nothing says any more which token each row was computed from. saetap finds
that out from the rows alone. This page says how often it succeeds. `make provenance` writes it: real text (the demo's)
goes through a real language model (MiniLM's first three layers, 384 wide) in sequences of 128, and since we laid the
text out ourselves, every row's true token is known.

## Every way of reading, every change

A cell reads **right / wrong / ambiguous / unresolved**:

- *right*: the share of the rows that count (text) that were brought back to their own text and position;
- *wrong*: rows brought back to another place, text that was left out, and frame tokens (padding, [CLS], [SEP]) that were
  taken for text;
- *ambiguous*: rows that could be several tokens, such as near-duplicates once they are rounded. They are counted, and never
  guessed;
- *unresolved*: rows that nothing in the buffer fits. Features still count them, without token and context.

The last two include frame tokens, so they may be above 0 where all of the text is right. Ways of reading: *in step*, the
SAE is called with the rows of the model's call before, in its order; *shuffled*, all rows in random order; *mixed from
several calls*, a buffer of four calls of which half is drawn at random, then refilled; *epochs repeated*, all rows shuffled,
twice; *loaded from shards*, stored rows read shard by shard in random order. A cell has )"
       << grouped(corpora.front().rows.size(0))
       << R"( rows (twice as many for epochs), read 1,024 at a time, in step 2,048.

What must hold, or the test fails: rows whose numbers are not changed (the first two lines) are all right; of changed ones at
least 98 % are right and at most 0.01 % wrong; where a part of each row is lost or mixed with another's (the last three),
nothing is claimed unless the rows come in order.

)" << matrix(corpora, changes, arguments.brief, cells)
       << R"(## What says what is padding

Padding is known by the ids of its tokens or by the attention mask that the model is given. In the lines with a mask it is made
of an ordinary word (the full stop), so that only the mask tells. (The demo's model takes no mask: these are handed on as the
plugin reads them from a model's mask input.)

)" << masks(model, text, arguments.brief ? arguments.sequences / 4 : arguments.sequences, corpora, changes, cells);
  bool failed = cells.failed();
  if (arguments.buffer > 0) page << "\n" << buffer_of_many(model, text, arguments.buffer, failed);
  if (arguments.out.empty()) {
    std::cout << page.str();
  } else {
    std::ofstream(arguments.out) << page.str();
  }
  return failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const bool more = i + 1 < argc;
    if (std::strcmp(argv[i], "--sequences") == 0 && more) {
      arguments.sequences = std::stoll(argv[++i]);
    } else if (std::strcmp(argv[i], "--brief") == 0) {
      arguments.brief = true;
    } else if (std::strcmp(argv[i], "--buffer") == 0 && more) {
      arguments.buffer = std::stoll(argv[++i]);
    } else if (std::strcmp(argv[i], "--out") == 0 && more) {
      arguments.out = argv[++i];
    } else {
      arguments.demo = argv[i];
    }
  }
  if (arguments.demo.empty()) {
    std::cerr << "provenance_matrix DEMO_FOLDER [--sequences N] [--brief] [--buffer ROWS] [--out FILE.md]\n";
    return 2;
  }
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    std::cerr << "provenance_matrix: " << error.what() << "\n";
    return 2;
  }
}
