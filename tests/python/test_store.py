"""saetap.open against the `saetap` program and against plain SQLite."""
import collections
import contextlib
import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

import saetap
from saetap import store_file

SCOPES = pytest.mark.parametrize("all_time", [False, True])


def program(saetap_program, command: str, store: pathlib.Path, *more: object, all_time: bool = False) -> dict:
    arguments = [saetap_program, command, store, *map(str, more), "--json", *(["--all-time"] if all_time else [])]
    return json.loads(subprocess.run(arguments, capture_output=True, check=True).stdout)


def same_sample(sample: saetap.Sample, shown: dict) -> None:
    assert np.float32(sample.activation) == np.float32(shown["activation"])
    assert (sample.step, sample.position, f"{sample.sequence:016x}") == (shown["step"], shown["position"], shown["sequence"])
    if "ids" not in shown:
        assert sample.tokens is None and sample.token is None and sample.activations is None
        return
    assert sample.tokens.tolist() == shown["ids"] and sample.activating == shown["activating"]
    assert sample.token == shown["ids"][shown["activating"]]
    assert (sample.from_start, sample.to_end) == (shown["from_start"], shown["to_end"])
    if "activations" in shown:
        expected = [np.nan if value is None else value for value in shown["activations"]]
        np.testing.assert_array_equal(sample.activations, np.array(expected, np.float32))


@SCOPES
@pytest.mark.parametrize("kind", ["usual", "two_sites", "no_tokens", "own_text"])
def test_samples_are_those_that_the_program_shows(stores, saetap_program, kind, all_time):
    with saetap.open(stores / kind) as store:
        for site in store.sites:
            for feature in range(site.features):
                shown = program(saetap_program, "show", stores / kind, feature, "--site", site.id, "--samples", 1000, all_time=all_time)
                samples = store.samples(feature, site.id, all_time)
                assert len(samples) == shown["samples_kept"] == len(shown["samples"])
                for sample, expected in zip(samples, shown["samples"]):
                    same_sample(sample, expected)
                random = store.samples(feature, site.name, all_time, random=True)
                assert len(random) == len(shown["random_samples"])
                for sample, expected in zip(random, shown["random_samples"]):
                    same_sample(sample, expected)


@SCOPES
@pytest.mark.parametrize("context", [0, 1, 3, 100])
def test_a_context_of_another_size_is_cut_as_the_program_cuts_it(stores, saetap_program, all_time, context):
    shown = program(saetap_program, "show", stores / "usual", 2, "--samples", 1000, "--context", context, all_time=all_time)
    samples = saetap.open(stores / "usual").samples(2, all_time=all_time, context=context)
    for sample, expected in zip(samples, shown["samples"]):
        same_sample(sample, expected)


@SCOPES
@pytest.mark.parametrize("kind", ["usual", "two_sites", "no_tokens"])
def test_statistics_are_those_of_the_program(stores, saetap_program, kind, all_time):
    store = saetap.open(stores / kind / "samples.saetap")
    listed = program(saetap_program, "features", stores / kind, "--top", 1000, all_time=all_time)
    features = store.features(all_time=all_time)
    assert sorted(np.flatnonzero(features["active"]).tolist()) == sorted(row["feature"] for row in listed["features"])
    for row in listed["features"]:
        ours = features[row["feature"]]
        assert ours["feature"] == row["feature"] and ours["active"] == row["active_tokens"]
        assert np.float32(row["max"]) == ours["max"]
        for name in ("density", "mean", "std"):
            assert ours[name] == pytest.approx(row[name], rel=1e-12)
    scope = store.sites[0].all_time if all_time else store.sites[0].recent
    expected = listed["scope"]
    assert (scope.first_step, scope.last_step, scope.tokens) == (expected["first_step"], expected["last_step"], expected["tokens"])


def test_facts_are_those_of_the_program(stores, saetap_program):
    info = program(saetap_program, "info", stores / "two_sites")
    store = saetap.open(stores / "two_sites")
    run = store.run
    for key in ("program", "started", "saved", "finished", "tokenizer", "redact", "max_samples_per_feature",
                "kept_samples_per_feature", "sample_context_size", "max_samples_per_sequence", "collapse_near_duplicates"):
        assert run[key] == info[key], key
    assert run["sample_activation_threshold"] == pytest.approx(info["sample_activation_threshold"])
    assert [run["run_id"] for run in store.runs] == [run["run_id"] for run in info["runs"]]
    for site, expected in zip(store.sites, info["sites"], strict=True):
        assert (site.id, site.name, site.features, site.d_in, site.steps) == tuple(
            expected[key] for key in ("id", "name", "features", "d_in", "steps"))
        assert (site.rows_seen, site.token_source) == (expected["tokens_seen"], expected["token_source"])


