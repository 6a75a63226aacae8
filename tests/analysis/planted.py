"""A store with planted clusters (make_planted_store.cpp), read without saetap, and the program run on it.

A test file is started with SAETAP MAKE_PLANTED_STORE and unittest's own arguments.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

SAETAP, MAKE_STORE = (os.path.abspath(path) for path in sys.argv[1:3])
FEATURES, WIDTH, CLUSTERS, SAMPLES = 600, 300, 12, 40
TOKENS_OF_SEGMENT = 64


def saetap(*arguments: object, **extra: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SAETAP")} | extra
    return subprocess.run([SAETAP, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False)


class PlantedStore:
    """What docs/file_format.md says of it."""

    def __init__(self, folder: Path, features: int = FEATURES, width: int = WIDTH) -> None:
        self.store = sqlite3.connect(f"file:{folder / 'samples.saetap'}?mode=ro", uri=True)
        blocks = self.store.execute("SELECT directions FROM decoder WHERE site = 0 ORDER BY block")
        halves = np.concatenate([np.frombuffer(blob, "<f2") for (blob,) in blocks])
        self.directions = halves.reshape(features, width).astype(np.float64)
        self.active = np.zeros(features, bool)
        for (feature,) in self.store.execute("SELECT feature FROM feature WHERE site = 0 AND active > 0"):
            self.active[feature] = True
        self.places: list[list[tuple[int, int]]] = [[] for _ in range(features)]
        for feature, sequence, position in self.store.execute(
            "SELECT feature, sequence, position FROM sample WHERE site = 0"
        ):
            places = zip(np.frombuffer(sequence, "<i8").tolist(), np.frombuffer(position, "<u4").tolist())
            self.places[feature] += places
        self.segments = {
            (sequence, segment): np.frombuffer(tokens, "<i4")
            for sequence, segment, tokens in self.store.execute("SELECT id, segment, tokens FROM sequence")
        }

    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """Which features have a direction, and these at length 1."""
        with np.errstate(invalid="ignore"):
            lengths = np.linalg.norm(self.directions, axis=1)
        has = np.flatnonzero(np.isfinite(lengths) & (lengths > 0))
        return has, self.directions[has] / lengths[has, None]

    def tokens(self, feature: int) -> list[int]:
        at = lambda position: divmod(position, TOKENS_OF_SEGMENT)  # noqa: E731
        return [int(self.segments[sequence, at(p)[0]][at(p)[1]]) for sequence, p in self.places[feature]]

    def token_counts(self) -> np.ndarray:
        counts = np.zeros((FEATURES, 1 + max(int(tokens.max()) for tokens in self.segments.values())))
        for feature in range(FEATURES):
            np.add.at(counts[feature], self.tokens(feature), 1)
        return counts


@contextmanager
def planted_store(features: int, width: int, clusters: int, samples: int) -> Iterator[Path]:
    """One of another shape, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="saetap-analysis-") as folder:
        subprocess.run([MAKE_STORE, *map(str, (features, width, clusters, samples)), folder], check=True)
        yield Path(folder)


class PlantedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="saetap-analysis-"))
        shape = map(str, (FEATURES, WIDTH, CLUSTERS, SAMPLES))
        subprocess.run([MAKE_STORE, *shape, str(cls.folder)], check=True)
        cls.planted = PlantedStore(cls.folder)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.planted.store.close()
        shutil.rmtree(cls.folder)

    def ok(self, command: str, *arguments: object, **extra: str) -> str:
        done = saetap(command, self.folder, *arguments, **extra)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def ok_json(self, command: str, *arguments: object) -> dict:
        return json.loads(self.ok(command, *arguments, "--json"))

    def fails(self, status: int, reason: str, command: str, *arguments: object, **extra: str) -> None:
        done = saetap(command, self.folder, *arguments, **extra)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertTrue(done.stderr.splitlines()[-1].startswith("saetap: "), done.stderr)
        self.assertIn(reason, done.stderr)


def run_tests() -> None:
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
