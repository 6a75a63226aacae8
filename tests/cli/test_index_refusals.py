"""`saetap index` from outside: files that do not fit together, lie, or cannot be written.

    python test_index_refusals.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import os
import signal
import struct
import subprocess
import sys
import unittest
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parents[1] / "reliability"))

from fault_record import record_fault
from index_test import B, D, PAD, T, IndexTest, npy, raw, safetensors
from program_test import SAETAP, clean_environment, run_tests, saetap


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
        lies = (
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
        )
        for reason, header in lies:
            path = self.written("lying.npy", npy(self.rows, **header))
            self.refuses(f"{path}: {reason}", path, self.tokens)
        whole = npy(self.rows)
        path = self.folder / "cut.npy"
        lengths = (6, 8, 9, 10, 11, 40, 127, 128, 129, len(whole) - 1)
        for length in lengths:
            path.write_bytes(whole[:length])
            self.refuses(f"{path}: ", path, self.tokens)
        path.write_bytes(whole[:6] + b"\4" + whole[7:])
        self.refuses(f"{path}: version 4 of .npy; 1 to 3", path, self.tokens)
        record_fault("input", "index on headers of .npy that lie, or are cut short", len(lies) + len(lengths) + 1,
                     "nothing: one line")

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


if __name__ == "__main__":
    unittest.TestCase.maxDiff = 400
    run_tests()
