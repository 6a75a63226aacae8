"""All that a store holds but what names a run, and when and where it was: to hold one against another."""

import pathlib
import sqlite3

OF_THE_RUN = {"run_id", "program", "started", "saved", "host", "created", "updated", "seconds_inside", "seconds_total"}


def content(store: pathlib.Path) -> dict[str, list]:
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for table in tables:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            kept = [column for column in columns if column not in OF_THE_RUN]
            found[table] = sorted(connection.execute(f"SELECT {', '.join(kept)} FROM {table}"), key=repr)
        found["meta"] = [row for row in found["meta"] if row[0] not in OF_THE_RUN]
        return found
    finally:
        connection.close()
