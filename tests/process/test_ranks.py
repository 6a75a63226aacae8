"""Several ranks of one training: each saves its own store, the last to end merges, and that is what everything together was.

Usage: test_ranks.py BIN_DIR DEMO_DIR      (run with the demo's Python)
"""

import array
import contextlib
import json
import os
import pathlib
import sqlite3
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "reliability"))
from fault_record import record_fault  # noqa: E402

BIN, DEMO = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SAETAP, PLUGIN = BIN / "saetap", BIN.parent / "lib" / "libsaetap.so"
SPECIAL = [0, 101, 102]
KEPT = 10
FEATURES = 2048
STEPS_OF_CHECKPOINT = 3  # of the trainer in which a rank dies: half of its steps


def config(folder: pathlib.Path, **more: object) -> pathlib.Path:
    path = folder / "tap.json"
    keys = {"save_activation_samples": True, "max_samples_per_feature": KEPT, "output_dir": str(folder / "samples"),
            "tokens": {"ignore_token_ids": SPECIAL}, **more}
    path.write_text(json.dumps({"saetap": keys}))
    return path


def clean_environment(**more: str) -> dict[str, str]:
    launchers = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_", "OMPI_", "SLURM_", "TORCHELASTIC_", "SAETAP_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(launchers)}
    return {**kept, "OMP_NUM_THREADS": "1", **more}


def stripped(ids: list[int]) -> tuple[int, list[int]]:
    """Where a text begins behind its special tokens, and its tokens."""
    counted = [place for place, token in enumerate(ids) if token not in SPECIAL]
    return counted[0], ids[counted[0]:counted[-1] + 1]


