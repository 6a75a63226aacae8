"""A trainer with a plugin loader of its own and the seven keys in its config: the store is that of a launched trainer.

Usage: test_plugin_trainer.py BIN_DIR LIBRARY_DIR DEMO_DIR
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from store_content import content

BIN, LIBRARIES, DEMO = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = json.loads((ROOT / "examples" / "plugin_trainer.json").read_text(encoding="utf-8"))
STEPS = 4


class PluginTrainer(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="saetap-plugin-")
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def config(self, **keys) -> pathlib.Path:
        path = self.folder / "config.json"
        files = {"module": DEMO / "topk_sae.pt", "model": DEMO / "minilm.pt", "tokens": DEMO / "tokens.bin",
                 "save_to": self.folder / "trained.pt"}
        saetap = {"output_dir": str(self.folder / "out"), "tokenizer": str(DEMO / "tokenizer.json")}
        settled = CONFIG | {key: str(value) for key, value in files.items()} | {"steps": STEPS, "saetap": saetap}
        path.write_text(json.dumps(settled | keys), encoding="utf-8")
        return path

    def run_it(self, *command) -> str:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SAETAP_")}
        done = subprocess.run([*map(str, command)], cwd=self.folder, capture_output=True, text=True, timeout=300,
                              env=environment, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def test_the_seven_keys_of_its_config_are_enough(self):
        said = self.run_it(BIN / "plugin_trainer", self.config(plugins=[str(LIBRARIES / "libsaetap.so")]))
        self.assertIn("saetap: wrote", said)
        loaded = content(self.folder / "out" / "samples.saetap")
        trained = (self.folder / "trained.pt").read_bytes()
        config = self.config(plugins=[])
        self.run_it(BIN / "saetap", "record", "--config", config, "--output", self.folder / "launched", "--",
                    BIN / "train_sae", config)
        launched = content(self.folder / "launched" / "samples.saetap")
        self.assertGreater(len(loaded["sample"]), 100)
        for table, rows in launched.items():
            self.assertEqual(loaded[table], rows, table)
        self.assertEqual((self.folder / "trained.pt").read_bytes(), trained)

    def test_what_is_off_or_wrong_costs_no_training(self):
        plugins = [str(LIBRARIES / "libsaetap.so")]
        for keys, said in [({"save_activation_samples": False}, None),
                           ({"max_samples_per_feature": -3}, '"max_samples_per_feature"'),
                           ({"plugins": ["./libnowhere.so"]}, "libnowhere.so: cannot open")]:
            with self.subTest(said):
                lines = self.run_it(BIN / "plugin_trainer", self.config(**{"plugins": plugins} | keys))
                self.assertTrue(said in lines if said else "saetap" not in lines, lines)
                self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
