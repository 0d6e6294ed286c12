"""Runs of the recipe of scenes at tiny sizes.

python3 -m unittest discover -s weights/train
"""
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from common import HERE
from safetensors_io import load
from scenes import run
from scenes.scene import NOUNS
from squares import sprites

# The whole run with tiny networks, on drawn squares instead of emoji.
TINY_RUN = """
import sys
import common
from scenes import image_tokens, judging, painter, run
painter.T5.update(d_model=32, d_kv=8, num_heads=2, d_ff=32, num_layers=1)
painter.GPT.update(dim=32, n_layer=1, n_head=2, multiple_of=32, caption_dim=32, vocab_size=512)
image_tokens.CONFIG.update(ch_mult=[1, 1, 1, 1], z_channels=32, codebook_size=512)
judging.SETTINGS = ((2.0, 8, 0.9),)
common.main(run.run)
"""


class Whole(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        np.savez(self.folder / "sprites.npz", sprites=sprites())

    def trained(self, out, *more):
        options = "--seconds 10 --chunks 2 --per-chunk 64 --vq-batch 12 --batch 4 --judged 0.01 --device cpu"
        call = [sys.executable, "-c", TINY_RUN, "--out", self.folder / out, *options.split(), *more]
        call += ["--sprites", self.folder / "sprites.npz"]
        done = subprocess.run(call, cwd=HERE, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("failed", "ends early", "without fused"):
            self.assertNotIn(word, done.stdout)
        return json.loads((self.folder / out / "report.json").read_text())

    def test_a_short_run_writes_everything_and_another_goes_on_from_it(self):
        report = self.trained("first", "--nouns", "16")
        folder = self.folder / "first"
        t5, gpt = (load(folder / f"{n}.safetensors") for n in ("t5", "gpt"))
        self.assertTrue((folder / "sheet.png").exists())
        self.assertEqual(t5["shared.weight"].shape, (1920, 32))
        self.assertIn("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", t5)
        self.assertEqual(gpt["cls_embedding.uncond_embedding"].shape, (28, 32))
        self.assertEqual(gpt["cls_embedding.cap_proj.fc1.weight"].dtype, torch.float16)
        held_out = report["evaluation"]["held_out"]
        self.assertEqual(set(held_out), {"objects", "relation", "count", "row", "others"})
        self.assertIn("nearest_trained_scene", report["evaluation"])
        more = self.trained("second", "--init", folder, "--nouns", "20")
        self.assertEqual(len(more["nouns"]), 20)
        self.assertEqual(more["before"]["decoder"], report["decoder"])
        loss = [r["decoder"]["curve"][0]["loss"] for r in (report, more)]
        self.assertLess(loss[1], loss[0])
        # What is settled stays so.
        before, after = (load(self.folder / out / "helpers.safetensors") for out in ("first", "second"))
        for name in ("settled.shade", "settled.patch"):
            self.assertTrue(torch.equal(before[name], after[name]))
        # A third with other captions.
        anew = self.trained("third", "--init", folder, "--new-captions", "--nouns", "16")
        self.assertEqual(anew["before"]["decoder"], report["decoder"])

    def test_a_model_folder_of_a_run(self):
        self.trained("run")
        out = self.folder / "tiny"
        for command in (["export.py", "--run", self.folder / "run"], ["golden.py", "--model", out]):
            target = out if command[0] == "export.py" else self.folder / "golden" / "tiny"
            call = [sys.executable, HERE / "scenes" / command[0], *command[1:], "--out", target]
            done = subprocess.run(call, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        described = json.loads((out / "model.json").read_text())
        self.assertEqual(described["gpt"]["model_type"], "t2i")
        self.assertEqual(len(described["text"]["words"]), len(NOUNS))
        self.assertEqual(described["text"]["max_length"], 28)
        expected = load(self.folder / "golden" / "tiny" / "expected.safetensors")
        self.assertEqual(len(expected["ids"]), expected["lengths"].sum())
        self.assertEqual(expected["greedy_tokens"].shape, (32, 144))

    def test_a_share_of_no_stage(self):
        call = [sys.executable, HERE / "scenes" / "run.py", "--out", "x", "--shares", "nothing=0.5"]
        call += ["--sprites", self.folder / "sprites.npz"]
        done = subprocess.run(call, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("drawing=0.3", done.stderr)

    def test_an_evaluation_without_a_judge(self):
        call = [sys.executable, HERE / "scenes" / "run.py", "--out", "x", "--shares", "judge=0"]
        done = subprocess.run(
            [*call, "--sprites", self.folder / "sprites.npz"], capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("a judge", done.stderr)

    def test_from_a_folder_without_weights(self):
        call = [sys.executable, HERE / "scenes" / "run.py", "--out", "x", "--init", self.folder]
        call += ["--sprites", self.folder / "sprites.npz"]
        done = subprocess.run(call, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("--init", done.stderr)

    def test_without_sprites(self):
        call = [sys.executable, HERE / "scenes" / "run.py", "--out", "x", "--sprites", "nowhere.npz"]
        done = subprocess.run(call, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("prepare.py", done.stderr)

    def test_when_stages_end(self):
        shares = {"drawing": 3, "decoder": 1, "judge": 2, "evaluation": 2}
        ends = run.deadlines(1000, 1800, shares, is_cpu=True)
        self.assertEqual(ends, {"drawing": 1300, "decoder": 1400, "judge": 1600, "evaluation": 1800})
        # Of a GPU's time these need little.
        ends = run.deadlines(1000, 1800, shares, is_cpu=False)
        self.assertEqual(ends["evaluation"], 1800)
        self.assertEqual(ends["judge"] - ends["decoder"], run.MOST["judge"])
        self.assertEqual(ends["drawing"] - 1000, 3 * (ends["decoder"] - ends["drawing"]))
