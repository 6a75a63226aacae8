"""Writes docs/performance.md from one run of the benchmarks.

    performance_page.py FOLDER --out docs/performance.md

FOLDER holds what `make bench` wrote: scan_beside.json and keep_rates.json (Google Benchmark's format), python_heap.json,
step_overhead.json, collected_memory.json.
"""
import argparse
import json
import os
import platform
import re
import subprocess
from random import Random
from statistics import median

PLAIN = {"name", "run_name", "run_type", "repetitions", "repetition_index", "threads", "iterations", "real_time",
         "cpu_time", "time_unit", "family_index", "per_family_instance_index", "aggregate_name", "aggregate_unit", "label"}


def medians(path):
    """Median time in ms and the counters by the benchmark's name; the plain times where nothing was repeated."""
    unit = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}
    times = {}
    for run in json.load(open(path))["benchmarks"]:
        if run.get("run_type") == "aggregate" and run.get("aggregate_name") != "median":
            continue
        name = re.sub(r"/(real_time|manual_time|iterations:\d+|repeats:\d+)|_median$", "", run["name"])
        if run.get("run_type") == "aggregate" or name not in times:
            counters = {key: value for key, value in run.items() if key not in PLAIN}
            times[name] = (run["real_time"] * unit[run["time_unit"]], counters)
    return times


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal")) / 2**20
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, {platform.system()} {platform.release()}, {compiler}"


def table(heads, rows):
    """The first column is text, the others are figures."""
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def overhead(phase):
    """Percent that the median step takes longer with taps, and the 95 % interval of that by resampling the steps."""
    random = Random(1)
    ratio = lambda recorded, without: 100 * (median(recorded) / median(without) - 1)
    again = lambda times: random.choices(times, k=len(times))
    ratios = sorted(ratio(again(phase["with_ms"]), again(phase["without_ms"])) for _ in range(4000))
    return ratio(phase["with_ms"], phase["without_ms"]), ratios[100], ratios[3900]


def own(phase):
    """Percent of a step that passes in taps and in waiting for the collector."""
    return 100 * median(phase["own_ms"]) / median(phase["without_ms"])


def said(percent, low, high):
    return f"{percent:+.2f} % ({low:+.2f} to {high:+.2f})"


def slowest(phase):
    """The slowest recorded step and the slowest after the twentieth (if there are more), against the usual one."""
    usual, steps = median(phase["without_ms"]), phase["with_ms"]
    return max(steps) / usual, max(steps[20:] or [0]) / usual


def named(results, name):
    return next(result for result in results if result["name"] == name)


def targets(beside, heap_ms, sizes, memory):
    """What was wanted of 4,096 x 16,384 float32 and k = 100, on two cores."""
    at = lambda name: beside[name][0]
    wide = [size for size in sizes if size["features"] == 16384]
    relu = next(size for size in wide if size["kind"] == "ReLU")
    topk = next(size for size in wide if size["kind"] == "TopK")
    slow = max(slowest(size["filling"])[0] for size in wide)
    mb = lambda name: f"{named(memory, name)['mb']:.0f} MB"
    checkpoints = named(memory, "16k")["checkpoints"]
    return table(["what", "measured", "wanted"], [
        ["dense scan with statistics, 64 active, against `torch.sum`", f"{at('dense_scan/64') / at('torch_sum/64'):.2f} ×", "≤ 1.5 ×"],
        ["the same, 512 active", f"{at('dense_scan/512') / at('torch_sum/512'):.2f} ×", "≤ 2.2 ×"],
        ["running `torch.topk` against the dense scan, 64 active", f"{at('running_topk/64') / at('dense_scan/64'):.0f} ×", "≥ 50 ×"],
        ["a Python heap per feature against the dense scan, 64 active", f"{heap_ms / at('dense_scan/64'):.0f} ×", "≥ 150 ×"],
        ["pair scan against the dense scan, 64 active", f"{at('pair_scan/64') / at('dense_scan/64'):.3f} ×", "≤ 0.1 ×"],
        [f"of a training step, d = 768, ReLU, tokens found, after step {relu['fill']} of a window", f"{own(relu['settled']):.2f} %", "≤ 1 %"],
        [f"of a training step, d = 768, TopK, tokens found, after step {topk['fill']} of a window", f"{own(topk['settled']):.2f} %", "≤ 0.3 %"],
        ["slowest step while tables fill, against the usual one without taps", f"{slow:.2f} ×", "≤ 2 ×"],
        ["memory, 16,384 features × 100 samples, growing windows (the default)", mb("16k-growing"), "≤ 150 MB"],
        ["the same, one window over the whole run", mb("16k"), "≤ 150 MB"],
        ["memory, 65,536 features × 100 samples, one window", mb("64k"), "≤ 450 MB"],
        ["checkpoint of 16,384 × 100 samples, one in a hundred features changed", f"{checkpoints['one_percent_s']:.2f} s", "≤ 1 s"],
        ["the same, nothing saved before", f"{checkpoints['first_s']:.2f} s", "≤ 1 s"],
    ])


