"""Doxygen's input filter: prints a header with its plain comments as documentation comments.

What documents is a comment right before a declaration, or one behind it; the first of a file documents the file. Lines
that are indented within a comment are code. Entries of the table of functions without a comment of their own have the
one of the function saetap_<entry>, or else that of the entry before them.
"""

import re
import sys

BEHIND = re.compile(r"^(?P<code>.*(?:[;,{(]|\w)) +(?P<comment>//|/\*) (?P<text>.*?)(?: \*/)?$")
ENTRY = re.compile(r"^  [\w ]+\*? ?\(\*(\w+)\)\(")


def plain(text: str) -> str:
    """What Doxygen would take for a tag or a command is neither."""
    spans = re.split(r"(`[^`]*`)", text.replace("\\", "\\\\").replace("@", "\\@"))
    return "".join(span if span.startswith("`") else re.sub(r"[<#]", r"\\\g<0>", span) for span in spans)


def documentation(lines: list[str], indent: str, first: str) -> list[str]:
    """Lines of a comment, without their marks, as one for Doxygen."""
    written, code = [indent + "/**" + first], False
    for line in [*lines, ""]:
        if code != line.startswith("  "):
            code = not code
            written.append(indent + (" * \\code{.cpp}" if code else " * \\endcode"))
        written.append(f"{indent} * {line if code else plain(line)}".rstrip())
    written[-1] = indent + " */"
    return written


class Header:
    def __init__(self, text: str):
        self.lines = text.split("\n")
        self.functions = set(re.findall(r"\bsaetap_(\w+)\(", text))
        self.written: list[str] = []
        self.documents_file = True
        self.latest: list[str] = []  # the comment of the table's latest entry
        self.in_table = False
        self.column = -1  # where the comment behind the line before began

    def comment_at(self, at: int) -> tuple[list[str], int]:
        """The text of a comment that has its lines for itself, and where it ends."""
        if self.lines[at].lstrip().startswith("//"):
            end = at
            while end < len(self.lines) and self.lines[end].lstrip().startswith("//"):
                end += 1
            return [line.lstrip()[2:].removeprefix(" ") for line in self.lines[at:end]], end
        end = at
        while "*/" not in self.lines[end]:
            end += 1
        lines = [line.strip().removesuffix("*/").rstrip() for line in self.lines[at:end + 1]]
        return [line.removeprefix("/*" if i == 0 else "*").removeprefix(" ") for i, line in enumerate(lines)], end + 1

    def comment(self, at: int) -> int:
        line = self.lines[at]
        text, end = self.comment_at(at)
        indent = line[:len(line) - len(line.lstrip())]
        following = self.lines[end].strip() if end < len(self.lines) else ""
        if self.column == len(indent):  # what stands behind the line before goes on
            self.written += [f"{indent}///< {plain(part)}" for part in text]
        elif self.documents_file:
            self.written += documentation(text, indent, " \\file")
        elif following and following != "}" and not (len(text) == 1 and text[0].startswith("----")):
            self.latest = documentation(text, indent, "")
            self.written += self.latest
        else:
            self.written += [""] * (end - at)
        self.documents_file = False
        return end

    def code(self, line: str) -> None:
        self.in_table = (self.in_table or line.startswith("typedef struct saetap_api {")) and not line.startswith("}")
        behind = BEHIND.match(line)
        entry = ENTRY.match(line) if self.in_table else None
        if entry and behind is None and not (self.written and self.written[-1].endswith("*/")):
            same = entry[1] in self.functions
            self.written += [f"  /** As saetap_{entry[1]}(). */"] if same else self.latest
        self.column = behind.start("comment") if behind else -1
        if behind:
            line = f"{behind['code']} ///< {plain(behind['text'])}"
        self.written.append(line)

    def documented(self) -> str:
        at = 0
        while at < len(self.lines):
            if self.lines[at].lstrip().startswith(("//", "/*")):
                at = self.comment(at)
            else:
                self.code(self.lines[at])
                at += 1
        return "\n".join(self.written)


with open(sys.argv[1], encoding="utf-8") as file:
    sys.stdout.write(Header(file.read()).documented())
