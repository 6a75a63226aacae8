"""The command lines of docs/user_guide.md, and what it shows that they print."""

import re
from dataclasses import dataclass, field
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[2] / "docs/user_guide.md"
NEED_LIBTORCH = ("record", "inspect", "collect", "index")


@dataclass
class Shown:
    line: int
    command: str
    output: list[str] = field(default_factory=list)  # as shown: lines left out are "…"

    @property
    def needs_libtorch(self) -> bool:
        words = self.command.split()
        return words[0] == "saetap" and words[1] in NEED_LIBTORCH


def shown_commands() -> list[Shown]:
    """Blocks of sh have a command a line; in those of console a command stands behind "$ ", its output below."""
    commands, language = [], None
    for number, line in enumerate(GUIDE.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            language = line[3:] if language is None else None
        elif language == "sh" or (language == "console" and line.startswith("$ ")):
            commands.append(Shown(number, line.removeprefix("$ ")))
        elif language == "console":
            commands[-1].output.append(line)
    return commands


def named_commands() -> list[tuple[int, str]]:
    """Those that stand in a sentence or a table."""
    found = []
    for number, line in enumerate(GUIDE.read_text(encoding="utf-8").splitlines(), 1):
        found += [(number, command) for command in re.findall(r"`(saetap [a-z][^`]*)`", line)]
    return found


def stale(shown: Shown, printed: str) -> list[str]:
    """Lines shown whose first word is nowhere in what was printed; and the first line, if less than half of its words are.
    Figures and text differ from run to run, and so do the rows of a table, which are indented."""
    found = []
    lines = [line for line in shown.output if line.strip() and not line.startswith("…")]
    for line in lines:
        first = line.split()[0]
        if not line.startswith("  ") and re.search("[A-Za-z]{3}", first) and first not in printed:
            found.append(line)
    words = re.findall("[A-Za-z]{4,}", lines[0]) if lines else []
    if words and 2 * sum(word in printed for word in words) < len(words):
        found.append(lines[0])
    return found
