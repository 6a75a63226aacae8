"""The command lines of docs/user_guide.md that need LibTorch and the demo's models, run in their order, in a short form.

    python test_guide_trainers.py BIN_DIR DEMO_DIR
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/cli"))

from guide_commands import shown_commands, stale

BIN, DEMO = (Path(path).resolve() for path in sys.argv[1:3])
SHORT = " steps=12 buffer_rows=8192 log_every=5"
ROW_BYTES = 4 * 128


class Guide(unittest.TestCase):
    def test_every_command_runs_and_prints_what_is_shown(self) -> None:
        with tempfile.TemporaryDirectory(prefix="saetap-guide-") as folder:
            box = Path(folder)
            (box / "examples").symlink_to(ROOT / "examples")
            (box / "demo").mkdir()
            for file in DEMO.iterdir():
                (box / "demo" / file.name).symlink_to(file)
            tokens = (DEMO / "tokens.bin").read_bytes()[:ROW_BYTES * 40]
            for trained in (box / "demo/trained_tokens.bin", box / "demo/topk_sae_trained.pt"):
                trained.unlink(missing_ok=True)  # written here: the demo's own stays as it is
            (box / "demo/trained_tokens.bin").write_bytes(tokens)
            np.save(box / "tokens.npy", np.frombuffer(tokens, "<i4").reshape(-1, 128))
            np.save(box / "acts.npy", np.random.default_rng(0).normal(size=(40 * 128, 384)).astype(np.float32))
            environment = {name: value for name, value in os.environ.items() if not name.startswith(("SAETAP", "LD_PRELOAD"))}
            environment["PATH"] = f"{BIN}:{environment['PATH']}"
            ran = 0
            for shown in shown_commands():
                if not shown.needs_libtorch:
                    continue
                with self.subTest(line=shown.line, command=shown.command):
                    short = SHORT if "train_sae.json" in shown.command else ""
                    done = subprocess.run(["bash", "-c", shown.command + short], cwd=box, env=environment, capture_output=True,
                                          text=True, check=False)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(stale(shown, done.stdout + done.stderr), [])
                    ran += 1
            self.assertGreaterEqual(ran, 4)
            self.check_json(box, environment)

    def check_json(self, box: Path, environment: dict[str, str]) -> None:
        """The run wrote what `export` writes, and it comes back the same from a store made of it."""
        def saetap(*arguments: str) -> bytes:
            return subprocess.run(["saetap", *arguments], cwd=box, env=environment, capture_output=True, check=True).stdout

        written = (box / "activation_samples/samples.json").read_bytes()
        self.assertEqual(saetap("export", "activation_samples"), written)
        saetap("import", "activation_samples/samples.json", "-o", "imported.saetap")
        self.assertEqual(saetap("export", "imported.saetap"), written)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
