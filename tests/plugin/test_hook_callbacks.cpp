// What callbacks may do: take hooks away, register new ones, call modules, and throw.
#include <doctest/doctest.h>

#include "plugin/log.h"
#include "tests/captured_errors.h"
#include "tests/plugin/hook_witness.h"
#include "tests/plugin/session_witness.h"
#include "tests/plugin/tap_recorder.h"

using namespace saetap;
using namespace saetap::testing;

TEST_CASE("hooks run in the order in which they were registered") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  std::string order;
  const auto named = [&](char name) {
    return register_forward_hook(sae, {}, [&order, name](const HookEvent&) { order += name; });
  };
  const auto a = named('a');
  auto b = named('b');
  const auto c = named('c');
  call(sae, 2);
  CHECK(order == "abcabc");
  b.remove();
  b = named('b');
  order.clear();
  call(sae, 1);
  CHECK(order == "acb");
}

TEST_CASE("a hook may take itself away") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  int before = 0, once = 0, after = 0;
  const auto first = counting_hook(sae, before);
  ForwardHook hook;
  hook = register_forward_hook(sae, {}, [&](const HookEvent& event) {
    hook.remove();
    CHECK_FALSE(hook.active());
    CHECK(event.site.value == "W_dec");  // the event stays whole
    CHECK(event.activations.size(-1) == 32);
    ++once;
  });
  const auto last = counting_hook(sae, after);
  call(sae, 3);
  CHECK(before == 3);
  CHECK(once == 1);
  CHECK(after == 3);
}

TEST_CASE("the only hook may take itself away, and the module's own executor runs again") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  call(sae, 4);
  const void* own = executor_of(sae);
  int count = 0;
  ForwardHook hook;
  hook = register_forward_hook(sae, {}, [&](const HookEvent&) {
    ++count;
    hook.remove();
  });
  call(sae, 3);
  CHECK(count == 1);
  CHECK(executor_of(sae) == own);
}

TEST_CASE("while the last hook takes itself away, whoever else listens is told of that call") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  ForwardHook hook;
  std::vector<std::vector<std::uintptr_t>> reused;
  hook = register_forward_hook(sae, {}, [&](const HookEvent&) {
    hook.remove();
    // What removing gave back to the allocator is overwritten, so that nobody can go on reading it.
    for (int i = 0; i < 64; ++i) reused.emplace_back(2, 1);
  });
  Recorder recorder;
  call(sae, 3);
  CHECK(recorder.seen == 3);
}

TEST_CASE("a hook taken away by an earlier one is not called any more, not even in the call at hand") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  int removing = 0, removed = 0;
  ForwardHook later;
  const auto first = register_forward_hook(sae, {}, [&](const HookEvent&) {
    ++removing;
    later.remove();
  });
  later = counting_hook(sae, removed);
  call(sae, 2);
  CHECK(removing == 2);
  CHECK(removed == 0);
}

TEST_CASE("a hook taken away by a later one was called in that call, and never again") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  int removing = 0, removed = 0;
  auto earlier = counting_hook(sae, removed);
  const auto last = register_forward_hook(sae, {}, [&](const HookEvent&) {
    ++removing;
    earlier.remove();
  });
  call(sae, 2);
  CHECK(removing == 2);
  CHECK(removed == 1);
}

TEST_CASE("a hook registered inside a callback sees the next call, of this module and of others") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  auto other = sae_module("TopKSAE", kTopKSource, 8, 32);
  int same_module = 0, other_module = 0;
  std::vector<ForwardHook> inner;
  const auto hook = register_forward_hook(sae, {}, [&](const HookEvent&) {
    if (!inner.empty()) return;
    inner.push_back(counting_hook(sae, same_module));
    inner.push_back(counting_hook(other, other_module));
  });
  call(sae, 1);
  CHECK(same_module == 0);
  call(sae, 2);
  call(other, 3);
  CHECK(same_module == 2);
  CHECK(other_module == 3);
}

TEST_CASE("a callback may call the module it hooks, and others: they are not hooked meanwhile") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  auto other = sae_module("TopKSAE", kTopKSource, 8, 32);
  auto new_one = sae_module("JumpReluSAE", kJumpReluSource, 8, 32);
  const auto x = at::randn({5, 8});
  const auto expected = run(sae, x, 0).detach();
  int calls = 0, other_calls = 0, right = 0;
  const auto hook = register_forward_hook(sae, {}, [&](const HookEvent& event) {
    ++calls;
    right += at::equal(run(sae, event.rows, 0), expected) ? 1 : 0;
    run(other, event.rows, 0);
    run(new_one, event.rows, 0);
  });
  const auto other_hook = counting_hook(other, other_calls);
  for (int i = 0; i < 4; ++i) CHECK(at::equal(run(sae, x, 0), expected));
  CHECK(calls == 4);
  CHECK(right == 4);
  CHECK(other_calls == 0);
  call(other, 2);
  CHECK(other_calls == 2);
}

TEST_CASE("a callback runs without gradients and autocast, whatever its module runs with") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  bool grad = true;
  at::ScalarType product{};
  const auto hook = register_forward_hook(sae, {}, [&](const HookEvent& event) {
    grad = at::GradMode::is_enabled();
    product = at::matmul(event.rows, event.rows.t()).scalar_type();
  });
  at::autocast::set_autocast_enabled(at::kCPU, true);
  call(sae, 1);
  CHECK(at::GradMode::is_enabled());
  CHECK(at::autocast::is_autocast_enabled(at::kCPU));
  at::autocast::set_autocast_enabled(at::kCPU, false);
  CHECK_FALSE(grad);
  CHECK((product == at::kFloat));
}

TEST_CASE("an exception in a callback takes that hook away, with one line, and nobody else notices") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  const auto x = at::randn({5, 8});
  const auto expected = run(sae, x, 0).detach();
  set_log_level(LogLevel::error);
  int thrown = 0, others = 0;
  const auto before = counting_hook(sae, others);
  const auto standard = register_forward_hook(sae, {}, [&](const HookEvent&) {
    ++thrown;
    throw std::runtime_error("on purpose");
  });
  const auto foreign = register_forward_hook(sae, {}, [&](const HookEvent&) {
    ++thrown;
    throw 7;
  });
  const auto after = counting_hook(sae, others);
  std::string said;
  {
    const CapturedErrors errors;
    for (int i = 0; i < 3; ++i) CHECK(at::equal(run(sae, x, 0), expected));
    said = errors.text();
  }
  CHECK(thrown == 2);
  CHECK(others == 6);
  CHECK_FALSE(standard.active());
  CHECK_FALSE(foreign.active());
  CHECK(before.active());
  CHECK(after.active());
  CHECK(std::count(said.begin(), said.end(), '\n') == 2);
  CHECK(said.find("on purpose") != std::string::npos);
}

TEST_CASE("after the only hook threw, gradients and later hooks are as ever") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  auto failing = register_forward_hook(sae, {}, [](const HookEvent& event) {
    static_cast<void>(at::matmul(event.rows, event.rows));  // shapes do not fit: LibTorch throws
  });
  {
    const CapturedErrors errors;
    const auto output = run(sae, at::randn({5, 8}), 0);
    CHECK(output.requires_grad());
    output.sum().backward();
  }
  CHECK(sae.attr("W_dec").toTensor().grad().defined());
  CHECK_FALSE(failing.active());
  int count = 0;
  const auto next = counting_hook(sae, count);
  failing.remove();
  call(sae, 2);
  CHECK(count == 2);
}
