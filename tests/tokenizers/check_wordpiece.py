"""The demo's real tokenizer, as tokenizer.json and as the vocab.txt that it was once published with."""

import array
from pathlib import Path

import tokenizers
from conformance import compare, cut_runs, random_runs
from real_texts import ROW


def check(tool: str, demo: Path, folder: Path) -> dict[str, int]:
    path = demo / "tokenizer.json"
    reference = tokenizers.Tokenizer.from_file(str(path))
    known = reference.get_vocab(with_added_tokens=True)
    tokens = array.array("i", (demo / "tokens.bin").read_bytes())
    real = cut_runs([tokens[start : start + ROW].tolist() for start in range(0, len(tokens), ROW)])
    ids = sorted(known.values())
    # Each token first in its run and within one: the decoder treats the two differently.
    runs = [[token] for token in ids] + [[ids[0], token] for token in ids] + random_runs(ids) + real

    def decode(given: list[list[int]]) -> list[str]:
        return reference.decode_batch(given, skip_special_tokens=False)

    vocab = folder / "vocab.txt"
    vocab.write_text("".join(entry + "\n" for entry in sorted(known, key=known.get)), encoding="utf-8")
    bert = tokenizers.BertWordPieceTokenizer(str(vocab))
    return {
        "WordPiece tokenizer.json": compare(tool, path, runs, decode),
        "vocab.txt": compare(
            tool, vocab, random_runs(ids) + real, lambda given: bert.decode_batch(given, skip_special_tokens=False)
        ),
    }
