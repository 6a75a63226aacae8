"""build_record.py LIBRARY: loads it into this Python's PyTorch, which it has to be built for, and writes beside it for which
one it is."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from saetap import library  # noqa: E402

path = pathlib.Path(sys.argv[1])
table = library.load(str(path))
record = {"libtorch_version": table.libtorch_version().decode(), "cxx11_abi": table.cxx11_abi()}
path.with_suffix(".json").write_text(json.dumps(record) + "\n")
