// An SVG picture as PNG or PDF, made by rsvg-convert (librsvg), a program of its own: this one links nothing for it.
#pragma once

#include <string>

namespace saetap::cli {

enum class PictureFormat { svg, png, pdf };

// PNG has 300 dots to an inch. Of `svg` itself the same. Throws Failure: rsvg-convert is not there, or says why it
// cannot.
[[nodiscard]] std::string converted(const std::string& svg, PictureFormat format);

}  // namespace saetap::cli
