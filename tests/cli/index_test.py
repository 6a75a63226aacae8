"""What the tests of `saetap index` share: shards as trainers keep them, and indexing them.

Run with the demo's Python: shards are made with PyTorch.
"""

import ctypes
import json
import struct
from pathlib import Path

import torch
from index_file import IndexFile, row_hash
from program_test import StoreTest
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
