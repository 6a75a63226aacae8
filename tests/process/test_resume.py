"""Real trainings that go on with the store of the one before, and checkpoints asked for from outside.

Usage: test_resume.py BIN_DIR DEMO_DIR      (BIN_DIR holds saetap and train_sae)
"""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "reliability"))
from fault_record import record_fault  # noqa: E402

BIN, DEMO = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
SAETAP = BIN / "saetap"
STEPS, BATCH = 6, 512


class Resume(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.samples = self.folder / "activation_samples"

    def command(self, steps: int, keys: dict, module: str = "topk_sae.pt") -> list[str]:
        config = self.folder / "tap.json"
        config.write_text(json.dumps({"saetap": {"tokens": {"ignore_token_ids": [0, 101, 102]}, **keys}}))
        return list(map(str, [
            SAETAP, "record", "--config", config, "--", BIN / "train_sae", ROOT / "examples/train_sae.json", f"module={DEMO / module}",
            f"model={DEMO / 'minilm.pt'}", f"tokens={DEMO / 'tokens.bin'}", f"steps={steps}", f"save_to={self.folder / 'trained.pt'}",
            f"batch_size={BATCH}", "buffer_rows=8192", "log_every=10"]))

    def record(self, **keys: object) -> str:
        done = subprocess.run(self.command(STEPS, keys), cwd=self.folder, capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def info(self) -> dict:
        return json.loads(subprocess.run([SAETAP, "info", "--json", self.samples], capture_output=True, check=True).stdout)

    def stores(self) -> int:
        return len(list(self.samples.glob("*.saetap")))

    def check_steps(self, runs: int) -> None:
        info = self.info()
        site = info["sites"][0]
        self.assertEqual((site["steps"], site["tokens_seen"]), (runs * STEPS, runs * STEPS * BATCH))
        self.assertEqual(site["scope"]["tokens"] + site["tokens_excluded"], site["tokens_seen"])  # all in the first window
        self.assertEqual(len(info["runs"]), runs)

    def test_a_run_goes_on_and_on(self) -> None:
        self.assertIn("it is begun", self.record(resume=True))
        self.assertIn(f"resumed   {self.samples}/samples.saetap: {STEPS} steps", self.record(resume=True))
        self.check_steps(2)
        said = self.record(resume=True, max_samples_per_feature=200, sample_context_size=5)
        self.assertIn("max_samples_per_feature stays 100: more were not kept before", said)
        self.assertIn("sample_context_size stays as the store was begun", said)
        self.check_steps(3)
        self.assertEqual(self.stores(), 1)
        self.record()
        self.check_steps(1)
        self.assertEqual(self.stores(), 2)
        record_fault("resume", "a training resumed twice, with other keys; then one that does not resume", 3, "nothing")

    def test_another_sae_gets_a_place_of_its_own(self) -> None:
        self.record(resume=True)
        done = subprocess.run(self.command(STEPS, {"resume": True}, "relu_sae.pt"), cwd=self.folder, capture_output=True, text=True,
                              timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("TopKSAE.forward.2048 did not come again in the resumed run", done.stderr)
        sites = self.info()["sites"]
        self.assertEqual([(site["module_type"], site["steps"]) for site in sites], [("TopKSAE", STEPS), ("ReluSAE", STEPS)])
        record_fault("resume", "a store resumed with another SAE: the old site stays, the new one is beside it", 1, "nothing")

    def test_what_cannot_be_resumed_is_moved_aside(self) -> None:
        store = self.samples / "samples.saetap"
        self.record()
        store.write_bytes(store.read_bytes()[: store.stat().st_size // 2])
        self.assertIn("not resumed", self.record(resume=True))
        self.check_steps(1)
        self.assertEqual(self.stores(), 2)
        self.assertIn('was recorded with redact "none"', self.record(resume=True, redact="tokens"))
        self.check_steps(1)
        self.assertEqual(self.stores(), 3)
        record_fault("resume", "a store that is damaged, or was kept with another redact, is to be resumed: it is moved aside", 2, "nothing")

    def test_a_file_asks_for_a_checkpoint(self) -> None:
        self.samples.mkdir()
        request = self.samples / "checkpoint"
        request.write_text("a file of the program's own")
        process = subprocess.Popen(self.command(100000, {"checkpoint_seconds": 1000}), cwd=self.folder, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        try:
            steps, deadline = 0, time.time() + 120
            while not (self.samples / "samples.saetap").exists() and time.time() < deadline:
                time.sleep(0.1)
            self.assertTrue(request.read_text())
            request.unlink()
            for _ in range(2):
                request.touch()
                deadline = time.time() + 120
                while request.exists() and time.time() < deadline:
                    time.sleep(0.1)
                self.assertFalse(request.exists())
                now = self.info()["sites"][0]["steps"]
                self.assertGreater(now, steps)
                steps = now
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        self.assertGreaterEqual(self.info()["sites"][0]["steps"], steps)
        record_fault("resume", "a checkpoint asked for by a file, then SIGKILL", 2, "what came after the last checkpoint")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
