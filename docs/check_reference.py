"""Fails if a function of the public headers, or an entry of a table of functions, has no documentation.

Argument: the folder of Doxygen's XML. Left out are constructors without arguments, what the compiler writes, and the
functions whose name and type say it all: those are named here.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SAYS_IT_ALL = {"loaded", "attached", "given", "operator bool"}


def text(member: ElementTree.Element, *names: str) -> str:
    return "".join("".join(found.itertext()) for name in names for found in member.findall(name)).strip()


def says_nothing_new(member: ElementTree.Element, name: str, owner: str) -> bool:
    arguments = text(member, "argsstring")
    by_itself = name in (owner, "~" + owner) and re.fullmatch(r"\((\w+ ?&&\w*)?\).*", arguments)
    return bool(by_itself) or name == "operator=" or name in SAYS_IT_ALL


def main(folder: Path) -> int:
    missing, found = [], 0
    for path in sorted(folder.glob("*.xml")):
        for compound in ElementTree.parse(path).getroot().findall("compounddef"):
            owner = text(compound, "compoundname")
            for member in compound.iter("memberdef"):
                name, kind = text(member, "name"), member.get("kind")
                called = kind == "function" or (kind == "variable" and "(*" in text(member, "type"))
                if not called or member.get("prot") == "private" or says_nothing_new(member, name, owner.split("::")[-1]):
                    continue
                found += 1
                if not text(member, "briefdescription", "detaileddescription"):
                    missing.append(f"{member.find('location').get('file')}: {owner}: {name}")
    for line in sorted(set(missing)):
        print(f"no documentation: {line}", file=sys.stderr)
    if found == 0:
        print(f"no function in {folder}", file=sys.stderr)
    return 1 if missing or found == 0 else 0


sys.exit(main(Path(sys.argv[1])))
