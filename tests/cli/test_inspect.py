"""`saetap inspect` from outside: what it says of TorchScript models, and of files that are none.

    python test_inspect.py SAETAP MAKE_STORE PRELOAD_LIBRARY

Run with the demo's Python: the models are made with PyTorch.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parents[1] / "reliability"))

from fault_record import record_fault
from inspected_models import (
    Block, CodeOnly, D, F, FeedForward, Identity, InstanceStack, Kept, LayerStack, MODELS, ReluTranscoder,
    SmoothFeedForward, ThreeLayers, TopKSAE, TwoHalves)
from program_test import SAETAP, StoreTest, clean_environment, run_tests, saetap
from torch import Tensor, nn


class InspectTest(StoreTest):
    @classmethod
    def setUpClass(cls) -> None:
        torch.manual_seed(1)
        cls.folder = Path(tempfile.mkdtemp(prefix="saetap-inspect-"))
        for model in MODELS:
            torch.jit.script(model()).save(cls.path(model))

    @classmethod
    def path(cls, model: type) -> str:
        return str(cls.folder / f"{model.__name__}.pt")

    def candidates(self, model: type) -> list[dict]:
        return self.ok_json("inspect", self.path(model))["candidates"]


class Json(InspectTest):
    def test_a_topk_sae_is_certain(self) -> None:
        rule = {"module": "TopKSAE", "method": "forward", "value": "W_dec"}
        expected = {
            "module_path": "", "operation": "matmul", "form": "pair", "shape": "[N, 64]", "stack": 1,
            "features": F, "d_in": D, "d_out": D, "encoder": "W_enc", "decoder": "W_dec", "activation": "TopK",
            "confidence": "certain", "reason": "TopK", "config": {"hooks": [rule]},
        }
        found = self.ok_json("inspect", self.path(TopKSAE))
        self.assertEqual(found["candidates"], [rule | expected])
        self.assertEqual((found["model"], found["module"], found["methods"]), (self.path(TopKSAE), "TopKSAE", 1))

    def test_a_relu_transcoder_that_returns_its_features_is_certain(self) -> None:
        rule = {"module": "ReluTranscoder", "method": "forward", "value": "decoder.weight"}
        expected = {
            "module_path": "", "operation": "linear", "form": "dense", "shape": "[N, 64]", "stack": 1,
            "features": F, "d_in": D, "d_out": 24, "encoder": "encoder.weight", "decoder": "decoder.weight",
            "activation": "ReLU", "confidence": "certain", "reason": "ReLU, code used outside the decoder",
            "config": {"hooks": [rule]},
        }
        self.assertEqual(self.candidates(ReluTranscoder), [rule | expected])

    def test_a_feed_forward_block_is_uncertain(self) -> None:
        (found,) = self.candidates(FeedForward)
        self.assertEqual((found["confidence"], found["value"]), ("uncertain", "down.weight"))
        self.assertEqual(found["reason"], "ReLU, but two layers with a ReLU: a feed-forward block looks the same")

    def test_what_is_none_is_listed_as_no(self) -> None:
        (found,) = self.candidates(SmoothFeedForward)
        self.assertEqual((found["confidence"], found["activation"]), ("no", ""))

    def test_three_saes_of_one_class_in_one_module(self) -> None:
        found = self.candidates(ThreeLayers)
        self.assertEqual([site["value"] for site in found], ["first.W_dec", "second.W_dec", "third.W_dec"])
        for site in found:
            self.assertEqual((site["module"], site["module_path"], site["confidence"]), ("ThreeLayers", "", "certain"))
            self.assertEqual(site["encoder"], site["decoder"].replace("dec", "enc"))

    def test_a_stack_says_its_groups(self) -> None:
        (found,) = self.candidates(LayerStack)
        self.assertEqual((found["stack"], found["shape"], found["features"]), (3, "[3, N, 64]", F))
        self.assertEqual((found["form"], found["operation"]), ("dense", "einsum lnf,lfd->lnd"))

    def test_a_stack_has_its_groups_where_the_module_has_them(self) -> None:
        shapes = {site["method"]: (site["stack"], site["shape"]) for site in self.candidates(InstanceStack)}
        # Of a code that is returned only the features' place is known.
        self.assertEqual(shapes, {"forward": (3, "[N, 3, 64]"), "encode": (3, "[.., 64]")})

    def test_a_submodule_is_looked_at_where_its_caller_does_not_show_it(self) -> None:
        (found,) = self.candidates(Kept)
        self.assertEqual((found["module"], found["module_path"], found["value"]), ("TopKSAE", "saes.layer3", "W_dec"))
        self.assertEqual(found["config"], {"hooks": [{"module": "TopKSAE", "method": "forward", "value": "W_dec"}]})

    def test_what_is_certain_by_itself_comes_before_what_is_not_inside_a_model(self) -> None:
        found = [(site["module_path"], site["module"], site["value"], site["confidence"])
                 for site in self.candidates(Block)]
        self.assertEqual(found, [("sae", "TopKSAE", "W_dec", "certain"), ("", "Block", "sae.W_dec", "uncertain"),
                                 ("", "Block", "head.weight", "no")])

    def test_an_encoder_is_left_out_where_its_caller_decodes(self) -> None:
        (found,) = self.candidates(TwoHalves)
        self.assertEqual((found["module_path"], found["encoder"], found["decoder"]), ("", "code.W", "W_dec"))

    def test_an_encoder_alone_is_uncertain_and_has_no_decoder(self) -> None:
        torch.jit.script(CodeOnly()).save(self.path(CodeOnly))
        (found,) = self.candidates(CodeOnly)
        self.assertEqual((found["confidence"], found["value"], found["operation"]), ("uncertain", "return", "return"))
        self.assertEqual((found["form"], found["features"], found["decoder"], found["d_out"]), ("pair", F, "", None))

    def test_a_model_without_any_is_status_1_and_an_empty_list(self) -> None:
        done = saetap("inspect", "--json", self.path(Identity))
        self.assertEqual((done.returncode, json.loads(done.stdout)["candidates"]), (1, []))
        self.assertIn("no SAE or transcoder found in 1 method\n", done.stderr)

    def test_every_config_line_is_one_that_record_takes(self) -> None:
        config = self.folder / "tap.json"
        for model in (TopKSAE, FeedForward, ThreeLayers, Kept):
            for site in self.candidates(model):
                config.write_text(json.dumps({"saetap": site["config"]}), encoding="utf-8")
                self.assertEqual(saetap("record", "--config", config, "--", "true").returncode, 0)


class Text(InspectTest):
    def test_a_block_per_site_with_aligned_labels(self) -> None:
        rule = '"hooks": [{"module":"TopKSAE","method":"forward","value":"W_dec"}]'
        self.assertEqual(
            self.ok("inspect", self.path(TopKSAE)),
            "TopKSAE › forward › W_dec\n"
            "  certain    TopK\n"
            "  features   (value, feature) pairs of [N, 64] enter matmul\n"
            "  encoder    W_enc [16 → 64]\n"
            "  decoder    W_dec [64 → 16]\n"
            f"  config     {rule}\n"
            "\n"
            "hooked without any key: 1 site\n",
        )

    def test_the_last_line_says_what_would_be_hooked(self) -> None:
        for model, expected in (
            (ThreeLayers, "hooked without any key: 3 sites"),
            (FeedForward, "nothing would be hooked without a key"),
            (SmoothFeedForward, "nothing would be hooked without a key"),
        ):
            self.assertEqual(self.ok("inspect", self.path(model)).splitlines()[-1], expected)
        self.fails(1, "no SAE or transcoder found in 1 method\n", "inspect", self.path(Identity))

    def test_unlikely_places_are_counted_and_shown_on_demand(self) -> None:
        few = self.ok("inspect", self.path(SmoothFeedForward)).splitlines()
        self.assertEqual(few[0], "1 unlikely place left out (--all shows it)")
        every = self.ok("inspect", self.path(SmoothFeedForward), "--all").splitlines()
        self.assertEqual(every[:2], ["SmoothFeedForward › forward › down.weight",
                                     "  no         a smooth activation, as feed-forward blocks have"])
        self.assertNotIn("left out", every[-2])

    def test_stacks_and_submodules(self) -> None:
        self.assertIn("  features   [3, N, 64], a stack of 3, enter einsum lnf,lfd->lnd\n",
                      self.ok("inspect", self.path(LayerStack)))
        self.assertIn("saes.layer3 (TopKSAE) › forward › W_dec\n", self.ok("inspect", self.path(Kept)))

    def test_output_that_cannot_be_written_is_said(self) -> None:
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([SAETAP, "inspect", self.path(TopKSAE)], stdout=full, stderr=subprocess.PIPE,
                                  check=False)
        self.assertEqual(done.returncode, 2)
        self.assertTrue(done.stderr.endswith(b": the output could not be written\n"), done.stderr)

    def test_inspecting_is_never_recorded(self) -> None:
        done = saetap("record", "--output", self.folder / "store", "--", SAETAP, "inspect", self.path(TopKSAE))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse((self.folder / "store").exists())


class WhatIsNoModel(InspectTest):
    def refuses(self, reason: str, path: object) -> None:
        for flags in ([], ["--json"]):
            self.fails(2, f"saetap: inspect: {path}: {reason}", "inspect", path, *flags)

    def written(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def test_files_that_are_none(self) -> None:
        self.refuses("No such file or directory", self.folder / "missing.pt")
        self.refuses("it is a folder", self.folder)
        self.refuses("the file is empty", self.written("empty.pt", b""))
        self.refuses("not a TorchScript file", self.written("text.pt", b"import torch\n" * 100))
        pipe = self.folder / "pipe.pt"
        os.mkfifo(pipe)
        self.refuses("it is no regular file", pipe)
        record_fault("input", "inspect on what is no module: text, a pipe, a folder, an empty file or none", 5,
                     "nothing: one line")

    def test_other_archives(self) -> None:
        state_dict = self.folder / "state_dict.pt"
        torch.save(TopKSAE().state_dict(), state_dict)
        self.refuses("written by torch.save", state_dict)
        torch.save(TopKSAE().state_dict(), state_dict, _use_new_zipfile_serialization=False)
        self.refuses("not a TorchScript file", state_dict)
        archive = self.folder / "archive.pt"
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr("folder/text", "text")
        self.refuses("a zip archive, but not a TorchScript file", archive)
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr("array.npy", "text")
        self.refuses("a zip archive, but not a TorchScript file", archive)
        record_fault("input", "inspect on a state_dict, old or new, and on other zip archives", 4, "nothing: one line")

    def test_a_file_cut_short_anywhere(self) -> None:
        whole = Path(self.path(TopKSAE)).read_bytes()
        lengths = range(4, len(whole), len(whole) // 6)
        for length in lengths:
            self.refuses("the file is cut short or damaged", self.written("cut.pt", whole[:length]))
        record_fault("input", "inspect on a module's file that is cut short", len(lengths), "nothing: one line")

    def test_a_damaged_file_never_crashes(self) -> None:
        whole = Path(self.path(TopKSAE)).read_bytes()
        places = range(0, len(whole), len(whole) // 16)
        for begin in places:
            damaged = self.written("damaged.pt", whole[:begin] + bytes(64) + whole[begin + 64 :])
            done = saetap("inspect", damaged)
            self.assertIn(done.returncode, (0, 1, 2), done.stderr)
            self.assertLessEqual(done.stderr.count("\n"), 1, done.stderr)
        record_fault("input", "inspect on a module's file with 64 bytes of zeros in it", len(places),
                     "nothing, or one line")

    def test_an_operator_that_is_not_there(self) -> None:
        with torch.library._scoped_library("saetap_test", "DEF") as library:
            library.define("twice(Tensor x) -> Tensor")

            class Foreign(nn.Module):
                def forward(self, x: Tensor) -> Tensor:
                    return torch.ops.saetap_test.twice(x)

            torch.jit.script(Foreign()).save(self.folder / "foreign.pt")
        self.refuses("LibTorch cannot load it: Unknown builtin op: saetap_test::twice", self.folder / "foreign.pt")
        record_fault("input", "inspect on a module that needs an operator which is not there", 1, "nothing: one line")


class Usage(InspectTest):
    def test_wrong_usage_is_status_2(self) -> None:
        self.fails(2, "MODEL is required (saetap inspect --help)", "inspect")
        self.fails(2, "--frobnicate", "inspect", self.path(TopKSAE), "--frobnicate")

    def test_a_file_named_like_an_option(self) -> None:
        shutil.copy(self.path(TopKSAE), self.folder / "--json")
        done = saetap("inspect", "--", "--json", cwd=str(self.folder))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("hooked without any key: 1 site", done.stdout)

    def test_the_part_that_knows_libtorch_has_to_be_there(self) -> None:
        bare = self.folder / "bare"
        bare.mkdir()
        alone = shutil.copy(SAETAP, bare / "saetap")

        def says(reason: str) -> None:
            done = subprocess.run([alone, "inspect", self.path(TopKSAE)], capture_output=True, text=True, check=False,
                                  env=clean_environment())
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertEqual(done.stderr, f"saetap: {bare / 'saetap-inspect'} {reason}\n")

        says("is not there: was saetap built without LibTorch?")
        (bare / "saetap-inspect").write_bytes(b"")
        says("cannot be started: Permission denied")


if __name__ == "__main__":
    run_tests()
