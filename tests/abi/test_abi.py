"""Programs built with the first header go on working.

Arguments: SOURCE_FOLDER [LIBSAETAP.SO CLIENT CALLBACK_LIBRARY]. Structures of today's header begin as those of the first
one, and the functions are the same: by their text, and by what a compiler makes of them. With a library, a client and a
callback that were compiled with the first header work with it.
"""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(sys.argv[1]).resolve()
BUILT = [str(Path(path).resolve()) for path in sys.argv[2:5]]
FIRST, TODAY = SOURCE / "tests/abi/saetap_abi1.h", SOURCE / "plugin/saetap.h"
# Given as arrays, or inside of what is: these never grow.
NEVER_GROW = {"saetap_array", "saetap_statistics", "saetap_sample", "saetap_place", "saetap_sums", "saetap_candidate",
              "saetap_candidates"}


def split(body: str, separator: str) -> list[str]:
    return [" ".join(part.split()) for part in body.split(separator) if part.strip()]


class Header:
    def __init__(self, path: Path):
        self.path = path
        text = re.sub(r"/\*.*?\*/", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        self.structs = {name: split(body, ";") for name, body in
                        re.findall(r"typedef struct (\w+) \{(.*?)\n\}", text, re.DOTALL)}
        self.enums = {name: split(body, ",") for name, body in re.findall(r"\nenum (\w+) \{(.*?)\}", text, re.DOTALL)}
        self.functions = {" ".join(found.split()) for found in re.findall(r"\nSAETAP_EXPORT (.*?);", text, re.DOTALL)}
        self.typedefs = {" ".join(found.split()) for found in re.findall(r"\ntypedef ([^;{]*);", text)}
        self.version = re.search(r"#define SAETAP_ABI_VERSION (\d+)", text)[1]

    def members(self) -> list[tuple[str, str]]:
        return [(struct, re.search(r"\(\*(\w+)\)|(\w+)$", member)) for struct, members in self.structs.items()
                for member in members]

    def layout(self, names: list[tuple[str, str]], enumerators: list[str]) -> dict[str, tuple[int, int]]:
        """Of each member its offset and size, of each structure 0 and its size; of each enumerator its value and 0."""
        lines = [f'#include <stddef.h>\n#include <stdio.h>\n#include "{self.path}"\nint main(void) {{']
        for struct in dict.fromkeys(struct for struct, _ in names):
            lines.append(f'  printf("{struct} 0 %d\\n", (int)sizeof({struct}));')
        for struct, member in names:
            lines.append(f'  printf("{struct}.{member} %d %d\\n", (int)offsetof({struct}, {member}), '
                         f"(int)sizeof((({struct}*)0)->{member}));")
        lines += [f'  printf("{name} %d 0\\n", (int){name});' for name in enumerators]
        with tempfile.TemporaryDirectory(prefix="saetap-abi-") as folder:
            source, program = Path(folder) / "layout.c", Path(folder) / "layout"
            source.write_text("\n".join([*lines, "  return 0;\n}\n"]), encoding="utf-8")
            subprocess.run(["cc", "-std=c99", "-Wall", "-Werror", source, "-o", program], check=True)
            printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
        return {name: (int(offset), int(size)) for name, offset, size in map(str.split, printed.splitlines())}


class Interface(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.first, cls.today = Header(FIRST), Header(TODAY)

    def test_what_was_declared_is_declared_as_it_was(self):
        self.assertEqual(self.today.version, self.first.version)
        self.assertGreaterEqual(len(self.first.structs["saetap_api"]), 22)
        for kind in ("structs", "enums"):
            for name, members in getattr(self.first, kind).items():
                now = getattr(self.today, kind).get(name, [])
                self.assertEqual(now[:len(members)], members, name)
                if name in NEVER_GROW:
                    self.assertEqual(now, members, f"{name} is given as an array and cannot grow")
        self.assertLessEqual(self.first.functions, self.today.functions)
        self.assertLessEqual(self.first.typedefs, self.today.typedefs)

    def test_a_compiler_lays_it_out_as_it_did(self):
        names = [(struct, found[1] or found[2]) for struct, found in self.first.members()]
        enumerators = [entry.split(" ")[0] for entries in self.first.enums.values() for entry in entries]
        first, today = (header.layout(names, enumerators) for header in (self.first, self.today))
        for name, (offset, size) in first.items():
            grows = name in self.first.structs and name not in NEVER_GROW
            self.assertEqual(today[name][0], offset, name)
            (self.assertGreaterEqual if grows else self.assertEqual)(today[name][1], size, name)

    @unittest.skipUnless(BUILT, "built without LibTorch")
    def test_a_client_and_a_callback_of_the_first_header(self):
        library, client, callback = BUILT
        with tempfile.TemporaryDirectory(prefix="saetap-abi-") as folder:
            done = subprocess.run([client, library, callback], cwd=folder, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, "client: all as it should be\n"), done.stderr)
            notes = (Path(folder) / "notes.txt").read_text(encoding="utf-8").splitlines()
        self.assertEqual(notes[0], "attach dense")
        self.assertIn("attach pairs", notes)
        # Row r had feature r % 4 at r + 1; then every row feature 3 at 100 + r.
        self.assertIn(f"batch dense reached 5, latest token 1015, sum of 3 {4 + 8 + 12 + 16}", notes)
        self.assertIn(f"batch pairs reached 16, latest token 1015, sum of 3 {sum(range(100, 116))}", notes)
        self.assertIn("step dense 0", notes)
        self.assertIn("checkpoint 0", notes)
        self.assertEqual(notes[-3:], ["checkpoint 1", "finish", "close itself"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]])
