"""The recipe of scenes at tiny sizes, and its parts.

python3 -m unittest discover -s weights/train
"""
import json
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from common import HERE
from safetensors_io import load
from scenes import decoder, image_tokens, judge, told
from scenes.pool import (
    MEANINGS,
    OF_COUNT,
    OF_GROUND,
    OF_RELATION,
    OF_ROW,
    SceneSet,
    made,
    meaning_of,
    padded,
)
from scenes.render import Renderer
from scenes.scene import COLOUR_NAMES, GRID, MOST, NOUNS, RELATIONS, SIZES, Scene, Scenes, apart, as_arrays
from scenes.settled import Settled, given
from scenes.vocabulary import END, UNKNOWN, Words
from t5_model import buckets
from vq_model import VQModel

# The whole run with tiny networks, on drawn squares instead of emoji.
TINY_RUN = """
import sys
import common
from scenes import decoder, image_tokens, judging, run
decoder.T5.update(d_model=32, d_kv=8, num_heads=2, d_ff=32, num_layers=1)
decoder.GPT.update(dim=32, n_layer=1, n_head=2, multiple_of=32, caption_dim=32, vocab_size=64)
image_tokens.CONFIG.update(ch_mult=[1, 1, 1, 1], z_channels=32, codebook_size=64)
judging.SETTINGS = ((2.0, 8),)
common.main(run.run)
"""


