"""`saetap collect`: a pass under a finished SAE, held against a training at learning rate 0 and against PyTorch."""

import pathlib
import subprocess
import time

import torch
from collect_test import (BIN, DEMO, SAETAP, SPECIAL, VOCABULARY, CollectTest, Store, T, environment, models, npy, npy_header, raw,
                          run_tests)
from torch import Tensor, nn


class MaskedModel(nn.Module):
    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.model = torch.jit.load(path)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.model(ids)[0] * (0.5 + mask.unsqueeze(-1))


class AgainstTraining(CollectTest):
    def test_a_pass_keeps_what_a_training_at_learning_rate_0_kept(self) -> None:
        """The training's rows find their tokens by fingerprint; the pass tells them."""
        tokens = self.folder / "tokens.bin"
        tokens.write_bytes((DEMO / "tokens.bin").read_bytes()[: 4 * 128 * 60])
        # Batches that begin and end within texts, and calls of the model that are no multiple of either.
        for sae, sequences, batch, window in (("topk_sae.pt", 16, 1024, 0), ("relu_sae.pt", 7, 900, 3)):
            with self.subTest(sae):
                config = self.config(sample_window_steps=window, max_samples_per_feature=20, tokens={"ignore_token_ids": SPECIAL},
                                     sample_activation_threshold=0.3)
                trained = self.run_program(SAETAP, "record", "--config", config, "--output", self.folder / "trained", "--",
                                           BIN / "train_in_order", DEMO / "minilm.pt", 0, DEMO / sae, tokens, 128, sequences, batch)
                self.assertEqual(trained.returncode, 0, trained.stderr)
                self.assertIn("100.0 % of a call's rows were met bit for bit", trained.stderr)
                passed = self.collect("--sae", DEMO / sae, "--lm", DEMO / "minilm.pt", "--lm-output", 0, "--tokens", tokens, "--length",
                                      128, "--sequences", sequences, "--batch", batch, "--config", config, said="by told")
                self.check_same(Store(self.folder / "trained"), passed)
                steps = -(-60 * 128 // batch)
                self.assertEqual(passed.rows("SELECT steps, steps_collected, rows_seen, rows_resolved FROM site"),
                                 [(steps, steps, 60 * 128, 60 * 128)])


class AgainstPyTorch(CollectTest):
    def features(self, rows: Tensor, batch: int) -> Tensor:
        """What enters the decoder, computed as the pass computes it: a batch at a time."""
        sae = torch.jit.load(self.sae)
        parts = []
        for x in rows.split(batch):
            values, indices = torch.topk(torch.matmul(x, sae.W_enc), 4, dim=-1)
            parts.append(torch.zeros(x.shape[0], models.F).scatter(-1, indices, values))
        return torch.cat(parts).detach()

    def check_strongest(self, store: Store, features: Tensor, k: int, row_of) -> None:
        """Each feature's k strongest rows: exactly their activations, and each at its own row."""
        kept = store.samples()
        for feature in range(models.F):
            samples = kept.get(feature, [])
            size = features[:, feature].abs()
            most = min(k, int((size > 0).sum()))
            self.assertEqual([abs(activation) for activation, _, _ in samples], torch.topk(size, most).values.tolist())
            rows = [row_of(sequence, position) for _, sequence, position in samples]
            self.assertEqual(len(set(rows)), len(rows))
            self.assertEqual([activation for activation, _, _ in samples], features[rows, feature].tolist())
        active = dict(store.rows("SELECT feature, active FROM feature"))
        self.assertEqual([active.get(f, 0) for f in range(models.F)], (features != 0).sum(0).tolist())

    def row_of_text(self, store: Store, counted: Tensor | None = None):
        """From a place in a stored text to the number of its row among those that the SAE was given."""
        texts, numbers = store.texts(), {}
        number = iter(range(self.ids.numel()))
        for text in self.ids.tolist():
            for position, token in enumerate(text):
                if counted is None or token in counted:
                    numbers[tuple(text), position] = next(number)
        return lambda sequence, position: numbers[tuple(texts[sequence]), position]

    def test_rows_of_a_model(self) -> None:
        config = self.config(max_samples_per_feature=15)
        store = self.collect("--sae", self.sae, "--lm", self.lm, "--tokens", self.tokens, "--batch", 100, "--sequences", 9, "--config", config)
        self.check_strongest(store, self.features(self.acts.flatten(0, 1), 100), 15, self.row_of_text(store))

    def test_tokens_that_the_sae_is_not_given(self) -> None:
        omitted = {3, 4, 5}
        left = torch.tensor([[token not in omitted for token in text] for text in self.ids.tolist()])
        store = self.collect("--sae", self.sae, "--lm", self.lm, "--tokens", self.tokens, "--batch", 64, "--omit-ids", "3,4,5", "-k", 9,
                             "--config", self.config())
        counted = set(range(VOCABULARY)) - omitted
        self.check_strongest(store, self.features(self.acts[left], 64), 9, self.row_of_text(store, counted))
        stored = self.folder / "left.npy"
        stored.write_bytes(npy(self.acts[left]))
        again = self.collect("--sae", self.sae, "--activations", stored, "--tokens", self.tokens, "--batch", 64, "--omit-ids", "3,4,5",
                             "-k", 9, "--config", self.config(), out="stored")
        self.check_same(store, again)

    def test_a_mask_is_given_to_the_model_and_what_it_leaves_out_does_not_count(self) -> None:
        mask = torch.ones_like(self.ids)
        mask[:, -2:] = 0
        torch.jit.script(MaskedModel(self.lm)).save(self.folder / "masked.pt")
        torch.save(mask, self.folder / "mask.pt")
        store = self.collect("--sae", self.sae, "--lm", "masked.pt", "--tokens", self.tokens, "--mask", "mask.pt", "--batch", 50, "-k", 9,
                             "--config", self.config())
        self.assertEqual(store.rows("SELECT eligible FROM part"), [(200 * (T - 2),)])
        rows = torch.jit.load(self.folder / "masked.pt")(self.ids.long(), mask.long()).detach().flatten(0, 1)
        texts = store.texts()
        numbers = {(tuple(text[:-2]), place): n * (T - 2) + place for n, text in enumerate(self.ids.tolist()) for place in range(T - 2)}
        self.check_strongest(store, self.features(rows, 50)[mask.flatten() == 1], 9, lambda s, place: numbers[tuple(texts[s]), place])
        done = self.run_program(SAETAP, "collect", "--sae", self.sae, "--lm", "masked.pt", "--tokens", self.tokens, "-o", "none")
        self.assertIn("its forward needs 2 arguments, and it is given tokens (and with --mask a mask)", done.stderr)

    def test_texts_of_several_lengths(self) -> None:
        """No call of the SAE has rows of both, so that what one call is told are texts of one length."""
        short = self.folder / "short.npy"
        short.write_bytes(npy(self.ids[:50, :7].contiguous()))
        store = self.collect("--sae", self.sae, "--lm", self.lm, "--tokens", short, self.tokens, "--batch", 100, "--config", self.config())
        self.assertEqual(store.rows("SELECT calls, rows_seen, rows_resolved FROM site"), [(4 + 24, 350 + 2400, 350 + 2400)])
        self.assertEqual({len(text) for text in store.texts().values()}, {7, T})

    def test_rows_without_tokens_keep_their_number(self) -> None:
        rows = self.folder / "rows.pt"
        torch.save(self.acts.flatten(0, 1), rows)
        store = self.collect("--sae", self.sae, "--activations", rows, "--batch", 128, "-k", 7, "--config", self.config())
        self.check_strongest(store, self.features(self.acts.flatten(0, 1), 128), 7, lambda _, position: position)
        self.assertEqual(store.texts(), {})


class Files(CollectTest):
    def test_a_model_and_what_was_stored_of_it_give_the_same_store(self) -> None:
        """Whatever format rows and tokens come in."""
        from_model = self.collect("--sae", self.sae, "--lm", self.lm, "--tokens", self.tokens, "--sequences", 200, out="model")
        (self.folder / "acts.npy").write_bytes(npy(self.acts))
        torch.save(self.acts, self.folder / "acts.pt")
        torch.save({"rows": self.acts.flatten(0, 1), "other": torch.zeros(1)}, self.folder / "dict.pt")
        torch.save(self.ids.long(), self.folder / "tokens.pt")
        (self.folder / "flat.bin").write_bytes(raw(self.ids))
        (self.folder / "1.npy").write_bytes(npy(self.acts[:90]))
        (self.folder / "2.npy").write_bytes(npy(self.acts[90:]))
        for files in (["acts.npy", "--tokens", self.tokens], ["acts.pt", "--tokens", "tokens.pt"],
                      ["dict.pt:rows", "--tokens", "flat.bin", "--length", T], ["1.npy", "2.npy", "--tokens", self.tokens]):
            with self.subTest(str(files)):
                self.check_same(from_model, self.collect("--sae", self.sae, "--activations", *files))

    def test_halves_are_widened_to_what_the_sae_computes_in(self) -> None:
        (self.folder / "half.npy").write_bytes(npy(self.acts.half()))
        torch.save(self.acts.half().float(), self.folder / "float.pt")
        half, full = (self.collect("--sae", self.sae, "--activations", name, "--tokens", self.tokens, out=f"of-{name}")
                      for name in ("half.npy", "float.pt"))
        self.check_same(half, full)

    def test_a_file_larger_than_what_is_held_of_it(self) -> None:
        width, rows = 4096, 1 << 17
        sae = models.TopKSAE()
        sae.W_enc, sae.W_dec = models.weight(width, models.F), models.weight(models.F, width)
        torch.jit.script(sae).save(self.folder / "wide.pt")
        with (self.folder / "sparse.npy").open("wb") as file:
            file.write(npy_header(torch.float16, (rows, width)))
            file.truncate(file.tell() + 2 * rows * width)  # 1 GiB that takes no room on disk
        rule = self.config(hooks=[{"value": "W_dec"}])  # it is narrower than its input, which an SAE is not
        words = [SAETAP, "collect", "--sae", "wide.pt", "--activations", "sparse.npy", "--config", rule, "-o", "out"]
        process = subprocess.Popen(list(map(str, words)), cwd=self.folder, stderr=subprocess.PIPE, env=environment())
        held = []
        while process.poll() is None:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            held += [int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")]
            time.sleep(0.02)
        self.assertEqual(process.returncode, 0, process.communicate()[1])
        self.assertEqual(Store(self.folder / "out").rows("SELECT rows_seen FROM site"), [(rows,)])
        self.assertLess(max(held), 600 << 10)  # KiB


if __name__ == "__main__":
    run_tests()
