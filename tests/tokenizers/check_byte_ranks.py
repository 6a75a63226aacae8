"""Tokens that are bytes: Qwen's real .tiktoken and Mistral's real tekken.json, against tiktoken."""

import base64
import itertools
import json
from pathlib import Path

import tiktoken
from conformance import compare, cut_runs, random_runs

WORDS = r"\s?\p{L}+|\s?\p{N}{1,3}|\s?[^\s\p{L}\p{N}]+|\s+"  # how a text is cut before encoding does not touch decoding


def check(tool: str, packages: Path, texts: list[str]) -> dict[str, int]:
    return {
        ".tiktoken (Qwen)": check_tiktoken(tool, packages / "dashscope" / "resources" / "qwen.tiktoken", texts),
        "tekken.json (Mistral)": check_tekken(tool, packages / "mistral_common" / "data" / "tekken_240911.json", texts),
    }


def encoding_of(ranks: dict[bytes, int]) -> tiktoken.Encoding:
    return tiktoken.Encoding("reference", pat_str=WORDS, mergeable_ranks=ranks, special_tokens={})


def check_tiktoken(tool: str, path: Path, texts: list[str]) -> int:
    lines = [line.split() for line in path.read_bytes().splitlines() if line]
    reference = encoding_of({base64.b64decode(token): int(rank) for token, rank in lines})
    ids = [int(rank) for _, rank in lines]
    runs = random_runs(ids) + cut_runs(reference.encode_ordinary_batch(texts))
    return compare(tool, path, runs, lambda given: [reference.decode(run) for run in given])


def check_tekken(tool: str, path: Path, texts: list[str]) -> int:
    tekken = json.loads(path.read_text(encoding="utf-8"))
    size = tekken["config"]["default_vocab_size"]
    special = tekken["config"]["default_num_special_tokens"]
    used = [token for token in tekken["vocab"] if token["rank"] < size - special]
    reference = encoding_of({base64.b64decode(token["token_bytes"]): token["rank"] for token in used})
    # The first of those that a file of this version does not name, and the first that have no name at all.
    names = {0: "<unk>", 1: "<s>", 2: "</s>", 3: "[INST]", 11: "<pad>", 19: "[TOOL_CONTENT]"}
    names |= {token: f"<SPECIAL_{token}>" for token in (20, 21, special - 1)}

    def decode(run: list[int]) -> str:
        # As Mistral's library does it: tiktoken for what is between special tokens.
        text = ""
        for is_special, group in itertools.groupby(run, lambda token: token < special):
            text += "".join(map(names.get, group)) if is_special else reference.decode([token - special for token in group])
        return text

    ids = [*names] * 500 + list(range(special, size))
    encoded = [[1] + [token + special for token in run] + [2] for run in reference.encode_ordinary_batch(texts)]
    runs = random_runs(ids) + cut_runs(encoded)
    return compare(tool, path, runs, lambda given: list(map(decode, given)))
