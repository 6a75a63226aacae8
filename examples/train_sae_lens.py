#!/usr/bin/env python3
"""Trains a sparse autoencoder of sae-lens on the demo's activations, with its own trainer; saetap is the two lines marked so.

    pip install sae-lens && pip install .        # this repository: the package saetap
    make prepared                                # the demo's model and tokens
    python examples/train_sae_lens.py --out demo/sae_lens_samples
"""
from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from sae_lens.config import SAETrainerConfig
from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.training.sae_trainer import SAETrainer

import saetap

LENGTH, WIDTH, TEXTS_AT_ONCE = 128, 384, 16


def activations(model: torch.nn.Module, tokens: torch.Tensor, buffer_rows: int, batch_size: int) -> Iterator[torch.Tensor]:
    """Batches out of a buffer of the model's activations that is shuffled and refilled when half of it is used."""
    buffer, next_text = torch.empty(0, WIDTH), 0
    while True:
        with torch.no_grad():
            while len(buffer) < buffer_rows:
                texts = tokens[torch.arange(next_text, next_text + TEXTS_AT_ONCE) % len(tokens)]
                next_text += TEXTS_AT_ONCE
                buffer = torch.cat([buffer, model(texts)[0].flatten(0, 1)])
            buffer = buffer[torch.randperm(len(buffer))]
        while len(buffer) > buffer_rows // 2:
            yield buffer[:batch_size]
            buffer = buffer[batch_size:]


def train(demo: Path, out: Path, samples: int, batch_size: int = 1024, buffer_rows: int = 16384) -> TopKTrainingSAE:
    torch.manual_seed(0)
    model = torch.jit.load(demo / "minilm.pt").eval()
    tokens = torch.from_file(str(demo / "tokens.bin"), size=(demo / "tokens.bin").stat().st_size // 4, dtype=torch.int32)
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=WIDTH, d_sae=2048, k=16))
    provider = activations(model, tokens.reshape(-1, LENGTH).long(), buffer_rows, batch_size)
    config = SAETrainerConfig(total_training_samples=samples, train_batch_size_samples=batch_size, lr=1e-3, lr_end=1e-4)
    trainer = SAETrainer(config, sae, provider)
    with saetap.start(output_dir=out, tokenizer=demo / "tokenizer.json"):  # saetap
        saetap.attach(sae, lm=model)  # saetap
        trainer.fit()
    return sae


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=Path, default=Path("demo"), help="what `make prepared` made")
    parser.add_argument("--out", type=Path, required=True, help="folder for samples.saetap")
    parser.add_argument("--samples", type=int, default=200_000, help="tokens to train on")
    options = parser.parse_args()
    train(options.demo, options.out, options.samples)
    store = saetap.open(options.out)
    features = store.features()
    rare = features[features["density"] < 0.01]
    for feature in rare[rare["max"].argsort()[::-1][:5]]["feature"].tolist():
        print(f"feature {feature}: tokens {[sample.token for sample in store.samples(feature)[:8]]}")


if __name__ == "__main__":
    main()
