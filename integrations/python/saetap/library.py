"""libsaetap.so: where it is, whether it fits this PyTorch, and its table of functions (plugin/saetap.h) through ctypes."""
from __future__ import annotations

import ctypes
import json
import os
import threading
from ctypes import (CFUNCTYPE, POINTER, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_uint32, c_uint64,
                    c_void_p)
from pathlib import Path
from typing import Any

ABI_VERSION = 1
FILE_NAME = "libsaetap.so"
ENDED = "nothing is being recorded"  # what the plugin says after the end, and in a child of a fork
OK, OFF, BAD_CONFIG, RUNNING, NOT_RUNNING, FAILED = range(6)


class SaetapError(RuntimeError):
    """What went wrong, in one line: the plugin cannot be loaded, is not recording, or refused a call."""


class SiteSpec(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("name", c_char_p), ("features", c_int64), ("d_in", c_int64), ("d_out", c_int64),
                ("description", c_char_p)]


class SiteInfo(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("id", c_int32), ("name", c_char_p), ("module_type", c_char_p), ("path", c_char_p),
                ("method", c_char_p), ("description", c_char_p), ("features", c_int64), ("d_in", c_int64),
                ("d_out", c_int64), ("group", c_int64)]


class SiteCounts(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), *((name, c_uint64) for name in (
        "steps", "steps_collected", "calls", "rows_seen", "rows_collected", "rows_excluded", "rows_resolved", "rows_ambiguous"))]


class Statistics(ctypes.Structure):
    _fields_ = [("active", c_uint64), ("sum", c_double), ("sum_of_squares", c_double), ("max", c_float),
                ("nonfinite", c_uint64), ("negative", c_uint64), ("eligible", c_uint64), ("first_step", c_uint64),
                ("last_step", c_uint64)]


class Sample(ctypes.Structure):
    _fields_ = [("sequence", c_uint64), ("position", c_uint32), ("step", c_uint32), ("activation", c_float),
                ("token", c_int32)]


class Table(ctypes.Structure):
    """`saetap_api`. Entries that Python has no use for are plain pointers."""

    _fields_ = [
        ("struct_size", c_uint32), ("abi_version", c_uint32),
        ("version", CFUNCTYPE(c_char_p)),
        ("libtorch_version", CFUNCTYPE(c_char_p)),
        ("cxx11_abi", CFUNCTYPE(c_int32)),
        ("last_error", CFUNCTYPE(c_char_p)),
        ("start", CFUNCTYPE(c_int, c_char_p)),
        ("checkpoint", CFUNCTYPE(c_int)),
        ("stop", CFUNCTYPE(c_int)),
        ("set_tokens", CFUNCTYPE(c_int, c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_int64)),
        ("set_token_text", c_void_p),
        ("attach", CFUNCTYPE(c_int, POINTER(SiteSpec), POINTER(c_void_p))),
        ("set_decoder", c_void_p),
        ("observe", c_void_p),
        ("observe_model", c_void_p),
        ("step", CFUNCTYPE(c_int)),
        ("site_count", CFUNCTYPE(c_int, POINTER(c_int64))),
        ("site_at", CFUNCTYPE(c_int, c_int64, POINTER(SiteInfo))),
        ("site_counts", CFUNCTYPE(c_int, c_int64, POINTER(SiteCounts))),
        ("statistics", CFUNCTYPE(c_int, c_int64, c_int64, c_int64, c_void_p)),
        ("top_samples", CFUNCTYPE(c_int, c_int64, c_int64, c_void_p, c_int64, POINTER(c_int64))),
        ("sample_tokens", CFUNCTYPE(c_int, c_void_p, c_int64, c_int64, c_void_p, POINTER(c_int64), POINTER(c_int64))),
    ]


_lock = threading.Lock()
_table: Table | None = None


