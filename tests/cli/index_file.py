"""Reads what `saetap index` writes, from what docs/file_format.md says of it and from nothing else."""

import array
import struct
from pathlib import Path

MASK = (1 << 64) - 1
ODD = (0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3)


def fold(a: int, b: int) -> int:
    product = a * b
    return (product ^ (product >> 64)) & MASK


def row_hash(row: bytes) -> int:
    lanes = [ODD[0] ^ len(row), *ODD[1:]]
    # Whole rounds of 64 bytes, and always one more with what is left, filled up with 0.
    padded = row + bytes(64 - len(row) % 64)
    for at in range(0, len(padded), 64):
        words = struct.unpack_from("<8Q", padded, at)
        lanes = [fold(words[2 * i] ^ ODD[i], words[2 * i + 1] ^ lanes[i]) for i in range(4)]
    a, b, c, d = lanes
    return fold(fold(a ^ ODD[1], b ^ ODD[2]), fold(c ^ ODD[3], d ^ ODD[0])) or 1


class IndexFile:
    """Tokens as rows of ids and flags; fingerprints and signatures in the order of the tokens that have a row."""

    def __init__(self, path: Path) -> None:
        data = Path(path).read_bytes()
        magic, version, head_bytes = struct.unpack_from("<8sII", data)
        assert (magic, version) == (b"saetapix", 1)
        self.rows, self.sequences, self.tokens, file_bytes = struct.unpack_from("<4Q", data, 16)
        self.width, name_bytes, pairs, _ = struct.unpack_from("<4I", data, 48)
        assert file_bytes == len(data)
        self.name = data[64 : 64 + name_bytes].decode()
        self.pairs = [struct.unpack_from("<IIff", data, 64 + name_bytes + 16 * i) for i in range(pairs)]
        assert head_bytes == 64 + name_bytes + 16 * pairs + 8
        assert struct.unpack_from("<Q", data, head_bytes - 8)[0] == row_hash(data[: head_bytes - 8])
        self.ids: list[list[int]] = []
        self.flags: list[list[int]] = []
        self.fingerprints: list[int] = []
        self.signatures: list[int] = []
        at = head_bytes
        while at < len(data):
            at = self.batch(data, at)
        assert (len(self.ids), len(self.fingerprints)) == (self.sequences, self.rows)
        assert sum(map(len, self.ids)) == self.tokens

    def batch(self, data: bytes, begin: int) -> int:
        first, sequences, length, rows, _ = struct.unpack_from("<QIIII", data, begin)
        assert first == len(self.ids)
        at = begin + 24
        tokens = sequences * length
        ids = array.array("i", data[at : at + 4 * tokens]).tolist()
        flags = list(data[at + 4 * tokens : at + 5 * tokens])
        at += 5 * tokens
        for i in range(sequences):
            self.ids.append(ids[i * length : (i + 1) * length])
            self.flags.append(flags[i * length : (i + 1) * length])
        for _ in range(rows):
            self.fingerprints.append(struct.unpack_from("<Q", data, at)[0])
            at += 8
            if self.pairs:
                self.signatures.append(int.from_bytes(data[at : at + 32], "little"))
                at += 32
        assert struct.unpack_from("<Q", data, at)[0] == row_hash(data[begin:at])
        return at + 8
