#include "tests/provenance/buffer_of_many.h"

#include <torch/optim/adam.h>

#include <algorithm>
#include <ctime>
#include <iostream>
#include <sstream>

#include "plugin/session/float_rows.h"
#include "plugin/trace/provenance.h"
#include "tests/provenance/changes.h"
#include "tests/provenance/corpus.h"
#include "tests/provenance/nearest_row.h"
#include "tests/provenance/page.h"

namespace saetap::testing {

namespace {

constexpr std::int64_t kBatch = 1024;
constexpr std::int64_t kAsked = 24 * kBatch;
// After so many calls nothing more is learnt.
constexpr std::int64_t kLearning = 6 * kBatch;
constexpr std::int64_t kCall = 16;
// Of the mean distance of rows from their mean: a row with another one nearer than this is a near-duplicate.
constexpr double kClose = 0.02;

// While this lives LibTorch works on this thread alone, so that the thread's own time is what the work takes: what else
// the machine does matters little.
class OneThread {
 public:
  OneThread() : threads_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(threads_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int threads_;
};

class Clock {
 public:
  [[nodiscard]] double seconds() const { return now() - begin_; }

 private:
  static double now() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
  double begin_ = now();
};

std::string microseconds(double seconds, std::int64_t rows) {
  return format("%.1f µs", 1e6 * seconds / static_cast<double>(rows));
}

constexpr std::int64_t kFeatures = 16384;
constexpr std::int64_t kStepRows = 4096;

// A ReLU SAE's step: forward, backward, Adam.
double seconds_of_step(const at::Tensor& batch) {
  auto encoder = (0.05 * at::randn({batch.size(1), kFeatures})).set_requires_grad(true);
  auto bias = at::zeros({kFeatures}).set_requires_grad(true);
  auto decoder = (0.05 * at::randn({kFeatures, batch.size(1)})).set_requires_grad(true);
  torch::optim::Adam optimizer({encoder, bias, decoder}, 1e-3);
  std::vector<double> times;
  for (int step = 0; step < 3; ++step) {
    const Clock clock;
    optimizer.zero_grad();
    const auto code = at::relu(at::addmm(bias, batch, encoder));
    ((at::mm(code, decoder) - batch).pow(2).sum(1).mean() + 0.01 * code.sum(1).mean()).backward();
    optimizer.step();
    if (step > 0) times.push_back(clock.seconds());  // the first one makes Adam's state
  }
  return *std::min_element(times.begin(), times.end());
}

// Asked for at random, a tenth of them never recorded.
struct Asked {
  at::Tensor numbers;           // [kAsked]
  std::vector<bool> duplicate;  // of each: another row of the buffer is close
};

struct Counts {
  std::int64_t unique = 0, right = 0, wrong = 0, unresolved = 0;  // unresolved: ambiguous ones included
  std::int64_t close = 0, close_right = 0, close_wrong = 0;
  std::int64_t absent = 0, absent_wrong = 0;
  double first_call = 0, refining = 0, later_calls = 0;  // seconds
};

Counts ask(const Corpus& corpus, std::int64_t recorded, const Asked& asked, const Change& change, int reader,
           Provenance& provenance) {
  Counts counts;
  const auto* numbers = asked.numbers.const_data_ptr<std::int64_t>();
  for (std::int64_t at = 0; at < kAsked; at += kBatch) {
    const auto values = change.apply(corpus.rows.index_select(0, asked.numbers.slice(0, at, at + kBatch)));
    const auto found = [&] {
      const Clock clock;
      const FloatRows given(values);
      auto resolution = provenance.resolve(reader, given.view(), 4711);
      (at == 0 ? counts.first_call : at < kLearning ? counts.refining : counts.later_calls) += clock.seconds();
      return resolution;
    }();
    for (std::int64_t i = 0; i < kBatch; ++i) {
      const auto number = numbers[at + i];
      const auto& truth = corpus.truth[static_cast<std::size_t>(number)];
      if (!truth.counts) continue;
      const auto& place = found.positions[static_cast<std::size_t>(i)];
      const bool eligible = found.eligible[static_cast<std::size_t>(i)] != 0;
      const bool right = eligible && place == truth.place;
      const bool wrong = !right && (has_tokens(place.sequence) || !eligible);
      if (number >= recorded) {
        ++counts.absent;
        counts.absent_wrong += wrong ? 1 : 0;  // right: the same text is in the buffer, too
      } else if (asked.duplicate[static_cast<std::size_t>(at + i)]) {
        ++counts.close;
        counts.close_right += right ? 1 : 0;
        counts.close_wrong += wrong ? 1 : 0;
      } else {
        ++counts.unique;
        counts.right += right ? 1 : 0;
        counts.wrong += wrong ? 1 : 0;
        counts.unresolved += !right && !wrong ? 1 : 0;
      }
    }
  }
  return counts;
}

bool misses_limit(const Change& change, const Counts& counts) {
  const auto unique = static_cast<double>(counts.unique);
  if (change.kind == Change::Kind::guess) return counts.right + counts.wrong > 0;
  if (change.kind == Change::Kind::exact) return counts.wrong > 0 || counts.right != counts.unique;
  return static_cast<double>(counts.right) < 0.999 * unique || static_cast<double>(counts.wrong) > 1e-4 * unique;
}

struct Recorded {
  double seconds = 0;
  double hashing = 0;  // of these
};

Recorded record_all(const Corpus& corpus, std::int64_t recorded, Provenance& provenance) {
  Recorded spent;
  for (std::int64_t first = 0; first < recorded; first += kCall * kLength) {
    const auto end = std::min(first + kCall * kLength, recorded);
    const auto tokens = corpus.tokens.slice(0, first / kLength, end / kLength).to(at::kInt).contiguous();
    const std::span ids(tokens.const_data_ptr<std::int32_t>(), static_cast<std::size_t>(tokens.numel()));
    const Clock clock;
    const FloatRows given(corpus.rows.slice(0, first, end));
    spent.hashing += clock.seconds();
    provenance.record("MiniLM", {ids, kLength, {}}, given.view());
    spent.seconds += clock.seconds();
  }
  return spent;
}

}  // namespace

std::string buffer_of_many(torch::jit::Module& model, const std::vector<std::int32_t>& text, std::int64_t rows,
                           bool& failed) {
  auto corpus = full_rows(text, rows * 11 / 10 / kLength);
  std::cerr << "running the model on " << corpus.truth.size() << " tokens\n";
  run_model(model, corpus);
  const auto recorded = rows / kLength * kLength;
  const auto kept = corpus.rows.slice(0, 0, recorded);

  TraceOptions options;
  options.rules.ignored_ids = {kPad, kUnknown, kCls, kSep, kMask};
  options.rules.boundary_ids = {kPad, kCls, kSep};
  options.buffer_rows = static_cast<std::size_t>(recorded);

  auto generator = at::make_generator<at::CPUGeneratorImpl>(5);
  Asked asked{at::randint(0, corpus.rows.size(0), {kAsked}, generator, at::kLong), {}};
  std::cerr << "looking for near-duplicates\n";
  asked.duplicate = have_near_duplicate(kept, asked.numbers, kClose);

  // Every change has a reader of its own. Those whose rows stay the same have a buffer of theirs, in which there are no
  // robust fingerprints after a while.
  auto changes = changes_of(kept.slice(0, 0, 65536));
  std::stable_partition(changes.begin(), changes.end(),
                        [](const auto& change) { return change.kind != Change::Kind::exact; });
  const OneThread alone;
  Provenance provenance(options, libtorch_threads());
  const auto spent = record_all(corpus, recorded, provenance);
  const auto bytes = static_cast<double>(provenance.bytes()) / static_cast<double>(recorded);
  std::ostringstream table;
  std::vector<double> first_calls, refinings;  // of changed rows
  double matching = 0, exact = 0;
  int exact_ones = 0;
  Counts sample;
  const auto first_exact = std::find_if(changes.begin(), changes.end(),
                                        [](const auto& change) { return change.kind == Change::Kind::exact; }) -
                           changes.begin();
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto& change = changes[i];
    if (static_cast<std::ptrdiff_t>(i) == first_exact) {
      provenance = Provenance(options, libtorch_threads());
      record_all(corpus, recorded, provenance);
    }
    const auto counts = ask(corpus, recorded, asked, change, static_cast<int>(i), provenance);
    const bool miss = misses_limit(change, counts);
    failed = failed || miss;
    const auto share = 100.0 * static_cast<double>(counts.right) / static_cast<double>(counts.unique);
    table << "| " << change.name << " | " << format("%.3f %%", share) << " / " << counts.wrong << " / "
          << counts.unresolved << " | " << counts.close_right << " / " << counts.close_wrong << " / "
          << counts.close - counts.close_right - counts.close_wrong << " | " << counts.absent_wrong << " |\n";
    std::cerr << change.name << ": " << format("%.3f %%", share) << ", wrong " << counts.wrong << ", first call "
              << format("%.2f s", counts.first_call) << ", later ones "
              << microseconds(counts.later_calls, kAsked - kLearning) << (miss ? ", which misses the limit\n" : "\n");
    if (change.kind == Change::Kind::changed) {
      first_calls.push_back(counts.first_call);
      // What the calls take in which thresholds are fitted anew, over what calls take later.
      const auto usual =
          counts.later_calls / static_cast<double>(kAsked - kLearning) * static_cast<double>(kLearning - kBatch);
      refinings.push_back(std::max(0.0, counts.refining - usual));
      matching += counts.later_calls;
    } else if (change.kind == Change::Kind::exact) {
      exact += counts.later_calls;
      ++exact_ones;
    }
    sample = counts;
  }
  const auto bytes_exact = static_cast<double>(provenance.bytes()) / static_cast<double>(recorded);
  std::cerr << "a training step\n";
  const auto step = seconds_of_step(kept.slice(0, 0, kStepRows));
  const auto step_row = step / static_cast<double>(kStepRows);
  const auto part = [&](double seconds, double of_rows) {
    return format("%.2f %%", 100 * seconds / of_rows / step_row);
  };
  const auto asked_later = static_cast<double>(kAsked - kLearning);
  const auto changed_ones = static_cast<double>(first_calls.size());
  std::sort(first_calls.begin(), first_calls.end());
  std::sort(refinings.begin(), refinings.end());
  const auto middle = first_calls.size() / 2;

