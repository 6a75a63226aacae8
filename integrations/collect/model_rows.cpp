#include "integrations/collect/model_rows.h"

#include <algorithm>
#include <string>
#include <utility>

#include "integrations/cli/failure.h"
#include "integrations/collect/loaded_module.h"
#include "integrations/libtorch/first_line.h"
#include "integrations/tensors/mapped_tensor.h"
#include "plugin/session/token_streams.h"

namespace saetap::collect {

using cli::Failure;
using cli::Status;

namespace {

using Outputs = std::vector<TokenStreamCall::Output>;

std::string listed(const Outputs& outputs) {
  std::string text;
  for (const auto& [number, rows] : outputs) {
    text += (text.empty() ? "" : ", ") + std::to_string(number) + " is " +
            tensors::shape_text(rows.scalar_type(), rows.sizes());
  }
  return text;
}

class ModelRows : public RowSource {
 public:
  ModelRows(const CollectRequest& request, std::int64_t sequences, std::vector<tensors::TokenFile> files,
            std::int64_t rows, const std::set<std::int64_t>& widths)
      : path_(request.lm),
        model_(load_module(request.lm, request.device)),
        device_(request.device),
        output_(request.lm_output),
        masked_(!request.shards.masks.empty()),
        walk_(std::move(files), sequences),
        rows_(rows),
        widths_(widths) {
    check_arguments(model_.get_method("forward").function().getSchema());
  }

  [[nodiscard]] std::int64_t rows() const override { return rows_; }

 protected:
  std::optional<Piece> next_piece() override {
    auto texts = walk_.next();
    if (!texts) return std::nullopt;
    const auto rows = texts->tokens.with_row;
    return Piece{rows, std::move(texts->tokens), texts->length, texts->where};
  }

  at::Tensor rows_of(const Piece& piece) override {
    const auto count = static_cast<std::int64_t>(piece.tokens.ids.size());
    const auto matrix = [&](const auto& values, at::ScalarType type) {
      auto* first = const_cast<void*>(static_cast<const void*>(values.data()));
      return at::from_blob(first, {count / piece.length, piece.length}, type).to(device_, at::kLong);
    };
    std::vector<c10::IValue> arguments{matrix(piece.tokens.ids, at::kInt)};
    if (masked_) arguments.emplace_back(matrix(piece.tokens.attended, at::kByte));
    auto rows = chosen(call(arguments, piece), arguments.front().toTensor()).reshape({count, -1});
    if (piece.rows == count) return rows;
    const auto wanted = at::from_blob(const_cast<std::uint8_t*>(piece.tokens.has_row.data()), {count}, at::kByte);
    return rows.index_select(0, wanted.nonzero().flatten().to(device_));
  }

 private:
  [[noreturn]] void refuse(const std::string& reason) const { throw Failure(Status::bad_input, path_ + ": " + reason); }

  void check_arguments(const c10::FunctionSchema& schema) const {
    const auto& arguments = schema.arguments();  // the first is the module itself
    const auto needed = std::ranges::count_if(arguments, [](const auto& one) { return !one.default_value(); }) - 1;
    const auto given = masked_ ? 2 : 1;
    if (given < needed) {
      refuse("its forward needs " + std::to_string(needed) + " arguments, and it is given tokens" +
             (masked_ ? " and a mask" : " (and with --mask a mask)"));
    }
    if (arguments.size() < static_cast<std::size_t>(given) + 1) {
      refuse(masked_ && arguments.size() == 2 ? "its forward takes no mask; leave out --mask"
                                              : "its forward takes no tokens");
    }
  }

  c10::IValue call(const std::vector<c10::IValue>& arguments, const Piece& piece) {
    // A feed-forward block may look like an SAE: what is inside the model is not asked for.
    const at::DisableRecordFunctionGuard unseen;
    try {
      return model_.forward(arguments);
    } catch (const std::exception& error) {
      refuse("it fails on " + piece.where + ", whose largest token id is " +
             std::to_string(std::ranges::max(piece.tokens.ids)) + ": " + first_line(error));
    }
  }

  // Rows of the output that was asked for, or of the only one that fits.
  at::Tensor chosen(const c10::IValue& returned, const at::Tensor& tokens) {
    const auto call = read_token_stream({0, tokens, {}, returned}, {});
    const auto& outputs = call->outputs;
    if (outputs.empty()) refuse("it returns no floating-point tensor with a row for each token");
    if (!output_) output_ = only_one_that_fits(outputs);
    const auto wanted = static_cast<std::size_t>(*output_);
    const auto found = std::ranges::find(outputs, wanted, &TokenStreamCall::Output::number);
    if (found == outputs.end())
      refuse("of what it returns, " + listed(outputs) + "; --lm-output has to be one of them");
    if (!widths_.empty() && !widths_.contains(found->rows.size(-1))) {
      refuse("its output " + listed({*found}) + ", and the SAE takes rows of width " +
             std::to_string(*widths_.begin()));
    }
    return found->rows;
  }

  std::int64_t only_one_that_fits(const Outputs& outputs) const {
    Outputs fitting;
    for (const auto& output : outputs) {
      if (widths_.empty() || widths_.contains(output.rows.size(-1))) fitting.push_back(output);
    }
    if (fitting.empty()) {
      refuse("of what it returns, " + listed(outputs) + "; the SAE takes rows of width " +
             std::to_string(*widths_.begin()));
    }
    if (fitting.size() > 1)
      refuse("of what it returns, " + listed(fitting) + ": which are the SAE's rows? (--lm-output N)");
    return static_cast<std::int64_t>(fitting.front().number);
  }

  std::string path_;
  torch::jit::Module model_;
  at::Device device_;
  std::optional<std::int64_t> output_;
  bool masked_;
  TextWalk walk_;
  std::int64_t rows_;
  std::set<std::int64_t> widths_;
};

}  // namespace

std::unique_ptr<RowSource> model_rows(const CollectRequest& request, std::int64_t sequences,
                                      const std::set<std::int64_t>& widths) {
  const auto& shards = request.shards;
  auto files = tensors::open_token_files(shards.tokens, shards.masks, shards.reading);
  std::int64_t rows = 0;
  for (const auto& file : files) rows += tensors::count_tokens(file).with_row;
  return std::make_unique<ModelRows>(request, sequences, std::move(files), rows, widths);
}

}  // namespace saetap::collect
