"""What the tests of the `saetap` program share: running it, and stores to run it on.

make_store.cpp says what the stores hold. A test file is started with SAETAP MAKE_STORE PRELOAD_LIBRARY and unittest's
own arguments.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SAETAP, MAKE_STORE, PRELOAD = (os.path.abspath(path) for path in sys.argv[1:4])


def clean_environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SAETAP", "LD_PRELOAD"))}
    return kept | extra


def saetap(*arguments: object, cwd: str | None = None, **extra: str) -> subprocess.CompletedProcess:
    command = [SAETAP, *map(str, arguments)]
    environment = clean_environment(**extra)
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, check=False)


class StoreTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="saetap-cli-"))
        for kind in ("usual", "two_sites", "no_tokens", "own_text", "no_site"):
            subprocess.run([MAKE_STORE, kind, str(cls.folder / kind)], check=True)
        cls.usual = cls.folder / "usual"

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(cls.folder)

    def ok(self, *arguments: object, **extra: str) -> str:
        done = saetap(*arguments, **extra)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def ok_json(self, *arguments: object) -> dict:
        return json.loads(self.ok(*arguments, "--json"))

    def fails(self, status: int, reason: str, *arguments: object, **extra: str) -> None:
        done = saetap(*arguments, **extra)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("saetap: "), done.stderr)
        self.assertIn(reason, done.stderr)


def run_tests() -> None:
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
