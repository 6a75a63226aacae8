"""Every command line of docs/user_guide.md is run, in a folder that has what it names, and what the guide shows of its
output is held against what it prints.

    python3 test_user_guide.py SAETAP MAKE_STORE PRELOAD_LIBRARY

The features that the guide speaks of are those of the demo's store: here they are a made store's, renumbered. What needs
LibTorch and the demo's models is run by tests/process/test_guide_trainers.py; here its options are looked up.
"""

import os
import re
import shutil
import sqlite3
import struct
import subprocess
from pathlib import Path

from guide_commands import GUIDE, named_commands, shown_commands, stale
from program_test import MAKE_STORE, SAETAP, StoreTest, clean_environment, run_tests, saetap

FEATURES = 2048


def renumber(store: Path, numbers: list[int]) -> None:
    """Feature i of the store becomes numbers[i]; the site has as many features as the demo's."""
    with sqlite3.connect(store / "samples.saetap") as database:
        for table in ("feature", "sample", "random_sample", "history"):
            for feature in range(7, -1, -1):  # numbers are larger than 7: none meets another
                database.execute(f"UPDATE {table} SET feature = ? WHERE feature = ?", (numbers[feature], feature))
        database.execute("UPDATE site SET features = ?, name = 'TopKSAE.forward.2048'", (FEATURES,))
        database.execute("DELETE FROM decoder")
        for block in range(FEATURES // 1024):
            # 0x3C00, 0x3800: 1 and 0.5 in half precision.
            database.execute("INSERT INTO decoder VALUES(0, ?, ?)", (block, b"\x00\x3c\x00\x38" * 1024))


def write_matrix(path: Path, rows: int) -> None:
    """[rows, 2] in NumPy's format 1.0: what the directions of the store are multiplied with."""
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 2), }}"
    head += " " * (-(10 + len(head) + 1) % 64) + "\n"
    values = struct.pack(f"<{2 * rows}f", *(row % 7 - 3 for row in range(2 * rows)))
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + values)


class Guide(StoreTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.box = cls.folder / "box"
        numbers = sorted({int(number) for number in re.findall(r"\b(\d{3,4})\b", " ".join(
            shown.command for shown in shown_commands() if re.match("saetap (show|report|export|compare|similar|plot)", shown.command)))}
            | set(range(1000, 1008)))
        wanted = [number for number in numbers if number < 1000 or number > 1007]
        cls.numbers = (wanted + list(range(1000, 1008)))[:8]
        for name in ("activation_samples", "final_samples"):
            shutil.copytree(cls.usual, cls.box / name)
            renumber(cls.box / name, cls.numbers)
        for rank in ("rank0", "rank1"):
            subprocess.run([MAKE_STORE, rank, str(cls.box / "activation_samples" / rank)], check=True)
        write_matrix(cls.box / "unembedding.npy", 40)
        (cls.box / "samples.json").write_text(saetap("export", cls.box / "activation_samples").stdout, encoding="utf-8")

    def test_every_command_runs_and_prints_what_is_shown(self) -> None:
        environment = clean_environment(PATH=f"{Path(SAETAP).parent}:{os.environ['PATH']}")
        commands = shown_commands()
        self.assertGreater(len(commands), 20)
        for shown in commands:
            if shown.needs_libtorch:
                continue
            with self.subTest(line=shown.line, command=shown.command):
                self.assertRegex(shown.command, r"^(saetap|source <\(saetap) ")
                done = subprocess.run(["bash", "-c", shown.command], cwd=self.box, env=environment, capture_output=True,
                                      text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(stale(shown, done.stdout), [], done.stdout)

    def test_every_command_named_is_one_with_options_that_it_has(self) -> None:
        helps = {}
        lines = [(shown.line, shown.command) for shown in shown_commands()] + named_commands()
        for number, line in lines:
            words = line.partition(" -- ")[0].partition(" | ")[0].partition(" > ")[0].split()
            if words[0] != "saetap" or words[1] == "COMMAND":
                continue
            with self.subTest(line=number, command=line):
                if words[1] not in helps:
                    helps[words[1]] = self.ok(words[1], "--help")
                for option in (word.partition("=")[0] for word in words[2:] if re.match("--?[a-z]", word)):
                    self.assertRegex(helps[words[1]], rf"(?<![\w-]){option}(?![\w-])")

    def test_every_command_is_told_of(self) -> None:
        listed = re.findall(r"^  (\w+) ", saetap("--help").stdout.partition("Subcommands:\n")[2], re.MULTILINE)
        guide = GUIDE.read_text(encoding="utf-8")
        for command in listed:
            self.assertIn(f"saetap {command} ", guide, command)

    def test_links_lead_somewhere(self) -> None:
        # What is shown of a report has headings and links of its own.
        guide = re.sub(r"^```.*?^```$", "", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        headings = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in
                    re.findall(r"^#+ (.*)$", guide, re.MULTILINE)}
        for target in re.findall(r"\]\(([^)]+)\)", guide):
            path, _, heading = target.partition("#")
            if path:
                self.assertTrue((GUIDE.parent / path).exists(), target)
            elif heading:
                self.assertIn(heading, headings)

    def test_what_it_says_that_is_said_is_in_the_source(self) -> None:
        """Troubleshooting quotes real lines: the words between what varies are in the code."""
        rows = re.findall(r"^\| (`.+?)` \| .* \| .* \|$", GUIDE.read_text(encoding="utf-8").partition("## Troubleshooting")[2],
                          re.MULTILINE)
        source = "".join(path.read_text(encoding="utf-8") for folder in ("plugin", "hooks", "integrations")
                         for path in (GUIDE.parents[1] / folder).rglob("*.cpp"))
        source = re.sub(r'"\s*\n\s*(<<\s*)?\+?\s*"', "", source).replace('\\"', '"')
        self.assertGreater(len(rows), 15)
        for row in rows:
            for piece in re.split(r"…|\d[\d.]*|`", row):
                words = piece.strip(' ;:,"`')
                if len(words) > 12:
                    self.assertTrue(words in source, row)


if __name__ == "__main__":
    run_tests()
