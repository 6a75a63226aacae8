"""Writes docs/reliability.md from what the tests of faults said while they ran.

Usage: reliability_page.py FAULTS... --out PAGE     (FAULTS: files of JSON lines, see fault_record.h)
"""

import argparse
import json
import pathlib

AREAS = {
    "life": "The program ends, or starts others",
    "disk": "The disk fails",
    "resume": "Kills and resumed runs",
    "ranks": "Many ranks",
    "input": "Hostile input",
    "threads": "Many threads, long runs",
    "privacy": "Privacy and safety",
}

HEAD = """# What was broken on purpose, and what was lost

Written from what the tests say when they are run: by `make reliability`; `make test-long` tries some of them more often. Every line is a fault
that a test causes and after which it looks at the store, the program and the log. In none of them did the recorded program fail or compute
another number: where a test can tell, it asserts so. A test that fails writes no line.
"""


def read(paths: list[pathlib.Path]) -> list[dict]:
    faults = []
    for path in paths:
        faults += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    unknown = {fault["area"] for fault in faults} - AREAS.keys()
    if unknown:
        raise SystemExit(f"reliability_page.py: no such area: {', '.join(sorted(unknown))}")
    return faults


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def page(faults: list[dict]) -> str:
    parts = [HEAD]
    for area, title in AREAS.items():
        rows = [fault for fault in faults if fault["area"] == area]
        if not rows:
            continue
        parts.append(f"## {title}\n\n| fault | tried | lost |\n|---|---:|---|")
        parts += [f"| {cell(row['fault'])} | {row['tries']:,} | {cell(row['lost'])} |" for row in rows]
        parts.append("")
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("faults", type=pathlib.Path, nargs="+")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    arguments.out.write_text(page(read(arguments.faults)), encoding="utf-8")


if __name__ == "__main__":
    main()
