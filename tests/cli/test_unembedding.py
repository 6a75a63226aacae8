"""`saetap show --unembedding`: the tokens that a decoder direction promotes and suppresses, of files written here."""

import json
import math
import struct
from pathlib import Path

from program_test import StoreTest, run_tests, saetap


def npy(path: Path, rows: list[list[float]], kind: str) -> None:
    """As numpy.save writes a matrix; `kind`: its descr."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    code = {"<f4": "f", "<f2": "e", "<f8": "d"}[kind]
    body = struct.pack(f"<{len(rows) * len(rows[0])}{code}", *(value for row in rows for value in row))
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + body)


def safetensors(path: Path, tensors: dict[str, tuple[str, list[int], bytes]]) -> None:
    header, body = {}, b""
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


class Unembedding(StoreTest):
    """The decoder of the usual store has width 2: features 0 and 1 write along the first axis, 2 along the second."""

    ROWS = [[float(token), float(token % 4) - 1.5] for token in range(13)]

    def tokens_of(self, feature: int, file: object) -> tuple[list, list]:
        shown = self.ok_json("show", self.usual, feature, "--unembedding", file)["direction"]
        self.assertEqual(shown["vocabulary"], len(self.ROWS))
        return tuple([(one["id"], one["logit"]) for one in shown[side]] for side in ("promoted", "suppressed"))

    def check(self, file: object) -> None:
        for feature, axis in ((0, 0), (2, 1)):
            products = [(token, row[axis]) for token, row in enumerate(self.ROWS)]
            promoted, suppressed = self.tokens_of(feature, file)
            self.assertEqual(promoted, sorted(products, key=lambda one: (-one[1], one[0]))[:10])
            self.assertEqual(suppressed, sorted(products, key=lambda one: (one[1], one[0]))[:10])

    def test_either_way_round_and_of_every_type(self) -> None:
        turned = [list(column) for column in zip(*self.ROWS)]
        for kind in ("<f2", "<f4", "<f8"):
            npy(self.folder / "rows.npy", self.ROWS, kind)
            self.check(self.folder / "rows.npy")
            npy(self.folder / "columns.npy", turned, kind)
            self.check(self.folder / "columns.npy")
        # bfloat16 is the upper half of a float32; these numbers lose nothing.
        halves = b"".join(struct.pack("<f", value)[2:] for row in self.ROWS for value in row)
        odd = ("U8", [1], b"x")  # what follows is not aligned
        safetensors(self.folder / "model.safetensors", {"odd": odd, "lm_head.weight": ("BF16", [13, 2], halves)})
        self.check(f"{self.folder}/model.safetensors:lm_head.weight")

    def test_text_names_both_sides(self) -> None:
        npy(self.folder / "rows.npy", self.ROWS, "<f4")
        text = self.ok("show", self.usual, 0, "--unembedding", self.folder / "rows.npy")
        self.assertRegex(text, r"\n +east +12\.0?0? +\[PAD\] +0\n")

    def test_without_a_finite_product_it_is_refused(self) -> None:
        npy(self.folder / "nan.npy", [[math.nan, 1.0]] * 13, "<f4")
        self.fails(2, "nan.npy, [13, 2] of float32: no token has a finite product", "show", self.usual, 0,
                   "--unembedding", self.folder / "nan.npy")

    def test_one_of_fewer_tokens_than_the_tokenizer_is_noted(self) -> None:
        npy(self.folder / "few.npy", self.ROWS[:5], "<f4")
        done = saetap("show", self.usual, 0, "--unembedding", self.folder / "few.npy")
        self.assertEqual(done.returncode, 0)
        self.assertIn("few.npy, [5, 2] of float32 has 5 tokens and the tokenizer 13", done.stderr)

    def test_what_is_no_unembedding_is_status_2(self) -> None:
        npy(self.folder / "wide.npy", [[1.0, 2.0, 3.0]] * 3, "<f4")
        self.fails(2, "[3, 3] of float32: neither dimension is the decoder's width, 2", "show", self.usual, 0,
                   "--unembedding", self.folder / "wide.npy")
        self.fails(2, "No such file", "show", self.usual, 0, "--unembedding", self.folder / "none.npy")
        self.fails(2, "neither .npy nor .safetensors", "show", self.usual, 0, "--unembedding", self.usual / "tokenizer.json")
        safetensors(self.folder / "two.safetensors", {"a": ("F32", [1, 2], bytes(8)), "b": ("I32", [1, 2], bytes(8))})
        self.fails(2, "which tensor? It holds a, b", "show", self.usual, 0, "--unembedding", self.folder / "two.safetensors")
        self.fails(2, "[1, 2] of int32; a matrix of float32", "show", self.usual, 0,
                   "--unembedding", f"{self.folder}/two.safetensors:b")
        npy(self.folder / "rows.npy", self.ROWS, "<f4")
        whole = (self.folder / "rows.npy").read_bytes()
        (self.folder / "short.npy").write_bytes(whole[:-8])
        self.fails(2, "short.npy: its header promises [13, 2] of float32", "show", self.usual, 0,
                   "--unembedding", self.folder / "short.npy")
        done = saetap("show", self.folder / "no_tokens", 0, "--unembedding", self.folder / "rows.npy")
        self.assertEqual(done.returncode, 1)
        self.assertIn("has no decoder directions", done.stderr)


if __name__ == "__main__":
    run_tests()
