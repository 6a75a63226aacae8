// .safetensors: the length of a JSON object, the object, the tensors. https://huggingface.co/docs/safetensors
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "integrations/cli/failure.h"
#include "integrations/tensors/tensor_file.h"

namespace saetap::tensors {

using cli::Failure;
using cli::Status;

namespace {

[[noreturn]] void refuse(const std::string& reason) {
  throw Failure(Status::bad_input, reason);
}

struct Type {
  std::string_view code;
  at::ScalarType type;
};
constexpr std::array<Type, 13> kTypes{{{"F32", at::kFloat},
                                       {"F16", at::kHalf},
                                       {"BF16", at::kBFloat16},
                                       {"F64", at::kDouble},
                                       {"I32", at::kInt},
                                       {"I64", at::kLong},
                                       {"I16", at::kShort},
                                       {"I8", at::kChar},
                                       {"U8", at::kByte},
                                       {"U16", at::kUInt16},
                                       {"U32", at::kUInt32},
                                       {"U64", at::kUInt64},
                                       {"BOOL", at::kBool}}};

}  // namespace

NamedTensors safetensors(const Mapping& file) {
  const auto bytes = file->bytes();
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length) refuse("it is cut short");
  std::memcpy(&length, bytes.data(), sizeof length);
  const auto left = bytes.size() - sizeof length;
  if (length > left) refuse("its header of " + std::to_string(length) + " bytes reaches beyond the end of the file");
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + sizeof length;
  const auto header = nlohmann::json::parse(text, text + length, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) refuse("its header is no JSON object");
  NamedTensors tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    std::string type;
    std::vector<std::int64_t> shape;
    std::array<std::uint64_t, 2> offsets{};
    try {
      entry.at("dtype").get_to(type);
      entry.at("shape").get_to(shape);
      entry.at("data_offsets").get_to(offsets);
    } catch (const nlohmann::json::exception&) {
      refuse("the header of its tensor " + name + " is damaged");
    }
    const auto* known = std::ranges::find(kTypes, type, &Type::code);
    if (known == kTypes.end()) continue;  // of no use as rows or tokens
    const auto promised = tensor_bytes(known->type, shape);
    if (offsets[0] > offsets[1] || offsets[1] > left - length || promised != offsets[1] - offsets[0]) {
      refuse("its tensor " + name + ", " + shape_text(known->type, shape) +
             ", does not lie in the file as its header says");
    }
    tensors.emplace_back(name, mapped_tensor(file, sizeof length + length + offsets[0], known->type, shape));
  }
  return tensors;
}

}  // namespace saetap::tensors
