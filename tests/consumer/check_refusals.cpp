// What saetap.hpp says where there is no library, or another one: status and reason, and nothing thrown.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <saetap/saetap.hpp>

namespace {

std::string stand_in;

saetap::Plugin load_as(const char* kind, const saetap::LibTorch& ours = saetap::kCompiledWith) {
  setenv("STAND_IN", kind, 1);
  return saetap::Plugin::load(stand_in.c_str(), ours);
}

}  // namespace

TEST_CASE("without a library every call says why, and does nothing") {
  saetap::Plugin plugin = saetap::Plugin::load("./no-such-library.so");
  CHECK_FALSE(plugin.loaded());
  CHECK(plugin.why().find("no-such-library.so") != std::string::npos);
  const float activations[] = {1, 2};
  const std::int64_t tokens[] = {1, 2};
  const auto attached = plugin.attach({"a", 2, 1, 1});
  for (const saetap::Status& status :
       {plugin.start("{}"), plugin.checkpoint(), plugin.stop(), plugin.step(), plugin.set_tokens(tokens, 1, 2),
        plugin.set_token_text([](std::int32_t) { return std::string("x"); }), plugin.set_token_text({}),
        plugin.observe_model("lm", {tokens, {1, 2}}, {activations, {1, 2, 1}}), saetap::Status(attached),
        saetap::Status(plugin.sites()), saetap::Status(plugin.counts(0)), saetap::Status(plugin.statistics(0, 0, 2)),
        saetap::Status(plugin.top_samples(0, 0)), saetap::Status(plugin.sample_tokens({}))}) {
    CHECK_FALSE(status);
    CHECK(status.code == SAETAP_FAILED);
    CHECK(status.message == plugin.why());
  }
  CHECK_FALSE(attached.value.attached());
  CHECK(attached.value.observe({{activations, {1, 2}}}).code == SAETAP_NOT_RUNNING);
  CHECK(attached.value.set_decoder({activations, {2, 1}}).code == SAETAP_NOT_RUNNING);
  CHECK(plugin.statistics(0, 0, 2).value.empty());
  CHECK_FALSE(saetap::Plugin().start("{}").message.empty());
}

TEST_CASE("a library that is none of ours is named") {
  const saetap::Plugin plugin = saetap::Plugin::load("libm.so.6");
  CHECK_FALSE(plugin.loaded());
  CHECK(plugin.why().find("libm.so.6 has no saetap_get_api") == 0);
}

TEST_CASE("another ABI version is refused with both numbers, whoever notices") {
  CHECK(load_as("no such version").why() == "this libsaetap.so (0.0.7) has ABI version 7, version 1 was asked for");
  const saetap::Plugin plugin = load_as("another version");
  CHECK_FALSE(plugin.loaded());
  CHECK(plugin.why() == "libsaetap.so 0.0.7 has ABI version 2, this program was compiled for 1");
}

TEST_CASE("another LibTorch, or another C++ library's ABI, is refused with both values") {
  CHECK(load_as("whole", {2, 13, 1}).why() ==
        "libsaetap.so 0.0.7 was built with LibTorch 1.13.1, this program with 2.13");
  CHECK(load_as("whole", {1, 1, 0}).why() ==
        "libsaetap.so 0.0.7 was built with LibTorch 1.13.1, this program with 1.1");
  CHECK(load_as("whole", {1, 13, 1}).why() ==
        "libsaetap.so 0.0.7 was built with _GLIBCXX_USE_CXX11_ABI=0, this program with 1");
  CHECK(load_as("whole", {1, 13, 0}).loaded());
  // This program has no LibTorch, so that it does not matter.
  CHECK(load_as("whole").loaded());
}

TEST_CASE("what a library does not have yet is said by name; the rest of it serves") {
  saetap::Plugin old = load_as("short");
  REQUIRE(old.loaded());
  CHECK(old.step().code == SAETAP_FAILED);
  CHECK(old.step().message == "this libsaetap.so (0.0.7) has no step");
  CHECK(old.sites().message == "this libsaetap.so (0.0.7) has no site_count");
  CHECK(old.checkpoint());
  CHECK(load_as("whole").step());
  // An entry that is there and empty.
  CHECK(old.start("{}").message == "this libsaetap.so (0.0.7) has no start");
}

TEST_CASE("a refused call has the library's own reason") {
  saetap::Plugin plugin = load_as("whole");
  CHECK(plugin.stop().message == "the stand-in refuses");
  CHECK(plugin.checkpoint().message.empty());
}

int main(int argc, char** argv) {
  stand_in = argv[1];
  doctest::Context context;
  context.applyCommandLine(argc - 1, argv + 1);
  return context.run();
}