class Ranks(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.seen = self.folder / "seen"
        self.seen.mkdir()

    def info(self, store: pathlib.Path) -> dict:
        return json.loads(subprocess.run([SAETAP, "info", "--json", store], capture_output=True, check=True).stdout)

    def brute_force(self, ranks: int) -> dict[int, dict[tuple[tuple[int, ...], int], float]]:
        """Of some features: the largest activation at every place, over all ranks, from what they wrote themselves."""
        import torch

        texts = torch.tensor(array.array("i", (DEMO / "tokens.bin").read_bytes())).reshape(-1, 128).tolist()
        best: dict[int, dict] = {feature: {} for feature in range(0, FEATURES, 97)}
        for rank in range(ranks):
            rows = array.array("q", (self.seen / f"rows{rank}.bin").read_bytes())
            features = torch.frombuffer(bytearray((self.seen / f"features{rank}.bin").read_bytes()), dtype=torch.float32)
            features = features.reshape(len(rows), 128, FEATURES)
            for number, row in enumerate(rows):
                begin, tokens = stripped(texts[row])
                for feature, places in best.items():
                    for position, token in enumerate(tokens):
                        if token in SPECIAL:
                            continue
                        value = features[number, begin + position, feature].item()
                        if value >= 0.1:
                            place = (tuple(tokens), position)
                            places[place] = max(places.get(place, 0.0), value)
        return best

    def kept_rows(self, store: pathlib.Path, features: list[int]) -> dict[int, tuple[list, list, list]]:
        """Of each feature: activations, sequences and positions."""
        kept = {}
        with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
            for feature in features:
                row = database.execute("select activation, sequence, position from sample where site = 0 and "
                                       "part = 'open' and feature = ?", (feature,)).fetchone() or (b"", b"", b"")
                kept[feature] = tuple(list(array.array(kind, column)) for kind, column in zip("fqI", row))
        return kept

    def check_merged(self, ranks: int, store: pathlib.Path) -> int:
        """How many samples were compared."""
        best = self.brute_force(ranks)
        database = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
        texts: dict[int, dict[int, list[int]]] = {}
        for sequence, segment, tokens in database.execute("select id, segment, tokens from sequence"):
            texts.setdefault(sequence, {})[segment] = list(array.array("i", tokens))
        database.close()
        kept = self.kept_rows(store, list(best))
        compared = 0
        for feature, places in best.items():
            wanted = sorted(places.values(), reverse=True)[:KEPT]
            self.assertEqual(kept[feature][0], wanted, feature)
            for value, sequence, position in zip(*kept[feature]):
                segment = texts[sequence][position // 64]
                found = [place for place, most in places.items() if most == value and place[1] == position
                         and list(place[0][64 * (position // 64):64 * (position // 64) + 64]) == segment]
                self.assertTrue(found, (feature, value))
                compared += 1
        return compared

    def check_modes(self) -> None:
        """The merged store, its JSON and all that the ranks wrote are their owner's alone; nothing else is left."""
        folder = self.folder / "samples"
        modes = {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
        ranks = [name for name in modes if "/" not in name and name.startswith("rank")]
        files = [f"{rank}/{name}" for rank in (*ranks, ".") for name in ("samples.saetap", "samples.json")]
        self.assertEqual(modes, {**{rank: 0o700 for rank in ranks}, **{name.removeprefix("./"): 0o600 for name in files}})

    def check_holds(self, store: pathlib.Path) -> None:
        """Whatever came later, the strongest are at least as strong as the strongest of what the first rank wrote."""
        best = self.brute_force(1)
        kept = self.kept_rows(store, list(best))
        for feature, places in best.items():
            wanted = sorted(places.values(), reverse=True)[:KEPT]
            values = kept[feature][0]
            self.assertGreaterEqual(len(values), len(wanted), feature)
            self.assertTrue(all(value >= least for value, least in zip(values, wanted)), (feature, values, wanted))

    def test_ranks_of_a_cpp_trainer_with_a_c10d_store(self) -> None:
        ranks, steps = 3, 6
        path = config(self.folder)
        processes = []
        for rank in range(ranks):
            command = [SAETAP, "record", "--config", path, "--", BIN / "train_ranks", self.folder / "store", DEMO / "relu_sae.pt",
                       DEMO / "minilm.pt", DEMO / "tokens.bin", str(steps), self.seen]
            environment = clean_environment(RANK=str(rank), WORLD_SIZE=str(ranks), MASTER_PORT="1234")
            processes.append(subprocess.Popen(list(map(str, command)), env=environment, stdout=subprocess.PIPE,
                                              stderr=subprocess.PIPE, text=True))
        said = [process.communicate(timeout=300) for process in processes]
        for process, (out, err) in zip(processes, said):
            self.assertEqual(process.returncode, 0, err)
            self.assertIn(f"trained {steps} steps", out)
        self.assertEqual(sum("all 3 merged" in err for _, err in said), 1, said)
        info = self.info(self.folder / "samples")
        self.assertEqual([run["rank"] for run in info["runs"]], [0, 1, 2])
        self.assertEqual((info["sites"][0]["steps"], info["sites"][0]["tokens_seen"]), (steps, ranks * steps * 4 * 128))
        self.assertGreater(self.check_merged(ranks, self.folder / "samples/samples.saetap"), 100)
        self.check_modes()
        record_fault("ranks", "three ranks of a C++ trainer, gradients through a c10d FileStore: merged at the end, equal "
                     "to a brute-force sort of what the ranks wrote", 1, "nothing")

    def test_a_rank_without_an_sae_is_merged_with_the_others(self) -> None:
        path = config(self.folder)
        trainer = [BIN / "train_sae", ROOT / "examples/train_sae.json", f"module={DEMO / 'relu_sae.pt'}", f"model={DEMO / 'minilm.pt'}",
                   f"tokens={DEMO / 'tokens.bin'}", "steps=3", f"save_to={self.folder / 'trained.pt'}", "batch_size=256",
                   "buffer_rows=8192", "log_every=10"]
        said = []
        for rank, program in enumerate([trainer, [BIN / "no_sae", DEMO / "minilm.pt"]]):
            command = [SAETAP, "record", "--config", path, "--", *program]
            done = subprocess.run(list(map(str, command)), env=clean_environment(RANK=str(rank), WORLD_SIZE="2", MASTER_PORT="1"),
                                  capture_output=True, text=True, timeout=300, check=False)
            self.assertEqual(done.returncode, 5 if rank else 0, done.stderr)
            said.append(done.stderr)
        self.assertIn("not merged yet: rank 1 has saved nothing yet", said[0])
        self.assertIn("all 2 merged", said[1])
        info = self.info(self.folder / "samples")
        self.assertEqual([site["steps"] for site in info["sites"]], [3])
        self.assertEqual([run["steps"] for run in info["runs"]], [3, 0])
        record_fault("ranks", "one of two ranks has no SAE: the other's store is merged with its empty one", 1, "nothing")

    def torchrun(self, ranks: int, steps: int, *more: str, **keys: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks),
                   HERE / "ddp_trainer.py", PLUGIN, config(self.folder, **keys), DEMO / "relu_sae.pt", DEMO / "minilm.pt",
                   DEMO / "tokens.bin", str(steps), self.seen, *more]
        return subprocess.run(list(map(str, command)), env=clean_environment(), capture_output=True, text=True, timeout=400,
                              check=False)

    def test_a_distributed_python_training_under_torchrun(self) -> None:
        ranks, steps = 4, 4
        done = self.torchrun(ranks, steps)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("all 4 merged"), 1, done.stderr)
        info = self.info(self.folder / "samples")
        self.assertEqual([run["rank"] for run in info["runs"]], [0, 1, 2, 3])
        self.check_modes()
        self.assertTrue(info["finished"])
        self.assertGreater(self.check_merged(ranks, self.folder / "samples/samples.saetap"), 100)
        record_fault("ranks", "DistributedDataParallel in Python under torchrun, 4 gloo processes: merged at the end, equal to a "
                     "brute-force sort of what the ranks wrote", 1, "nothing")

    def test_a_rank_that_dies_costs_no_other_rank_its_store(self) -> None:
        done = self.torchrun(2, 2 * STEPS_OF_CHECKPOINT, "1")
        self.assertNotEqual(done.returncode, 0)
        folder = self.folder / "samples"
        self.assertFalse((folder / "samples.saetap").exists(), done.stderr)
        refused = subprocess.run([SAETAP, "info", folder], capture_output=True, text=True, check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertRegex(refused.stderr, "saetap merge|the store of one rank is there")
        stores = sorted(str(path) for path in folder.glob("rank*"))
        merged = subprocess.run([SAETAP, "merge", folder, *stores, "--json"], capture_output=True, text=True, check=False)
        if len(stores) == 1:  # the one that died never saved
            self.assertEqual(merged.returncode, 2)
        else:
            self.assertFalse(self.info(folder)["finished"])
        # The survivor's gradients fail: either torchrun's SIGTERM comes first, or its traceback, and then its end is one
        # in order and has the step that failed, too. Its checkpoint is there in both cases.
        survivor = self.info(folder / "rank0")
        steps = survivor["sites"][0]["steps"]
        self.assertIn(steps, (STEPS_OF_CHECKPOINT, STEPS_OF_CHECKPOINT + 1))
        self.assertEqual(survivor["sites"][0]["tokens_seen"], steps * 4 * 128)
        if survivor["finished"]:
            self.assertEqual(steps, STEPS_OF_CHECKPOINT + 1)
        if steps == STEPS_OF_CHECKPOINT:
            self.assertGreater(self.check_merged(1, folder / "rank0/samples.saetap"), 100)
        else:
            self.check_holds(folder / "rank0/samples.saetap")
        record_fault("ranks", "one of two DDP ranks dies by _exit; the other ends by its failing gradients or by torchrun's "
                     "SIGTERM", 1, "what came after each rank's last checkpoint")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
