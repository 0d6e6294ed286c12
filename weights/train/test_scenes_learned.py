"""What networks of the recipe of scenes learn, and how."""
import time
import unittest
from contextlib import nullcontext
from unittest import mock

import torch
from gpt_model import rotate
from scenes import decoder, image_tokens, painter, told
from scenes.evaluate import Chooser
from scenes.first_looks import look_around
from scenes.firsts import Firsts
from scenes.muon import Muon, orthogonal
from scenes.places import places_to_learn
from scenes.pool import SceneSet, made
from scenes.room import Room
from scenes.said import Where, left_to_draw
from scenes.scene import GRID, MOST, NOUNS, RELATIONS, apart
from squares import settled_squares
from t5_model import T5Encoder, buckets
from torch import nn
from vq_model import VQModel


class Learned(unittest.TestCase):
    def test_codes_are_drawn_from_the_top(self):
        """Of top k, renormalised, the fewest whose sum reaches top p."""
        logits = torch.tensor([0.6, 0.3, 0.08, 0.02]).log().expand(4000, -1)
        for top_k, top_p, kept in ((0, 1.0, 4), (2, 1.0, 2), (0, 0.5, 1), (0, 0.8, 2), (0, 0.95, 3), (2, 0.7, 2), (2, 0.6, 1)):
            drawn = Chooser(1.0, top_k, top_p)(logits)
            self.assertEqual(drawn.unique().tolist(), list(range(kept)), (top_k, top_p))

    def test_what_is_left_to_draw(self):
        objects = torch.full((1, 4, 4), -1)
        objects[0, :3] = torch.tensor([[5, 3, 0, 0], [7, 3, 4, 0], [5, 3, 0, 6]])
        seen = torch.zeros(1, 4, GRID * GRID, dtype=torch.bool)
        for i, cell in enumerate((1, 5, 80)):
            seen[0, i, cell : cell + 2] = True
        nouns, count, begins = left_to_draw(objects, seen, torch.tensor([[0, 1, 2, 6, 81]]))
        self.assertEqual(count[0].tolist(), [3, 3, 2, 1, 0])
        self.assertEqual(begins[0].tolist(), [5, 5, 7, 5, len(NOUNS)])
        said = [row.nonzero()[:, 0].tolist() for row in nouns[0]]
        self.assertEqual(said, [[5, 7], [5, 7], [5, 7], [5], []])

    def test_where_knows_rows_and_columns(self):
        """Its loss is least for what it is told, and that of a place in the same row is less than others'."""
        where = Where(2 * GRID)
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
        places, counts = places_to_learn(begins, 40)
        self.assertTrue((places.diff(dim=1) > 0).all())
        for must in (0, 29, 30, 142):
            self.assertTrue((places == must).any(1).all())
        self.assertTrue((counts[places == 30] < 0.3).all())
        # What they weigh is as if all were taken by chance.
        self.assertAlmostEqual(counts[0].sum().item(), 40 - 4 + 4 * 36 / 139, places=4)
        self.assertEqual(len(places[places == 80]) // 10, 50 * 36 // 139 // 10)
        every, counts = places_to_learn(begins, 143)
        self.assertTrue(torch.equal(every[7], torch.arange(143)))
        self.assertTrue((counts == 1).all())

    def test_tokens_at_places_are_those_of_the_whole(self):
        """Each sees those before it alone: the first n as places are the first n."""
        torch.manual_seed(0)
        gpt = painter.Painter().gpt.eval()
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
        gpt = painter.Painter().gpt.eval()
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
        t5 = T5Encoder({**painter.T5, "num_layers": 1})
        look_around(painter.bias_of(t5))
        bias = painter.bias_of(t5)[buckets(8)]  # [query, key, head]
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
