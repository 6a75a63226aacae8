"""One line to stderr per thing worth saying, as the plugin says its own."""
from __future__ import annotations

import os
import select

_said: set[str] = set()


def warn(line: str) -> None:
    """Writes "saetap: …" with a single write. Never raises, never waits: a line that nobody reads is dropped.

    The same line is said once in a process."""
    if line in _said:
        return
    _said.add(line)
    try:
        text = f"saetap: {' '.join(line.split())}\n".encode("utf-8", "replace")
        if select.select([], [2], [], 0)[1]:
            os.write(2, text[:4095].rstrip(b"\n") + b"\n")
    except (OSError, ValueError):
        pass


def first_line(failed: BaseException) -> str:
    """Of what an exception says; LibTorch's go on with a stack trace."""
    return f"{failed}".strip().split("\n")[0] or type(failed).__name__
