"""Runs exported modules under the hook API and holds what was hooked against what the libraries say.

Usage: check_modules.py RUN_MODULES EXPORTED... [--table docs/supported_modules.md]

RUN_MODULES is the C++ program of that name; each EXPORTED a folder with a manifest.json (export_libraries.py,
export_architectures.py). Exits 1 if a wrong site was hooked, a site is not what the decoder consumes, training differed
by a bit, or a module that should be hooked by itself is not.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess

FORMS = ("scripted", "traced", "frozen", "optimized")

# The one thing that a module may lack by rule: two layers with a ReLU and nothing else are left to a config key.
LOOKS_ALIKE = "a feed-forward block looks the same"

# What else is not hooked although it has features, and why that is so. Nothing else may go unhooked.
NOT_HOOKED_BY_ITSELF = {
    ("TemporalSAE", "tied, topk"): "its codes are predicted by attention over other rows",
    ("TemporalSAE", "untied, relu"): "its codes are predicted by attention over other rows",
    ("GatedSAE", ""): "frozen, its auxiliary decoder, which comes first, no longer shows that it was detached",
    ("CrossLayerTranscoderByTarget", ""): "scripted, its loops over lists hide which code meets which decoder",
    ("CrossLayerTranscoderLayers", ""): "its codes go through a list: each looks like a feed-forward block's",
    ("SumOverLayersCrosscoder", ""): "scripted, its encoder stands in a loop",
    ("MatryoshkaChunksSAE", ""): "frozen or in a loop, its parts cannot be put together again",
    ("SparseCoder", "topk, multi_topk"): "its auxiliary code is what it returns: which are the features is not clear",
    ("SparseCoder", "topk, multi_topk, dead_mask"):
        "its auxiliary code is what it returns: which are the features is not clear",
    ("MatryoshkaBatchTopKTrainingSAE", "use_matryoshka_aux_loss, training_forward_pass, dead features"):
        "frozen, its auxiliary decoders are other constants than its decoder",
}


def run(program: pathlib.Path, folder: pathlib.Path, cases: list[dict], name: str) -> list[dict]:
    """Runs the cases in a process of its own, on one thread: one order of summation."""
    work = folder.parent / f"{folder.name}-{name}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    for shared in folder.iterdir():
        if shared.name != "manifest.json":
            (work / shared.name).symlink_to(shared)
    (work / "manifest.json").write_text(json.dumps({"cases": cases}))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([program, work, work / "results.json"], check=True, env=environment)
    return json.loads((work / "results.json").read_text())


def in_parts(program: pathlib.Path, folder: pathlib.Path, cases: list[dict], name: str) -> dict[str, dict]:
    parts = [cases[i::2] for i in range(2)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda part: run(program, folder, part[1], f"{name}{part[0]}"), enumerate(parts))
    return {result["name"]: result for results in done for result in results}


def training_steps(case: dict) -> int:
    """Enough to reach every plan where it is the same graph that runs on other numbers."""
    return 50 if case["dtype"] == "float32" and not case.get("autocast") else 4


def trains_here(case: dict) -> bool:
    return case["dtype"] in ("float32", "bfloat16")


def worth_running(case: dict) -> bool:
    """What CI runs: everything in float32; in the other types the forms that people train."""
    return case["dtype"] == "float32" or case["form"] in ("scripted", "traced")


def tolerance(case: dict) -> float:
    if case["form"] == "optimized" and (case.get("autocast") or case["dtype"] in ("bfloat16", "float16")):
        return float("inf")  # other kernels round, and a top-k then selects other features
    return case.get("decoder_input_tolerance", case["tolerance"])


def right(case: dict, result: dict) -> bool:
    """Whether exactly the expected features were seen, once a call each."""
    if result["outcome"] != "hooked" or result["expected_found"] != result["expected"]:
        return False
    if len(result["sites"]) != result["expected"] or result["events_per_call"] != len(result["sites"]):
        return False
    return result["equal"] or tolerance(case) == float("inf") or (
        result["difference"] != "other shape" and result["difference"] <= tolerance(case))


def complaint(case: dict, result: dict, values: dict[str, str]) -> str:
    """What is wrong with a result; empty if nothing is."""
    if result["outcome"] == "failed":
        return "failed: " + result["reason"][-200:]
    if result["outcome"] == "not hooked":
        alike = LOOKS_ALIKE in result["reason"] and case["name"] in values
        excused = alike or (case["class"], case["variant"]) in NOT_HOOKED_BY_ITSELF
        return "" if case["expect"] != "hooked" or excused else "not hooked: " + result["reason"]
    if case["features"] is None:
        return "hooked, and has no features"
    if case["expect"] == "none" and not right(case, result):
        return "hooked, and should not be"
    if not right(case, result):
        return f"hooked another value: {result}"
    if result.get("training_equal") is False and result.get("training_repeatable"):
        return "training differs from training without a hook"
    return "" if result.get("checkpoint_clean", True) else "the saved module is not clean"


def settled(program: pathlib.Path, folder: pathlib.Path, cases: list[dict], results: dict[str, dict]) -> dict[str, str]:
    """For features that are not hooked by themselves: the value of the config key `hooks` that gives just them."""
    tries = []
    for case in cases:
        result = results[case["name"]]
        if result["outcome"] != "not hooked" or case["features"] is None:
            continue
        named = re.findall(r"(?:\(|; )([^\s:;()]+): ", result["reason"])
        tries += [case | {"name": f"{case['name']}\n{value}", "value": value, "trains": False} for value in named]
    found = {}
    for name, result in (in_parts(program, folder, tries, "settled") if tries else {}).items():
        case = next(t for t in tries if t["name"] == name)
        if right(case, result):
            found.setdefault(name.split("\n")[0], case["value"])
    return found


def cell(cases: list[dict], results: dict[str, dict], values: dict[str, str]) -> str:
    """What a form of a class came to, over its inputs and types."""
    said = collections.Counter()
    for case in cases:
        result = results[case["name"]]
        if result["outcome"] == "hooked":
            said["equal" if result["equal"] else "rounded"] += 1
        elif case["features"] is None or case["expect"] == "none":
            said["none"] += 1
        else:
            said[f"`{values[case['name']]}`" if case["name"] in values else "not found"] += 1
    return ", ".join(f"{word} {count}" for word, count in sorted(said.items())) or "–"


def trained(cases: list[dict], results: dict[str, dict]) -> str:
    compared = [results[c["name"]] for c in cases if "training_equal" in results[c["name"]]]
    equal = sum(r["training_equal"] and r["checkpoint_clean"] for r in compared)
    unsteady = sum(r.get("training_repeatable") is False for r in compared)
    return (f"{equal} of {len(compared)}" + (f" ({unsteady} differ by themselves)" if unsteady else "")) if compared else "–"


def table(library: str, cases: list[dict], results: dict[str, dict], values: dict[str, str], left_out: list[dict]) -> str:
    lines = [f"## {library}", "", "| class | scripted | traced | frozen | optimized | training equal |",
             "| --- | --- | --- | --- | --- | --- |"]
    classes = collections.defaultdict(list)
    for case in cases:
        classes[case["class"], case["variant"]].append(case)
    for (name, variant), of_class in sorted(classes.items()):
        cells = [cell([c for c in of_class if c["form"] == form], results, values) for form in FORMS]
        title = name + (f", {variant}" if variant else "")
        lines.append(f"| {title} | " + " | ".join(cells) + f" | {trained(of_class, results)} |")
    reasons = collections.Counter((entry["form"], entry["reason"]) for entry in left_out)
    if reasons:
        lines += ["", "Not exported, with TorchScript's reason:", ""]
        lines += [f"- {form}, {count}: {reason}" for (form, reason), count in sorted(reasons.items())]
    return "\n".join(lines)


HEAD = """# Supported modules

