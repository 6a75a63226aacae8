"""Our decoding against the reference implementations, on real vocabularies and on awkward ones.

    python test_conformance.py DECODE_TOOL DEMO_FOLDER PACKAGES_FOLDER

Exit status 77 (skipped) if the demo was not prepared or the packages are not there: `make test` sees to both.
"""

import sys
import tempfile
from pathlib import Path

SKIPPED = 77
LEAST = 10_000  # decodes in each family


def skip(reason: str) -> None:
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def main() -> None:
    tool, demo, packages = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    for needed in (demo / "tokenizer.json", demo / "tokens.bin", packages / "ready"):
        if not needed.exists():
            skip(f"{needed} is not there: `make test` prepares it")
    sys.path.insert(0, str(packages))
    import check_byte_level
    import check_byte_ranks
    import check_decoders
    import check_sentencepiece
    import check_wordpiece
    from real_texts import real_texts

    texts = real_texts(demo)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compared = check_decoders.check(tool, folder)
        compared |= check_wordpiece.check(tool, demo, folder)
        compared |= check_byte_level.check(tool, packages, folder, texts)
        compared |= check_sentencepiece.check(tool, packages, folder, texts)
        compared |= check_byte_ranks.check(tool, packages, texts)
    for family, count in compared.items():
        print(f"{count:9,} equal  {family}")
        if count < LEAST:
            sys.exit(f"{family}: fewer than {LEAST:,}")


if __name__ == "__main__":
    main()
