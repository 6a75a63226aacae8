"""The demo's text: what Debian and CPython ship, cleaned into running prose and cut into full token rows."""

import gzip
import random
import re
import shutil
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROW_LENGTH = 128
# The two large sources are cut here, so that the three small ones keep a fair share of every batch.
MAX_SOURCE_TOKENS = 650_000

WORDNET = Path("/usr/share/wordnet")
DICTD = Path("/usr/share/dictd")
DICTD_DIGITS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
# WordNet documents slurs as such; a demo is shown on screens.
UNFIT_GLOSS = re.compile(r"offensive|obscen|slur\b|disparag|derogat|vulgar|dysphemis|sexual")


class MissingText(Exception):
    """A source is not installed; the message says which package brings it."""


def require(path: Path, package: str) -> Path:
    if not path.exists():
        raise MissingText(f"{path} is missing: install the Debian package {package}")
    return path


def one_line(text: str) -> str:
    return " ".join(text.split())


def bible_books() -> Iterator[str]:
    """King James Bible: one running text a book, without verse labels."""
    if shutil.which("bible") is None:
        raise MissingText("the program 'bible' is missing: install the Debian packages bible-kjv and bible-kjv-text")
    # -f turns pretty-printing off: one line a verse, "Ge1:1 In the beginning..."
    printed = subprocess.run(["bible", "-f", "gen1:1-rev22:21"], capture_output=True, text=True, check=False)
    verse = re.compile(r"^(\d?[A-Za-z]+)\d+:\d+ (.*)$")
    books: dict[str, list[str]] = {}
    for line in printed.stdout.splitlines():
        if match := verse.match(line):
            books.setdefault(match[1], []).append(match[2])
    if not books:
        raise MissingText("the program 'bible' printed no text: install the Debian package bible-kjv-text")
    for verses in books.values():
        yield one_line(" ".join(verses))


def wordnet_sections() -> Iterator[str]:
    """WordNet: "words: gloss." for each synset, one running text for each lexicographer file (animals, acts...)."""
    sections: dict[str, list[str]] = {}
    for part in ("noun", "verb", "adj", "adv"):
        for line in require(WORDNET / f"data.{part}", "wordnet-base").read_text("utf-8").splitlines():
            if line.startswith("  "):  # the licence at the top
                continue
            fields, gloss = line.split(" | ", 1)
            fields = fields.split(" ")
            if UNFIT_GLOSS.search(gloss):
                continue
            word_count = int(fields[3], 16)
            words = [re.sub(r"\(\w+\)$", "", word).replace("_", " ") for word in fields[4 : 4 + 2 * word_count : 2]]
            sections.setdefault(fields[1], []).append(f"{', '.join(words[:3])}: {one_line(gloss)}.")
    for entries in sections.values():
        yield " ".join(entries)


def dictd_entries(name: str, package: str) -> Iterator[str]:
    """The entries of a dictd dictionary, in file order."""
    text = gzip.decompress(require(DICTD / f"{name}.dict.dz", package).read_bytes())
    spans = set()
    for line in require(DICTD / f"{name}.index", package).read_text("utf-8").splitlines():
        headword, *numbers = line.split("\t")
        if not headword.startswith("00-database"):
            spans.add(tuple(dictd_number(number) for number in numbers[:2]))
    for start, size in sorted(spans):
        yield text[start : start + size].decode("utf-8")


def dictd_number(digits: str) -> int:
    value = 0
    for digit in digits:
        value = 64 * value + DICTD_DIGITS.index(digit)
    return value


def devil_dictionary() -> Iterator[str]:
    """The Devil's Dictionary as one text, without the initials under its verses (set far right)."""
    entries = []
    for entry in dictd_entries("devil", "dict-devil"):
        lines = [line for line in entry.splitlines() if not line.startswith(" " * 40)]
        entries.append(one_line("\n".join(lines)).replace("_", ""))
    yield " ".join(entries)


def jargon_file() -> Iterator[str]:
    """The Jargon File as one text, "headword: explanation", without pronunciations and drawings."""
    entries = []
    for entry in dictd_entries("jargon", "dict-jargon"):
        headword, _, rest = entry.partition("\n")
        body = "\n".join(line for line in rest.splitlines() if line.startswith("    "))
        paragraphs = [one_line(paragraph) for paragraph in body.split("\n\n") if is_prose(paragraph)]
        if paragraphs:
            entries.append(re.sub(r"\{([^{}]*)\}", r"\1", f"{headword}: {' '.join(paragraphs)}"))
    yield " ".join(entries)


def is_prose(paragraph: str) -> bool:
    letters = sum(character.isalpha() or character == " " for character in one_line(paragraph))
    return letters > 0.85 * len(one_line(paragraph)) > 0


def python_topics() -> Iterator[str]:
    """CPython's reference, one text a topic, without underlines, tables and emphasis marks."""
    from pydoc_data.topics import topics

    for topic in topics.values():
        lines = [line for line in topic.splitlines() if not re.match(r"\s*([*=\-^~]{3,}$|[+|])", line)]
        yield one_line(re.sub(r"\*{1,2}(\w[^*\n]*)\*{1,2}", r"\1", "\n".join(lines)))


SOURCES = {
    "bible": bible_books,
    "wordnet": wordnet_sections,
    "jargon": jargon_file,
    "devil": devil_dictionary,
    "python": python_topics,
}


def cut_rows(ids: list[int], continuation: set[int], first: int, last: int) -> Iterator[list[int]]:
    """Full rows [CLS] ... [SEP] of one text, each from the start of a word; what is left at the end is dropped."""
    room = ROW_LENGTH - 2
    start = 0
    while start + room <= len(ids):
        yield [first, *ids[start : start + room], last]
        start += room
        # A word that was cut begins the next row. WordPiece gives a word at most 100 pieces, so rows advance.
        while start < len(ids) and ids[start] in continuation:
            start -= 1


def token_rows(tokenizer, seed: int) -> list[tuple[str, list[int]]]:
    """(source, row) for every row, in a shuffled order that depends on the seed alone."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    continuation = {token for piece, token in tokenizer.get_vocab().items() if piece.startswith("##")}
    first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    mixed = []
    for source, texts in SOURCES.items():
        rows = []
        for text in texts():
            rows += cut_rows(tokenizer.encode(text, add_special_tokens=False).ids, continuation, first, last)
        random.Random(seed).shuffle(rows)
        mixed += [(source, row) for row in rows[: MAX_SOURCE_TOKENS // ROW_LENGTH]]
    random.Random(seed).shuffle(mixed)
    return mixed
