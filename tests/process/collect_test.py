"""What the tests of `saetap collect` share: modules and files made with PyTorch, running it, and reading its store.

Usage of a test: test_NAME.py BIN_DIR DEMO_DIR      (BIN_DIR holds saetap, train_in_order)
Run with the demo's Python.
"""

import array
import ctypes
import json
import math
import os
import pathlib
import sqlite3
import struct
import subprocess
import sys
import tempfile
import unittest
import warnings

warnings.filterwarnings("ignore")

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
import inspected_models as models  # noqa: E402

BIN, DEMO = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
SAETAP = BIN / "saetap"
THREADS = 2
SPECIAL = [0, 101, 102]  # of the demo's tokenizer: padding and what stands around a text
VOCABULARY, T = 50, 12  # of the small model here, and tokens in its texts


class SmallModel(nn.Module):
    """Rows know their token and its neighbour. Its second output is as wide as no SAE here."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, models.D)
        self.wide = nn.Linear(models.D, 24)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        rows = self.words(ids)
        rows = rows + 0.5 * torch.roll(rows, 1, 1)
        return rows, self.wide(rows)


def environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SAETAP", "LD_PRELOAD"))}
    return clean | {"OMP_NUM_THREADS": str(THREADS)}


def raw(tensor: Tensor) -> bytes:
    tensor = tensor.contiguous()
    return ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size())


def npy_header(dtype: torch.dtype, shape: tuple[int, ...]) -> bytes:
    types = {torch.float32: "<f4", torch.float16: "<f2", torch.int32: "<i4", torch.int64: "<i8"}
    text = repr({"descr": types[dtype], "fortran_order": False, "shape": shape}).encode()
    text += b" " * (-(10 + len(text) + 1) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


def npy(tensor: Tensor) -> bytes:
    return npy_header(tensor.dtype, tuple(tensor.shape)) + raw(tensor)


class Store:
    """What a store holds, read by nothing of ours."""

    def __init__(self, folder: pathlib.Path):
        self.db = sqlite3.connect(f"file:{folder / 'samples.saetap'}?mode=rw", uri=True)

    def rows(self, query: str) -> list[tuple]:
        return self.db.execute(query).fetchall()

    def contents(self) -> dict[str, list[tuple]]:
        """Every table but those that name the run; how tokens were found is its way, not what it found."""
        held = {}
        for (table,) in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"):
            if table in ("meta", "run"):
                continue
            columns = [row[1] for row in self.rows(f"PRAGMA table_info({table})")]
            wanted = ", ".join(column for column in columns if column not in ("token_source", "token_stream"))
            held[table] = sorted(self.rows(f"SELECT {wanted} FROM {table}"), key=repr)
        return held

    def texts(self) -> dict[int, list[int]]:
        texts: dict[int, list[int]] = {}
        for sequence, tokens in self.rows("SELECT id, tokens FROM sequence ORDER BY id, segment"):
            texts.setdefault(sequence, []).extend(array.array("i", tokens))
        return texts

    def samples(self, table: str = "sample") -> dict[int, list[tuple[float, int, int]]]:
        """Of each feature: activation, sequence and position, strongest first."""
        query = f"SELECT feature, activation, sequence, position FROM {table} ORDER BY feature"
        return {feature: list(zip(array.array("f", values), array.array("q", where), array.array("I", positions), strict=True))
                for feature, values, where, positions in self.rows(query)}


class CollectTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        torch.set_num_threads(THREADS)
        torch.manual_seed(2)
        cls.holder = tempfile.TemporaryDirectory(prefix="saetap-collect-")
        cls.shared = pathlib.Path(cls.holder.name)
        cls.lm, cls.sae = cls.shared / "lm.pt", cls.shared / "sae.pt"
        torch.jit.script(SmallModel().eval()).save(cls.lm)
        torch.jit.script(models.TopKSAE()).save(cls.sae)
        cls.ids = torch.randint(1, VOCABULARY, (200, T), dtype=torch.int32)
        cls.tokens = cls.shared / "tokens.npy"
        cls.tokens.write_bytes(npy(cls.ids))
        with torch.no_grad():
            cls.acts = torch.jit.load(cls.lm)(cls.ids.long())[0]

    @classmethod
    def tearDownClass(cls) -> None:
        cls.holder.cleanup()

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory(prefix="saetap-collect-")
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def run_program(self, *words: object) -> subprocess.CompletedProcess:
        return subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=300, check=False, cwd=self.folder,
                              env=environment())

    def config(self, **keys: object) -> pathlib.Path:
        path = self.folder / "tap.json"
        path.write_text(json.dumps({"saetap": {"sample_window_steps": 0, "sample_activation_threshold": 0} | keys}))
        return path

    def collect(self, *words: object, out: str = "out", said: str = "") -> Store:
        done = self.run_program(SAETAP, "collect", *words, "-o", self.folder / out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(said, done.stderr)
        return Store(self.folder / out)

    def check_same(self, a: Store, b: Store, broken_off: bool = False) -> None:
        """`broken_off`: but for the last bits of sums, which depend on where: (a + b) + c, a + (b + c)."""
        def alike(one: object, other: object) -> bool:
            sums = broken_off and isinstance(one, float) and isinstance(other, float)
            return math.isclose(one, other, rel_tol=1e-13) if sums else one == other

        first, second = a.contents(), b.contents()
        self.assertEqual(first.keys(), second.keys())
        for table in first:
            self.assertEqual(len(first[table]), len(second[table]), table)
            for ours, theirs in zip(first[table], second[table], strict=True):
                self.assertTrue(len(ours) == len(theirs) and all(map(alike, ours, theirs)), (table, ours, theirs))
        self.assertTrue(first["sample"] and first["sequence"] and first["random_sample"])


def run_tests() -> None:
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