def sprites():
    """A square of its own colour for each noun, as RGBA."""
    colours = np.random.default_rng(0).integers(0, 256, (len(NOUNS), 3))
    pictures = np.zeros((len(NOUNS), 64, 64, 4), np.uint8)
    pictures[:, 8:56, 8:56, :3] = colours[:, None, None]
    pictures[:, 8:56, 8:56, 3] = 255
    return pictures


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
        self.assertEqual(gpt["cls_embedding.uncond_embedding"].shape, (32, 32))
        self.assertEqual(gpt["cls_embedding.cap_proj.fc1.weight"].dtype, torch.float16)
        held_out = report["evaluation"]["held_out"]
        self.assertEqual(set(held_out), {"objects", "relation", "count", "row", "others"})
        self.assertIn("nearest_trained_scene", report["evaluation"])
        more = self.trained("second", "--init", folder, "--nouns", "20")
        self.assertEqual(len(more["nouns"]), 20)
        self.assertNotIn("curve", more["tokenizer"])
        self.assertEqual(more["before"]["decoder"], report["decoder"])
        loss = [r["decoder"]["curve"][0]["loss"] for r in (report, more)]
        self.assertLess(loss[1], loss[0])
        # What is settled stays so, and the further things get codes.
        before, after = (load(self.folder / out / "helpers.safetensors") for out in ("first", "second"))
        self.assertTrue(torch.equal(before["settled.shade"], after["settled.shade"]))
        patches, more_patches = (helpers["settled.patch"] for helpers in (before, after))
        self.assertTrue(torch.equal(patches[patches >= 0], more_patches[patches >= 0]))
        self.assertGreater((more_patches >= 0).sum(), (patches >= 0).sum())
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
        self.assertEqual(described["text"]["max_length"], 32)
        expected = load(self.folder / "golden" / "tiny" / "expected.safetensors")
        self.assertEqual(len(expected["ids"]), expected["lengths"].sum())
        self.assertEqual(expected["greedy_tokens"].shape, (32, 144))

    def test_a_share_of_no_stage(self):
        call = [sys.executable, HERE / "scenes" / "run.py", "--out", "x", "--shares", "judge=0.5"]
        call += ["--sprites", self.folder / "sprites.npz"]
        done = subprocess.run(call, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("tokenizer=0.3", done.stderr)

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


class Parts(unittest.TestCase):
    def test_held_out_combinations_are_never_trained(self):
        trained, held_out = Scenes(1), Scenes(2, held_out=True)
        self.assertFalse(any(trained.scene().holds_out() for _ in range(500)))
        kinds = (("relation", "count", "row", "groups", "pair"), (1, 1, 1, 1, 1))
        self.assertTrue(all(held_out.scene(*kinds).holds_out() for _ in range(200)))

    def test_objects_lie_inside_and_apart(self):
        source = Scenes(3)
        for _ in range(500):
            scene = source.scene()
            self.assertEqual(len(scene.objects), sum(count for _, count in scene.groups))
            for i, (_, size, x, y) in enumerate(scene.objects):
                self.assertTrue(0 <= x <= GRID - size and 0 <= y <= GRID - size)
                self.assertTrue(all(apart(x, y, size, *o[1:]) for o in scene.objects[:i]))

    def test_relations_and_rows_hold_as_drawn(self):
        """The judge's rules find nothing wrong with what was drawn."""
        source = Scenes(4)
        for _ in range(500):
            scene = source.scene()
            found = [(n, x + size / 2, y + size / 2) for n, size, x, y in scene.objects]
            said = judge.verdict(scene, found)
            self.assertFalse(said.pop("others"))
            self.assertTrue(all(v in (None, True) for v in said.values()), (scene.caption, said))

    def test_verdicts_on_wrong_pictures(self):
        relation = Scene("relation", [(3, 1), (7, 1)], "left", None, None, "")
        a, b = (3, 2.0, 6.0), (7, 9.0, 6.0)
        self.assertTrue(judge.verdict(relation, [a, b])["relation"])
        self.assertFalse(judge.verdict(relation, [(3, 9.0, 6.0), (7, 2.0, 6.0)])["relation"])
        self.assertFalse(judge.verdict(relation, [(3, 6.0, 2.0), (7, 6.5, 9.0)])["relation"])
        missing = judge.verdict(relation, [a, (8, 9.0, 6.0)])
        self.assertEqual((missing["objects"], missing["others"]), (False, True))
        count = Scene("count", [(3, 3)], None, None, None, "")
        count.in_row = False
        self.assertFalse(judge.verdict(count, [a, a])["count"])
        self.assertTrue(judge.verdict(count, [a, a, a])["count"])

    def test_pictures_are_drawn_where_objects_are(self):
        renderer = Renderer(sprites(), torch.device("cpu"))
        scene = Scene("single", [(5, 1)], None, [(5, 4, 6, 2)], ("white", "white"), "")
        objects, ground = (torch.from_numpy(a) for a in as_arrays([scene]))
        image, opacity = renderer.draw(objects, ground)
        self.assertEqual(image.shape, (1, 3, 96, 96))
        rows, columns = opacity[0, 0].nonzero(as_tuple=True)
        # 4 cells of 8 pixels from (48, 16); the square leaves an eighth of them free at each side.
        self.assertEqual((columns.min(), columns.max(), rows.min(), rows.max()), (52, 75, 20, 43))
        wanted = torch.from_numpy(sprites()[5, 32, 32, :3]) / 127.5 - 1
        self.assertLess((image[0, :, 32, 64] - wanted).abs().max().item(), 0.01)
        self.assertTrue((image[0, :, 0, 0] == 1).all())

    def test_settled_codes_know_only_what_a_cell_shows(self):
        """Of an encoder that gives any codes: each cell of an object has one, on every ground and in
        every place; what nearly nothing covers is ground."""
        torch.manual_seed(0)
        renderer = Renderer(sprites(), torch.device("cpu"))
        network = VQModel({**image_tokens.CONFIG, "ch_mult": [1, 1, 1, 1], "z_channels": 32}).eval()
        scenes = SceneSet([made(8, 40, False)], torch.device("cpu"))
        settled, report = Settled(renderer), {}
        with mock.patch("scenes.image_tokens.KEPT", [5]), mock.patch("scenes.settled.KEPT", [5]):
            settled.settle(network, scenes, 0, nullcontext, report)
        # The squares leave no cell out, at any size.
        self.assertEqual(report["settled"]["patches"], sum(size * size for size in SIZES))
        made_of = [
            Scene("single", [(5, 1)], None, [(5, 4, x, 2)], (top, "blue"), "")
            for x, top in ((6, "blue"), (1, "red"))
        ]
        objects, ground = (torch.from_numpy(a) for a in as_arrays(made_of))
        first, second = settled.codes(objects, ground)
        self.assertTrue(torch.equal(first[2:6, 6:10], second[2:6, 1:5]))
        self.assertEqual(len(first[:, :6].unique()), 1)
        self.assertGreater(len(second[:, 5:].unique()), 3)
        self.assertTrue((second[:, 5:] == second[:, 5:6]).all())
        self.assertFalse(set(first[:, :6].flatten().tolist()) & set(first[2:6, 6:10].flatten().tolist()))
        again = Settled(renderer)
        again.load_state({name: value.half() for name, value in settled.state().items()})
        self.assertTrue(torch.equal(again.codes(objects, ground), torch.stack([first, second])))

    def test_what_is_weighted_and_where_objects_begin(self):
        """From the second seen cell of an object on; what begins it is chosen among what begins others."""
        renderer = Renderer(sprites(), torch.device("cpu"))
        settled = Settled(renderer)
        first = renderer.first[3] + 5 * 9  # thing 5, three cells wide, whose first row is not seen
        settled.patch[first + 3 : first + 9] = torch.arange(6) + 40
        objects = torch.full((1, 4, 4), -1)
        objects[0, 0] = torch.tensor([5, 3, 2, 1])
        seen = settled.seen_cells(objects)
        place = 2 * GRID + 2
        self.assertEqual(seen[0, 0].nonzero()[:3, 0].tolist(), [place, place + 1, place + 2])
        self.assertFalse(seen[0, 1:].any())
        known = decoder.known_cells(objects, seen)[0].nonzero()[:, 0].tolist()
        self.assertEqual(known, [place + 1, place + 2, *range(place + GRID, place + GRID + 3)])
        self.assertEqual(settled.first_codes().nonzero()[:, 0].tolist(), [40])

    def test_t5_begins_with_heads_for_each_side(self):
        t5 = decoder.T5Encoder({**decoder.T5, "num_layers": 1})
        decoder.look_around(decoder.bias_of(t5))
        bias = decoder.bias_of(t5)[buckets(8)]  # [query, key, head]
        self.assertGreater(bias[4, 3, 0], bias[4, 5, 0])
        self.assertGreater(bias[4, 5, 1], bias[4, 3, 1])
        for head, key in ((0, 4), (1, 5), (2, 4)):
            self.assertEqual(bias[4, :, head].argmax().item(), key)

    def test_drawing_and_telling_learn_apart(self):
        config = {**image_tokens.CONFIG, "ch_mult": [1, 1, 1, 1], "z_channels": 32}
        settled, cpu = Settled(Renderer(sprites(), torch.device("cpu"))), torch.device("cpu")
        for table in (settled.patch, settled.shade):
            table.random_(config["codebook_size"])
        scenes = SceneSet([made(8, 20, False)], cpu)
        with mock.patch.object(told, "CONFIG", config):
            before = VQModel(config).state_dict()
            settings = (6, 1e-3, torch.contiguous_format, False)
            trainer = told.ToldTrainer(before, settled, scenes, cpu, nullcontext, *settings)
            sides = [{"decoder", "post_quant_conv", "quantize"}, {"encoder", "quant_conv"}]
            for learn, side in zip((trainer.draw, trainer.tell), sides):
                report = {}
                learn(time.time() + 1, report)
                after = trainer.trained().state_dict()
                changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
                self.assertEqual(changed, side, report)
                before = after

    def test_codes_are_shared_by_few(self):
        counts = torch.tensor([[9.0, 1, 0], [9, 1, 0], [1, 1, 8]])
        self.assertEqual(given(counts, shared=1.0).tolist(), [0, 1, 2])
        self.assertEqual(given(counts, shared=0.0).tolist(), [0, 0, 2])
        self.assertEqual(given(counts[:1], 1.0, torch.tensor([1.0, 0, 0])).tolist(), [1])

    def test_the_judge_is_taught_the_right_cells(self):
        objects = torch.full((1, 4, 4), -1)
        objects[0, 0] = torch.tensor([5, 4, 6, 2])
        for shift in ((0.0, 0.0), (1.0, -1.0), (-1.0, 1.0)):
            there, cell, place = judge.targets_of(objects, torch.tensor([shift]))
            self.assertEqual(there[0].tolist(), [True, False, False, False])
            self.assertEqual(cell[0, 0].item(), 4 * GRID + 8)
            self.assertAlmostEqual(place[0, 0, 0].item(), shift[0] / 8, places=5)

    def test_a_disturbed_picture_says_how_it_moved(self):
        torch.manual_seed(0)
        x = torch.zeros(8, 3, 96, 96)
        x[:, :, 40:48, 30:38] = 1
        moved, shift = judge.disturbed(x)
        place = torch.arange(96.0)
        for image, (across, down) in zip(moved.clamp_min(0.3) - 0.3, shift.tolist()):
            mass = image.mean(0)
            self.assertAlmostEqual((mass.sum(0) * place).sum().item() / mass.sum().item(), 33.5 + across, delta=0.4)
            self.assertAlmostEqual((mass.sum(1) * place).sum().item() / mass.sum().item(), 43.5 + down, delta=0.4)

    def test_what_a_caption_says(self):
        """Nouns in their order, each with its count, how they lie, and colours where it names them."""
        source = Scenes(6)
        for _ in range(200):
            scene = source.scene()
            said = [int(place) for place in meaning_of(scene) if place >= 0]
            self.assertEqual(len(set(said)), len(said))
            self.assertTrue(all(place < MEANINGS for place in said))
            nouns = [divmod(place, len(NOUNS)) for place in said if place < OF_COUNT]
            self.assertEqual(nouns, [(slot, noun) for slot, (noun, _) in enumerate(scene.groups)])
            counts = [divmod(place - OF_COUNT, MOST) for place in said if OF_COUNT <= place < OF_RELATION]
            self.assertEqual(counts, [(slot, n - 1) for slot, (_, n) in enumerate(scene.groups)])
            relations = [place - OF_RELATION for place in said if OF_RELATION <= place < OF_ROW]
            self.assertEqual([tuple(RELATIONS)[r] for r in relations], [scene.relation] if scene.relation else [])
            self.assertEqual(OF_ROW in said, "in a row" in scene.caption or "side by side" in scene.caption)
            colours = [COLOUR_NAMES[(place - OF_GROUND) % len(COLOUR_NAMES)] for place in said if place >= OF_GROUND]
            self.assertEqual(colours, list(scene.ground) if scene.says_ground else [])
            self.assertTrue(all(colour in scene.caption for colour in colours))

    def test_ids_of_captions(self):
        words = Words()
        self.assertEqual(len(words), 1920)
        ids = words.ids("a cat to the left of a slice of pizza")
        self.assertEqual(ids[-1], END)
        self.assertNotIn(UNKNOWN, ids)
        self.assertEqual(words.ids("a \u4e2d\u56fd")[1:], [words.pieces["\u2581"][0], UNKNOWN, END])
        self.assertEqual(padded([5, 6, END])[-4:], [0, 5, 6, END])
        self.assertEqual(padded([*range(2, 50), END])[-2:], [32, END])

    def test_a_seed_fixes_scenes(self):
        first, again = made(7, 20, False), made(7, 20, False)
        self.assertTrue(all(np.array_equal(a, b) for a, b in zip(first, again)))
        scenes = SceneSet([first], torch.device("cpu"))
        ids, valid = scenes.captions(torch.arange(3))
        self.assertEqual(ids.shape, (3, 32))
        self.assertTrue((ids[:, -1] == END).all() and valid[:, -1].all())


if __name__ == "__main__":
    unittest.main()
