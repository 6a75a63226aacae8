#include "integrations/cli/man_page.h"

#include <cctype>
#include <map>
#include <string_view>

namespace saetap::cli {
namespace {

// Text in which roff finds nothing of its own. Every roff of today reads UTF-8.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
  }
  // A line that begins with one of these would be a request.
  if (result.starts_with('.') || result.starts_with('\'')) result.insert(0, "\\&");
  return result;
}

std::string bold(std::string_view text) {
  return "\\fB" + escaped(text) + "\\fR";
}

std::string heading(const Argument& option) {
  std::string names;
  for (const std::string& name : option.names) names += (names.empty() ? "" : ", ") + bold(name);
  const std::string value = value_of(option);
  return value.empty() ? names : names + " \\fI" + escaped(value) + "\\fR";
}

// "Reads stores." as it stands behind a name in an index of manual pages: "reads stores".
std::string for_index(std::string sentence) {
  if (sentence.ends_with('.')) sentence.pop_back();
  if (!sentence.empty()) sentence[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(sentence[0])));
  return sentence;
}

std::string section_of(const Command& command) {
  std::string text = ".SS " + escaped(synopsis(command)) + "\n" + escaped(command.description) + ".\n";
  for (const auto* arguments : {&command.operands, &command.options}) {
    for (const Argument& argument : *arguments) {
      if (argument.names.back() == "--help") continue;
      text += ".TP\n" + heading(argument) + "\n" + escaped(told(argument)) + "\n";
    }
  }
  if (!command.notes.empty()) text += ".PP\n";
  for (const std::string& note : command.notes) text += escaped(note) + "\n";
  return text + ".PP\nExample:\n.PP\n.RS 4\n.nf\n" + escaped(command.example) + "\n.fi\n.RE\n";
}

std::string entry(std::string_view name, std::string_view text) {
  return ".TP\n" + bold(name) + "\n" + escaped(text) + "\n";
}

std::string environment_of(std::span<const Command> commands) {
  std::map<std::string, std::string> variables{
      {"SAETAP_LIBRARY_DIR", "The folder of libsaetap.so and libsaetap_preload.so, if they are not beside saetap."},
      {"SAETAP_PYTHON", "The Python that makes maps by UMAP and t-SNE, in place of python3."},
      {"NO_COLOR", "Where it is set and not empty, nothing is coloured unless --color always says so."}};
  for (const Command& command : commands) {
    for (const Argument& option : command.options) {
      if (option.environment.empty()) continue;
      variables.emplace(option.environment, "Stands for " + option.names.back() + " where that is not given.");
    }
  }
  std::string text;
  for (const auto& [name, meaning] : variables) text += entry(name, meaning);
  return text;
}

constexpr const char* kStatus =
    ".SH EXIT STATUS\n"
    ".TP\n0\nThe command did what it was asked.\n"
    ".TP\n1\nWhat was asked for is not there: a feature, a site, anything to hook.\n"
    ".TP\n2\nWrong usage, or input that cannot be read. One line on stderr says what and where.\n"
    ".PP\n\\fBsaetap record\\fR has the exit status of the program that it starts; 127 if there is no such program,\n"
    "126 if it cannot be executed.\n";

}  // namespace

std::string man_page(const std::string& about, std::span<const Command> commands) {
  std::string text = ".TH SAETAP 1 " SAETAP_DATE " \"saetap " SAETAP_VERSION "\"\n.SH NAME\nsaetap \\- " +
                     escaped(for_index(about)) + "\n.SH SYNOPSIS\n";
  for (const Command& command : commands) text += escaped(synopsis(command)) + "\n.br\n";
  text.resize(text.size() - std::string_view(".br\n").size());
  text +=
      ".SH DESCRIPTION\nA \\fISTORE\\fR is what a recorded run keeps: the file samples.saetap, or the folder that\n"
      "holds it. Results go to stdout, everything else to stderr; colours only to a terminal.\n.SH COMMANDS\n";
  for (const Command& command : commands) text += section_of(command);
  text += kStatus;
  text += ".SH ENVIRONMENT\n" + environment_of(commands);
  text += ".SH FILES\n" + entry("activation_samples/samples.saetap", "The store of a run: an SQLite file.") +
          entry("activation_samples/samples.json", "The strongest features with their strongest samples.");
  return text + ".SH SEE ALSO\n.BR sqlite3 (1),\n.BR ld.so (8)\n";
}

}  // namespace saetap::cli
