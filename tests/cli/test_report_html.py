"""`saetap report --html`: a page that is well-formed, needs nothing else, says what the Markdown says and shows hostile text as text.

    python3 test_report_html.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import json
import re
import sqlite3
from html.parser import HTMLParser

from program_test import run_tests
from report_test import ReportTest, github_id, headings_of

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """A page's elements; the test fails at the first tag that is closed wrongly."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attributes: list) -> None:
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"])

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, (self.open, tag)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "title"):
            self.text += data


class Html(ReportTest):
    def page(self, *arguments: object) -> Page:
        return Page(self.ok("report", *arguments, "--html", "-o", "-"))

    def test_is_well_formed_and_needs_nothing_else(self) -> None:
        for store in (self.usual, self.suspicious):
            page = self.page(store)
            tags = [tag for tag, _ in page.tags]
            for tag in ("script", "img", "link", "iframe", "object", "base", "form"):
                self.assertNotIn(tag, tags)
            policy = [attributes["content"] for tag, attributes in page.tags
                      if attributes.get("http-equiv") == "Content-Security-Policy"]
            self.assertEqual(len(policy), 1)
            self.assertTrue(policy[0].startswith("default-src 'none';"))
            for tag, attributes in page.tags:
                self.assertEqual([name for name in attributes if name.startswith("on") or name == "src"], [], tag)
            self.assertEqual([link for link in page.links if link[:1] != "#" or link[1:] not in page.ids], [])
            self.assertEqual(len(page.ids), len(set(page.ids)))
            self.assertEqual(page.tags[0], ("html", {"lang": "en"}))

    def test_says_the_same_as_markdown(self) -> None:
        page = self.page(self.suspicious)
        markdown = self.markdown(self.suspicious)
        ids = [github_id(heading) for heading in headings_of(markdown)][1:]
        self.assertEqual(page.ids, ids)
        for expected in ("silent in steps 20 to 59", "Active on 12,000 of 40,000 tokens", "Decoder-nearest: "):
            self.assertEqual(page.text.count(expected), markdown.count(expected), expected)
            self.assertGreater(page.text.count(expected), 0)

    def test_tokens_are_shaded_by_their_activation(self) -> None:
        page = self.page(self.usual)
        marks = [attributes for tag, attributes in page.tags if tag == "mark"]
        # Of the feature's max, not of the sample's: 7.26 of 7.50.
        self.assertIn({"style": "--s:0.97", "title": "7.26"}, marks)
        self.assertIn({"style": "--s:1.00", "title": "7.50"}, marks)
        self.assertIn("Shaded: how active the feature was at a token", page.text)
        self.assertNotIn("Shaded", self.markdown(self.usual))
        self.assertTrue(all(re.fullmatch(r"--s:[01]\.\d\d", mark["style"]) for mark in marks))

    def test_hostile_text_stays_text(self) -> None:
        store = self.folder / "hostile"
        store.mkdir()
        path = store / "samples.saetap"
        path.write_bytes((self.folder / "own_text" / "samples.saetap").read_bytes())
        evil = "</li><script>alert(1)</script><img src=http://x.example/ onerror=a>\"'&amp;\x1b[31m"
        database = sqlite3.connect(path)
        with database:
            for column in ("name", "description", "token_stream"):
                database.execute(f"UPDATE site SET {column} = ?", (evil,))
            database.execute("UPDATE meta SET value = ? WHERE key IN ('program', 'libtorch_version')", (evil,))
            database.execute("UPDATE token SET text = ? WHERE id = 1", (evil.encode() + b"\xff",))
            database.execute("UPDATE meta SET value = '' WHERE key = 'tokenizer'")
        database.close()
        page = self.page(store)
        tags = {tag for tag, _ in page.tags}
        self.assertEqual(tags & {"script", "img"}, set())
        shown = evil.replace("\x1b", "\\x1B")
        self.assertGreater(page.text.count(shown), 5)
        self.assertIn(shown + "\ufffd", page.text)
        markdown = self.markdown(store)
        self.assertNotIn("\x1b", markdown)
        self.assertIsNone(re.search(r"(?<!\\)<(?!/?b>)", markdown))
        self.assertEqual(len(json.loads(self.ok("report", store, "--json"))["features"]), 6)


if __name__ == "__main__":
    run_tests()
