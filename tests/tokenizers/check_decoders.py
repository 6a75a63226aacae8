"""Every decoder of a tokenizer.json and sequences of them, on vocabularies of awkward entries, against `tokenizers`."""

import json
from collections import Counter
from pathlib import Path

import tokenizers
from conformance import compare, random_runs

RUNS = 2_000  # for each of the decoders below, and at least
RUNS_OF_TYPE = 10_000  # for all of one type together

MARKS = [".", "?", "!", ",", "'", "n't", "'m", "do not", "'s", "'ve", "'re", "' ", " ' ", "", "##", "a", "ü"]
CLEANED = sorted({a + gap + b for a in MARKS for gap in ("", " ", "  ") for b in MARKS} | {"##" + m for m in MARKS})
BYTES = [f"<0x{byte:02X}>" for byte in range(256)] + ["<0x0a>", "<0xC3", "<0xG0>", "<0x+A>", "<0x 1>", "<0xé>", "<0x1>", "0x41>"]
CHARACTERS = [*"abzé文😀▁Ġ Ċłĩ|</w>", "▁▁", "▁a▁", "aa", "aaa", "", " ", "  ", "a ", " a", "</w>", "b</w>", "</w></w>c", "<pad>"]
CHARACTERS += ["<pad>|", "x<pad>y", "|", "||", "é▁文", "Ġa", "äĸ", "ĩ", "æĸ", "ð", "ŁĺĢ", "\ufffd", "\u0301", "ab", "abab", "ba"]
MIXED = CHARACTERS + BYTES * 2 + CLEANED[::9]

SPACE = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
BACK = {"type": "ByteFallback"}
FUSE = {"type": "Fuse"}


def replace(pattern: str, content: str) -> dict:
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


def strip(content: str, start: int, stop: int) -> dict:
    return {"type": "Strip", "content": content, "start": start, "stop": stop}


def word_piece(prefix: str, cleanup: bool) -> dict:
    return {"type": "WordPiece", "prefix": prefix, "cleanup": cleanup}


def ctc(pad: str, delimiter: str, cleanup: bool) -> dict:
    return {"type": "CTC", "pad_token": pad, "word_delimiter_token": delimiter, "cleanup": cleanup}


def metaspace(replacement: str, scheme: str) -> dict:
    return {"type": "Metaspace", "replacement": replacement, "prepend_scheme": scheme, "split": True}


def sequence(*decoders: dict) -> dict:
    return {"type": "Sequence", "decoders": list(decoders)}


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
DECODERS = [
    None,
    BYTE_LEVEL,
    BACK,
    FUSE,
    *(word_piece(prefix, cleanup) for prefix in ("##", "", "do") for cleanup in (True, False)),
    *(metaspace("▁", scheme) for scheme in ("always", "first", "never")),
    {"type": "Metaspace", "replacement": "é", "add_prefix_space": True},
    *(replace(*pair) for pair in (("▁", " "), ("a", ""), ("ab", "▁▁▁"), ("aa", "a"), ("", "-"), (".", "é"), ("é", ".*"))),
    *(strip(*cut) for cut in ((" ", 1, 0), ("a", 2, 0), ("文", 1, 0), ("▁", 5, 0), ("a", 0, 0))),
    *({"type": "BPEDecoder", "suffix": suffix} for suffix in ("</w>", "a", "")),
    *(ctc(*way) for way in (("<pad>", "|", True), ("<pad>", "|", False), ("a", "é", True), ("", "", True), ("<pad>", "", True))),
    sequence(),
    sequence(SPACE, BACK, FUSE, strip(" ", 1, 0)),
    sequence(BACK, metaspace("▁", "always")),
    sequence(BACK, FUSE, replace("\ufffd\ufffd", "?"), strip("a", 3, 0)),
    sequence(BYTE_LEVEL, replace(" a", "▁"), metaspace("▁", "first")),
    sequence(ctc("<pad>", "|", True), word_piece("a", True), BACK),
    sequence(BACK, {"type": "BPEDecoder", "suffix": "</w>"}, ctc("a", "b", False), sequence(FUSE, replace("", "_"))),
    sequence(FUSE, BYTE_LEVEL),
    sequence(FUSE, word_piece("a", True), BACK),
]
# The reference fails where nothing but the stripped character is there to be stripped from the end.
STRIPPED_AT_END = [strip(" ", 1, 1), strip("a", 1, 2), sequence(replace("b", "a"), strip("a", 0, 3))]


def check(tool: str, folder: Path) -> dict[str, int]:
    """How many decodes were compared of each type. What is within a sequence counts as a sequence."""
    mixed = unique(MIXED)
    safe = [entry for entry in mixed if set(entry) - set(" ab")]
    cases = [(decoder, mixed) for decoder in DECODERS] + [(decoder, safe) for decoder in STRIPPED_AT_END]
    cases += [(word_piece("##", cleanup), CLEANED) for cleanup in (True, False)]
    of_type = Counter(type_of(decoder) for decoder, _ in cases)
    compared: Counter[str] = Counter()
    for decoder, entries in cases:
        runs = max(RUNS, -(-RUNS_OF_TYPE // of_type[type_of(decoder)]))
        compared[f"{type_of(decoder)}, awkward entries"] += compare_decoder(tool, folder, decoder, entries, runs)
    return dict(compared)


def type_of(decoder: dict | None) -> str:
    return decoder["type"] if decoder else "no decoder"


def unique(entries: list[str]) -> list[str]:
    return list(dict.fromkeys(entries))


def compare_decoder(tool: str, folder: Path, decoder: dict | None, entries: list[str], count: int) -> int:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [{"id": 0, "content": entries[0], "special": True}, {"id": len(entries), "content": " .added é文's", "special": False}]
    model = {"type": "WordLevel", "unk_token": entries[0], "vocab": {entry: i for i, entry in enumerate(entries)}}
    tokenizer = {"version": "1.0", "added_tokens": [token | flags for token in added], "decoder": decoder, "model": model}
    path = folder / "decoder.json"
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    reference = tokenizers.Tokenizer.from_file(str(path))
    ids = range(len(entries) + 1)
    runs = random_runs(ids, count) + [[token] for token in ids] + [[1, token] for token in ids]
    # Few entries, so that the same come together: CTC, characters of bytes.
    bytes_of = [entries.index(entry) for entry in entries if entry in ("<0xE6>", "<0x96>", "<0x87>", "<0x41>", "æĸ", "ĩ", "a", "|")]
    runs += random_runs(bytes_of or ids, count // 2, seed=1)
    return compare(tool, path, runs, lambda given: reference.decode_batch(given, skip_special_tokens=False))
