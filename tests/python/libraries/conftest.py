import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
# What `make test-libraries` installs, and how its modules are built without the packages' other ends.
sys.path[:0] = [str(ROOT / "tests" / "libraries"), str(ROOT / ".venv" / "libraries")]
