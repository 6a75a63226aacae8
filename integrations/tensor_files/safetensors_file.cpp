// .safetensors: the length of a JSON object, the object, the tensors. https://huggingface.co/docs/safetensors
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "integrations/tensor_files/stored_tensor.h"
#include "integrations/tensor_files/tensor_file_error.h"

namespace saetap::tensors {

namespace {

struct Type {
  std::string_view code;
  NumberType type;
};
constexpr std::array<Type, 13> kTypes{{{"F32", NumberType::f32},
                                       {"F16", NumberType::f16},
                                       {"BF16", NumberType::bf16},
                                       {"F64", NumberType::f64},
                                       {"I32", NumberType::i32},
                                       {"I64", NumberType::i64},
                                       {"I16", NumberType::i16},
                                       {"I8", NumberType::i8},
                                       {"U8", NumberType::u8},
                                       {"U16", NumberType::u16},
                                       {"U32", NumberType::u32},
                                       {"U64", NumberType::u64},
                                       {"BOOL", NumberType::boolean}}};

}  // namespace

std::vector<StoredTensor> safetensors(std::span<const std::byte> bytes) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length) refuse("it is cut short");
  std::memcpy(&length, bytes.data(), sizeof length);
  const auto left = bytes.size() - sizeof length;
  if (length > left) refuse("its header of " + std::to_string(length) + " bytes reaches beyond the end of the file");
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + sizeof length;
  const auto header = nlohmann::json::parse(text, text + length, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) refuse("its header is no JSON object");
  std::vector<StoredTensor> tensors;
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
    const StoredTensor tensor{
        .name = name, .type = known->type, .shape = shape, .offset = sizeof length + length + offsets[0]};
    const auto promised = tensor_bytes(tensor.type, shape);
    if (offsets[0] > offsets[1] || offsets[1] > left - length || promised != offsets[1] - offsets[0]) {
      refuse("its tensor " + name + ", " + shape_text(tensor) + ", does not lie in the file as its header says");
    }
    tensors.push_back(tensor);
  }
  return tensors;
}

}  // namespace saetap::tensors