def test_the_table_of_all_samples_has_each_features_samples_in_order(stores):
    store = saetap.open(stores / "usual")
    table = store.sample_table(all_time=True)
    for feature in range(8):
        rows = table[table["feature"] == feature]
        assert rows["activation"].tolist() == [sample.activation for sample in store.samples(feature, all_time=True)]
        assert rows["position"].tolist() == [sample.position for sample in store.samples(feature, all_time=True)]
    assert (np.diff(table["feature"].astype(int)) >= 0).all()


def test_tables_become_data_frames(stores):
    pandas = pytest.importorskip("pandas")
    features = saetap.open(stores / "usual").features()
    frame = features.to_pandas()
    assert isinstance(frame, pandas.DataFrame) and frame["density"].tolist() == features["density"].tolist()
    assert saetap.open(stores / "usual").sample_table().to_pandas().shape[1] == 5


def test_histograms_count_every_active_value_and_bound_them(stores):
    store = saetap.open(stores / "usual")
    for row in store.features(all_time=True):
        counts, edges = store.histogram(int(row["feature"]), all_time=True)
        assert counts.sum() == row["active"]
        if row["active"]:
            assert len(edges) == len(counts) + 1 and edges[-2] <= row["max"] < edges[-1]
            middle = (counts * np.sqrt(edges[1:] * edges[:-1])).sum() / counts.sum()
            assert middle == pytest.approx(row["mean"], rel=0.1)


def test_decoder_directions_are_what_was_written(stores):
    expected = np.zeros((8, 2), np.float16)
    expected[0, 0] = expected[1, 0] = expected[2, 1] = 1
    directions = saetap.open(stores / "usual").decoder()
    assert directions.dtype == np.float16
    np.testing.assert_array_equal(directions, expected)
    assert saetap.open(stores / "no_tokens").decoder() is None


# The texts of tests/cli/make_store.cpp, of which each step has one in turn.
TEXTS = [(7, 8, 9, 1, 10, 7, 12, 10), (1, 2, 3, 4, 5, 6, 11, 10), (7, 1, 9, 2, 3, 7, 8, 10)]


@SCOPES
@pytest.mark.parametrize("kind", ["usual", "two_sites"])
def test_token_counts_are_those_of_the_text(stores, kind, all_time):
    counted = collections.Counter(token for step in range(0 if all_time else 10, 30) for token in TEXTS[step % 3])
    for site in saetap.open(stores / kind).sites:
        table = saetap.open(stores / kind).token_counts(site.id, all_time)
        assert table.dtype.names == ("token", "count")
        assert list(zip(table["token"].tolist(), table["count"].tolist())) == sorted(counted.items())
        assert table["count"].sum() == (site.all_time if all_time else site.recent).tokens


def test_token_counts_that_a_store_does_not_have_or_that_cannot_be(stores, tmp_path):
    assert len(saetap.open(stores / "no_tokens").token_counts()) == 0
    damages = {"SET block = -1": "impossible tokens", "SET block = 4096": "impossible tokens", "SET counts = zeroblob(4104)": "impossible",
               "SET counts = x'00'": "half an element", "SET counts = x'FFFFFFFFFFFFFFFF'": "more rows of tokens than can be"}
    for number, (sql, needle) in enumerate(damages.items()):
        path = shutil.copy(stores / "usual" / "samples.saetap", tmp_path / f"{number}.saetap")
        with contextlib.closing(sqlite3.connect(path)) as store, store:
            store.execute(f"UPDATE token_count {sql}")
        with pytest.raises(saetap.StoreError, match=needle):
            saetap.open(path).token_counts(all_time=True)
    # Left standing by an older saetap that went on with the store: they are of other windows.
    shutil.copy(stores / "usual" / "samples.saetap", path)
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        store.execute("UPDATE part SET eligible = 1 WHERE part = 'past'")
    assert not any(len(saetap.open(path).token_counts(all_time=all_time)) for all_time in (False, True))
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        store.execute("DROP TABLE token_count")
    assert len(saetap.open(path).token_counts(all_time=True)) == 0


