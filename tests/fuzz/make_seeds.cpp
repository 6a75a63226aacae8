// make_seeds FOLDER: a few sound inputs for every fuzz target, FOLDER/<target>/…, made by the writers themselves.
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include "plugin/store/samples_json.h"
#include "plugin/store/sqlite.h"
#include "plugin/trace/row_file_writer.h"
#include "plugin/trace/row_hash.h"
#include "tests/core/rich_store.h"
#include "tests/core/tokenizer_samples.h"

namespace {

namespace fs = std::filesystem;
using saetap::testing::RichRun;

void write(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

void configs(const fs::path& folder) {
  write(folder / "small.json", R"({"max_samples_per_feature": 7, "lr": [1e-3, null, true], "saetap": {}})");
  write(folder / "all.json",
        R"({"saetap": {"hooks": [{"module": "a", "method": "b", "value": "c"}], "activation_scale": "decoder_norm",
"output_dir": "o", "tokens": {"source": "auto", "module": "m", "index": ["i"], "ignore_token_ids": [0, 1],
"document_boundary_ids": [2], "ignore_first_positions": 1, "buffer_rows": 9}, "tokenizer": "t", "sample_window_steps":
"auto", "random_samples_per_feature": 3, "max_samples_per_sequence": 0, "collapse_near_duplicates": false,
"max_memory_mb": 1, "resume": true, "checkpoint_seconds": 2, "exit_seconds": 3, "phases": ["train", "eval"],
"rank_features_by": "mean", "save_decoder": true, "redact": "text", "log_level": "debug", "save_activation_samples": true,
"sample_collection_freq": 2, "max_samples_per_feature": 3, "sample_context_size": 4, "sample_activation_threshold": 0.5,
"top_features_to_save": 5, "samples_per_feature_to_save": 6}})");
}

// Small pages: a fuzzer changes a byte at a time.
void stores(const fs::path& folder) {
  fs::create_directories(folder / "fuzz_store");
  for (const std::int64_t features : {1, 4}) {
    RichRun run(features);
    run.train(0, features == 1 ? 3 : 9);
    const std::string path = run.folder.file("samples.saetap");
    const std::string json = run.folder.file("samples.json");
    write_samples_json(saetap::StoreReader(path), json, {.top_features = 2, .samples_per_feature = 2, .decode = {}});
    fs::create_directories(folder / "fuzz_samples_json");
    fs::copy_file(json, folder / "fuzz_samples_json" / (std::to_string(features) + ".json"));
    saetap::Database(path, saetap::Database::Mode::read_write).execute("PRAGMA page_size = 512; VACUUM");
    fs::copy_file(path, folder / "fuzz_store" / (std::to_string(features) + ".saetap"));
  }
  // There is no sound input of it, only different ones.
  std::mt19937 random(5);
  for (int seed = 0; seed < 200; ++seed) {
    std::string bytes(96, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    for (const char* target : {"fuzz_store_rows", "fuzz_merge"}) write(folder / target / std::to_string(seed), bytes);
  }
}

void index_file(const fs::path& path, std::size_t width, std::size_t tokens) {
  fs::create_directories(path.parent_path());
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> rows(tokens * width);
  for (float& number : rows) number = normal(random);
  std::vector<std::uint64_t> hashes;
  for (std::size_t i = 0; i < tokens; ++i) {
    hashes.push_back(saetap::row_hash(rows.data() + i * width, width * sizeof(float)));
  }
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < tokens; ++i) ids.push_back(static_cast<std::int32_t>(i));
  saetap::RowFileWriter writer(path.string(), "seed", width,
                               saetap::DimensionPairs::choose(rows.data(), tokens, width));
  writer.add({ids, tokens / 4, {}}, {}, {rows.data(), width, hashes});
  (void)writer.finish();
}

// As numpy and the library of safetensors write them.
void tensors(const fs::path& folder) {
  const std::string data(24, 'x');
  const auto npy = [&](const std::string& name, const std::string& header) {
    write(folder / name, std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size()) + '\0' + header + data);
  };
  npy("floats.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n");
  npy("longs.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }\n");
  const auto safetensors = [&](const std::string& name, const std::string& header) {
    write(folder / name, static_cast<char>(header.size()) + std::string(7, '\0') + header + data);
  };
  safetensors("one", R"({"rows": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}})");
  safetensors("two", R"({"a":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]},"b":{"dtype":"I64","shape":[2],)"
                     R"("data_offsets":[8,24]}})");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "make_seeds FOLDER\n";
    return 2;
  }
  const fs::path folder(argv[1]);
  fs::remove_all(folder);
  configs(folder / "fuzz_config");
  for (const auto& [name, content] : saetap::testing::tokenizer_samples()) {
    const std::string kind = name == "vocab.json"       ? "fuzz_vocab_json"
                             : name == "tekken.json"    ? "fuzz_tekken"
                             : name.ends_with(".json")  ? "fuzz_tokenizer_json"
                             : name == "vocab.txt"      ? "fuzz_vocab_txt"
                             : name.ends_with(".model") ? "fuzz_sentencepiece"
                                                        : "fuzz_tiktoken";
    write(folder / kind / name, content);
  }
  stores(folder);
  tensors(folder / "fuzz_tensor_file");
  index_file(folder / "fuzz_index_file" / "exact", 4, 16);
  index_file(folder / "fuzz_index_file" / "robust", 64, 320);
}
