"""The SQLite file behind a store (docs/file_format.md): opened read-only, one transaction for what belongs together."""
from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
import threading
from typing import Any, Iterator

import numpy as np

FILE_NAME = "samples.saetap"
APPLICATION_ID = 0x53414554  # "SAET"
FORMAT_VERSION = 5
_OLDEST_SQLITE = (3, 37)  # STRICT tables
_BUSY_SECONDS = 30  # a checkpoint is being written


class StoreError(Exception):
    """The store cannot be read. One line: which file, and why."""


class StoreFile:
    """Any thread, one at a time."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = pathlib.Path(path)
        self.path = path / FILE_NAME if path.is_dir() else path
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise StoreError(f"{self.path}: its tables are STRICT, which SQLite {sqlite3.sqlite_version} of this Python does "
                             "not read; 3.37 or newer is needed")
        if not self.path.exists():
            raise StoreError(f"{self.path}: no such file")
        if self.path.is_file() and self.path.stat().st_size == 0:
            raise StoreError(f"{self.path}: empty, no checkpoint was saved yet")
        try:
            self._database = self._connect("ro")
            self._roll_back()
            self._check_format()
        except sqlite3.Error as failed:
            self.close()
            raise StoreError(f"{self.path}: {failed}") from None
        except StoreError:
            self.close()
            raise

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(f"{self.path.resolve().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_SECONDS,
                               isolation_level=None, check_same_thread=False)

    def _roll_back(self) -> None:
        """A program that was killed while saving left a journal, which a reader may not play back."""
        assert self._database is not None
        try:
            self._database.execute("PRAGMA schema_version").fetchone()
        except sqlite3.OperationalError as failed:
            if "readonly" not in str(failed):
                raise
            try:
                with contextlib.closing(self._connect("rw")) as writable:
                    writable.execute("PRAGMA schema_version").fetchone()
            except sqlite3.Error:
                raise StoreError(f"{self.path}: its program was killed while saving; to go back to the checkpoint before, "
                                 "its folder has to be writable") from None
            self._database.close()
            self._database = self._connect("ro")

    def _check_format(self) -> None:
        assert self._database is not None
        if self.pragma("application_id") != APPLICATION_ID:
            raise StoreError(f"{self.path}: not a saetap store")
        if self.path.stat().st_size < self.pragma("page_count") * self.pragma("page_size"):
            raise StoreError(f"{self.path}: the store is damaged (the file ends early)")
        version = self.pragma("user_version")
        if version != FORMAT_VERSION:
            raise StoreError(f"{self.path}: format version {version}; this saetap reads version {FORMAT_VERSION}")

    def pragma(self, name: str) -> int:
        assert self._database is not None
        return int(self._database.execute(f"PRAGMA {name}").fetchone()[0])

    @contextlib.contextmanager
    def reading(self) -> Iterator["Reading"]:
        """Everything read inside is of one checkpoint. Keep it short: a run that saves waits meanwhile."""
        with self._lock:
            if self._database is None:
                raise StoreError(f"{self.path}: closed")
            try:
                self._database.execute("BEGIN")
                try:
                    yield Reading(self._database, str(self.path))
                finally:
                    self._database.execute("ROLLBACK")
            except sqlite3.Error as failed:
                raise StoreError(f"{self.path}: {failed}") from None

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
            self._database = None


class Reading:
    """One checkpoint's tables."""

    def __init__(self, database: sqlite3.Connection, path: str) -> None:
        self._database, self.path = database, path

    def rows(self, sql: str, *values: Any) -> list[tuple]:
        return self._database.execute(sql, values).fetchall()

    def array(self, blob: bytes, kind: str) -> np.ndarray:
        """The elements of a packed array; read-only."""
        if not isinstance(blob, bytes) or len(blob) % np.dtype(kind).itemsize:
            raise self.damaged("an array with half an element")
        return np.frombuffer(blob, kind)

    def damaged(self, what: str) -> StoreError:
        return StoreError(f"{self.path}: the store is damaged ({what})")