Written by `make test-libraries` from what it ran: do not edit. Every count is of cases (inputs of two and three
dimensions, types, autocast). *equal*: what was tapped equals, to the last bit, what enters the decoder's product in the
library's own Python. *rounded*: equal within the tolerance of kernels that round otherwise. A value in backquotes: not
hooked by itself, hooked rightly with `"hooks": [{"module": …, "method": "forward", "value": that}]`. *none*: no
features, and nothing hooked. *not found*: see below. *training equal*: cases whose losses and parameters stayed the same
to the last bit over 50 steps (4 in bfloat16 and under autocast) and whose saved module shows no trace.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    parser.add_argument("--table", type=pathlib.Path)
    parser.add_argument("--all", action="store_true", help="frozen and optimised in every type, too")
    options = parser.parse_args()
    sections, complaints = [], []
    for folder in (path.resolve() for path in options.folders):
        manifest = json.loads((folder / "manifest.json").read_text())
        cases = [case | {"training_steps": training_steps(case), "trains": case["trains"] and trains_here(case)}
                 for case in manifest["cases"] if options.all or worth_running(case)]
        results = in_parts(options.program.resolve(), folder, cases, "run")
        values = settled(options.program.resolve(), folder, cases, results)
        said = {c["name"]: complaint(c, results[c["name"]], values) for c in cases}
        complaints += [f"{name}: {text}" for name, text in said.items() if text]
        hooked = sum(r["outcome"] == "hooked" for r in results.values())
        print(f"{folder.name}: {len(cases)} cases, {hooked} hooked by themselves, {len(values)} by a config key")
        for library in sorted({case["library"] for case in cases}):
            sections.append(table(library, [c for c in cases if c["library"] == library], results, values,
                                  [e for e in manifest["not_exported"] if e["library"] == library]))
    for line in complaints[:50]:
        print("WRONG", line[:400])
    if options.table and not complaints:
        why = "\n".join(f"- {name}{', ' + variant if variant else ''}: {reason}"
                        for (name, variant), reason in sorted(NOT_HOOKED_BY_ITSELF.items()))
        options.table.write_text(HEAD + "\n" + "\n\n".join(sections) +
                                 "\n\n## Why some are not hooked by themselves\n\n" +
                                 f"- two layers with a ReLU and nothing else to go by: {LOOKS_ALIKE}\n" + why + "\n")
    print(f"{len(complaints)} wrong")
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
