"""Two ranks under torchrun: each records by itself, and merged they are what both saw."""
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from small_modules import F

import saetap

HERE = pathlib.Path(__file__).resolve().parent
RANKS, KEPT = 2, 5


def test_ranks_record_by_themselves_and_are_merged(tmp_path):
    paths = os.pathsep.join([str(HERE), str(HERE.parents[1] / "integrations" / "python")])
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(RANKS), "--master-port", "0",
                           "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", HERE / "rank_trainer.py", tmp_path],
                          capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == 0, done.stderr
    seen = [torch.load(tmp_path / f"seen{rank}.pt") for rank in range(RANKS)]
    for rank, (_, code) in enumerate(seen):
        store = saetap.open(tmp_path / "samples" / f"rank{rank}")
        np.testing.assert_array_equal(store.features()["active"], (code.flatten(0, 1) != 0).sum(0))
        assert store.sites[0].rows_resolved == store.sites[0].rows_seen == code.shape[0] * code.shape[1]
    merged = saetap.open(tmp_path / "samples")
    assert [run["rank"] for run in merged.runs] == [0, 1]
    texts, code = (torch.cat(part) for part in zip(*seen))
    np.testing.assert_array_equal(merged.features()["active"], (code.flatten(0, 1) != 0).sum(0))
    for feature in range(F):
        values = sorted(((value, text, position) for text, row in enumerate(code[:, :, feature].tolist())
                         for position, value in enumerate(row) if value >= 0.1), reverse=True)[:KEPT]
        samples = merged.samples(feature)
        assert [sample.activation for sample in samples] == [pytest.approx(value) for value, *_ in values]
        for sample, (_, text, position) in zip(samples, values):
            assert sample.tokens.tolist() == texts[text].tolist() and sample.position == position
