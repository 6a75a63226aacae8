"""pip install . with a library that is built already: what it installs works by itself."""
import json
import os
import pathlib
import subprocess
import sys

import pytest
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = """
import sys, torch, saetap
from torch import nn
class Sae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(8, 32), nn.Linear(32, 8)
    def encode(self, x): return self.encoder(x).relu()
    def forward(self, x): return self.decoder(self.encode(x))
sae = Sae()
with saetap.start(output_dir=sys.argv[1]):
    saetap.attach(sae)
    sae(torch.randn(50, 8))
print(saetap.__file__, saetap.open(sys.argv[1]).sites[0].rows_seen)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("install")
    done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                           "--no-build-isolation", "--target", folder / "site", ROOT, f"-Cbuild-dir={folder / 'build'}",
                           f"-Ccmake.define.SAETAP_PREBUILT={os.environ['SAETAP_LIBRARY']}"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def test_it_records_without_anything_of_the_source_tree(site, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SAETAP")}
    done = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path / "samples"], capture_output=True, text=True, cwd=tmp_path,
                          env={**environment, "PYTHONPATH": str(site)}, check=False)
    assert (done.returncode, done.stdout) == (0, f"{site / 'saetap' / '__init__.py'} 50\n"), done.stderr


def test_it_knows_its_pytorch_and_no_path_of_this_machine(site):
    record = json.loads((site / "saetap" / "lib" / "libsaetap.json").read_text())
    assert record == {"libtorch_version": torch.__version__.split("+")[0], "cxx11_abi": int(torch._C._GLIBCXX_USE_CXX11_ABI)}
    section = subprocess.run(["readelf", "-d", site / "saetap" / "lib" / "libsaetap.so"], capture_output=True, text=True, check=True)
    (runpath,) = [line for line in section.stdout.splitlines() if "PATH" in line]
    assert "[$ORIGIN/../../torch/lib]" in runpath
