// Configs and samples.json as mistakes and ill will make them: read, or refused in one line, at once.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "plugin/config.h"
#include "plugin/store/samples_json.h"
#include "tests/core/rich_store.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using saetap::testing::long_form;
using saetap::testing::record_fault;
using saetap::testing::RichRun;
using saetap::testing::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

void check_line(const std::string& line) {
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.find('\0') == std::string::npos);
  CHECK(line.size() < 400);
}

// "accepted", or the one line that refuses it.
std::string refusal(const std::string& json) {
  try {
    for (const std::string& warning : parse_config(json).warnings) check_line(warning);
    return "accepted";
  } catch (const ConfigError& error) {
    check_line(error.what());
    return error.what();
  }
}

std::string refused_file(const std::string& path) {
  try {
    (void)load_config(path);
    return "accepted";
  } catch (const ConfigError& error) {
    const std::string reason = error.what();
    check_line(reason);
    REQUIRE(reason.starts_with(path + ": "));
    return reason.substr(path.size() + 2);
  }
}

const char* const kKeys[]{"save_activation_samples",
                          "sample_collection_freq",
                          "max_samples_per_feature",
                          "sample_context_size",
                          "sample_activation_threshold",
                          "top_features_to_save",
                          "samples_per_feature_to_save",
                          "hooks",
                          "activation_scale",
                          "output_dir",
                          "tokens",
                          "tokenizer",
                          "sample_window_steps",
                          "random_samples_per_feature",
                          "max_samples_per_sequence",
                          "collapse_near_duplicates",
                          "max_memory_mb",
                          "resume",
                          "checkpoint_seconds",
                          "exit_seconds",
                          "phases",
                          "rank_features_by",
                          "save_decoder",
                          "redact",
                          "callbacks",
                          "log_level",
                          "tokens\":{\"source",
                          "tokens\":{\"module",
                          "tokens\":{\"index",
                          "tokens\":{\"ignore_token_ids",
                          "tokens\":{\"document_boundary_ids",
                          "tokens\":{\"ignore_first_positions",
                          "tokens\":{\"buffer_rows"};

// The key itself, of one in an object, too.
std::string name_of_key(const std::string& key) {
  const std::size_t object = key.find('{');
  return object == std::string::npos ? key : key.substr(object + 2);
}

