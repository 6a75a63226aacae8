"""Our decoding against the `tokenizers` library's: on the demo's real tokenizer, and on one made of awkward entries.

    python test_tokenizer_conformance.py DECODE_TOOL DEMO_FOLDER

Exit status 77 (skipped) if the demo was not prepared or the library is not there.
"""

import array
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import tokenizers
except ImportError:
    tokenizers = None

RANDOM_RUNS = 10_000  # ids of any token, in any order
ROW = 128  # tokens per row of tokens.bin
SKIPPED = 77


def skip(reason: str) -> None:
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def random_runs(vocabulary: list[int]) -> list[list[int]]:
    rng = random.Random(0)
    return [rng.choices(vocabulary, k=rng.randint(1, 40)) for _ in range(RANDOM_RUNS)]


def real_runs(path: Path) -> list[list[int]]:
    """Every row of the demo's text, from its start and from somewhere within."""
    tokens = array.array("i", path.read_bytes())
    rng = random.Random(1)
    runs = []
    for start in range(0, len(tokens), ROW):
        row = tokens[start : start + ROW].tolist()
        runs += [row, row[rng.randrange(ROW) :]]
    return runs


def our_pieces(tool: str, tokenizer: Path, runs: list[list[int]]) -> list[list[str]]:
    lines = "".join(" ".join(map(str, run)) + "\n" for run in runs)
    done = subprocess.run([tool, str(tokenizer)], input=lines, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{tool}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(tool: str, tokenizer: Path, runs: list[list[int]]) -> int:
    reference = tokenizers.Tokenizer.from_file(str(tokenizer))
    ours = our_pieces(tool, tokenizer, runs)
    theirs = reference.decode_batch(runs, skip_special_tokens=False)
    if len(ours) != len(runs):
        sys.exit(f"{len(runs)} runs of tokens went in, {len(ours)} came out")
    for run, pieces, expected in zip(runs, ours, theirs):
        if "".join(pieces) != expected or len(pieces) != len(run):
            sys.exit(f"first difference, of ids {run}\n  ours:   {''.join(pieces)!r}\n  theirs: {expected!r}")
    return len(runs)


def compare_real(tool: str, demo: Path) -> int:
    tokenizer = demo / "tokenizer.json"
    known = tokenizers.Tokenizer.from_file(str(tokenizer)).get_vocab(with_added_tokens=True)
    vocabulary = sorted(known.values())
    # Each token first in its run and within one: the decoder treats the two differently.
    single = [[token] for token in vocabulary] + [[vocabulary[0], token] for token in vocabulary]
    return compare(tool, tokenizer, single + random_runs(vocabulary) + real_runs(demo / "tokens.bin"))


def compare_awkward(tool: str) -> int:
    """Entries that meet every cleanup rule, several at once, the prefix alone, and nothing at all."""
    marks = [".", "?", "!", ",", "'", "n't", "'m", "do not", "'s", "'ve", "'re", "' ", " ' ", "", "##", "a", "ü"]
    entries = sorted({a + gap + b for a in marks for gap in ("", " ", "  ") for b in marks} | {"##" + m for m in marks})
    compared = 0
    with tempfile.TemporaryDirectory() as folder:
        for prefix in ("##", "", "do"):
            for cleanup in (True, False):
                model = {"type": "WordPiece", "unk_token": "a", "continuing_subword_prefix": "##"}
                model |= {"max_input_chars_per_word": 100, "vocab": {entry: i for i, entry in enumerate(entries)}}
                decoder = {"type": "WordPiece", "prefix": prefix, "cleanup": cleanup}
                added = [{"id": entries.index("a"), "content": "a", "special": True}]
                added += [{"id": len(entries), "content": " .added 's", "special": False}]
                flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
                parts = {"version": "1.0", "added_tokens": [token | flags for token in added]}
                parts |= {"decoder": decoder, "model": model}
                path = Path(folder) / "tokenizer.json"
                path.write_text(json.dumps(parts), encoding="utf-8")
                ids = list(range(len(entries) + 1))
                compared += compare(tool, path, [[token] for token in ids] + [[0, token] for token in ids])
    return compared


def main() -> None:
    tool, demo = sys.argv[1], Path(sys.argv[2])
    if tokenizers is None:
        skip("the Python package tokenizers is not installed")
    for needed in (demo / "tokenizer.json", demo / "tokens.bin"):
        if not needed.exists():
            skip(f"{needed} is not there: examples/prepare_demo.py prepares it")
    compared = compare_awkward(tool) + compare_real(tool, demo)
    print(f"{compared:,} decodes equal those of tokenizers {tokenizers.__version__}")


if __name__ == "__main__":
    main()
