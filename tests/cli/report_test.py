"""What the tests of `saetap report` share: a store with known suspicious features, and a document's parts."""

import re

import suspicious_store
from program_test import StoreTest


def github_id(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def headings_of(markdown: str) -> list[str]:
    return re.findall(r"^#{1,6} (.*)$", markdown, re.MULTILINE)


def section_of(markdown: str, heading: str) -> str:
    return re.split(r"\n#{2,3} ", markdown.split(f" {heading}\n", 1)[1])[0]


class ReportTest(StoreTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.suspicious = cls.folder / "suspicious.saetap"
        suspicious_store.make_suspicious(cls.usual / "samples.saetap", cls.suspicious)

    def markdown(self, *arguments: object) -> str:
        return self.ok("report", *arguments, "-o", "-")
