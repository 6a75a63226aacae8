"""`saetap index` from outside: what it makes of shards and tokens.

    python test_index.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import shutil
import stat
import subprocess
import unittest

import torch
from index_file import IndexFile
from index_test import B, D, PAD, T, IndexTest, npy, raw, safetensors
from program_test import SAETAP, clean_environment, run_tests, saetap


class WhatIsWritten(IndexTest):
    def test_every_row_has_its_fingerprints_and_its_token(self) -> None:
        # 240 rows of the 256 that it takes to choose pairs: these have exact fingerprints alone.
        found = self.index(self.acts, self.tokens)
        self.assertEqual((found.name, found.width, len(found.pairs)), ("out", D, 0))
        self.check(found, self.rows, self.ids)

    def test_robust_fingerprints(self) -> None:
        rows = torch.randn(700, T, D) * torch.rand(D) + 0.1 * torch.randn(D)
        ids = torch.randint(1, 60000, (700, T)).to(torch.uint16)
        found = self.index(self.written("many.npy", npy(rows)), self.written("ids.npy", npy(ids)), "--name", "layer 3")
        self.assertEqual((found.name, len(found.pairs)), ("layer 3", 256))
        self.check(found, rows, ids.int())
        for first, second, first_spread, _ in found.pairs[:3]:
            self.assertNotEqual(first, second)
            self.assertAlmostEqual(first_spread, rows[..., first].std().item(), delta=0.1 * first_spread)

    def test_every_type_is_widened_or_rounded_as_a_trainer_does(self) -> None:
        for type_ in (torch.float32, torch.float64, torch.float16):
            rows = self.rows.to(type_)
            if type_ == torch.float64:
                rows = rows + 1e-9  # not a float32
            self.check(self.index(self.written("typed.npy", npy(rows)), self.tokens), rows, self.ids)
        for type_ in (torch.float32, torch.float16, torch.bfloat16):
            rows = self.rows.to(type_)
            self.check(self.index(self.saved("typed.pt", rows), self.tokens), rows, self.ids)
            stored = self.written("typed.safetensors", safetensors(rows=rows))
            self.check(self.index(stored, self.tokens), rows, self.ids)

    def test_rows_that_are_no_numbers(self) -> None:
        rows = self.rows.clone()
        rows[0, 0] = float("nan")
        rows[1, 1, 3] = float("inf")
        self.check(self.index(self.written("nan.npy", npy(rows)), self.tokens), rows, self.ids)

    def test_every_way_in_which_tokens_are_kept(self) -> None:
        flat = ("--length", T)
        for name, content, more in (
            ("t.npy", npy(self.ids.long()), ()),
            ("t.npy", npy(self.ids.to(torch.uint16)), ()),
            ("t.npy", npy(self.ids, version=2), ()),
            ("t.npy", npy(self.ids.flatten()), flat),
            ("t.npy", npy(self.ids), flat),
            ("t.bin", raw(self.ids), flat),
            ("t.safetensors", safetensors(tokens=self.ids.long()), ()),
        ):
            self.check(self.index(self.acts, self.written(name, content), *more), self.rows, self.ids)
        self.check(self.index(self.acts, self.saved("t.pt", self.ids)), self.rows, self.ids)

    def test_tensors_as_torch_keeps_them(self) -> None:
        whole = torch.cat([torch.zeros(B, 1, D), self.rows], 1)
        self.check(self.index(self.saved("view.pt", whole[:, 1:]), self.tokens), self.rows, self.ids)
        turned = self.rows.transpose(0, 1).contiguous().transpose(0, 1)
        self.check(self.index(self.saved("turned.pt", turned), self.tokens), self.rows, self.ids)
        self.check(self.index(self.saved("leaf.pt", self.rows.clone().requires_grad_()), self.tokens), self.rows, self.ids)
        self.check(self.index(self.saved("parameter.pt", torch.nn.Parameter(self.rows)), self.tokens), self.rows, self.ids)
        both = self.saved("both.pt", {"acts": self.rows, "ids": self.ids, "step": 3})
        self.check(self.index(f"{both}:acts", f"{both}:ids"), self.rows, self.ids)
        both = self.written("both.safetensors", safetensors(acts=self.rows, ids=self.ids.long()))
        self.check(self.index(f"{both}:acts", f"{both}:ids"), self.rows, self.ids)
        # What C++'s torch::save makes of a tensor: a module with one attribute.
        module = torch.nn.Module()
        module.register_buffer("rows", self.rows)
        torch.jit.script(module).save(self.folder / "module.pt")
        self.check(self.index(self.folder / "module.pt", self.tokens), self.rows, self.ids)

    def test_shards_follow_each_other(self) -> None:
        acts = [self.written(f"acts{i}.npy", npy(part)) for i, part in enumerate(self.rows.split(7))]
        tokens = [self.written(f"tokens{i}.npy", npy(part)) for i, part in enumerate(self.ids.split(7))]
        self.check(self.index(acts, tokens), self.rows, self.ids)
        self.check(self.index(acts, self.tokens), self.rows, self.ids)
        # Shards need not end where a text does.
        flat = [self.written(f"flat{i}.npy", npy(part)) for i, part in enumerate(self.rows.reshape(-1, D).split(37))]
        self.check(self.index(flat, self.tokens), self.rows, self.ids)
        # Rows of tokens may be longer in one shard than in another.
        short = self.written("short.npy", npy(self.ids[7:].reshape(-1, 5)))
        rest = self.written("rest.npy", npy(self.rows[7:].reshape(-1, 5, D)))
        found = self.index([acts[0], rest], [tokens[0], short])
        self.assertEqual({len(row) for row in found.ids}, {5, 10})
        self.assertEqual(sum(found.ids, []), self.ids.flatten().tolist())

    def test_shards_in_an_order_of_their_own(self) -> None:
        parts = self.rows.split(2)
        acts = [self.written(f"part{i}.npy", npy(part)) for i, part in enumerate(parts)]
        self.assertGreater(len(acts), 10)
        self.check(self.index(acts, self.tokens), self.rows, self.ids)
        listed = sorted(acts)  # as a shell does it
        mixed = torch.cat([parts[acts.index(path)] for path in listed])
        self.check(self.index(listed, self.tokens, "--in-given-order"), mixed, self.ids)
        # With tokens of its own each shard has them wherever it stands.
        tokens = [self.written(f"of{i}.npy", npy(part)) for i, part in enumerate(self.ids.split(2))]
        self.index(listed, sorted(tokens))

    def test_tokens_without_a_row(self) -> None:
        kept = self.ids != PAD
        acts = self.written("kept.npy", npy(self.rows[kept]))
        flags = torch.where(kept, 3, 1)
        self.check(self.index(acts, self.tokens, "--omit-ids", f"101,{PAD}"), self.rows[kept], self.ids, flags)
        flags = torch.where(kept, 3, 0)
        masked = ("--mask", self.written("mask.npy", npy(self.mask)))
        self.check(self.index(acts, self.tokens, *masked, "--omit-masked"), self.rows[kept], self.ids, flags)

    def test_long_stretches_of_tokens_without_a_row(self) -> None:
        # So many that a whole batch of what is read at once has none.
        rows = torch.randn(2200, T, D)
        ids = torch.randint(1, 30000, (2200, T), dtype=torch.int32)
        ids[100:2100] = PAD
        kept = ids != PAD
        found = self.index(self.written("few.npy", npy(rows[kept])), self.written("long.npy", npy(ids)), "--omit-ids", PAD)
        self.assertEqual(len(found.pairs), 256)
        self.check(found, rows[kept], ids, torch.where(kept, 3, 1))

    def test_masks(self) -> None:
        flags = torch.where(self.ids != PAD, 3, 2)
        for mask in (self.mask, self.mask.bool(), self.mask.to(torch.uint8), self.mask.float()):
            path = self.written("mask.npy", npy(mask))
            self.check(self.index(self.acts, self.tokens, "--mask", path), self.rows, self.ids, flags)

    def test_what_is_said(self) -> None:
        out = self.folder / "said.saetap-index"
        said = self.ok("index", "--activations", self.acts, "--tokens", self.tokens, "-o", out).splitlines()
        self.assertEqual(said[0], f"{out}: 240 rows of width 64 in 24 sequences, {out.stat().st_size / 1000:.1f} kB")
        self.assertTrue(said[1].startswith("exact      too few"), said[1])
        self.assertEqual(said[2], f'config     "tokens": {{"index":["{out}"]}}')
        self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o600)
        config = self.folder / "tap.json"
        config.write_text('{"saetap": {' + said[2].removeprefix("config     ") + "}}", encoding="utf-8")
        self.assertEqual(saetap("record", "--config", config, "--", "true").returncode, 0)

    def test_the_same_as_json(self) -> None:
        out = self.folder / "said.json.saetap-index"
        said = self.ok_json("index", "--activations", self.acts, "--tokens", self.tokens, "-o", out)
        self.assertEqual(said, {"output": str(out), "name": "said.json", "rows": 240, "width": 64, "sequences": 24,
                                "bytes": out.stat().st_size, "exact_only": True, "config": {"tokens": {"index": [str(out)]}}})


class Usage(IndexTest):
    def test_wrong_usage_is_status_2(self) -> None:
        self.fails(2, "--activations is required", "index")
        files = ["--activations", self.acts, "--tokens", self.tokens, "-o", self.folder / "out"]
        self.fails(2, "(saetap index --help)", "index", *files, "--omit-ids", "x")
        self.fails(2, "(saetap index --help)", "index", *files, "--omit-ids", "-1")
        self.fails(2, "(saetap index --help)", "index", *files, "--length", "0")
        self.fails(2, "--omit-masked needs --mask", "index", *files, "--omit-masked")
        self.fails(2, "--name has to have 1 to 1024 bytes", "index", *files, "--name", "two\nlines")

    def test_help_has_an_example(self) -> None:
        self.assertIn("Example: saetap index --activations", self.ok("index", "--help"))

    def test_files_of_any_name(self) -> None:
        acts = self.folder / "--tokens=a b.npy"
        shutil.copy(self.acts, acts)
        done = saetap("index", f"--activations={acts.name}", "--tokens", self.tokens, "-o", "out", cwd=str(self.folder))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.check(IndexFile(self.folder / "out"), self.rows, self.ids)

    def test_indexing_is_never_recorded(self) -> None:
        done = saetap("record", "--output", self.folder / "store", "--", SAETAP, "index", "--activations", self.acts,
                      "--tokens", self.tokens, "-o", self.folder / "out")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse((self.folder / "store").exists())

    def test_the_part_that_knows_libtorch_has_to_be_there(self) -> None:
        bare = self.folder / "bare"
        bare.mkdir()
        alone = shutil.copy(SAETAP, bare / "saetap")
        command = [alone, "index", "--activations", "a", "--tokens", "b", "-o", "c"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment())
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr, f"saetap: {bare}/saetap-index is not there: was saetap built without LibTorch?\n")


if __name__ == "__main__":
    unittest.TestCase.maxDiff = 400
    run_tests()