  std::ostringstream page;
  page
      << "## A shuffled buffer of " << grouped(recorded) << R"( rows

The larger the buffer, the more rows there are to mistake a row for. )"
      << grouped(kAsked) << R"( rows are asked for in random order, )" << grouped(kBatch)
      << R"( at a time. Those that count are of
three kinds:

- )" << grouped(sample.unique)
      << R"( *unique* ones: no other row of the buffer lies nearer than )" << format("%.0f %%", 100 * kClose)
      << R"( of the mean distance of rows from their mean. Of these at
  least 99.9 % must be right and at most 0.01 % wrong;
- )" << grouped(sample.close)
      << R"( *near-duplicates*: another row lies nearer, as where the same text comes twice. Changed ones may be found or be ambiguous;
- )" << grouped(sample.absent)
      << R"( *strangers* that were never recorded. The column counts those that were given a token that is not theirs.

| rows were | unique: right / wrong / ambiguous or unresolved | near-duplicates: right / wrong / ambiguous or unresolved | strangers: wrong |
| --- | --- | --- | --- |
)" << table.str()
      << R"(
## What it costs

Measured in the same run on one core, in processor time, beside a training step of a ReLU SAE ()"
      << kept.size(1) << R"( wide, )" << grouped(kFeatures) << R"(
