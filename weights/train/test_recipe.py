"""The whole recipe on a few synthetic images, and what wrong input gets.

python3 -m unittest discover -s weights/train
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from common import HERE, Shuffled, rate_at
from gpt_model import Transformer, hidden_dim, rope_table
from metrics import frechet_distance, psnr, quick_ssim, ssim
from PIL import Image
from safetensors_io import load, save
from vq_model import Quantizer, straight_through

TINY_VQ = ["--steps", "6", "--batch", "4", "--codebook-size", "64", "--adversarial-from", "0.5"]
TINY_GPT = ["--steps", "6", "--batch", "8", "--dim", "32", "--n-layer", "1", "--n-head", "2"]


def command(name, *options):
    """(exit code, stderr) of a command of the recipe."""
    call = [sys.executable, HERE / f"{name}.py", *map(str, options)]
    if name.startswith(("train", "extract")):
        call += ["--threads", "1"]
    done = subprocess.run(call, capture_output=True, text=True)
    return done.returncode, done.stderr


def make_images(folder, count=12, side=32):
    """Squares on white, one colour per class."""
    generator = np.random.default_rng(0)
    for name, colour in (("blue", (30, 60, 210)), ("red", (220, 40, 30))):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = np.full((side, side + 8, 3), 255, np.uint8)
            x, y = generator.integers(4, 16, 2)
            pixels[y : y + 12, x : x + 12] = np.array(colour) + generator.integers(-20, 20, 3)
            Image.fromarray(pixels).save(folder / name / f"{i:02}.png")


class Recipe(unittest.TestCase):
    """Each test has its own folder; the trained parts are made once."""

    @classmethod
    def setUpClass(cls):
        cls.shared = Path(tempfile.mkdtemp())
        make_images(cls.shared / "images")
        cls.data = cls.shared / "data"
        cls.ok("prepare", "--images", cls.shared / "images", "--size", 32, "--out", cls.data)
        features = ["--data", cls.data, "--run", cls.shared / "features"]
        cls.ok("train_features", *features, "--steps", 6, "--batch", 8)
        cls.ok("train_vq", *cls.vq_options(cls.shared / "vq"))
        cls.ok("extract_codes", "--data", cls.data, "--vq", cls.shared / "vq")
        cls.ok("train_gpt", *cls.gpt_options(cls.shared / "gpt"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.shared)

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    @classmethod
    def ok(cls, name, *options):
        code, error = command(name, *options)
        if code != 0:
            raise AssertionError(f"{name}: exit code {code}: {error}")

    @classmethod
    def vq_options(cls, run):
        classifier = cls.shared / "features" / "classifier.pt"
        return ["--data", cls.data, "--run", run, "--features", classifier, *TINY_VQ]

    @classmethod
    def gpt_options(cls, run):
        return ["--data", cls.data, "--vq", cls.shared / "vq", "--run", run, *TINY_GPT]

    def refused(self, message, name, *options):
        """Exit code 2 and one line with this text, before anything is trained."""
        code, error = command(name, *options)
        self.assertEqual(code, 2, error)
        self.assertIn(message, error)
        self.assertNotIn("Traceback", error)

    def test_exports_a_model_folder_with_official_names(self):
        model = self.folder / "tiny"
        parts = ["--vq", self.shared / "vq", "--gpt", self.shared / "gpt"]
        self.ok("export", "--data", self.data, *parts, "--out", model)
        gpt, vq = load(model / "gpt.safetensors"), load(model / "vq.safetensors")
        self.assertEqual(gpt["layers.0.attention.wqkv.weight"].shape, (96, 32))
        self.assertEqual(gpt["cls_embedding.embedding_table.weight"].shape, (3, 32))
        self.assertEqual(vq["quantize.embedding.weight"].shape, (64, 8))
        self.assertEqual(vq["decoder.conv_blocks.0.attn.0.q.weight"].dtype, torch.float16)
        described = json.loads((model / "model.json").read_text())
        self.assertEqual(described["classes"], ["blue", "red"])
        self.assertEqual(described["gpt"]["block_size"], 16)

    def test_a_seed_fixes_the_run_also_when_it_is_resumed(self):
        whole, cut = self.folder / "whole", self.folder / "cut"
        self.ok("train_gpt", *self.gpt_options(whole))
        # Stop after the checkpoint of half of the steps, by the number that is logged.
        half = subprocess.run(
            [sys.executable, "-c", HALF_RUN, *map(str, self.gpt_options(cut)), "--threads", "1"],
            cwd=HERE,
            capture_output=True,
            text=True,
        )
        self.assertEqual(half.returncode, 130, half.stderr)
        self.ok("train_gpt", *self.gpt_options(cut))
        a, b = (torch.load(f / "checkpoint.pt")["average"] for f in (whole, cut))
        self.assertTrue(all(torch.equal(a[name], b[name]) for name in a))

    def test_no_images(self):
        (self.folder / "none" / "empty").mkdir(parents=True)
        self.refused("holds no images", "prepare", "--images", self.folder / "none")

    def test_no_class_folders(self):
        self.refused("one subfolder per class", "prepare", "--images", self.folder)

    def test_an_image_that_does_not_decode_is_named(self):
        make_images(self.folder / "images")
        (self.folder / "images" / "red" / "99.png").write_bytes(b"not a picture")
        self.refused("99.png: is not an image", "prepare", "--images", self.folder / "images")

    def test_a_label_without_a_class_name(self):
        file, classes = self.folder / "x.npz", self.folder / "classes.json"
        picture = next((self.shared / "images" / "red").iterdir()).read_bytes()
        jpeg = np.frombuffer(picture, np.uint8)
        np.savez(file, jpeg=jpeg, offset=np.array([0, len(jpeg)]), label=np.array([7], np.int16))
        classes.write_text('["a", "b"]')
        options = ["--train", file, "--test", file, "--classes", classes]
        self.refused("label 7 has no class name", "prepare", *options, "--out", self.folder / "d")

    def test_a_size_that_cannot_be_halved_often_enough(self):
        mult = ["--ch-mult", 1, 1, 1, 1, 1, 1, 1]
        self.refused("cannot be halved", "train_vq", *self.vq_options(self.folder / "r"), *mult)

    def test_fewer_images_than_one_batch(self):
        options = [*self.vq_options(self.folder / "r"), "--batch", 1000]
        self.refused("one batch of 1000 images", "train_vq", *options)

    def test_a_folder_that_cannot_be_written_to(self):
        (self.folder / "file").write_text("")
        self.refused("cannot be written to", "train_vq", *self.vq_options(self.folder / "file" / "r"))

    def test_a_checkpoint_of_other_settings(self):
        run = self.folder / "gpt"
        shutil.copytree(self.shared / "gpt", run)
        self.refused('"rate" 0.001, now 0.5', "train_gpt", *self.gpt_options(run), "--rate", 0.5)

    def test_starts_from_another_run_of_the_same_architecture(self):
        options = [*self.vq_options(self.folder / "r"), "--init", self.shared / "vq"]
        self.ok("train_vq", *options, "--steps", 1)
        self.refused("expected the architecture", "train_vq", *options, "--z-channels", 64)

    def test_steps_out_of_order(self):
        self.refused("extract_codes.py", "train_gpt", "--data", self.data, "--vq", self.folder)
        self.refused("prepare.py", "train_vq", "--data", self.folder)


# Runs train_gpt with a checkpoint at every second step, and ends as Ctrl-C does after the second one.
HALF_RUN = """
import sys
import common, train_gpt
train_gpt.EVERY = 2
saves = []
save = common.Run.save
def stop(self, **state):
    save(self, **state)
    saves.append(state["step"])
    if len(saves) == 2:
        raise KeyboardInterrupt
