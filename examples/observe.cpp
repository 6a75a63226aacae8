// A program without LibTorch that records its features through the C++ interface (C++17). What it computes, and what it
// prints, is what observe.c does.
//
//   observe TEXT-FILE [LIBSAETAP.SO]      afterwards: saetap features activation_samples
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <saetap/saetap.hpp>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t kFeatures = 26, kLength = 64, kBytes = 256;

// Whatever saetap says, a trainer could go on. This program has nothing else to do.
void check(const saetap::Status& status) {
  if (status) return;
  std::fprintf(stderr, "observe: %s\n", status.message.c_str());
  std::exit(1);
}

// [kLength, kFeatures]: how lately each letter was read, 1 at its byte and half as much with each byte that follows.
std::vector<float> encode(const std::string& bytes) {
  std::vector<float> activations(kLength * kFeatures);
  for (std::int64_t row = 0; row < kLength; ++row) {
    for (std::int64_t letter = 0; letter < kFeatures; ++letter) {
      float& here = activations[row * kFeatures + letter];
      if (row > 0) here = activations[(row - 1) * kFeatures + letter] / 2;
      if (bytes[row] == 'a' + letter) here += 1;
    }
  }
  return activations;
}

// The letter, how many of the bytes it was active at, and the places where it was strongest.
void show(const saetap::Plugin& plugin, int letter, const saetap_statistics& totals) {
  std::printf("%c  %llu of %llu", 'a' + letter, static_cast<unsigned long long>(totals.active),
              static_cast<unsigned long long>(totals.eligible));
  const auto top = plugin.top_samples(0, letter, 3);
  check(top);
  for (const saetap_sample& sample : top.value) {
    const auto around = plugin.sample_tokens(sample, 8, 0);
    check(around);
    std::printf("  %.4f \"", sample.activation);
    for (const int token : around.value.tokens) std::putchar(token == '\n' ? ' ' : token);
    std::putchar('"');
  }
  std::putchar('\n');
}

}  // namespace

int main(int argc, char** argv) {
  std::ifstream text(argc > 1 ? argv[1] : "", std::ios::binary);
  if (!text) {
    std::fputs("observe: usage: observe TEXT-FILE [LIBSAETAP.SO]\n", stderr);
    return 2;
  }
  saetap::Plugin plugin = saetap::Plugin::load(argc > 2 ? argv[2] : "libsaetap.so");
  check(plugin.start(R"({"saetap": {"save_activation_samples": true, "sample_window_steps": 0}})"));
  check(plugin.set_token_text([](std::int32_t token) { return std::string(1, static_cast<char>(token)); }));
  const auto attached = plugin.attach({"letters", kFeatures, kBytes, kBytes, "how lately each letter was read"});
  check(attached);
  const saetap::Site letters = attached.value;

  for (std::string bytes(kLength, '\0'); text.read(bytes.data(), kLength);) {
    std::vector<std::int64_t> tokens;
    for (const unsigned char byte : bytes) tokens.push_back(byte);
    const std::vector<float> activations = encode(bytes);
    check(plugin.set_tokens(tokens.data(), 1, kLength));
    check(letters.observe({{activations.data(), {kLength, kFeatures}}}));
  }

  const auto totals = plugin.statistics(0, 0, kFeatures);
  check(totals);
  for (int letter = 0; letter < kFeatures; ++letter) show(plugin, letter, totals.value[letter]);
  check(plugin.stop());
}
