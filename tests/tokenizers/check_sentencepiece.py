"""Real SentencePiece models (BPE with bytes), small trained ones with every setting that decoding looks at, and the same
real vocabulary as the tokenizer.json files that Llama and its heirs are published with.

SentencePiece writes nothing for a control piece; we show it. So what is compared is the text without control pieces.
"""

import json
from pathlib import Path

import sentencepiece
import tokenizers
from conformance import compare, cut_runs, random_runs

TRAINED = {
    "plain": {},
    "bytes": {"byte_fallback": True, "pad_id": 3},
    "no prefix": {"add_dummy_prefix": False},
    "spaces kept": {"remove_extra_whitespaces": False, "user_defined_symbols": ["▁▁", "▁", "<mine>"]},
    "neither": {"add_dummy_prefix": False, "remove_extra_whitespaces": False},
    "suffix": {"treat_whitespace_as_suffix": True, "model_type": "bpe", "control_symbols": ["<turn>"]},
    "no unknown text": {"unk_surface": "", "bos_id": -1, "user_defined_symbols": ["▁"]},
}
LLAMA = {
    "type": "Sequence",
    "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ],
}
METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}


def check(tool: str, packages: Path, folder: Path, texts: list[str]) -> dict[str, int]:
    data = packages / "mistral_common" / "data"
    first = data / "tokenizer.model.v1"
    compared = {}
    for path in (first, data / "mistral_instruct_tokenizer_240323.model.v3"):
        compared[f"SentencePiece {path.name}"] = compare_model(tool, path, texts)
    for name, options in TRAINED.items():
        compared[f"SentencePiece trained, {name}"] = compare_model(tool, trained(folder, texts, options), texts)
    llama = folder / "llama.json"
    processor = sentencepiece.SentencePieceProcessor(model_file=str(first))
    for decoder in (LLAMA, METASPACE):
        llama.write_text(json.dumps(as_tokenizer_json(processor, decoder)), encoding="utf-8")
        reference = tokenizers.Tokenizer.from_file(str(llama))
        compared[f"{decoder['type']} tokenizer.json (Mistral)"] = compare(
            tool, llama, runs_of(processor, texts), lambda given: reference.decode_batch(given, skip_special_tokens=False)
        )
    return compared


def trained(folder: Path, texts: list[str], options: dict) -> Path:
    settings = {"model_type": "unigram", "vocab_size": 800, "hard_vocab_limit": False, "character_coverage": 0.99}
    settings |= {"minloglevel": 2, "num_threads": 1, "normalization_rule_name": "identity"}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts[:300]), model_prefix=str(folder / "trained"), **settings | options
    )
    return folder / "trained.model"


def runs_of(processor: sentencepiece.SentencePieceProcessor, texts: list[str]) -> list[list[int]]:
    ids = range(processor.get_piece_size())
    lines = [text.replace("\r", "").replace("\n", " ") for text in texts]
    encoded = cut_runs(processor.encode(lines)) + cut_runs(processor.encode(lines, add_bos=processor.bos_id() >= 0))
    rare = [token for token in ids if not processor.is_control(token)][:300]  # among them bytes, the unknown, spaces
    return random_runs(ids) + random_runs(rare, 3_000) + [[token] for token in ids] + encoded


def compare_model(tool: str, path: Path, texts: list[str]) -> int:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    control = frozenset(token for token in range(processor.get_piece_size()) if processor.is_control(token))
    return compare(tool, path, runs_of(processor, texts), processor.decode, control)


def as_tokenizer_json(processor: sentencepiece.SentencePieceProcessor, decoder: dict) -> dict:
    ids = range(processor.get_piece_size())
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [{"id": token, "content": processor.id_to_piece(token)} | flags for token in range(3)]
    if decoder["type"] == "Metaspace":
        scored = [[processor.id_to_piece(token), processor.get_score(token)] for token in ids]
        model = {"type": "Unigram", "unk_id": 0, "vocab": scored}
    else:
        model = {"type": "BPE", "vocab": {processor.id_to_piece(token): token for token in ids}, "merges": []}
    return {"version": "1.0", "added_tokens": added, "decoder": decoder, "model": model}
