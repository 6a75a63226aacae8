"""Real programs under `saetap record`: plain trainers, programs without an SAE, programs without LibTorch.

Usage: test_recorded_training.py BIN_DIR DEMO_DIR      (BIN_DIR holds saetap, train_sae, train_transcoder, no_sae)
Run with the demo's Python: what was recorded is held against PyTorch itself.
"""

import array
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import warnings

BIN, DEMO = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
SAETAP = BIN / "saetap"
CONFIG = {"saetap": {"tokenizer": str(DEMO / "tokenizer.json"), "tokens": {"ignore_token_ids": [0, 101, 102]}}}
SMALL = ["batch_size=512", "buffer_rows=8192", "log_every=10"]
TRAINERS = {
    "TopK SAE (scripted)": ["train_sae", "train_sae.json", "topk_sae.pt"],
    "ReLU SAE (traced)": ["train_sae", "train_relu_sae.json", "relu_sae.pt"],
    "transcoder": ["train_transcoder", "train_transcoder.json", "transcoder.pt"],
}


def trainer(kind, folder, steps, *more):
    program, config, module = TRAINERS[kind]
    return [str(BIN / program), str(ROOT / "examples" / config), f"module={DEMO / module}", f"model={DEMO / 'minilm.pt'}",
            f"tokens={DEMO / 'tokens.bin'}", f"steps={steps}", f"save_to={folder / 'trained.pt'}", *SMALL, *more]


def run(command, folder, **more):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, **more)


def record(command, folder, config=None, **more):
    path = folder / "tap.json"
    path.write_text(json.dumps(config or CONFIG))
    return run([SAETAP, "record", "--config", path, "--", *command], folder, **more)


class InFolder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def info(self):
        return json.loads(run([SAETAP, "info", "--json", self.folder / "activation_samples"], self.folder).stdout)


