"""Our decoding held against a reference implementation: runs of token ids go in, the texts must be equal."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

RANDOM_RUNS = 10_000  # ids of any token, in any order

Runs = list[list[int]]


def random_runs(ids: Iterable[int], count: int = RANDOM_RUNS, seed: int = 0) -> Runs:
    known = sorted(ids)
    rng = random.Random(seed)
    return [rng.choices(known, k=rng.randint(1, 40)) for _ in range(count)]


def cut_runs(encoded: Runs) -> Runs:
    """Each as it is, and from somewhere within to somewhere within: characters are cut too."""
    rng = random.Random(1)
    runs = []
    for run in filter(None, encoded):
        begin = rng.randrange(len(run))
        runs += [run, run[begin : rng.randint(begin + 1, len(run))]]
    return runs


def our_pieces(tool: str, tokenizer: Path, runs: Runs) -> list[list[str]]:
    lines = "".join(" ".join(map(str, run)) + "\n" for run in runs)
    done = subprocess.run([tool, str(tokenizer)], input=lines, capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        sys.exit(f"{tool} {tokenizer}: {done.stderr.strip()}")
    pieces = [json.loads(line) for line in done.stdout.split("\n")[:-1]]
    if len(pieces) != len(runs):
        sys.exit(f"{len(runs)} runs of tokens went in, {len(pieces)} came out")
    return pieces


def compare(
    tool: str, tokenizer: Path, runs: Runs, reference: Callable[[Runs], list[str]], dropped: frozenset[int] = frozenset()
) -> int:
    """How many runs were compared. `dropped` are ids that the reference does not write."""
    for run, pieces, expected in zip(runs, our_pieces(tool, tokenizer, runs), reference(runs), strict=True):
        if len(pieces) != len(run):
            sys.exit(f"{tokenizer}: {len(run)} tokens, {len(pieces)} pieces, of ids {run}")
        ours = "".join(piece for token, piece in zip(run, pieces) if token not in dropped)
        if ours != expected:
            sys.exit(f"{tokenizer}: first difference, of ids {run}\n  ours:   {ours!r}\n  theirs: {expected!r}")
    return len(runs)