def step_table(sizes):
    rows = []
    for size in sizes:
        filling, settled = size["filling"], size["settled"]
        rows.append([f"{size['kind']}, d = {size['d']}, F = {size['features']:,}", f"{size['batch']:,}", f"{settled['active']:.0f}",
                     f"{own(settled):.2f} %", said(*overhead(settled)), f"{own(filling):.2f} %", f"{slowest(filling)[0]:.2f} ×",
                     f"{slowest(filling)[1]:.2f} ×" if slowest(filling)[1] else "",
                     f"{median(settled['without_ms']):.0f} ms", f"{100 * size['resolved']:.2f} %"])
    return table(["module", "batch", "active", "of a step, settled", "difference", "of a step, filling", "slowest then", "after 20 steps", "step without", "resolved"], rows)


def time_table(times):
    by_size = lambda name: [(part.isdigit(), int(part) if part.isdigit() else part) for part in name.split("/")]
    rows = [[name.replace("|", "·"), f"{times[name][0]:,.2f} ms"] for name in sorted(times, key=by_size)]
    return table(["benchmark", "median"], rows)


def keep_tables(times):
    """Columns are kinds of batches; rows are tables."""
    batches, growth = {}, []
    for name, (ms, counters) in times.items():
        kind, *arguments = name.split("/")
        given = {key: int(value) for key, value in (argument.split(":") for argument in arguments)}
        shape = f"F = {given['features']:,}, k = {given['k']:,}, random {given['random']}"
        if kind == "keep_tokens":
            growth.append([shape, f"{given['tokens']:,}", f"{counters['ns_per_token'] / 1000:.2f} µs", f"{counters['candidates_per_token']:.1f}"])
        else:
            cost = f" ({counters['ns_per_candidate']:.0f} ns each)" if "ns_per_candidate" in counters else ""
            batches.setdefault(shape, {})[kind.removeprefix("keep_")] = f"{ms:.1f} ms{cost}"
    kinds = ["statistics", "random", "repeated", "rising"]
    return (table(["table"] + kinds, [[shape] + [times[kind] for kind in kinds] for shape, times in batches.items()]),
            table(["table", "until token", "a token", "candidates a token"], growth))


def memory_table(memory):
    rows = [[f"{one['features']:,} × {one['k']:,}, random {one['random']}, sequences of {one['sequence_tokens']:,}; {one['what']}",
             f"{one['mb']:.0f} MB", f"{one['counted_mb']:.0f} MB", f"≤ {one['wanted_mb']:.0f} MB" if "wanted_mb" in one else ""]
            for one in memory]
    return table(["kept", "memory", "as counted for `max_memory_mb`", "wanted"], rows)


def growth_table(memory):
    grown = [one for one in memory if len(one["growth"]) > 1]
    tokens = [reading["tokens"] for reading in grown[0]["growth"]]
    return table(["kept"] + [f"{count / 1e6:.1f} million tokens" for count in tokens],
                 [[one["name"]] + [f"{reading['mb']:.0f} MB" for reading in one["growth"]] for one in grown])