// What the tables of README.md have in their first column, which is where people find keys.
std::vector<std::string> keys_of_the_readme() {
  std::vector<std::string> keys;
  std::ifstream readme(SAETAP_README);
  for (std::string line; std::getline(readme, line);) {
    if (line.starts_with("| `")) keys.push_back(line.substr(3, line.find('`', 3) - 3));
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

std::string with_key(const std::string& key, const std::string& value) {
  const bool nested = key.find('{') != std::string::npos;
  return R"({"saetap":{")" + key + "\":" + value + (nested ? "}" : "") + "}}";
}

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("every key that README.md has is tried here") {
  std::vector<std::string> tried;
  for (const std::string key : kKeys) tried.push_back(name_of_key(key));
  std::sort(tried.begin(), tried.end());
  CHECK(tried == keys_of_the_readme());
}

TEST_CASE("a wrong type or number is refused for every key of the config, and named") {
  const std::string numbers[]{"-1", "1e300", "-1e300", "18446744073709551616", "1e-320", "0.5", "-0.5"};
  const std::string others[]{"null",        "[[]]",        "[null]",     "[{}]",
                             R"({"a":{}})", R"("\u0000")", R"([1,"x"])", "\"" + std::string(100'000, 'x') + "\""};
  std::size_t tries = 0;
  for (const std::string key : kKeys) {
    CAPTURE(key);
    const std::string name = name_of_key(key);
    const auto is_refused = [&](const std::string& value) {
      ++tries;
      const std::string found = refusal(with_key(key, value));
      return found.starts_with("config key") && found.find(name) != std::string::npos;
    };
    for (const std::string& number : numbers) {
      CAPTURE(number);
      const bool a_number = key == "sample_activation_threshold" && (number == "1e-320" || number == "0.5");
      CHECK(is_refused(number) != a_number);
    }
    for (const std::string& other : others) {
      CAPTURE(other.substr(0, 20));
      const bool a_text = other.size() > 100'000 && (key == "output_dir" || key == "tokenizer" || name == "module");
      CHECK(is_refused(other) != a_text);
    }
  }
  record_fault("input", "each key of a config has a wrong type or an impossible number", tries, "nothing: one line");
}

TEST_CASE("a config that nests, is no text or has no end is refused") {
  const std::string levels(100'000, '[');
  CHECK(refusal(levels) == "config: nested more than 64 levels deep");
  CHECK(refusal(R"({"other":)" + levels + std::string(100'000, ']') + "}") ==
        "config: nested more than 64 levels deep");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"saetap":)";
  CHECK(refusal(objects) == "config: nested more than 64 levels deep");
  for (const std::string& bad : {std::string("\xC0\xAF"), std::string("\xED\xA0\x80"), std::string("\xFF"),
                                 std::string("\xF4\x90\x80\x80"), std::string("\xE2\x82"), std::string("\0", 1)}) {
    CHECK(refusal(R"({"saetap":{"output_dir":")" + bad + R"("}})").starts_with("config: not valid JSON at line 1"));
    CHECK(refusal(bad + "{}").starts_with("config: not valid JSON at line 1"));
    CHECK(refusal("{}" + bad).starts_with("config: not valid JSON at line 1"));
  }
  CHECK(refusal(std::string("{}") + std::string(3, '\0')).starts_with("config: not valid JSON"));
  CHECK(refusal(R"({"a":"\ud800"})").starts_with("config: not valid JSON"));
  CHECK(refusal(R"({"a":)" + std::string(400, '9') + "}") == "config: a number is too large");
  record_fault("input", "a config nests 100,000 levels deep, or is not UTF-8", 3 + 18 + 3, "nothing: one line");
}

TEST_CASE("a config of 100 MB is refused with the bound, as a text and as a file; long keys and values are cut") {
  const TemporaryFolder folder;
  const std::string vast = "{\"a\":\"" + std::string(100'000'000, 'x') + "\"}";
  CHECK(refusal(vast) == "config: larger than 4 MiB");
  std::ofstream(folder.file("vast.json"), std::ios::binary) << vast;
  CHECK(refused_file(folder.file("vast.json")) == "cannot be read (larger than 4 MiB)");

  const std::string most(kLargestConfig - 100, 'k');
  CHECK(refusal("{\"" + most + "\":1}") == "accepted");
  CHECK(refusal("{\"saetap\":{\"" + most + "\":1}}").find("unknown; nearest known key") != std::string::npos);
  CHECK(refusal("{\"saetap\":{\"log_level\":\"" + most + "\"}}").find("got \"kkkk") != std::string::npos);
  std::string many = "{\"saetap\":{\"tokens\":{\"ignore_token_ids\":[0";
  while (many.size() < kLargestConfig - 100) many += ",0";
  CHECK(refusal(many + "]}}}") == "accepted");
  std::string keys = "{\"a\":0";
  for (int i = 0; keys.size() < kLargestConfig - 100; ++i) keys += ",\"k" + std::to_string(i) + "\":0";
  CHECK(refusal(keys + "}") == "accepted");
  record_fault("input", "a config of 100 MB, or of megabytes of one key, one value, ids or keys", 7,
               "nothing: one line, or it is read");
}

TEST_CASE("of a key that stands twice the last one counts") {
  CHECK(parse_config(R"({"max_samples_per_feature":3,"max_samples_per_feature":5})").max_samples_per_feature == 5);
  CHECK(parse_config(R"({"saetap":{"output_dir":"a"},"saetap":{"log_level":"debug"}})").output_dir ==
        Config{}.output_dir);
  CHECK(refusal(R"({"max_samples_per_feature":5,"max_samples_per_feature":"x"})").find("got \"x\"") !=
        std::string::npos);
}

TEST_CASE("a config that is no file is refused at once") {
  const TemporaryFolder folder;
  CHECK(refused_file(folder.path()) == "cannot be read (not a file)");
  CHECK(refused_file("/dev/zero") == "cannot be read (not a file)");
  CHECK(refused_file(folder.file("none")) == "cannot be read (No such file or directory)");
  CHECK(refused_file(folder.file(std::string(300, 'x'))) == "cannot be read (File name too long)");
  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CHECK(refused_file(folder.file("pipe")) == "cannot be read (not a file)");
  fs::create_symlink("nowhere", folder.file("dangling"));
  CHECK(refused_file(folder.file("dangling")) == "cannot be read (No such file or directory)");
  fs::create_symlink("loop", folder.file("loop"));
  CHECK(refused_file(folder.file("loop")) == "cannot be read (Too many levels of symbolic links)");
  std::ofstream(folder.file("secret")) << "{}";
  fs::permissions(folder.file("secret"), fs::perms::none);
  // The system lets root read it all the same.
  const std::string unreadable = refused_file(folder.file("secret"));
  CHECK((unreadable == "cannot be read (Permission denied)" || unreadable == "accepted"));
  fs::create_symlink("secret", folder.file("link"));
  fs::permissions(folder.file("secret"), fs::perms::owner_read);
  CHECK(refused_file(folder.file("link")) == "accepted");
  record_fault("input", "a config is a folder, a pipe, a device, unreadable, a dangling link or a loop of links", 8,
               "nothing: one line");
}

TEST_CASE("a config with any byte changed is read or refused in a line") {
  const std::string text =
      R"({"lr":1e-3,"max_samples_per_feature":7,"saetap":{"hooks":[{"module":"a","value":"b"}],)"
      R"("tokens":{"source":"auto","ignore_token_ids":[0,1]},"phases":["train"],"log_level":"info"}})";
  std::mt19937 random(11);
  std::size_t tries = 0;
  const int rounds = long_form() ? 2000 : 50;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t at = 0; at < text.size(); ++at, ++tries) {
      std::string changed = text;
      changed[at] = static_cast<char>(random());
      if (round % 2 == 1) changed.resize(random() % changed.size());
      (void)refusal(changed);
    }
  }
  record_fault("input", "bytes of a config are changed, or it is cut short", tries, "nothing: one line, or it is read");
}

TEST_CASE("a samples.json that is cut short, changed or no file is read or refused in a line") {
  RichRun run(4);
  run.train(0, 6);
  const std::string path = run.folder.file("samples.json");
  write_samples_json(run.saved(), path, {});
  const std::string whole = text_of(path);
  const auto outcome = [&](const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
    try {
      (void)read_samples_json(path);
      return std::string("read");
    } catch (const StoreError& error) {
      check_line(error.what());
      return std::string(error.what());
    }
  };
  REQUIRE(outcome(whole) == "read");
  std::size_t tries = 0;
  for (std::size_t length = 0; length + 2 < whole.size(); length += 97, ++tries) {
    REQUIRE(outcome(whole.substr(0, length)) == path + ": not valid JSON");
  }
  std::mt19937 random(13);
  for (std::size_t at = 0; at < whole.size(); at += long_form() ? 1 : 23, ++tries) {
    std::string changed = whole;
    changed[at] = "\"{}[]:,0-9eE.\\\xFFnx"[random() % 18];
    (void)outcome(changed);
  }
  const auto with = [&](const std::string& key, const std::string& value) {
    const std::size_t begin = whole.find("\"" + key + "\":") + key.size() + 3;
    return whole.substr(0, begin) + value + whole.substr(whole.find_first_of(",}\n", begin));
  };
  for (const std::string key : {"position", "step", "feature", "active_count", "token_id", "activating_index",
                                "max_samples_per_feature", "sample_context_size", "features"}) {
    for (const std::string value : {"-9223372036854775808", "18446744073709551616", "1e300", "0.5", "\"1\"", "[1]"}) {
      CAPTURE(key);
      CAPTURE(value);
      ++tries;
      CHECK((outcome(with(key, value)) != "read" || (key == "features" && value[0] == '-')));
    }
  }
  CHECK(outcome(with("activation", "1e300")) != "read");
  CHECK(outcome(with("sequence", "\"-1\"")) != "read");
  CHECK(outcome(with("sequence", "\"18446744073709551616\"")) != "read");
  CHECK(outcome(std::string(1'000'000, '[') + std::string(1'000'000, ']')) != "read");
  fs::remove(path);
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK_THROWS_WITH_AS((void)read_samples_json(path), (path + ": cannot be read (not a file)").c_str(), StoreError);
  record_fault("input", "a samples.json is cut short, changed, says impossible numbers or is a pipe", tries + 5,
               "nothing: it is refused in a line");
}
