// Where a picture goes, in which format, and the table of its points beside it.
#pragma once

#include <string>

#include "integrations/cli/converted_picture.h"
#include "integrations/report/pictures.h"

namespace saetap::cli {

struct PictureTarget {
  std::string picture;  // "-": stdout
  std::string table;    // empty: none, beside stdout
  PictureFormat format = PictureFormat::svg;
};

// `output`: as asked for; empty: `name` and the format's ending, in the working folder. `format`: "svg", "png", "pdf",
// or empty: as the file ends, else SVG. Throws Failure if the two contradict each other, or no ending says which.
[[nodiscard]] PictureTarget picture_target(const std::string& output, const std::string& format,
                                           const std::string& name);

// Each whole or not at all, the table first. Throws Failure.
void write_picture(const Picture& picture, const PictureTarget& target);

}  // namespace saetap::cli
