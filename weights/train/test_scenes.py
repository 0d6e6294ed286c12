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
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from common import HERE
from gpt_model import rotate
from safetensors_io import load
from scenes import decoder, image_tokens, judge, run, told
from scenes.evaluate import Chooser
from scenes.firsts import Firsts
from scenes.muon import Muon, orthogonal
from scenes.pool import (
    LENGTH,
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
from scenes.room import Room
from scenes.scene import COLOUR_NAMES, COLOURS, GRID, MOST, NOUNS, RELATIONS, SIZES, Scene, Scenes, apart, as_arrays
from scenes.settled import Settled, clusters
from scenes.vocabulary import END, UNKNOWN, Words
from t5_model import buckets
from torch import nn
from vq_model import VQModel

# The whole run with tiny networks, on drawn squares instead of emoji.
TINY_RUN = """
import sys
import common
from scenes import decoder, image_tokens, judging, run
decoder.T5.update(d_model=32, d_kv=8, num_heads=2, d_ff=32, num_layers=1)
decoder.GPT.update(dim=32, n_layer=1, n_head=2, multiple_of=32, caption_dim=32, vocab_size=512)
image_tokens.CONFIG.update(ch_mult=[1, 1, 1, 1], z_channels=32, codebook_size=512)
judging.SETTINGS = ((2.0, 8, 0.9),)
common.main(run.run)
"""


def sprites():
    """A square of its own colour for each noun, as RGBA."""
    colours = np.random.default_rng(0).integers(0, 256, (len(NOUNS), 3))
    pictures = np.zeros((len(NOUNS), 64, 64, 4), np.uint8)
    pictures[:, 8:56, 8:56, :3] = colours[:, None, None]
    pictures[:, 8:56, 8:56, 3] = 255
    return pictures


@cache
def settled_squares():
    return Settled(Renderer(sprites(), torch.device("cpu")))


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
        """Each cell of an object has one, on every ground and in every place; what is not seen is ground."""
        settled = settled_squares()
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
        again = Settled(settled.renderer)
        again.patch.zero_()
        again.load_state({name: value.half() for name, value in settled.state().items()})
        self.assertTrue(torch.equal(again.codes(objects, ground), torch.stack([first, second])))

    def test_each_thing_begins_with_a_code_of_its_own_at_all_sizes(self):
        settled = settled_squares()
        objects = torch.full((2, 4, 4), -1)
        objects[0, :3] = torch.tensor([[5, 3, 0, 0], [5, 4, 4, 0], [5, 6, 0, 6]])
        objects[1, 0] = torch.tensor([6, 3, 0, 0])
        codes = settled.codes(objects, torch.zeros(2, 2)).flatten(1)
        begun = codes[decoder.first_cells_of(settled.seen_cells(objects))]
        self.assertEqual(len(begun), 4)
        self.assertEqual(len(begun.unique()), 2)
        self.assertTrue(settled.begins[begun].all())
        self.assertEqual(settled.begins.sum(), len(NOUNS))
        others = codes[:, 1:][codes[:, 1:] != begun[0]]
        self.assertLess(settled.begins[others].sum(), len(others) / 2)

    def test_a_new_codebook_has_like_vectors_for_what_looks_alike(self):
        settled = settled_squares()
        vectors = settled.vectors()
        self.assertEqual(vectors.shape, (2048, 8))
        plain = settled.shade[torch.arange(15), torch.arange(15), 0]
        white, gray, dark = (vectors[plain[list(COLOURS).index(c)]] for c in ("white", "gray", "dark blue"))
        self.assertGreater(white @ gray, white @ dark)

    def test_rows_are_put_with_those_like_them(self):
        rows = torch.tensor([[0.0, 0], [0, 1], [9, 9], [9, 8]])
        alike, centres = clusters(rows, 2)
        if alike[0] == alike[2]:
            self.fail(f"{alike}")
        self.assertTrue(torch.equal(centres[alike], torch.tensor([[0, 0.5], [0, 0.5], [9, 8.5], [9, 8.5]])))

    def test_what_is_weighted_and_where_objects_begin(self):
        """From the second seen cell of an object on; what begins it is chosen among what begins others."""
        seen = torch.zeros(1, 4, GRID * GRID, dtype=torch.bool)
        objects = torch.full((1, 4, 4), -1)
        objects[0, 0] = torch.tensor([5, 3, 2, 1])
        # Its first row is not seen.
        place = 2 * GRID + 2
        cells = [place, place + 1, place + 2, *range(place + GRID, place + GRID + 3)]
        seen[0, 0, cells] = True
        known = decoder.known_cells(objects, seen)[0].nonzero()[:, 0].tolist()
        self.assertEqual(known, cells[1:])
        self.assertEqual(decoder.first_cells_of(seen)[0].nonzero()[:, 0].tolist(), [place])

    def test_codes_are_drawn_from_the_top(self):
        """Of top k, renormalised, the fewest whose sum reaches top p."""
        logits = torch.tensor([0.6, 0.3, 0.08, 0.02]).log().expand(4000, -1)
        for top_k, top_p, kept in ((0, 1.0, 4), (2, 1.0, 2), (0, 0.5, 1), (0, 0.8, 2), (0, 0.95, 3), (2, 0.7, 2), (2, 0.6, 1)):
            drawn = Chooser(1.0, top_k, top_p)(logits)
            self.assertEqual(drawn.unique().tolist(), list(range(kept)), (top_k, top_p))

    def test_when_stages_end(self):
        shares = {"drawing": 3, "decoder": 1, "judge": 2, "evaluation": 2}
        ends = run.deadlines(1000, 1800, shares, is_cpu=True)
        self.assertEqual(ends, {"drawing": 1300, "decoder": 1400, "judge": 1600, "evaluation": 1800})
        # Of a GPU's time these need little.
        ends = run.deadlines(1000, 1800, shares, is_cpu=False)
        self.assertEqual(ends["evaluation"], 1800)
        self.assertEqual(ends["judge"] - ends["decoder"], run.MOST["judge"])
        self.assertEqual(ends["drawing"] - 1000, 3 * (ends["decoder"] - ends["drawing"]))

    def test_what_is_left_to_draw(self):
        objects = torch.full((1, 4, 4), -1)
        objects[0, :3] = torch.tensor([[5, 3, 0, 0], [7, 3, 4, 0], [5, 3, 0, 6]])
        seen = torch.zeros(1, 4, GRID * GRID, dtype=torch.bool)
        for i, cell in enumerate((1, 5, 80)):
            seen[0, i, cell : cell + 2] = True
        nouns, count, begins = decoder.left_to_draw(objects, seen, torch.tensor([[0, 1, 2, 6, 81]]))
        self.assertEqual(count[0].tolist(), [3, 3, 2, 1, 0])
        self.assertEqual(begins[0].tolist(), [5, 5, 7, 5, len(NOUNS)])
        said = [row.nonzero()[:, 0].tolist() for row in nouns[0]]
        self.assertEqual(said, [[5, 7], [5, 7], [5, 7], [5], []])

    def test_where_knows_rows_and_columns(self):
        """Its loss is least for what it is told, and that of a place in the same row is less than others'."""
        where = decoder.Where(2 * GRID)
        states = torch.zeros(1, 2 * GRID)
        states[0, [3, GRID + 7]] = 1.0
        nn.init.eye_(where.read.weight)
        near, row, other = (where(states, torch.tensor([p])).item() for p in (3 * GRID + 7, 3 * GRID + 8, 4 * GRID + 8))
        self.assertLess(near, row)
        self.assertLess(row, other)
        self.assertLess(near, 1.0)

    def test_which_of_two_things_begins_first(self):
        """What is left begins at the left, what is above first, and what nothing is said of by chance."""
        settled, scenes = settled_squares(), SceneSet([made(3, 3000, False)], torch.device("cpu"))
        firsts = Firsts(scenes, settled, least=8)
        corner = firsts.share[:, 1 * GRID + 1].tolist()
        for order, share in enumerate((1, 0, 1, 0)):
            self.assertEqual(corner[order], share, list(RELATIONS)[order])
        apart = firsts.share[-1][firsts.known[-1]].mean().item()
        self.assertTrue(0.25 < apart < 0.75, apart)
        objects = scenes.objects.long()
        seen, places = settled.seen_cells(objects), torch.arange(GRID * GRID).expand(len(objects), -1)
        share, counts = firsts(objects, seen, scenes.meaning, places)
        first = seen[:, :2].float().argmax(-1)
        counted = counts.any(1)
        self.assertTrue((objects[counted][:, :2, 0] >= 0).all() and (objects[counted][:, 2:, 0] < 0).all())
        self.assertFalse((counts & (places > first.min(1, keepdim=True).values)).any())
        # Said of the cells that things did begin at, it is mostly right.
        rows = counts.gather(1, first.min(1, keepdim=True).values)[:, 0].nonzero()[:, 0]
        said = share[rows, first[rows].min(1).values]
        is_first = (first[rows, 0] < first[rows, 1]).float()
        self.assertLess((said - is_first).abs().mean().item(), 0.25)

    def test_no_thing_begins_where_it_has_no_room(self):
        settled, scenes = settled_squares(), SceneSet([made(4, 500, False)], torch.device("cpu"))
        objects = scenes.objects.long()
        seen, room = settled.seen_cells(objects), Room(settled)
        places = torch.arange(GRID * GRID).expand(len(objects), -1)
        none, first = room.none(objects, seen, places), seen.float().argmax(-1)
        where = torch.arange(len(objects))
        for i in range(MOST):
            there = objects[:, i, 0] >= 0
            self.assertFalse((none[where, first[:, i], i] & there).any())
        two = torch.full((1, 4, 4), -1)
        two[0, 0], two[0, 1] = torch.tensor([5, 4, 4, 2]), torch.tensor([7, 4, 8, 7])
        none = room.none(two, settled.seen_cells(two), places[:1])[0, :, 1].view(GRID, GRID)
        # Squares are seen from their corner on: until the first begins at (4, 2), all that lies inside is free.
        self.assertEqual(none[0].tolist(), [False] * 9 + [True] * 3)
        self.assertEqual(none[3].tolist(), [False] + [True] * 7 + [False] + [True] * 3)
        self.assertEqual(none[6].tolist(), [False] * 9 + [True] * 3)
        self.assertTrue(none[9:].all())

    def test_tokens_are_disturbed_inside_things_alone(self):
        torch.manual_seed(0)
        tokens = torch.arange(20_000).view(100, 200)
        inside = torch.arange(200).expand(100, -1) < 150
        after = decoder.disturbed(tokens, inside)
        changed = after != tokens
        self.assertFalse(changed[:, 150:].any())
        self.assertAlmostEqual(changed.float().sum().item() / 15_000, decoder.DISTURBED, delta=0.005)
        self.assertTrue((after[changed] % 200 < 150).all())
        nothing = torch.zeros_like(inside)
        self.assertTrue(torch.equal(decoder.disturbed(tokens, nothing), tokens))

    def test_places_that_say_what_begins_are_always_learned(self):
        torch.manual_seed(0)
        begins = torch.zeros(50, GRID * GRID, dtype=torch.bool)
        begins[:, [0, 30, 143]] = True
        places, counts = decoder.places_to_learn(begins, 40)
        self.assertTrue((places.diff(dim=1) > 0).all())
        for must in (0, 29, 30, 142):
            self.assertTrue((places == must).any(1).all())
        self.assertTrue((counts[places == 30] < 0.3).all())
        # What they weigh is as if all were taken by chance.
        self.assertAlmostEqual(counts[0].sum().item(), 40 - 4 + 4 * 36 / 139, places=4)
        self.assertEqual(len(places[places == 80]) // 10, 50 * 36 // 139 // 10)
        every, counts = decoder.places_to_learn(begins, 143)
        self.assertTrue(torch.equal(every[7], torch.arange(143)))
        self.assertTrue((counts == 1).all())

    def test_tokens_at_places_are_those_of_the_whole(self):
        """Each sees those before it alone: the first n as places are the first n."""
        torch.manual_seed(0)
        gpt = decoder.Painter().gpt.eval()
        nn.init.normal_(gpt.output.weight)
        features, valid = torch.randn(2, 28, 256), torch.ones(2, 28, dtype=torch.bool)
        tokens = torch.randint(2048, (2, 20))
        with torch.no_grad():
            whole = gpt.states(features, valid, tokens)
            places = torch.arange(20).expand(2, -1)
            self.assertLess((gpt.states(features, valid, tokens, places=places) - whole).abs().max(), 1e-4)
            moved = gpt.states(features, valid, tokens, places=places + 1)
        self.assertTrue(torch.equal(moved[:, :28], whole[:, :28]))
        self.assertGreater((moved[:, 28:] - whole[:, 28:]).abs().max(), 1e-3)

    def test_a_head_of_each_layer_begins_by_looking_at_the_caption(self):
        torch.manual_seed(0)
        gpt = decoder.Painter().gpt.eval()
        x = gpt.tok_embeddings(torch.randint(2048, (1, 30)))
        for layer in gpt.layers[:2]:
            qkv = layer.attention.wqkv(layer.attention_norm(x)).chunk(3, -1)
            q, k = (t.unflatten(-1, (4, -1)).transpose(1, 2) for t in qkv[:2])
            q, k = (rotate(t, gpt.cos[28:58], gpt.sin[28:58]) for t in (q, k))
            scores = q @ k.mT / 8  # those of the caption are 0
            self.assertLess(scores[0, 0].max(), -8)
            self.assertLess(scores[0, 1:].abs().max(), 2)

    def test_steps_of_muon_have_like_singular_values(self):
        torch.manual_seed(0)
        for shape in ((3, 8, 20), (3, 20, 8)):
            values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
            self.assertTrue(((values > 0.5) & (values < 1.3)).all(), values)
        weight = nn.Parameter(torch.randn(6, 6))
        optimizer, start = Muon([weight], 0.1, weight_decay=0.0), weight.detach().clone()
        for _ in range(60):
            weight.grad = weight.detach() - torch.eye(6)
            optimizer.step()
        self.assertLess((weight - torch.eye(6)).norm(), 0.2 * (start - torch.eye(6)).norm())

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
        settled, cpu = settled_squares(), torch.device("cpu")
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
        self.assertEqual(padded([*range(2, 50), END])[-2:], [LENGTH, END])

    def test_a_seed_fixes_scenes(self):
        first, again = made(7, 20, False), made(7, 20, False)
        self.assertTrue(all(np.array_equal(a, b) for a, b in zip(first, again)))
        scenes = SceneSet([first], torch.device("cpu"))
        ids, valid = scenes.captions(torch.arange(3))
        self.assertEqual(ids.shape, (3, LENGTH))
        self.assertTrue((ids[:, -1] == END).all() and valid[:, -1].all())


if __name__ == "__main__":
    unittest.main()
