#include "integrations/cli/picture_file.h"

#include <array>
#include <filesystem>
#include <iostream>
#include <optional>
#include <utility>

#include "integrations/cli/failure.h"
#include "integrations/cli/written_file.h"

namespace saetap::cli {
namespace {

constexpr std::array<std::pair<const char*, PictureFormat>, 3> kFormats{
    {{"svg", PictureFormat::svg}, {"png", PictureFormat::png}, {"pdf", PictureFormat::pdf}}};

std::optional<PictureFormat> format_named(const std::string& name) {
  for (const auto& [own, format] : kFormats) {
    if (name == own) return format;
  }
  return std::nullopt;
}

}  // namespace

PictureTarget picture_target(const std::string& output, const std::string& format, const std::string& name) {
  const std::filesystem::path path(output.empty() ? name + "." + (format.empty() ? "svg" : format) : output);
  const std::string ending = path.extension().string();
  const auto asked = format_named(format);
  if (output == "-") return {"-", "", asked.value_or(PictureFormat::svg)};
  const auto by_ending = format_named(ending.empty() ? "" : ending.substr(1));
  if (!asked && !by_ending) {
    throw Failure(Status::bad_input,
                  "-o " + output + ": a picture's name ends in .svg, .png or .pdf (or --format says)");
  }
  if (asked && by_ending && *asked != *by_ending) {
    throw Failure(Status::bad_input, "-o " + output + " is not --format " + format);
  }
  // What only looks like an ending ("v1.5") stays.
  std::filesystem::path table = path;
  if (by_ending) table.replace_extension();
  return {path.string(), table.string() + ".points.csv", asked ? *asked : *by_ending};
}

void write_picture(const Picture& picture, const PictureTarget& target) {
  const std::string bytes = converted(picture.svg, target.format);
  if (target.picture == "-") {
    std::cout << bytes;
    return;
  }
  // Told of is the name that was asked for.
  const auto folder = std::filesystem::path(target.picture).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder)) {
    throw Failure(Status::bad_input, target.picture + " cannot be written: there is no folder " + folder.string());
  }
  check_no_database(target.picture);  // before the table is there
  write_atomically(target.table, [&](std::ostream& out) { write_csv(out, picture.points); });
  write_atomically(target.picture, [&](std::ostream& out) { out << bytes; });
}

}  // namespace saetap::cli