common.Run.save = stop
common.main(train_gpt.run)
"""


class Parts(unittest.TestCase):
    def test_rope_table(self):
        cos, sin = rope_table(3, 8)
        self.assertTrue((cos[0] == 0).all() and (sin[0] == 0).all())
        # Cell (1, 2) is token 5: the row turns the first pairs, the column the second.
        self.assertAlmostEqual(cos[6, 0].item(), np.cos(1), places=6)
        self.assertAlmostEqual(sin[6, 2].item(), np.sin(2), places=6)

    def test_hidden_dim_as_in_the_official_code(self):
        self.assertEqual([hidden_dim(d, 256) for d in (256, 768, 1280, 3200)], [768, 2048, 3584, 8704])

    def test_a_token_depends_on_the_ones_before_it_only(self):
        torch.manual_seed(0)
        config = {"dim": 32, "n_head": 2, "n_layer": 2, "multiple_of": 32, "num_classes": 3}
        network = Transformer({**config, "vocab_size": 16, "block_size": 9}).eval()
        torch.nn.init.normal_(network.output.weight)
        tokens = torch.randint(16, (1, 9))
        other = tokens.clone()
        other[0, 5] = (other[0, 5] + 1) % 16
        with torch.no_grad():
            a, b = network(torch.tensor([1]), tokens), network(torch.tensor([1]), other)
        self.assertTrue(torch.equal(a[:, :6], b[:, :6]))
        self.assertFalse(torch.equal(a[:, 6], b[:, 6]))

    def test_greedy_with_its_cache_takes_the_best_token_of_every_position(self):
        torch.manual_seed(0)
        config = {"dim": 32, "n_head": 2, "n_layer": 2, "multiple_of": 32, "num_classes": 3}
        network = Transformer({**config, "vocab_size": 16, "block_size": 9}).eval().double()
        torch.nn.init.normal_(network.output.weight)
        label = torch.arange(3)
        tokens = network.greedy(label, 9)
        with torch.no_grad():
            logits = network(label, tokens)
        self.assertTrue(torch.equal(logits[:, :-1].argmax(-1), tokens))

    def test_quantizer_finds_the_nearest_code(self):
        quantizer = Quantizer(16, 4)
        z = quantizer.embedding.weight[[3, 9]].reshape(1, 2, 1, 4).permute(0, 3, 1, 2) * 5
        quantised, codes, _ = quantizer(z)
        self.assertEqual(codes.flatten().tolist(), [3, 9])
        self.assertTrue(torch.allclose(quantised.norm(dim=1), torch.ones(1, 2, 1)))
        z = z.detach().requires_grad_()
        straight_through(quantised, z).sum().backward()
        self.assertTrue((z.grad == 1).all())

    def test_metrics(self):
        a = torch.randint(0, 256, (2, 3, 32, 32))
        self.assertTrue(torch.allclose(ssim(a, a), torch.ones(2, dtype=torch.float64)))
        x = a / 127.5 - 1
        self.assertAlmostEqual(quick_ssim(x, x).item(), 1, places=5)
        self.assertLess(quick_ssim(x, x.flip(3)).item(), 0.2)
        self.assertAlmostEqual(psnr(a * 0, a * 0 + 16)[0].item(), 24.05, places=2)
        x = np.random.default_rng(0).normal(size=(4000, 3))
        self.assertAlmostEqual(frechet_distance(x, x), 0, places=6)
        self.assertAlmostEqual(frechet_distance(x, x * 2 + 1), 3 + 3, delta=0.5)

    def test_rates_rise_then_fall(self):
        rates = [rate_at(step, 100, 1.0, 10) for step in (0, 9, 10, 99)]
        self.assertEqual(rates[1], 1.0)
        self.assertLess(rates[0], rates[3] * 3)
        self.assertLess(rates[3], 0.06)

    def test_every_epoch_sees_every_image_once_in_a_new_order(self):
        order = Shuffled(8, 4, seed=0)
        epochs = [torch.cat([order.at(2 * e), order.at(2 * e + 1)]).tolist() for e in range(2)]
        self.assertEqual([sorted(e) for e in epochs], [list(range(8))] * 2)
        self.assertNotEqual(*epochs)

    def test_safetensors_round_trip(self):
        tensors = {"a": torch.arange(6).float().reshape(2, 3), "b": torch.ones(3, dtype=torch.bfloat16)}
        with tempfile.TemporaryDirectory() as folder:
            save(Path(folder) / "x.safetensors", tensors)
            self.assertEqual(os.listdir(folder), ["x.safetensors"])
            again = load(Path(folder) / "x.safetensors")
        self.assertTrue(all(torch.equal(tensors[n], again[n]) for n in tensors))


if __name__ == "__main__":
    unittest.main()
