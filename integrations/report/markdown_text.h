// Text from anywhere as Markdown that shows just that text.
#pragma once

#include <string>
#include <string_view>

namespace saetap {

// `visible_text` (see analysis/visible_text.h) with everything that Markdown or HTML would act on disarmed. For use
// inside a line, not at its beginning.
[[nodiscard]] std::string markdown_escaped(std::string_view visible_text);

// The same in bold, between these characters ('\n': the end of the line). With asterisks where they would work there,
// else with tags.
[[nodiscard]] std::string markdown_bold(std::string_view visible_text, char before, char after);

}  // namespace saetap
