"""A trainer that reads stored activations in random order, with the index of them that `saetap index` wrote.

Usage: test_recorded_shards.py BIN_DIR DEMO_DIR      (BIN_DIR holds saetap and train_on_shards)
Run with the demo's Python: which rows activate a feature most, and what their tokens are, is worked out by PyTorch.
"""

import array
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import warnings

import torch

BIN, DEMO = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
SEQUENCES, LENGTH = 60, 128
SPECIAL = [0, 101, 102]
KEPT = 8  # samples of a feature
LEAST = 1e-3  # activation that is a sample


def saetap(folder, *arguments):
    command = [BIN / "saetap", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done


class RecordedShards(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        ids = torch.tensor(array.array("i", (DEMO / "tokens.bin").read_bytes()))[: SEQUENCES * LENGTH]
        cls.ids = ids.reshape(SEQUENCES, LENGTH)
        model = torch.jit.load(str(DEMO / "minilm.pt"))
        cls.sae = torch.jit.load(str(DEMO / "relu_sae.pt"))
        with torch.no_grad():
            cls.rows = model(cls.ids.long())[0]

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="saetap-shards-")
        self.folder = pathlib.Path(self.temporary.name)

    def tearDown(self):
        self.temporary.cleanup()

    def shards(self, rows_of_shard):
        """Seven activation files and as many of tokens; the trainer is given the former in another order."""
        acts, tokens = [], []
        for i, sequences in enumerate(torch.arange(SEQUENCES).split(9)):
            acts.append(self.folder / f"acts{i}.pt")
            torch.save(rows_of_shard(sequences), acts[-1])
            tokens.append(self.folder / f"tokens{i}.pt")
            torch.save(self.ids[sequences].clone(), tokens[-1])
        return acts, tokens

    def record(self, acts, tokens, scaling, *more, **keys):
        index = self.folder / "rows.saetap-index"
        said = saetap(self.folder, "index", "--activations", *acts, "--tokens", *tokens, "-o", index, *more).stdout
        config = {"sample_activation_threshold": LEAST, "max_samples_per_feature": KEPT, "sample_context_size": 4,
                  "sample_window_steps": 0,
                  "tokens": {"index": [str(index)], "ignore_token_ids": SPECIAL, **keys}}
        (self.folder / "tap.json").write_text(json.dumps({"saetap": config}))
        order = [acts[i] for i in (3, 0, 6, 2, 5, 1, 4)]
        done = saetap(self.folder, "record", "--config", "tap.json", "--", BIN / "train_on_shards",
                      DEMO / "relu_sae.pt", scaling, 512, *order)
        return said, done

    def info(self):
        return json.loads(saetap(self.folder, "info", "--json", "activation_samples").stdout)["sites"][0]

    def check_samples(self, rows, counting, every):
        """`rows` [N, d]: as the SAE was given them, of the tokens `counting` in their order. `every`: the strongest
        samples have to be just those that PyTorch finds, else what has a token has to have the right one."""
        with torch.no_grad():
            activations = self.sae(rows)[1]
        row_at = {tuple(place): row for row, place in enumerate(counting.nonzero().tolist())}
        # A text begins behind its [CLS].
        texts = [[id_ for id_ in row.tolist() if id_ not in SPECIAL] for row in self.ids]
        checked = without = 0
        for feature in range(0, activations.shape[1], 64):
            shown = json.loads(saetap(self.folder, "show", "--json", "activation_samples", feature).stdout)
            best = [value for value in activations[:, feature].topk(KEPT).values.tolist() if value > LEAST]
            if every:
                self.assertEqual(len(shown["samples"]), len(best))
                for sample, wanted in zip(shown["samples"], best):
                    self.assertAlmostEqual(sample["activation"], wanted, delta=1e-3 * max(1, wanted))
            for sample in shown["samples"]:
                if not sample["ids"]:
                    without += 1
                    continue
                position, begin = sample["position"], sample["position"] - sample["activating"]
                end = begin + len(sample["ids"])
                found = [s for s, text in enumerate(texts) if position < len(text) and text[begin:end] == sample["ids"]]
                here = [activations[row_at[s, position + 1], feature].item() for s in found]
                near = 1e-3 * max(1, sample["activation"])
                self.assertTrue(any(abs(value - sample["activation"]) < near for value in here), (feature, sample, here))
                checked += 1
        self.assertGreater(checked, 150)
        self.assertLessEqual(without, 0 if every else checked // 20)

    def test_rows_without_special_tokens_in_half_precision(self):
        kept = torch.ones_like(self.ids, dtype=torch.bool)
        for id_ in SPECIAL:
            kept &= self.ids != id_
        acts, tokens = self.shards(lambda sequences: self.rows[sequences][kept[sequences]].half())
        said, done = self.record(acts, tokens, "plain", "--omit-ids", "0,101,102", source="file")
        count = int(kept.sum())
        self.assertIn(f"{count:,} rows of width 384 in {SEQUENCES} sequences", said)
        self.assertIn(f"of {count:,} rows are known from", done.stderr)
        self.assertIn("by fingerprint from index rows: 100.0 %", done.stderr)
        site = self.info()
        self.assertEqual((site["tokens_collected"], site["tokens_resolved"]), (count, count))
        self.check_samples(self.rows[kept].half().float(), kept, every=True)

    def test_rows_that_the_trainer_centres_and_normalises(self):
        acts, tokens = self.shards(lambda sequences: self.rows[sequences].clone())
        _, done = self.record(acts, tokens, "normalised")
        self.assertIn("by fingerprint_robust from index rows", done.stderr)
        site = self.info()
        self.assertEqual(site["tokens_collected"], SEQUENCES * LENGTH)
        self.assertGreater(site["tokens_resolved"], 0.95 * site["tokens_collected"])
        rows = self.rows.reshape(-1, self.rows.shape[-1])
        rows = rows - rows.mean(0)
        rows = rows / rows.norm(2, -1, keepdim=True)
        self.check_samples(rows, torch.ones_like(self.ids, dtype=torch.bool), every=False)

    def test_a_damaged_index_costs_the_tokens_and_not_the_recording(self):
        acts, tokens = self.shards(lambda sequences: self.rows[sequences].clone())
        index = self.folder / "rows.saetap-index"
        saetap(self.folder, "index", "--activations", *acts, "--tokens", *tokens, "-o", index)
        damaged = bytearray(index.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        index.write_bytes(damaged)
        (self.folder / "tap.json").write_text(json.dumps({"saetap": {"tokens": {"index": [str(index)]}}}))
        done = saetap(self.folder, "record", "--config", "tap.json", "--", BIN / "train_on_shards",
                      DEMO / "relu_sae.pt", "plain", 512, *acts)
        self.assertIn(f"no tokens     from {index}: it is damaged at sequence", done.stderr)
        self.assertEqual(self.info()["tokens_collected"], SEQUENCES * LENGTH)
        self.assertEqual(self.info()["tokens_resolved"], 0)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    unittest.main(argv=sys.argv[:1], verbosity=2)
