"""Writes docs/performance.md from one run of the benchmarks.

    performance_page.py FOLDER --out docs/performance.md

FOLDER holds what `make bench` wrote: scan_beside.json (Google Benchmark's format), step_overhead.json, python_heap.json.
"""
import argparse
import json
import os
import platform
import subprocess

WANTED = {  # what issue 6 asked for, said beside what came out
    "dense 64": ("dense scan with statistics, 64 active of 16,384, against `torch.sum`", "≤ 1.5", "×"),
    "dense 512": ("the same, 512 active", "≤ 2.2", "×"),
    "topk": ("running `torch.topk` against the dense scan, 64 active", "≥ 50", "×"),
    "heap": ("a Python heap per feature against the dense scan, 64 active", "≥ 150", "×"),
    "pair": ("pair scan against the dense scan, 64 active", "≤ 0.1", "×"),
}


def medians(path):
    """Median real time in ms by the benchmark's name; the plain times where nothing was repeated."""
    unit = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}
    times = {}
    for run in json.load(open(path))["benchmarks"]:
        if run.get("run_type") == "aggregate" and run.get("aggregate_name") != "median":
            continue
        name = run["name"].replace("/real_time", "").replace("_median", "").replace("/iterations:2", "")
        if run.get("run_type") == "aggregate" or name not in times:
            times[name] = (run["real_time"] * unit[run["time_unit"]], run)
    return times


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal")) / 2**20
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, {platform.system()} {platform.release()}, {compiler}"


def targets(beside, heap_ms):
    at = lambda name: beside[name][0]
    return {
        "dense 64": at("dense_scan/64") / at("torch_sum/64"),
        "dense 512": at("dense_scan/512") / at("torch_sum/512"),
        "topk": at("running_topk/64") / at("dense_scan/64"),
        "heap": heap_ms / at("dense_scan/64"),
        "pair": at("pair_scan/64") / at("dense_scan/64"),
    }


def ratio_table(ratios):
    lines = ["| what | ratio of medians | wanted |", "| --- | ---: | ---: |"]
    for key, (what, wanted, unit) in WANTED.items():
        lines.append(f"| {what} | {ratios[key]:.2f} {unit} | {wanted} {unit} |")
    return "\n".join(lines)


def step_table(sizes):
    lines = ["| module | d | features | batch | active | ratio | without | resolved | slowest of the first 20 |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for size in sizes:
        slowest = max(size["first_with_ms"]) / size["with_ms"]
        lines.append(f"| {size['kind']} | {size['d']} | {size['features']:,} | {size['batch']:,} | {size['active']:.0f} | "
                     f"{size['ratio']:.4f} | {size['without_ms']:.1f} ms | {100 * size['resolved']:.2f} % | {slowest:.2f} × |")
    return "\n".join(lines)


def time_table(times):
    lines = ["| benchmark | median | |", "| --- | ---: | --- |"]
    plain = {"name", "run_name", "run_type", "repetitions", "repetition_index", "threads", "iterations", "real_time",
             "cpu_time", "time_unit", "family_index", "per_family_instance_index", "aggregate_name", "aggregate_unit",
             "label"}
    for name, (ms, run) in times.items():
        extra = " · ".join(f"{key} {value:,.4g}" for key, value in run.items() if key not in plain)
        lines.append(f"| {name} | {ms:,.3f} ms | {extra} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    path = lambda name: os.path.join(arguments.folder, name)
    beside = medians(path("scan_beside.json"))
    heap_ms = json.load(open(path("python_heap.json")))["python_heap_ms"]
    sizes = json.load(open(path("step_overhead.json")))
    text = f"""# What recording costs

Written by `make bench` from one run on {machine()}. Timings are ratios first: machines differ, and this one is shared.

## Against what was asked for

One batch of 4,096 × 16,384 float32 numbers, k = 100, after the tables have filled; all in one process, by turns.

{ratio_table(targets(beside, heap_ms))}

`torch.sum` is the floor: it does nothing but read. The Python heap is timed by itself, {heap_ms:,.0f} ms for the batch. Sizes and
number formats: 2^26 numbers each, by features and active of a row; formats at 4,096 × 16,384 and 64 active.

{time_table(beside)}

## A training step, with and without

The same module, the same steps, taps on and off by turns in one process. Fingerprints of the language model's rows and
finding every row's token are in it. The ratio is that of the medians; the last column is the slowest of the first
twenty recorded steps, in which every feature's table fills, against the usual one.

{step_table(sizes)}

## Accelerators

Features on an accelerator are compared, summed and compacted there, on the stream of the call, by operations that none
of them waits for; only what was found comes over, and is handled in a later call. The path is tested on the host by
taking it for an accelerator. It has not been timed on one yet: no GPU was to be had for this run.
"""
    with open(arguments.out, "w") as out:
        out.write(text)


if __name__ == "__main__":
    main()