class Trainers(InFolder):
    def test_training_is_bitwise_identical_and_checkpoints_are_clean(self):
        import torch

        for kind in TRAINERS:
            with self.subTest(kind):
                # On some machines a trainer by itself comes to another last bit now and then, one run in a dozen: what it
                # comes to with us has to be what it comes to without.
                without, with_tap = set(), set()
                for _ in range(4):
                    without.add(self.digest(run, kind))
                    with_tap.add(self.digest(record, kind))
                    if without & with_tap:
                        break
                self.assertTrue(without & with_tap, (without, with_tap))
                # The checkpoint saved under the tap loads and runs where there is no plugin.
                trained = torch.jit.load(str(self.folder / "trained.pt"))
                trained(torch.zeros(3, 384))
                self.assertNotIn(b"saetap", (self.folder / "trained.pt").read_bytes())

    def digest(self, run_it, kind):
        path = self.folder / "digest"
        path.unlink(missing_ok=True)  # it is appended to
        done = run_it(trainer(kind, self.folder, 50, f"digest={path}"), self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual("saetap: attached" in done.stderr, run_it is record, done.stderr)
        text = path.read_text()
        self.assertEqual(text.count("step "), 50)
        self.assertGreaterEqual(text.count("gradient "), 4)
        return text

    def test_rows_of_the_shuffled_buffer_are_resolved_to_the_right_tokens(self):
        """The known answer: at learning rate 0 PyTorch can say what each kept token's activation is."""
        import torch

        trained = record(trainer("ReLU SAE (traced)", self.folder, 30, "lr=0", "unit_norm="), self.folder)
        self.assertEqual(trained.returncode, 0, trained.stderr)
        site = self.info()["sites"][0]
        self.assertGreaterEqual(site["tokens_resolved"], 0.999 * site["tokens_collected"])
        self.assertEqual(site["tokens_collected"], 30 * 512)

        ids = array.array("i", (DEMO / "tokens.bin").read_bytes())
        rows = torch.tensor(ids).reshape(-1, 128)
        stripped = {tuple(row[1:-1].tolist()): number for number, row in enumerate(rows)}
        model, sae = torch.jit.load(str(DEMO / "minilm.pt")), torch.jit.load(str(DEMO / "relu_sae.pt"))
        store = sqlite3.connect(self.folder / "activation_samples/samples.saetap")
        sequences = {}
        for sequence, segment, tokens in store.execute("select id, segment, tokens from sequence order by id, segment"):
            sequences.setdefault(sequence, {})[segment] = array.array("i", tokens).tolist()
        by_prefix = {}
        for tokens, number in stripped.items():
            for segment in range(0, 2):
                by_prefix[segment, tokens[64 * segment:64 * segment + 64]] = number
        activations = {}
        checked = 0
        query = "select feature, activation, sequence, position from sample where site = 0"
        for feature, values, where, positions in store.execute(query):
            if feature % 16 != 0:
                continue
            values, where = array.array("f", values), array.array("q", where)
            for value, sequence, position in zip(values, where, array.array("I", positions)):
                segment = position // 64
                number = by_prefix[segment, tuple(sequences[sequence][segment])]
                if number not in activations:
                    with torch.no_grad(), warnings.catch_warnings():
                        activations[number] = sae(model(rows[number:number + 1])[0][0])[1]
                wanted = activations[number][position + 1, feature].item()  # [CLS] was stripped
                self.assertLess(abs(wanted - value), 1e-3 * max(1.0, abs(wanted)))
                checked += 1
        self.assertGreater(checked, 1000)

    def test_a_kill_leaves_the_last_checkpoint_whole(self):
        config = {"saetap": {**CONFIG["saetap"], "checkpoint_seconds": 1}}
        path = self.folder / "tap.json"
        path.write_text(json.dumps(config))
        command = [SAETAP, "record", "--config", path, "--", *trainer("TopK SAE (scripted)", self.folder, 100000)]
        process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        store = self.folder / "activation_samples/samples.saetap"
        deadline = time.time() + 120
        while time.time() < deadline:
            time.sleep(0.5)
            if store.exists() and store.stat().st_size > 0 and "tokens_collected" in run(
                    [SAETAP, "info", "--json", store], self.folder).stdout:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.assertEqual(process.returncode, -signal.SIGKILL)
        site = self.info()["sites"][0]
        self.assertGreater(site["tokens_collected"], 0)

    def test_a_wrong_config_stops_record_but_never_a_training(self):
        wrong = {"saetap": {"max_samples_per_featur": 3}}
        refused = record(trainer("TopK SAE (scripted)", self.folder, 2), self.folder, wrong)
        self.assertEqual(refused.returncode, 2)
        self.assertIn('nearest known key is "max_samples_per_feature"', refused.stderr)
        self.assertFalse((self.folder / "trained.pt").exists())
        # The same config met inside a process: one line, and training goes on.
        environment = {**os.environ, "LD_PRELOAD": str(BIN.parent / "lib/libsaetap_preload.so"),
                       "SAETAP_PLUGIN": str(BIN.parent / "lib/libsaetap.so"), "SAETAP_CONFIG": str(self.folder / "tap.json")}
        trained = run(trainer("TopK SAE (scripted)", self.folder, 2), self.folder, env=environment)
        self.assertEqual(trained.returncode, 0)
        self.assertIn("max_samples_per_featur", trained.stderr)
        self.assertTrue((self.folder / "trained.pt").exists())
        self.assertFalse((self.folder / "activation_samples").exists())

    def test_save_activation_samples_false_records_nothing(self):
        off = record(trainer("TopK SAE (scripted)", self.folder, 2), self.folder, {"save_activation_samples": False})
        self.assertEqual(off.returncode, 0)
        self.assertIn("save_activation_samples is false", off.stderr)
        self.assertFalse((self.folder / "activation_samples").exists())

    def test_the_trainers_know_nothing_of_us(self):
        for source in [*ROOT.glob("examples/train*.cpp"), *ROOT.glob("examples/*.h"), *ROOT.glob("examples/train_*.json"),
                       ROOT / "examples" / "activations_store.cpp"]:
            self.assertNotIn("saetap", source.read_text().lower(), source)
        for program in ("train_sae", "train_transcoder"):
            binary = (BIN / program).read_bytes().lower()
            # The build folder's own path, which the linker puts in, may be called anything.
            self.assertNotIn(b"saetap", binary.replace(str(ROOT).lower().encode(), b""), program)


class OtherPrograms(InFolder):
    def test_a_program_without_libtorch_is_left_as_it_is(self):
        for command in (["ls", "/"], [sys.executable, "-c", ""], ["sh", "-c", "sh -c 'echo $LD_PRELOAD$SAETAP_PLUGIN'; exit 3"]):
            plain, recorded = run(command, self.folder), run([SAETAP, "record", "--", *command], self.folder)
            said = [line for line in recorded.stderr.splitlines(keepends=True) if not line.startswith("saetap: ")]
            self.assertEqual((plain.returncode, plain.stdout, plain.stderr),
                             (recorded.returncode, recorded.stdout, "".join(said)))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_libtorch_program_without_an_sae_says_that_none_was_found(self):
        for argument, status, reason in (("eager", 0, "no TorchScript module was called"),
                                         (str(DEMO / "minilm.pt"), 5, "no SAE or transcoder among 1 TorchScript method")):
            plain = run([BIN / "no_sae", argument], self.folder)
            recorded = run([SAETAP, "record", "--", BIN / "no_sae", argument], self.folder)
            self.assertEqual((plain.returncode, recorded.returncode), (status, status))
            self.assertEqual(plain.stdout, recorded.stdout)
            self.assertIn("saetap: nothing recorded: " + reason, recorded.stderr)
            # Started through another program that becomes it.
            wrapped = run([SAETAP, "record", "--", "env", "A=1", "nice", BIN / "no_sae", argument], self.folder)
            self.assertEqual((wrapped.returncode, wrapped.stderr), (status, recorded.stderr))
        self.assertFalse((self.folder / "activation_samples").exists())


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    unittest.main(argv=sys.argv[:1], verbosity=2)