def mapped_library() -> str | None:
    """The libsaetap.so that this process has loaded already (`saetap record`, a trainer's plugin loader), or None."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            for line in maps:
                path = line.rstrip("\n").split(maxsplit=5)[5:]
                if path and os.path.basename(path[0]) == FILE_NAME:
                    return path[0]
    except OSError:
        pass
    return None


def library_path() -> str:
    """The library to use: the one loaded already, else SAETAP_LIBRARY, else the one in this package."""
    named = os.environ.get("SAETAP_LIBRARY", "")
    beside = Path(__file__).parent / "lib" / FILE_NAME
    path = mapped_library() or named or str(beside)
    if not os.path.isfile(path):
        where = "SAETAP_LIBRARY names" if path == named else "the package has no"
        raise SaetapError(f"saetap: {where} {path}: build it (make build) and name it in SAETAP_LIBRARY, or install the "
                          "package with pip install .")
    return path


def check_torch(built_version: str, built_abi: int, path: str) -> None:
    """Refuses a library that was built with another LibTorch than the one in this process: it would crash, not fail."""
    import torch

    running = ".".join(torch.__version__.split(".")[:2])
    built = ".".join(built_version.split(".")[:2])
    if running != built:
        raise SaetapError(f"saetap: {path} was built with LibTorch {built_version}, this is PyTorch {torch.__version__}: "
                          "build it again with this one (pip install .)")
    abi = int(torch._C._GLIBCXX_USE_CXX11_ABI)
    if abi != built_abi:
        raise SaetapError(f"saetap: {path} was built with _GLIBCXX_USE_CXX11_ABI={built_abi}, this PyTorch has {abi}: "
                          "build it again with this one (pip install .)")


def check_record(path: str) -> None:
    """The same before the library is loaded, from the file that its build leaves beside it: loading may fail earlier, on
    symbols that another LibTorch does not have."""
    try:
        record = json.loads(Path(path).with_suffix(".json").read_text())
        version, abi = str(record["libtorch_version"]), int(record["cxx11_abi"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # a build folder has none
    check_torch(version, abi, path)


def table() -> Table:
    """The library's functions, loaded at the first call and never unloaded. Any thread. Raises SaetapError."""
    global _table
    with _lock:
        if _table is None:
            _table = load(library_path())
        return _table


def load(path: str) -> Table:
    import torch  # noqa: F401  (first: the library's symbols are those of this PyTorch)

    check_record(path)
    try:
        library = ctypes.CDLL(path)
    except OSError as failed:
        raise SaetapError(f"saetap: {path} cannot be loaded into PyTorch {torch.__version__}: {failed}") from None
    library.saetap_get_api.argtypes, library.saetap_get_api.restype = [c_uint32], POINTER(Table)
    found = library.saetap_get_api(ABI_VERSION)
    if not found:
        library.saetap_last_error.restype = c_char_p
        raise SaetapError(f"saetap: {path}: {library.saetap_last_error().decode()}")
    functions = found.contents
    if functions.struct_size < ctypes.sizeof(Table):
        raise SaetapError(f"saetap: {path} is older than this package: its table of functions has {functions.struct_size} "
                          f"bytes, {ctypes.sizeof(Table)} are needed")
    check_torch(functions.libtorch_version().decode(), functions.cxx11_abi(), path)
    return functions


def check(status: int) -> int:
    """Raises what the latest call on this thread said, unless it was well (or recording is off)."""
    if status not in (OK, OFF):
        raise SaetapError("saetap: " + (table().last_error().decode() or f"status {status}"))
    return status


def operators() -> Any:
    """torch.ops.saetap, which is there once recording has started: it takes tensors wherever they are."""
    import torch

    return torch.ops.saetap


def address(tensor: Any) -> c_void_p:
    """Of a tensor's or an array's memory; NULL for None."""
    if tensor is None:
        return c_void_p(None)
    return c_void_p(tensor.data_ptr() if hasattr(tensor, "data_ptr") else tensor.ctypes.data)
