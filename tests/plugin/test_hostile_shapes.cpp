// Calls that are no plain matrices of floats: shapes and types that change, tensors that cannot be read, modules that
// fail. The program has the result it has without us; the site goes on, or is off with one line while others go on.
#include <doctest/doctest.h>

#include <cmath>
#include <thread>

#include "plugin/store/store_reader.h"
#include "tests/plugin/hostile_calls.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

using Inputs = std::vector<c10::IValue>;

Inputs plain_call(int64_t rows = 6) {
  return {at::ones({rows, kWidth})};
}

// Runs one hostile call between ordinary ones of the same module, and of another one that must not mind.
struct Strange {
  std::string what;
  std::function<Inputs()> inputs;
  bool switches_off = false;
  std::uint64_t rows = 0;  // that are kept of the strange call
};

struct Run {
  std::vector<Outcome> outcomes;
};

Run run_between(const Strange& strange, torch::jit::Module module, torch::jit::Module other) {
  Run run;
  const auto call = [&](torch::jit::Module& called, const Inputs& inputs) {
    run.outcomes.push_back(outcome_of(called, inputs));
  };
  for (int round = 0; round < 2; ++round) {
    call(module, plain_call());
    call(module, strange.inputs());
    call(module, strange.inputs());
    call(other, plain_call());
    call(module, plain_call());
  }
  return run;
}

void check_strange(const Strange& strange) {
  CAPTURE(strange.what);
  const auto both = [&] { return run_between(strange, planted_module(), planted_module("OtherSAE")); };
  const auto plain = both();
  const Folder folder;
  auto* session = new Session(planted_config(folder), "test");  // never destroyed, as in a process
  const auto witness = add_witness(*session);
  session->start();
  const CapturedErrors errors;
  const auto recorded = both();
  CAPTURE(errors.text());
  CHECK((recorded.outcomes == plain.outcomes));
  const auto sites = session->sites();
  REQUIRE(sites.size() == 2);
  CHECK(sites[1].first.name == "OtherSAE.forward.48");
  CHECK(sites[1].second.rows_collected == 2 * 6);
  std::uint64_t eligible = 0;
  for (const auto& batch : witness->batches()) eligible += static_cast<std::uint64_t>(batch.eligible);
  CHECK(count_of("switched off", errors.text()) == (strange.switches_off ? 1 : 0));
  CHECK(count_of("saetap: ", errors.text()) == (strange.switches_off ? 1 : 0));
  // Two ordinary calls and two strange ones a round, of six rows each; the first call comes before all is off.
  const auto ordinary = strange.switches_off ? 6 : 4 * 6;
  CHECK(eligible == static_cast<std::uint64_t>(ordinary) + 4 * strange.rows + 2 * 6);
  session->finish();
  CHECK(StoreReader(folder.path()).sites().size() == 2);
}

at::Tensor code(int64_t rows) {
  return at::rand({rows, kFeatures});
}

}  // namespace

