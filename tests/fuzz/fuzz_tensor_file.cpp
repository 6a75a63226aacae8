// Any bytes as a file of activations: .npy by its magic, else .safetensors. (What is in a .pt is LibTorch's to read.)
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "integrations/cli/failure.h"
#include "integrations/tensors/tensor_file.h"
#include "tests/fuzz/fuzzed_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* given, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(given), size);
  if (bytes.starts_with("PK\3\4")) return -1;
  const std::string path = saetap::testing::fuzzed_file("fuzzed.safetensors", given, size);
  try {
    const auto tensor = saetap::tensors::open_tensor(path);
    // All of it is there, whatever its header says.
    const auto* first = static_cast<const char*>(tensor.const_data_ptr());
    unsigned sum = 0;
    for (std::size_t i = 0; i < tensor.nbytes(); ++i) sum += static_cast<unsigned char>(first[i]);
    if (tensor.nbytes() > size || sum > 255U * size) std::abort();
  } catch (const saetap::cli::Failure& failure) {
    const std::string reason = failure.what();
    if (reason.starts_with(path + ": ")) return 0;
    std::cerr << reason << '\n';
    std::abort();
  }
  return 0;
}
