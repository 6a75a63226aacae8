#include "integrations/cli/completion.h"

namespace saetap::cli {
namespace {

// Everything that does not depend on what commands there are. _saetap_facts sets, for a command, the words it offers
// and what its operands are; for an option, what its value is.
constexpr const char* kBegin = R"(# bash completion for saetap, as `saetap completion bash` prints it.

_saetap_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

_saetap_value() {
  case $1 in
    file) _saetap_files -f ;;
    folder) _saetap_files -d ;;
    none) ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur") ;;
  esac
}

_saetap() {
  local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} option='' i place=0
  local options='' operands=() value='' last=$((COMP_CWORD - 1))
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _saetap_value "$_saetap_commands"
    return
  fi
  # Bash splits --sort=max at the =.
  if [[ $cur == = ]]; then
    cur=''
  elif [[ ${COMP_WORDS[last]} == = ]]; then
    last=$((last - 1))
  fi
  ((last > 1)) && option=${COMP_WORDS[last]}
  if [[ $command == record ]]; then
    for ((i = 2; i < COMP_CWORD; i++)); do
      if [[ ${COMP_WORDS[i]} == -- ]]; then
        ((i + 1 == COMP_CWORD)) && mapfile -t COMPREPLY < <(compgen -c -- "$cur") || _saetap_files -f
        return
      fi
    done
  fi
  _saetap_facts "$command" "$option"
  if [[ -n $value ]]; then
    _saetap_value "$value"
    return
  fi
  if [[ $cur == -* ]]; then
    _saetap_value "$options"
    return
  fi
  # How many operands stand before: what is no option, and no option's value.
  for ((i = 2; i < COMP_CWORD; i++)); do
    value=''
    [[ ${COMP_WORDS[i]} == -* ]] || { place=$((place + 1)); continue; }
    _saetap_facts "$command" "${COMP_WORDS[i]}"
    [[ ${COMP_WORDS[i + 1]} == = ]] && i=$((i + 1))
    [[ -n $value ]] && i=$((i + 1))
  done
  ((${#operands[@]})) || return
  ((place < ${#operands[@]})) || place=$((${#operands[@]} - 1))
  _saetap_value "${operands[place]}"
}
)";

constexpr const char* kEnd = R"(
complete -F _saetap saetap
)";

std::string joined(std::span<const std::string> words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::string kind_of(const Argument& argument) {
  switch (argument.kind) {
    case ValueKind::file:
      return "file";
    case ValueKind::folder:
      return "folder";
    case ValueKind::choice:
      return joined(argument.choices, " ");
    case ValueKind::other:
      return "none";
  }
  return "none";
}

std::string facts_of(const Command& command) {
  std::string options, operands, values;
  for (const Argument& option : command.options) {
    for (const std::string& name : option.names) options += (options.empty() ? "" : " ") + name;
    if (option.value.empty()) continue;
    values += "        " + joined(option.names, "|") + ") value='" + kind_of(option) + "' ;;\n";
  }
  for (const Argument& operand : command.operands) operands += " '" + kind_of(operand) + "'";
  if (!command.operands.empty() && !command.operands.back().many) operands += " none";  // no more of them
  return "    " + command.name + ")\n      options='" + options + "'\n      operands=(" +
         (operands.empty() ? "" : operands.substr(1)) + ")\n      case $2 in\n" + values + "      esac\n      ;;\n";
}

}  // namespace

std::string bash_completion(std::span<const Command> commands) {
  std::string names, facts;
  for (const Command& command : commands) {
    names += command.name + " ";
    facts += facts_of(command);
  }
  return std::string(kBegin) + "\n_saetap_commands='" + names +
         "--help --version'\n\n_saetap_facts() {\n  case $1 in\n" + facts + "  esac\n}\n" + kEnd;
}

}  // namespace saetap::cli