TEST_CASE("calls of any shape and type leave the program's results alone, and are kept or switch one site off") {
  at::manual_seed(3);
  const auto fixed = code(6);
  const auto wide = at::rand({6, kFeatures + 1});
  const std::vector<Strange> all{
      {"no rows", [] { return plain_call(0); }},
      {"no rows planted",
       [] {
         return Inputs{at::ones({0, kWidth}), code(0)};
       }},
      {"one row",
       [&] {
         return Inputs{at::ones({1, kWidth}), fixed.slice(0, 0, 1)};
       },
       false, 1},
      {"a row without a batch",
       [&] {
         return Inputs{at::ones({kWidth}), fixed[0]};
       },
       false, 1},
      {"sequences",
       [&] {
         return Inputs{at::ones({2, 3, kWidth}), fixed.view({2, 3, kFeatures})};
       },
       false, 6},
      {"four dimensions",
       [&] {
         return Inputs{at::ones({1, 2, 3, kWidth}), fixed.view({1, 2, 3, kFeatures})};
       },
       false, 6},
      {"sequences of no tokens",
       [&] {
         return Inputs{at::ones({2, 0, kWidth}), at::ones({2, 0, kFeatures})};
       }},
      {"more rows than inputs",
       [&] {
         return Inputs{at::ones({4, kWidth}), fixed};
       },
       false, 6},
      {"inputs that are no rows",
       [&] {
         return Inputs{at::ones({kWidth}), fixed};
       },
       false, 6},
      {"a transposed tensor",
       [&] {
         return Inputs{at::ones({6, kWidth}), fixed.t().contiguous().t()};
       },
       false, 6},
      {"every second column",
       [&] {
         return Inputs{at::ones({6, kWidth}), at::stack({fixed, fixed}, -1).select(-1, 1)};
       },
       false, 6},
      {"one row many times",
       [&] {
         return Inputs{at::ones({6, kWidth}), fixed[0].expand({6, kFeatures})};
       },
       false, 6},
      {"one number many times",
       [&] {
         return Inputs{at::ones({6, kWidth}), fixed[0][0].expand({6, kFeatures})};
       },
       false, 6},
      {"rows upside down",
       [&] {
         return Inputs{at::ones({6, kWidth}), fixed.flip(0)};
       },
       false, 6},
      {"a leaf that wants gradients",
       [&] {
         return Inputs{at::ones({6, kWidth}), fixed.clone().set_requires_grad(true)};
       },
       false, 6},
      {"a conjugate and a negative view",
       [&] {
         return Inputs{at::ones({6, kWidth}), at::imag(at::complex(fixed, fixed).conj())};
       },
       false, 6},
      {"a number",
       [&] {
         return Inputs{at::ones({6, kWidth}), at::scalar_tensor(1.5)};
       }},
      {"another width",
       [&] {
         return Inputs{at::ones({6, kWidth}), wide};
       },
       true},
      {"half of the width",
       [&] {
         return Inputs{at::ones({6, kWidth}), fixed.view({12, kFeatures / 2})};
       },
       true},
      {"double precision alone",
       [&] {
         return Inputs{at::ones({6, kWidth}), fixed.to(at::kDouble)};
       },
       false, 6},
      {"half precision alone",
       [&] {
         return Inputs{at::ones({6, kWidth}), fixed.to(at::kHalf)};
       },
       false, 6},
      {"integers",
       [&] {
         return Inputs{at::ones({6, kWidth}), (fixed * 9).to(at::kLong)};
       },
       true},
      {"truth values",
       [&] {
         return Inputs{at::ones({6, kWidth}), fixed.gt(0.5)};
       },
       true},
      {"complex numbers",
       [&] {
         return Inputs{at::ones({6, kWidth}), fixed.to(at::kComplexFloat)};
       },
       true},
      {"quantized numbers",
       [&] {
         return Inputs{at::ones({6, kWidth}), at::quantize_per_tensor(fixed, 0.1, 0, at::kQInt8)};
       },
       true},
      {"a tensor without numbers",
       [&] {
         return Inputs{at::ones({6, kWidth}), fixed.to(at::kMeta)};
       },
       true},
      {"a sparse matrix of three dimensions",
       [&] {
         return Inputs{at::ones({2, 3, kWidth}), fixed.view({2, 3, kFeatures}).to_sparse()};
       },
       false, 6},
      {"sparse rows of dense features",
       [&] {
         return Inputs{at::ones({6, kWidth}), fixed.to_sparse(1)};
       },
       false, 6},
      {"a sparse matrix by columns",
       [&] {
         return Inputs{at::ones({6, kWidth}), fixed.to_sparse_csc()};
       },
       false, 6},
      {"an empty sparse matrix",
       [&] {
         return Inputs{at::ones({6, kWidth}), at::zeros({6, kFeatures}).to_sparse()};
       },
       false, 6},
      {"sparse entries outside of the matrix",
       [&] {
         const auto places = at::tensor({0, 9000, 3, 5}, at::kLong).view({2, 2});
         return Inputs{at::ones({6, kWidth}), at::_sparse_coo_tensor_unsafe(places, at::ones({2}), {6, kFeatures})};
       },
       true},
      {"sparse entries before the matrix",
       [&] {
         const auto places = at::tensor({0, -7, 3, 5}, at::kLong).view({2, 2});
         return Inputs{at::ones({6, kWidth}), at::_sparse_coo_tensor_unsafe(places, at::ones({2}), {6, kFeatures})};
       },
       true},
      {"sparse features that there are not",
       [&] {
         const auto places = at::tensor({0, 1, 3, 53}, at::kLong).view({2, 2});
         return Inputs{at::ones({6, kWidth}), at::_sparse_coo_tensor_unsafe(places, at::ones({2}), {6, kFeatures})};
       },
       true},
  };
  for (const auto& strange : all) check_strange(strange);
  record_fault("input", "calls of other shapes, types, layouts and devices under one site", all.size() * 4,
               "nothing; what is no matrix of floats switches its site off");
}
