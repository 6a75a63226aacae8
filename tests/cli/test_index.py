"""`saetap index` from outside: what it makes of shards and tokens, and of files that do not fit together.

    python test_index.py SAETAP MAKE_STORE PRELOAD_LIBRARY

Run with the demo's Python: shards are made with PyTorch.
"""

import ctypes
import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import unittest
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path

import torch
from index_file import IndexFile, row_hash
from program_test import SAETAP, StoreTest, clean_environment, run_tests, saetap
from torch import Tensor

B, T, D = 24, 10, 64
PAD = 0

NPY_TYPES = {torch.float32: "<f4", torch.float64: "<f8", torch.float16: "<f2", torch.int32: "<i4", torch.int64: "<i8",
             torch.uint16: "<u2", torch.int16: "<i2", torch.uint8: "|u1", torch.bool: "|b1"}
SAFE_TYPES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.int64: "I64"}


def raw(tensor: Tensor) -> bytes:
    tensor = tensor.contiguous()
    return ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size()) if tensor.numel() else b""


def npy(tensor: Tensor, version: int = 1, **header: object) -> bytes:
    """As numpy.save writes it; what stands in the header may be replaced."""
    fields = {"descr": NPY_TYPES[tensor.dtype], "fortran_order": False, "shape": tuple(tensor.shape)} | header
    text = repr(fields).encode()
    length = "<H" if version == 1 else "<I"
    start = 8 + struct.calcsize(length)
    text += b" " * (-(start + len(text) + 1) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack(length, len(text)) + text + raw(tensor)


def safetensors(**tensors: Tensor) -> bytes:
    header, body = {"__metadata__": {"made": "by hand"}}, b""
    for name, tensor in tensors.items():
        offsets = [len(body), len(body) + len(raw(tensor))]
        header[name] = {"dtype": SAFE_TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        body += raw(tensor)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


class IndexTest(StoreTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        torch.manual_seed(1)
        cls.rows = torch.randn(B, T, D) + torch.linspace(0, 1, D)
        cls.ids = torch.randint(1, 30000, (B, T), dtype=torch.int32)
        cls.ids[:, -2:] = PAD
        cls.mask = (cls.ids != PAD).long()
        cls.acts = cls.written("acts.npy", npy(cls.rows))
        cls.tokens = cls.written("tokens.npy", npy(cls.ids))

    @classmethod
    def written(cls, name: str, content: bytes) -> Path:
        path = cls.folder / name
        path.write_bytes(content)
        return path

    @classmethod
    def saved(cls, name: str, value: object, **how: object) -> Path:
        path = cls.folder / name
        torch.save(value, path, **how)
        return path

    def index(self, activations: object, tokens: object, *more: object) -> IndexFile:
        out = self.folder / "out.saetap-index"
        out.unlink(missing_ok=True)
        listed = [[one] if isinstance(one, (str, Path)) else one for one in (activations, tokens)]
        self.ok("index", "--activations", *listed[0], "--tokens", *listed[1], *more, "-o", out)
        return IndexFile(out)

    def check(self, found: IndexFile, rows: Tensor, ids: Tensor, flags: Tensor | None = None) -> None:
        """`rows` as float32, [N, d]: what a trainer would feed."""
        rows = rows.float().reshape(-1, rows.shape[-1])
        self.assertEqual(found.ids, ids.long().tolist())
        self.assertEqual(found.flags, (torch.full_like(ids, 3) if flags is None else flags).tolist())
        self.assertEqual(found.fingerprints, [row_hash(raw(row)) for row in rows])
        if found.pairs:
            first = torch.tensor([pair[0] for pair in found.pairs])
            second = torch.tensor([pair[1] for pair in found.pairs])
            bits = (rows[:, first] > rows[:, second]).long().tolist()
            wanted = [sum(bit << b for b, bit in enumerate(row)) for row in bits]
            self.assertEqual(found.signatures, wanted)


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


class WhatDoesNotFit(IndexTest):
    def refuses(self, reason: str, activations: object, tokens: object, *more: object) -> None:
        out = self.folder / "refused.saetap-index"
        listed = [[one] if isinstance(one, (str, Path)) else one for one in (activations, tokens)]
        before = sorted(self.folder.iterdir())
        self.fails(2, f"saetap: index: {reason}", "index", "--activations", *listed[0], "--tokens", *listed[1], *more,
                   "-o", out)
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_counts_have_to_agree(self) -> None:
        short = self.written("short.npy", npy(self.rows[:-1]))
        self.refuses(f"{short} holds 230 rows, and {self.tokens} has 240 tokens that have one: say with --omit-ids",
                     short, self.tokens)
        self.refuses(f"{short} holds 230 rows, and {self.tokens} has 192 tokens that have one, of 240 tokens with",
                     short, self.tokens, "--omit-ids", PAD)
        self.refuses(f"2 files of --activations hold 470 rows, and {self.tokens} has 240", [self.acts, short],
                     self.tokens)
        self.refuses("3 files of --activations and 2 of --tokens: as many are needed, or one",
                     [self.acts] * 3, [self.tokens] * 2)
        self.refuses("2 files of --tokens and 1 of --mask", [self.acts] * 2, [self.tokens] * 2, "--mask", self.tokens)
        # The second shard is short, and nothing was written of the first.
        self.refuses(f"{short} holds 230 rows", [self.acts, short], [self.tokens] * 2)

    def test_shards_in_the_order_of_a_shell(self) -> None:
        names = ("part0.npy", "part1.npy", "part10.npy", "part11.npy", "part2.npy")
        acts = [self.written(name, npy(part)) for name, part in zip(names, self.rows.split(5), strict=True)]
        self.refuses(f"{acts[4]} is given after {acts[3]}, and one file of --tokens has the tokens of both: give "
                     "--activations in the order of the tokens, as $(ls -v FILES) lists them, or say --in-given-order",
                     acts, self.tokens)

    def test_shapes(self) -> None:
        wide = self.written("wide.npy", npy(torch.zeros(B, T, D + 1)))
        self.refuses(f"{wide}: rows of width 65, and those of {self.acts} have 64", [self.acts, wide], self.tokens)
        self.refuses(f"{wide}: rows of width 65, and those of {self.acts} have 64", [self.acts, wide],
                     [self.tokens] * 2)
        flat = self.written("flat.npy", npy(self.ids.flatten()))
        self.refuses(f"{flat}: [240] of int32 is flat: say with --length", self.acts, flat)
        self.refuses(f"{flat}: 240 tokens are no whole number of rows of 7", self.acts, flat, "--length", 7)
        self.refuses(f"{self.tokens}: [24, 10] of int32 has rows of 10, and --length is 7", self.acts, self.tokens,
                     "--length", 7)
        self.refuses(f"{self.acts}: [24, 10, 64] of float32; [rows, length] or flat is needed", self.acts, self.acts)
        self.refuses(f"{self.tokens}: [24, 10] of int32; [rows, d] or [batch, length, d] of float32", self.tokens,
                     self.tokens)
        floats = self.written("floats.npy", npy(self.ids.float()))
        self.refuses(f"{floats}: [24, 10] of float32; token ids are integers", self.acts, floats)
        odd = self.written("odd.bin", raw(self.ids) + b"x")
        self.refuses(f"{odd}: 961 bytes are no whole number of int32 ids", self.acts, odd, "--length", T)
        empty = self.written("none.npy", npy(torch.zeros(0, T, dtype=torch.int32)))
        self.refuses(f"{empty}: [0, 10] of int32 holds no token", self.acts, empty)
        self.refuses("no token has a row", self.written("none.npy", npy(torch.zeros(0, D))), self.tokens,
                     "--mask", self.written("mask.npy", npy(self.mask)), "--omit-masked", "--omit-ids",
                     ",".join(map(str, set(self.ids.flatten().tolist()))))

    def test_texts_of_another_length(self) -> None:
        turned = self.written("turned.npy", npy(self.rows.transpose(0, 1)))
        self.refuses(f"{turned}, [10, 24, 64] of float32, has texts of another length than {self.tokens}, [24, 10] of "
                     "int32", turned, self.tokens)
        flat = self.written("flat.npy", npy(self.ids.flatten()))
        self.refuses(f"{self.acts}, [24, 10, 64] of float32, has texts of another length than {flat}, [30, 8] of int32",
                     self.acts, flat, "--length", 8)

    def test_ids_and_masks_out_of_range(self) -> None:
        ids = self.ids.long()
        ids[3, 4] = -100
        self.refuses(f"{self.folder}/bad.npy: the token id in row 3, place 4 is -100; 0 to 2147483647", self.acts,
                     self.written("bad.npy", npy(ids)))
        ids[3, 4] = 1 << 31
        self.refuses("", self.acts, self.written("bad.npy", npy(ids)))
        mask = self.mask.clone()
        mask[1, 2] = 2
        self.refuses(f"{self.folder}/mask.npy: the mask in row 1, place 2 is 2", self.acts, self.tokens, "--mask",
                     self.written("mask.npy", npy(mask)))
        self.refuses(f"{self.tokens}: its mask leaves out every token", self.acts, self.tokens, "--mask",
                     self.written("mask.npy", npy(mask * 0)))
        self.refuses(f"{self.folder}/mask.npy: [24, 9] of int64 is no mask of", self.acts, self.tokens, "--mask",
                     self.written("mask.npy", npy(mask[:, 1:])))

    def test_npy_headers_that_lie(self) -> None:
        for reason, header in (
            ("its header promises [24, 10, 65] of float32, 62400 bytes, and 61440 are there", {"shape": (B, T, D + 1)}),
            ("there are 61440 bytes behind its header, which promises [23, 10, 64]", {"shape": (B - 1, T, D)}),
            ("its header promises [4294967296, 4294967296, 4294967296]", {"shape": (1 << 32,) * 3}),
            ("its header promises [9223372036854775807, 0, 64]", {"shape": ((1 << 63) - 1, 0, D)}),
            ("its .npy header is damaged", {"shape": (-1, D)}),
            ("its .npy header is damaged", {"shape": (1 << 64, D)}),
            ("its .npy header is damaged", {"shape": "x"}),
            ("its .npy header is damaged", {"descr": ""}),
            ("its .npy header is damaged", {"more": 1}),
            ("an array of type '|O'; little-endian floats", {"descr": "|O"}),
            ("an array of type '>f4'; little-endian floats", {"descr": ">f4"}),
            ("an array of type '<V2'; little-endian floats", {"descr": "<V2"}),
            ("an array of records", {"descr": [("a", "<f4")]}),
            ("an array in Fortran order; save numpy.ascontiguousarray", {"fortran_order": True}),
        ):
            path = self.written("lying.npy", npy(self.rows, **header))
            self.refuses(f"{path}: {reason}", path, self.tokens)
        whole = npy(self.rows)
        path = self.folder / "cut.npy"
        for length in (6, 8, 9, 10, 11, 40, 127, 128, 129, len(whole) - 1):
            path.write_bytes(whole[:length])
            self.refuses(f"{path}: ", path, self.tokens)
        path.write_bytes(whole[:6] + b"\4" + whole[7:])
        self.refuses(f"{path}: version 4 of .npy; 1 to 3", path, self.tokens)

    def test_other_files(self) -> None:
        for reason, name, content in (
            ("neither .npy, nor .pt of torch.save, nor .safetensors", "text.pt", b"import torch\n"),
            ("the file is empty", "empty.npy", b""),
            ("its header of 8295679370688488808 bytes reaches beyond", "text.safetensors", b"hello, safe tensors"),
            ("its header is no JSON object", "list.safetensors", struct.pack("<Q", 2) + b"[]"),
            ("which tensor? It holds none", "none.safetensors", struct.pack("<Q", 2) + b"{}"),
            ("its tensor a, [2, 64] of float32, does not lie in the file", "lie.safetensors",
             safetensors(a=torch.zeros(2, D))[:-4]),
        ):
            path = self.written(name, content)
            self.refuses(f"{path}: {reason}", path, self.tokens)
        self.refuses(f"{self.folder}/missing.npy: No such file or directory", self.folder / "missing.npy", self.tokens)
        self.refuses(f"{self.folder}: it is a folder", self.folder, self.tokens)
        pipe = self.folder / "pipe.npy"
        os.mkfifo(pipe)
        self.refuses(f"{pipe}: it is no regular file", pipe, self.tokens)
        both = self.written("both.safetensors", safetensors(a=self.rows, b=self.rows))
        self.refuses(f"{both}: which tensor? It holds a, b (name one behind a colon, FILE:NAME)", both, self.tokens)
        self.refuses(f"{both}: there is no tensor c, only a, b", f"{both}:c", self.tokens)
        for value in ([self.rows], OrderedDict(a=self.rows), {"a": OrderedDict(a=self.rows)}, {}, {1: self.rows},
                      defaultdict(list, a=self.rows), {"a": unittest.TestCase}, {"a": {"b": self.rows}}, None):
            path = self.saved("odd.pt", value)
            self.refuses(f"{path}: a tensor or a plain dict of tensors can be read; it holds ", path, self.tokens)
        self.refuses("", self.saved("old.pt", self.rows, _use_new_zipfile_serialization=False), self.tokens)
        packed = self.folder / "packed.pt"
        with zipfile.ZipFile(self.saved("stored.pt", self.rows)) as stored, zipfile.ZipFile(packed, "w") as archive:
            for name in stored.namelist():
                archive.writestr(name, stored.read(name), zipfile.ZIP_DEFLATED)
        self.refuses(f"{packed}: its tensors are compressed: save it again with torch.save", packed, self.tokens)
        with zipfile.ZipFile(self.folder / "other.pt", "w") as archive:
            archive.writestr("other/text", "text")
        self.refuses(f"{self.folder}/other.pt: a zip archive", self.folder / "other.pt", self.tokens)

    def test_a_damaged_pt_never_crashes(self) -> None:
        path = self.folder / "damaged.pt"
        whole = self.saved("whole.pt", self.rows[:, :, :8].clone()).read_bytes()
        pickle = whole.index(b"data.pkl")
        places = [*range(pickle, pickle + 400, 23), *range(0, len(whole), len(whole) // 12)]
        for at in places:
            for damaged in (whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :], whole[:at]):
                path.write_bytes(damaged)
                done = saetap("index", "--activations", path, "--tokens", self.tokens, "-o", self.folder / "out")
                self.assertIn(done.returncode, (0, 2), (at, done.stderr))
                self.assertLessEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_a_pickle_that_promises_more_than_is_stored(self) -> None:
        whole = self.saved("honest.pt", torch.zeros(8, 25)).read_bytes()
        # 8 rows of 25 numbers: told as bytes by the pickle, once as the storage's size and once in the shape.
        storage, shape, strides = (b"K\xc8t", b"K\xe1t"), (b"K\x08K\x19", b"K\x09K\x19"), (b"K\x19K\x01", b"K\xffK\x01")
        for lies in ((storage, shape), (shape,), (strides,)):
            lying = whole
            for old, new in lies:
                self.assertEqual(lying.count(old), 1)
                lying = lying.replace(old, new)
            path = self.written("lying.pt", lying)
            # Newer LibTorch looks at the storage by itself, and not at whether the storage is there.
            own_words = "it is damaged: a tensor does not lie within the bytes stored for it"
            self.refuses(f"{path}: " + (own_words if len(lies) == 2 else ""), path, self.tokens)

    def test_output_that_cannot_be_written(self) -> None:
        files = ["--activations", self.acts, "--tokens", self.tokens]
        self.fails(2, "/dev/full cannot be written: it is no regular file", "index", *files, "-o", "/dev/full")
        self.fails(2, "No such file or directory", "index", *files, "-o", self.folder / "no/such/folder")
        content = self.tokens.read_bytes()
        self.fails(2, f"{self.tokens}: it is read, too", "index", *files, "-o", self.tokens)
        self.assertEqual(self.tokens.read_bytes(), content)
        both = self.saved("read.pt", {"acts": self.rows, "ids": self.ids})
        content = both.read_bytes()
        for out in (both, self.folder / "." / "read.pt"):
            self.fails(2, f"{out}: it is read, too", "index", "--activations", f"{both}:acts", "--tokens",
                       f"{both}:ids", "-o", out)
        self.assertEqual(both.read_bytes(), content)


    def test_nothing_is_left_of_one_that_is_told_to_end(self) -> None:
        rows = self.written("large.npy", npy(torch.randn(400_000, D)))
        tokens = self.written("large_ids.npy", npy(torch.randint(1, 30000, (40_000, T), dtype=torch.int32)))
        out = self.folder / "ended.saetap-index"
        command = [SAETAP, "index", "--activations", rows, "--tokens", tokens, "-o", out]
        for sent in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with subprocess.Popen(command, env=clean_environment(), stderr=subprocess.DEVNULL) as program:
                part = Path(f"{out}.part{program.pid}")
                while not part.exists() or part.stat().st_size < 10_000:
                    self.assertIsNone(program.poll())
                program.send_signal(sent)
                self.assertEqual(program.wait(), -sent)
            self.assertFalse(part.exists())
            self.assertFalse(out.exists())


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
