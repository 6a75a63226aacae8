"""What `saetap collect` does not take, and the line that says so."""

import json
import pathlib

import torch
from collect_test import SAETAP, VOCABULARY, CollectTest, models, npy, run_tests


class Refusals(CollectTest):
    def fails(self, reason: str, *words: object, status: int = 2, lines: int = 1) -> str:
        done = self.run_program(SAETAP, "collect", *words, "-o", self.folder / "out")
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(reason, done.stderr)
        self.assertTrue(done.stderr.startswith("saetap: "), done.stderr)
        self.assertEqual(done.stderr.count("\n"), lines, done.stderr)
        self.assertFalse((self.folder / "out/samples.saetap").exists())
        return done.stdout

    def write(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        return name

    def test_flags_that_do_not_go_together(self) -> None:
        sae = ("--sae", self.sae)
        self.fails("collect needs --lm and --tokens, or --activations", *sae)
        self.fails("one of them at a time", *sae, "--lm", self.lm, "--activations", "a.npy")
        self.fails("--lm needs --tokens", *sae, "--lm", self.lm)
        self.fails("--mask needs --tokens", *sae, "--activations", "a.npy", "--mask", "m.npy")
        self.fails("--length needs --tokens", *sae, "--activations", "a.npy", "--length", 3)
        self.fails("--omit-masked needs --mask", *sae, "--lm", self.lm, "--tokens", "t.npy", "--omit-masked")
        self.fails("--lm-output needs --lm", *sae, "--activations", "a.npy", "--lm-output", 0)
        self.fails("--sae is required", "--activations", "a.npy")
        for key, value in (("--batch", 0), ("--batch", "many"), ("--sequences", -1), ("-k", 0), ("--threshold", -1)):
            self.fails(key, *sae, "--activations", "a.npy", key, value)

    def test_modules(self) -> None:
        tokens = ("--tokens", self.tokens)
        self.fails("none.pt: No such file", "--sae", "none.pt", "--lm", self.lm, *tokens)
        self.fails("rubbish.pt: not a TorchScript file", "--sae", self.write("rubbish.pt", b"rubbish"), "--lm", self.lm, *tokens)
        self.fails("empty.pt: the file is empty", "--sae", self.sae, "--lm", self.write("empty.pt", b""), *tokens)
        self.fails("it has no method encode", "--sae", self.sae, "--method", "encode", "--lm", self.lm, *tokens)
        for device in ("nowhere", "meta", "cuda:-3"):
            self.fails(f"--device {device}; cpu, cuda and cuda:N are allowed", "--sae", self.sae, "--device", device, "--lm", self.lm, *tokens)
        if not torch.cuda.is_available():
            self.fails("--device cuda: there is none here", "--sae", self.sae, "--device", "cuda", "--lm", self.lm, *tokens)
        self.fails("it returns no floating-point tensor with a row for each token", "--sae", self.sae, "--lm", self.identity(), *tokens)
        listed = "0 is [32, 12, 16] of float32, 1 is [32, 12, 24] of float32; --lm-output has to be one of them"
        self.fails(listed, "--sae", self.sae, "--lm", self.lm, "--lm-output", 2, *tokens)
        self.fails("1 is [32, 12, 24] of float32, and the SAE takes rows of width 16", "--sae", self.sae, "--lm", self.lm, "--lm-output",
                   1, *tokens)
        self.fails("its forward takes no mask", "--sae", self.sae, "--lm", self.lm, *tokens, "--mask",
                   self.write("mask.npy", npy(torch.ones_like(self.ids))))

    def identity(self) -> pathlib.Path:
        torch.jit.script(models.Identity()).save(self.folder / "identity.pt")
        return self.folder / "identity.pt"

    def test_modules_without_a_certain_site(self) -> None:
        self.fails("no SAE or transcoder found in 1 method", "--sae", self.identity(), "--lm", self.lm, "--tokens", self.tokens, status=1)
        torch.jit.script(models.FeedForward()).save(self.folder / "mlp.pt")
        shown = self.fails("no site in it is certain", "--sae", "mlp.pt", "--lm", self.lm, "--tokens", self.tokens, status=1)
        inspected = self.run_program(SAETAP, "inspect", "mlp.pt").stdout
        self.assertEqual(shown, inspected)
        # A rule settles it.
        rule = [json.loads("{" + line.split("config", 1)[1].strip() + "}")["hooks"][0]
                for line in inspected.splitlines() if line.strip().startswith("config")]
        store = self.collect("--sae", "mlp.pt", "--lm", self.lm, "--lm-output", 0, "--tokens", self.tokens, "--config",
                             self.config(hooks=rule))
        self.assertEqual(store.rows("SELECT features, rows_seen FROM site"), [(4 * models.D, self.ids.numel())])

    def test_files(self) -> None:
        sae = ("--sae", self.sae)
        good = self.write("acts.npy", npy(self.acts))
        wide = self.write("wide.npy", npy(torch.zeros(5, 24)))
        self.fails("none.npy: No such file", *sae, "--activations", "none.npy")
        self.fails("the file is empty", *sae, "--activations", self.write("empty.npy", b""))
        self.fails("neither .npy, nor .pt", *sae, "--activations", self.write("rubbish.npy", b"rubbish"))
        self.fails("wide.npy: rows of width 24, and the SAE takes rows of width 16", *sae, "--activations", wide)
        self.fails("there is no row to collect from", *sae, "--activations", self.write("none-in.npy", npy(torch.zeros(0, 16))))
        floats = self.write("floats.npy", npy(self.ids.float()))
        self.fails("token ids are integers", *sae, "--activations", good, "--tokens", floats)
        self.fails("token ids are integers", *sae, "--lm", self.lm, "--tokens", floats)
        few = self.write("few.npy", npy(self.ids[:3]))
        self.fails("acts.npy holds 2,400 rows, and few.npy has 36 tokens that have one", *sae, "--activations", good, "--tokens", few)
        large = self.ids.long()
        large[40, 3] = VOCABULARY
        self.fails("it fails on rows 32 to 63 of large.npy, whose largest token id is 50: index out of range", *sae, "--lm", self.lm,
                   "--tokens", self.write("large.npy", npy(large)), "--batch", 4096)
        large[40, 3] = 1 << 40
        self.fails("large.npy: the token id in row 40, place 3 is", *sae, "--lm", self.lm, "--tokens", self.write("large.npy", npy(large)))

    def test_configs(self) -> None:
        words = ("--sae", self.sae, "--lm", self.lm, "--tokens", self.tokens)
        self.fails('nearest known key is "max_samples_per_feature"', *words, "--config", self.config(max_samples_per_featur=1))
        self.fails("none.json: cannot be read", *words, "--config", "none.json")
        self.fails("none.model", *words, "--tokenizer", "none.model")
        (self.folder / "out").write_bytes(b"a file")
        done = self.run_program(SAETAP, "collect", *words, "-o", self.folder / "out")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("nothing can be saved there", done.stderr)


if __name__ == "__main__":
    run_tests()