features, )"
      << grouped(kStepRows) << R"( rows, float32; forward, backward and Adam), which takes )"
      << microseconds(step, kStepRows) << R"( a row.

| for each row | time | of the training step |
| --- | --- | --- |
| remembering what the model returned: hash, signature, index | )"
      << microseconds(spent.seconds, recorded) << " | " << part(spent.seconds, static_cast<double>(recorded)) << R"( |
| of which the hash of its bits | )"
      << microseconds(spent.hashing, recorded) << " | " << part(spent.hashing, static_cast<double>(recorded)) << R"( |
| finding a row whose bits are unchanged | )"
      << microseconds(exact / exact_ones, kAsked - kLearning) << " | " << part(exact / exact_ones, asked_later) << R"( |
| finding a row that was changed | )"
      << microseconds(matching / changed_ones, kAsked - kLearning) << " | "
      << part(matching / changed_ones, asked_later) << R"( |

How rows were changed is learnt once, in the first call of a run: )"
      << format("%.1f s", first_calls[middle]) << R"( with this buffer (median over the changes; at most )"
      << format("%.1f s", first_calls.back()) << R"(),
nearly all of it for comparing 512 rows with every row of the buffer; in a program LibTorch's
threads share the work. That is )"
      << format("%.2f", first_calls[middle] / step)
      << R"( training steps. What was learnt is refined three times in the calls after it: )"
      << format("%.2f s", refinings[middle]) << R"( in all (at most
)" << format("%.2f s", refinings.back())
      << R"().

A remembered row takes )"
      << format("%.0f", bytes) << " bytes, its text included, and " << format("%.0f", bytes_exact)
      << " once rows are known to arrive unchanged; the activations themselves are\nnot kept ("
      << grouped(4 * kept.size(1)) << " bytes a row).\n";
  return page.str();
}

}  // namespace saetap::testing