def checkpoint_table(memory):
    saved = [one for one in memory if "checkpoints" in one]
    rows = [[one["name"]] + [f"{one['checkpoints'][key]:.2f} s" for key in ("first_s", "one_percent_s", "unchanged_s", "with_decoder_s")]
            + [f"{one['checkpoints']['file_mb']:.0f} MB"] for one in saved]
    return table(["kept", "all new", "1 % of the features changed", "nothing changed", "decoder directions changed", "file"], rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    path = lambda name: os.path.join(arguments.folder, name)
    beside = medians(path("scan_beside.json"))
    heap_ms = json.load(open(path("python_heap.json")))["python_heap_ms"]
    sizes = json.load(open(path("step_overhead.json")))
    memory = json.load(open(path("collected_memory.json")))
    lengths = [len(size["filling"]["with_ms"]) for size in sizes]
    keep_batches, keep_growth = keep_tables(medians(path("keep_rates.json")))
    text = f"""# What recording costs

Written by `make bench` from one run on {machine()}. Ratios first: machines differ, and this one is shared.

## Against what was asked for

One batch of 4,096 × 16,384 float32 numbers, k = 100, random sample 64. Where two times are compared, both are of this
run and of one process, by turns; only the Python heap is timed by itself.

{targets(beside, heap_ms, sizes, memory)}

Where these are missed, or met only just:

- What is left at 512 active is about ten nanoseconds for each active value: its place in a list, the comparison with the
  bars, and the update of the feature's sums and histogram, which come from the second-level cache.
- Every thread reads all pairs and lists those of its own features: that part gets no faster with more threads.
- The Python heap is a bare one: tuples, places found by `nonzero`. The system this one learned from makes an object with a
  decoded context for every sample.
- A TopK step: most of what is left are candidates, a thousand nanoseconds each with their text and their context; they
  become fewer with every step of a window.
- One window over the whole run keeps nearly all text of 25 million tokens, because of the random sample (137 MB without
  it). With growing windows, the default, text leaves memory with its window.
- The first checkpoint writes a file of 200 MB, and the trainer goes on meanwhile; later ones write what changed.

## A training step, with and without

The same module, the same steps, taps on and off by turns in one process: look-up of the language model's rows,
forward and backward pass of the SAE, Adam. Fingerprints of the language model's rows and finding every row's token are
in it. A step with taps ends when the collector's thread has done all that the step gave it: in a run it goes on
meanwhile, and a step waits less. "Of a step" is the time that passes in taps and in that wait, against the median step
without taps. "Difference" is that of the median steps, and in brackets its 95 % interval by resampling the steps: on a
shared machine it is too wide to tell tenths of a percent.

What enters a table falls as 1/n: at the n-th step of a window about (k + 64) · F / n values do. "While tables fill" are
the first {min(lengths)} to {max(lengths)} steps of a window; "slowest then" is the slowest of them against the usual step
without taps, "after 20 steps" the slowest of those after the twentieth. "Settled" is after {sizes[0]["fill"]} steps of a window: about the average over a window of 2,000 steps, which is where
a run with growing windows is at its ten-thousandth step.

{step_table(sizes)}

## Scanning a batch

`torch_sum` is the floor: it does nothing but read. `torch_nonzero` and `running_topk` are what one would write with
LibTorch instead; a Python heap per feature, as in the system this one learned from, takes {heap_ms:,.0f} ms. By size: 2^26 numbers
each, by features and active of a row; formats (float32, bfloat16, float16, float64) and strides at 4,096 × 16,384 and 64
active.

{time_table(beside)}

## Keeping what was found

The collector's own time on its own thread, for batches of 4,096 rows with 64 active; the trainer goes on meanwhile.
Statistics: batches without candidates. Random: what is still found in new text after a million tokens. Repeated: the
places of the batches before, with other values, as in another epoch. Rising: every active value is stronger than all
before, the worst there can be.

{keep_batches}

The whole of the work from the first token on (the second row of a table: from a tenth of its tokens on):

{keep_growth}

## Memory

Of the process, over what it was before there was a collector, after 25.6 million tokens of synthetic text of which no
sequence comes twice; free pages given back first.

{memory_table(memory)}

A sample takes 24 bytes; the tokens of 128 take about 390, once, however many samples lie in them, as long as one does.
With one window over the whole run, nearly every sequence ends up holding one of the millions of samples, and all of the
text is kept; a window that closes leaves memory for the store. "Every row of another sequence" is the worst case: almost
every sample then pays for text of its own. Activations around a sample are kept where the batches show them (rows in
the order of the text), and take 8 bytes for each neighbour that is active (their number rounded up to a power of two).

{growth_table(memory)}

## Checkpoints

Written on the collector's thread, while the trainer goes on. Only what changed is written.

{checkpoint_table(memory)}

## Accelerators

Features on an accelerator are compared, summed and compacted there, on the stream of the call, by operations that none
of them waits for; only what was found comes over, and is handled in a later call. The path is tested on the host by
taking it for an accelerator (tests/plugin/test_device_scan.cpp), and has tests (tests/plugin/test_cuda.cpp) and a benchmark
(`step_overhead --device cuda`) for a GPU. It has not been timed on one yet: none was to be had for this run.
"""
    with open(arguments.out, "w") as out:
        out.write(text)


if __name__ == "__main__":
    main()