def test_own_text_of_tokens(stores):
    texts = saetap.open(stores / "own_text").token_texts()
    assert texts[1] == b"1_" and 10 not in texts
    assert saetap.open(stores / "usual").token_texts() == {}


def test_what_cannot_be_read_is_said_in_one_line(stores, tmp_path):
    def refused(path, *needles):
        with pytest.raises(saetap.StoreError) as failed:
            store = saetap.open(path)
            store.features()
        assert "\n" not in str(failed.value)
        for needle in (str(path), *needles):
            assert needle in str(failed.value)

    refused(tmp_path / "none.saetap", "no such file")
    (tmp_path / "empty.saetap").touch()
    refused(tmp_path / "empty.saetap", "no checkpoint")
    (tmp_path / "text.saetap").write_text("not a database" * 100)
    refused(tmp_path / "text.saetap")
    with contextlib.closing(sqlite3.connect(tmp_path / "other.saetap")) as database:
        database.execute("CREATE TABLE t(x)")
    refused(tmp_path / "other.saetap", "not a saetap store")
    newer = shutil.copy(stores / "usual" / "samples.saetap", tmp_path / "newer.saetap")
    with contextlib.closing(sqlite3.connect(newer)) as database:
        database.execute("PRAGMA user_version = 6")
    refused(tmp_path / "newer.saetap", "version 6", "version 5")
    whole = (stores / "usual" / "samples.saetap").read_bytes()
    (tmp_path / "cut.saetap").write_bytes(whole[:len(whole) - 20000])
    refused(tmp_path / "cut.saetap")
    damaged = shutil.copy(stores / "usual" / "samples.saetap", tmp_path / "damaged.saetap")
    with contextlib.closing(sqlite3.connect(damaged)) as database:
        database.execute("UPDATE sample SET step = x'00'")
        database.commit()
    with pytest.raises(saetap.StoreError, match="damaged"):
        saetap.open(damaged).samples(0)
    refused(stores / "no_site", "no site")
    store = saetap.open(stores / "usual")
    with pytest.raises(saetap.StoreError, match="Sae.forward.8#0"):
        store.features("another")
    with pytest.raises(IndexError, match="features 0 to 7"):
        store.samples(8)
    store.close()
    with pytest.raises(saetap.StoreError, match="closed"):
        store.features()


def test_what_is_read_together_is_of_one_checkpoint(stores, tmp_path, monkeypatch):
    path = tmp_path / "written.saetap"
    shutil.copy(stores / "usual" / "samples.saetap", path)
    before = saetap.open(path).features()
    refused = []

    def a_run_saves() -> None:
        with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as run:
            run.execute("BEGIN IMMEDIATE")
            run.execute("UPDATE feature SET active = 1")
            try:
                run.execute("COMMIT")
            except sqlite3.OperationalError as busy:
                refused.append(str(busy))

    rows = store_file.Reading.rows

    def rows_with_a_save_between(self, sql, *values):
        if "FROM feature" in sql and not refused:
            a_run_saves()
        return rows(self, sql, *values)

    monkeypatch.setattr(store_file.Reading, "rows", rows_with_a_save_between)
    np.testing.assert_array_equal(saetap.open(path).features(), before)
    assert refused == ["database is locked"]
    a_run_saves()  # nothing is held behind the method's end
    assert len(refused) == 1 and saetap.open(path).features()["active"].max() == 2


KILLED_WHILE_SAVING = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN IMMEDIATE")
database.execute("DELETE FROM feature")
database.execute("CREATE TABLE filler(x)")
database.executemany("INSERT INTO filler VALUES(?)", [(b"x" * 20000,) for _ in range(400)])
os._exit(9)
"""


def test_a_checkpoint_that_a_kill_cut_short_is_taken_back(stores, tmp_path):
    path = tmp_path / "samples.saetap"
    shutil.copy(stores / "usual" / "samples.saetap", path)
    subprocess.run([sys.executable, "-c", KILLED_WHILE_SAVING, path], check=False)
    assert (tmp_path / "samples.saetap-journal").exists()
    np.testing.assert_array_equal(saetap.open(tmp_path).features(), saetap.open(stores / "usual").features())


def test_reading_needs_neither_pytorch_nor_the_plugin(stores):
    code = ("import sys, saetap; saetap.open(sys.argv[1]).samples(0); "
            "assert 'torch' not in sys.modules and 'pandas' not in sys.modules")
    subprocess.run([sys.executable, "-c", code, stores / "usual"], check=True, env={"PYTHONPATH": sys.path[1]})
