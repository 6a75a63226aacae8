"""One run, recorded by launch, by loading, through C, C++ and Python: the same store each time, number for number.

Usage: test_ways.py BIN_DIR LIBRARY_DIR        (with the project's Python, which has PyTorch)
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from store_content import content

BIN, LIBRARIES = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
PLUGIN = LIBRARIES / "libsaetap.so"
PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "integrations" / "python"
STEPS, SEQUENCES, LENGTH, WIDTH, FEATURES = 6, 8, 32, 24, 96
IN_PYTHON = """
import sys, torch
sys.path.insert(0, sys.argv[7])
import saetap
sae, model = torch.jit.load(sys.argv[1]), torch.jit.load(sys.argv[2])
tokens = torch.load(sys.argv[3])
with saetap.start(sys.argv[6]):
    saetap.attach(sae, lm=model)
    weights = list(sae.parameters())
    for step in range(int(sys.argv[4])):
        with torch.no_grad():
            rows = model(tokens[step])
            rows = rows.reshape(-1, rows.shape[-1])
        loss = (sae(rows) - rows).square().sum()
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients):
                weight.sub_(gradient * 1e-4)
"""


def make_modules(folder: pathlib.Path) -> None:
    import torch

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(200, WIDTH)

        def forward(self, tokens):
            x = self.embedding(tokens)
            return x + torch.cumsum(x, 1) * 0.1

    class Sae(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = torch.nn.Linear(WIDTH, FEATURES), torch.nn.Linear(FEATURES, WIDTH)

        def forward(self, x):
            values, indices = torch.relu(self.encoder(x)).topk(6, dim=-1)
            code = torch.zeros(x.shape[0], self.encoder.out_features).scatter(-1, indices, values)
            return self.decoder(code)

    torch.manual_seed(7)
    torch.jit.script(Model()).save(str(folder / "model.pt"))
    torch.jit.script(Sae()).save(str(folder / "sae.pt"))
    torch.save(torch.randint(1, 200, (STEPS, SEQUENCES, LENGTH)), folder / "tokens.pt")


class Ways(unittest.TestCase):
    def run_way(self, way: str) -> tuple[dict, str]:
        out = self.folder / way
        config = self.folder / f"{way}.json"
        # A threshold of 0: every activation counts, of which there are more than are kept.
        config.write_text(json.dumps({"saetap": {
            "save_activation_samples": True, "output_dir": str(out), "max_samples_per_feature": 20,
            "sample_activation_threshold": 0, "random_samples_per_feature": 8}}))
        arguments = [self.folder / "sae.pt", self.folder / "model.pt", self.folder / "tokens.pt", STEPS, PLUGIN, config]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SAETAP_")} | {"OMP_NUM_THREADS": "2"}
        if way == "python":
            command = [sys.executable, "-c", IN_PYTHON, *arguments, PACKAGE]
            environment["SAETAP_LIBRARY"] = str(PLUGIN)
        else:
            command = [BIN / "ways", way if way in ("c", "cpp") else "none", *arguments]
        if way == "launch":
            command = [BIN / "saetap", "record", "--config", config, "--", *command]
        if way == "load":
            environment |= {"SAETAP_CONFIG": str(config), "LD_PRELOAD": str(PLUGIN)}
        done = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, timeout=300,
                              check=False, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        return content(out / "samples.saetap"), done.stderr

    def test_all_ways_lead_to_the_same_store(self):
        with tempfile.TemporaryDirectory(prefix="saetap-ways-") as folder:
            self.folder = pathlib.Path(folder)
            make_modules(self.folder)
            first, said = self.run_way("launch")
            self.assertIn("100.0 % seen, 100.00 % of rows resolved", said)
            self.assertGreater(len(first["sample"]), FEATURES // 2)
            for way in ("load", "c", "cpp", "python"):
                with self.subTest(way):
                    other, said = self.run_way(way)
                    self.assertEqual(other.keys(), first.keys())
                    for table, rows in first.items():
                        self.assertEqual(other[table], rows, f"{table}\n{said}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
