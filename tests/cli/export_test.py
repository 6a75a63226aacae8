"""What the tests of `saetap export` and `saetap import` share: a store written out, and one made of what was written."""

import shutil
import tempfile
from pathlib import Path

from program_test import StoreTest, saetap


class Exports(StoreTest):
    def setUp(self) -> None:
        self.work = Path(tempfile.mkdtemp(prefix="saetap-export-"))
        self.addCleanup(shutil.rmtree, self.work)

    def exported(self, store: Path, *arguments: object) -> str:
        done = saetap("export", store, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def imported(self, text: str, name: str = "imported.saetap", *arguments: object) -> Path:
        file, store = self.work / "in.json", self.work / name
        file.write_text(text, encoding="utf-8")
        done = saetap("import", file, "-o", store, "--force", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return store
