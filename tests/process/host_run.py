"""Runs the program `host` (host.cpp), with and without the plugin, and looks at the store after.

Usage of a test: test_NAME.py BIN_DIR LIBRARY_DIR      (BIN_DIR holds host, saetap…; LIBRARY_DIR libsaetap.so)
"""

import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.append(str(pathlib.Path(__file__).parents[1] / "reliability"))
from fault_record import LONG_FORM, record_fault  # noqa: E402,F401  (for the tests, too)

BIN, LIBRARIES = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
PLUGIN = LIBRARIES / "libsaetap.so"
ROWS, ACTIVE = 64, 4  # of a step, and of each row: host_training.h
UNBOUNDED = 300  # seconds: nothing here takes so long, unless it hangs


class Ended:
    """How a program ended, and what it said."""

    def __init__(self, done: subprocess.CompletedProcess):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def said(self, word: str) -> list[str]:
        return [line[len(word) + 1:] for line in self.out.splitlines() if line.startswith(word + " ")]

    @property
    def log(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("saetap: ")]

    def warnings(self) -> list[str]:
        words = ("not saved", "saved again", "not where it was left", "not finished", "not written", "switched off",
                 "not recording")
        return [line for line in self.log if any(word in line for word in words)]


class Store:
    """A store, read by nothing of ours."""

    def __init__(self, path: pathlib.Path):
        self.connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True)  # to write: a kill is rolled back
        assert self.one("PRAGMA integrity_check") == "ok"

    def one(self, query: str):
        return self.connection.execute(query).fetchone()[0]

    def close(self) -> None:
        self.connection.close()

    @property
    def meta(self) -> dict[str, str]:
        return dict(self.connection.execute("SELECT key, value FROM meta"))

    @property
    def steps(self) -> int:
        return self.one("SELECT steps FROM site")

    @property
    def finished(self) -> bool:
        return self.meta["finished"] == "1"


class HostTest(unittest.TestCase):
    # One is enough where threads are not the point: waiting for each other, they take the time of the machine's others.
    LIBTORCH_THREADS = 1

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="saetap-host-")
        self.folder = pathlib.Path(self.temporary.name)

    def tearDown(self):
        self.temporary.cleanup()

    def environment(self, **more: object) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SAETAP_")}
        threads = {"OMP_NUM_THREADS": str(self.LIBTORCH_THREADS)}
        return clean | threads | {name: str(value) for name, value in more.items()}

    @property
    def store_path(self) -> pathlib.Path:
        return self.folder / "out" / "samples.saetap"

    def config(self, **keys) -> pathlib.Path:
        path = self.folder / "config.json"
        path.write_text(self.config_text(**keys), encoding="utf-8")
        return path

    def config_text(self, **keys) -> str:
        settled = {"save_activation_samples": True, "output_dir": str(self.folder / "out"), "sample_window_steps": 0,
                   "sample_activation_threshold": 0, "max_samples_per_feature": 5, "random_samples_per_feature": 5}
        return json.dumps({"saetap": settled | keys})

    def command(self, program="host", **arguments) -> list[str]:
        return [str(BIN / program), *(f"{key}={value}" for key, value in arguments.items())]

    def run_host(self, program="host", variables=None, prefix=(), **arguments) -> Ended:
        done = subprocess.run([*map(str, prefix), *self.command(program, **arguments)], capture_output=True, text=True,
                              timeout=UNBOUNDED, check=False, cwd=self.folder,
                              env=self.environment(**(variables or {})))
        return Ended(done)

    def recorded(self, keys=None, program="host", variables=None, **arguments) -> Ended:
        """The same with the plugin loaded at the start."""
        variables = {"SAETAP_CONFIG": self.config(**(keys or {}))} | (variables or {})
        return self.run_host(program, variables, load=PLUGIN, **arguments)

    def wait_for(self, path: pathlib.Path, program: subprocess.Popen) -> None:
        while not path.exists():
            self.assertIsNone(program.poll(), "the program ended before it should")
            time.sleep(0.01)

    def check_store(self, steps: int, path=None, at_least=False) -> None:
        """The store has all of the first `steps` steps, counted here and not by us."""
        store = Store(path or self.store_path)
        try:
            if at_least:
                self.assertGreaterEqual(store.steps, steps)
                steps = store.steps
            self.assertEqual(store.steps, steps)
            self.assertEqual(store.one("SELECT eligible FROM part WHERE part = 'open'"), steps * ROWS)
            self.assertEqual(store.one("SELECT sum(active) FROM feature"), steps * ROWS * ACTIVE)
            self.assertEqual(store.one("SELECT last_step FROM part WHERE part = 'open'"), steps - 1)
        finally:
            store.close()


def run_tests() -> None:
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
