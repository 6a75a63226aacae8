"""Run with: SAETAP_BIN=build/release/bin SAETAP_LIBRARY=build/release/lib/libsaetap.so .venv/bin/python -m pytest tests/python"""
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "integrations" / "python"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
BIN = pathlib.Path(os.environ.get("SAETAP_BIN", ROOT / "build" / "release" / "bin")).resolve()
os.environ.setdefault("SAETAP_LIBRARY", str(BIN.parent / "lib" / "libsaetap.so"))


@pytest.fixture(scope="session")
def saetap_program() -> pathlib.Path:
    return BIN / "saetap"


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with a store of each kind of tests/cli/make_store.cpp, which says what they hold."""
    folder = tmp_path_factory.mktemp("stores")
    for kind in ("usual", "two_sites", "no_tokens", "own_text", "no_site"):
        subprocess.run([BIN / "make_store", kind, folder / kind], check=True)
    return folder


@pytest.fixture
def recording(tmp_path: pathlib.Path):
    """A recording into tmp_path / "samples", ended by the test's own stop() or behind it."""
    import saetap

    with saetap.start(output_dir=tmp_path / "samples", tokens={"ignore_token_ids": []}, log_level="warning") as started:
        assert started.started
        yield tmp_path / "samples"
