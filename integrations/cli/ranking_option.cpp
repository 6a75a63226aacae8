#include "integrations/cli/ranking_option.h"

#include <charconv>

#include "integrations/cli/failure.h"

namespace saetap::cli {

void add_sort_option(CLI::App& command, std::string& sort) {
  command.add_option("--sort", sort, "Order: highest max, mean, density or count (of active tokens) first")
      ->check(CLI::IsMember({"max", "mean", "density", "count"}))
      ->type_name("ORDER")
      ->capture_default_str();
}

RankBy rank_by(const std::string& sort) {
  if (sort == "mean") return RankBy::mean;
  if (sort == "density") return RankBy::density;
  if (sort == "count") return RankBy::count;
  return RankBy::max_activation;
}

double share_from(const std::string& text, const std::string& option) {
  const bool percent = text.ends_with('%');
  const char* const end = text.data() + text.size() - (percent ? 1 : 0);
  double share = 0;
  const auto [parsed, error] = std::from_chars(text.data(), end, share);
  if (percent) share /= 100;
  if (error != std::errc() || parsed != end || !(share >= 0 && share <= 1)) {
    throw Failure(Status::bad_input, option + ": " + text + " is not a share such as 0.01 or 1%");
  }
  return share;
}

}  // namespace saetap::cli
