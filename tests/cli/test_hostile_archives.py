"""`saetap inspect` and `saetap index` on files that lie, and on paths with odd names: a result or one line.

    python3 test_hostile_archives.py SAETAP MAKE_STORE PRELOAD_LIBRARY

What the two refuse besides is in test_inspect.py and test_index_refusals.py.
"""

import os
import random
import struct
import subprocess
import sys
import unittest
import zipfile
from pathlib import Path

import torch
from torch import nn

sys.path.append(str(Path(__file__).resolve().parents[1] / "reliability"))

from fault_record import LONG_FORM, record_fault
from program_test import SAETAP, StoreTest, clean_environment, run_tests

SECONDS = 120  # more than any of these takes; a hang is not waited for
MIB = 1 << 20
NAMES = ("two\nlines", "\"quotes'", "100%", "a?b#c", "  spaces  ", "münchen", os.fsdecode(b"\xff\xfe"), "-dash", "file:a")


class Sparse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Linear(4, 16)
        self.decode = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        code = self.encode(x)
        values, indices = torch.topk(code, 2)
        return self.decode(torch.zeros_like(code).scatter(-1, indices, values))


def rewritten(source: Path, target: Path, grown: str, by: int) -> Path:
    """The archive with one record that unpacks to so many zeros more."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            compress = zipfile.ZIP_DEFLATED if name.endswith(grown) else zipfile.ZIP_STORED
            entry = zipfile.ZipInfo(name)
            entry.compress_type = compress
            with new.open(entry, "w", force_zip64=True) as record:
                record.write(old.read(name))
                for _ in range(by // MIB if name.endswith(grown) else 0):
                    record.write(bytes(MIB))
    return target


class HostileArchives(StoreTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.tokens = cls.folder / "ids.pt"
        torch.save(torch.arange(80, dtype=torch.int32).reshape(8, 10), cls.tokens)
        cls.rows = cls.folder / "rows.pt"
        torch.save(torch.randn(8, 10, 8), cls.rows)
        cls.model = cls.folder / "model.pt"
        torch.jit.script(Sparse()).save(cls.model)

    def ends_well(self, *arguments: object, cwd: object = None) -> tuple[int, str]:
        command = [SAETAP, *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, env=clean_environment(), cwd=cwd, timeout=SECONDS, check=False
        )
        said = done.stderr.decode(errors="surrogateescape")
        self.assertIn(done.returncode, (0, 1, 2), (command, said))
        self.assertLessEqual(said.count("\n"), 1, said)
        return done.returncode, said

    def index(self, path: object, **options: object) -> tuple[int, str]:
        return self.ends_well(
            "index", "--activations", path, "--tokens", self.tokens, "-o", self.folder / "out.index", **options
        )

    def test_archives_that_unpack_to_more_than_there_is_memory(self) -> None:
        bombs = (
            (self.rows, "data.pkl", self.index),
            (self.rows, "byteorder", self.index),
            (self.model, "data.pkl", lambda path: self.ends_well("inspect", path)),
            (self.model, ".py", lambda path: self.ends_well("inspect", path)),
            (self.model, "constants.pkl", self.index),
        )
        for source, record, command in bombs:
            bomb = rewritten(source, self.folder / "bomb.pt", record, 400 * MIB)
            self.assertLess(bomb.stat().st_size, 2 * MIB)
            with self.subTest(record):
                status, said = command(bomb)
                self.assertEqual(status, 2)
                self.assertIn("a zip archive that unpacks to ", said)
        record_fault("input", "inspect and index on archives that unpack to 200 times their size", len(bombs),
                     "nothing: one line, before any of it is unpacked")

    def test_damaged_archives_and_headers(self) -> None:
        chosen = random.Random(1)
        header = b'{"a": {"dtype": "F32", "shape": [80, 8], "data_offsets": [0, 2560]}}'
        tensors = self.folder / "rows.safetensors"
        tensors.write_bytes(struct.pack("<Q", len(header)) + header + bytes(2560))
        self.assertEqual(self.index(tensors)[0], 0)
        damaged = self.folder / "damaged"
        tries = 300 if LONG_FORM else 6
        for source in (self.rows, self.model, tensors):
            whole = source.read_bytes()
            for number in range(tries):
                changed = bytearray(whole)
                # Where the numbers are is of no interest: the ends hold what is read as structure.
                at = chosen.randrange(min(len(whole), 1500)) * chosen.choice((1, -1))
                changed[at] ^= 1 << chosen.randrange(8)
                path = damaged.with_suffix(source.suffix)
                path.write_bytes(changed[: chosen.randrange(len(changed))] if number % 4 == 3 else changed)
                self.index(path)
                if source != tensors:
                    self.ends_well("inspect", path)
        record_fault("input", "inspect and index on .pt and .safetensors with a bit flipped or cut short", 3 * tries,
                     "nothing, or one line")

    def test_safetensors_headers_that_lie(self) -> None:
        path = self.folder / "lie.safetensors"
        lies = (
            b'{"a": {"dtype": "F32", "shape": [-1, -8], "data_offsets": [0, 32]}}',
            b'{"a": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 0]}}',
            b'{"a": {"dtype": "F32", "shape": [9223372036854775807, 0], "data_offsets": [0, 0]}}',
            b'{"a": {"dtype": "F32", "shape": [80, 8], "data_offsets": [2560, 0]}}',
            b'{"a": {"dtype": "F32", "shape": [80, 8], "data_offsets": [18446744073709551615, 2559]}}',
            b'{"a": {"dtype": "F32", "shape": [80, 8], "data_offsets": [0]}}',
            b'{"a": {"dtype": "F32", "shape": 5, "data_offsets": [0, 2560]}}',
            b'{"a": {"dtype": 7, "shape": [80, 8], "data_offsets": [0, 2560]}}',
            b'{"a": {"dtype": "C64", "shape": [80, 8], "data_offsets": [0, 2560]}}',
            b'{"a": []}',
            b"[" * 100_000,
            b'{"a":' * 100_000,
        )
        for lie in lies:
            path.write_bytes(struct.pack("<Q", len(lie)) + lie + bytes(2560))
            self.assertEqual(self.index(path)[0], 2, lie[:80])
        for length in (0, 1, 1 << 32, 1 << 63, (1 << 64) - 1, (1 << 64) - 8):
            path.write_bytes(struct.pack("<Q", length) + bytes(100))
            self.assertEqual(self.index(path)[0], 2, length)
        record_fault("input", "index on headers of .safetensors that lie", len(lies) + 6, "nothing: one line")

    def test_paths_with_odd_names(self) -> None:
        for name in NAMES:
            with self.subTest(name):
                folder = self.folder / "odd" / name
                folder.mkdir(parents=True)
                for source in (self.rows, self.model, self.tokens):
                    (folder / (name + source.name)).write_bytes(source.read_bytes())
                self.assertEqual(self.ends_well("inspect", folder / (name + "model.pt")), (0, ""))
                self.assertEqual(self.ends_well("inspect", "--", name + "model.pt", cwd=folder), (0, ""))
                status, said = self.ends_well(
                    "index", f"--activations={name}rows.pt", f"--tokens={name}ids.pt", f"--output={name}.index",
                    "--name=rows", cwd=folder,
                )
                self.assertEqual((status, said), (0, ""))
        link = self.folder / "link.pt"
        link.symlink_to("model.pt")
        self.assertEqual(self.ends_well("inspect", link), (0, ""))
        for target in ("link2.pt", "nowhere"):
            link.unlink()
            link.symlink_to(target)
            self.assertEqual(self.ends_well("inspect", link)[0], 2)
            self.assertEqual(self.index(link)[0], 2)
        record_fault("input", "inspect and index on paths with odd characters, links and links to nothing",
                     len(NAMES) + 3, "nothing, or one line")


if __name__ == "__main__":
    unittest.TestCase.maxDiff = 400
    run_tests()
