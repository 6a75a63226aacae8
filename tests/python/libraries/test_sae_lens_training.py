"""examples/train_sae_lens.py, run short: what is in its store is what its own trainer computed, at the tokens it computed it of."""
import pathlib
import sys

import numpy as np
import pytest
import torch
from library_imports import import_sae_trainer

import saetap

ROOT = pathlib.Path(__file__).resolve().parents[3]
SPECIAL = (0, 100, 101, 102, 103)  # of the demo's tokenizer
SAMPLES, BATCH, BUFFER = 12 * 512, 512, 4096


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of the store, the batches that the trainer was given, the features that it computed of them, and the SAE."""
    sae_trainer = import_sae_trainer()
    sys.path.insert(0, str(ROOT / "examples"))
    import train_sae_lens

    folder, seen = tmp_path_factory.mktemp("sae_lens") / "samples", []
    with pytest.MonkeyPatch.context() as patched:
        step = sae_trainer.SAETrainer.step

        def watched(self, batch):
            output = step(self, batch)
            seen.append((batch.clone(), output.feature_acts.detach().clone()))
            return output

        patched.setattr(sae_trainer.SAETrainer, "step", watched)
        sae = train_sae_lens.train(ROOT / "demo", folder, SAMPLES, BATCH, BUFFER)
    return folder, seen, sae


@pytest.fixture(scope="module")
def places():
    """For the bytes of each row that the model gives: the texts and positions it stands at."""
    model = torch.jit.load(ROOT / "demo" / "minilm.pt").eval()
    tokens = torch.from_numpy(np.fromfile(ROOT / "demo" / "tokens.bin", np.int32)).reshape(-1, 128)[:160].long()
    found: dict[bytes, list[tuple[int, int]]] = {}
    with torch.no_grad():
        for first in range(0, len(tokens), 16):
            for text, rows in enumerate(model(tokens[first:first + 16])[0].numpy(), start=first):
                for position, row in enumerate(rows):
                    found.setdefault(row.tobytes(), []).append((text, position))
    return tokens.tolist(), found


def stripped(ids: list[int]) -> tuple[int, list[int]]:
    """Where a text begins behind its special tokens, and its tokens."""
    counted = [place for place, token in enumerate(ids) if token not in SPECIAL]
    return counted[0], ids[counted[0]:counted[-1] + 1]


def test_its_samples_are_the_strongest_activations_of_its_own_trainer_at_their_tokens(run, places):
    folder, seen, _ = run
    texts, of_row = places
    store = saetap.open(folder)
    (site,) = store.sites
    assert site.steps == len(seen) == SAMPLES // BATCH and site.rows_resolved == site.rows_seen == SAMPLES
    rows = torch.cat([batch for batch, _ in seen])
    where = [of_row[row.tobytes()] for row in rows.numpy()]
    counts = np.array([any(texts[text][position] not in SPECIAL for text, position in at) for at in where])
    code = torch.cat([features for _, features in seen]).numpy()
    features = store.features(all_time=True)
    np.testing.assert_array_equal(features["active"], (code[counts] != 0).sum(0))
    np.testing.assert_array_equal(features["max"], np.maximum(0, code[counts].max(0)))
    compared = 0
    for feature in range(0, site.features, 7):
        best: dict[tuple, float] = {}
        for row in np.flatnonzero((code[:, feature] >= 0.1) & counts):
            if len(where[row]) > 1:
                continue
            ((text, position),) = where[row]
            begin, tokens = stripped(texts[text])
            place = (tuple(tokens), position - begin)
            best[place] = max(best.get(place, 0.0), float(code[row, feature]))
        samples = store.samples(feature, all_time=True, context=200)
        kept = {(tuple(sample.tokens.tolist()), sample.position): sample.activation for sample in samples if sample.from_start}
        strongest = sorted(best.items(), key=lambda item: -item[1])[:100]
        for (tokens, position), activation in strongest:
            matching = [sample for sample in samples if sample.position == position and sample.activation == np.float32(activation)]
            assert matching, f"feature {feature} lacks {activation} at {position}"
            for sample in matching:
                begin = sample.position - sample.activating
                assert tuple(sample.tokens.tolist()) == tokens[begin:begin + len(sample.tokens)]
            compared += 1
        del kept
        assert len(samples) <= 100 and [s.activation for s in samples] == sorted((s.activation for s in samples), reverse=True)
    assert compared > 2000


def test_its_decoder_is_the_trained_one(run):
    folder, _, sae = run
    np.testing.assert_array_equal(saetap.open(folder).decoder(), sae.W_dec.detach().numpy().astype(np.float16))
