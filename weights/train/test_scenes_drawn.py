"""Scenes, their captions, pictures and codes."""
import unittest

import numpy as np
import torch
from scenes import judge
from scenes.places import first_cells_of, known_cells
from scenes.pool import LENGTH, MEANINGS, OF_COUNT, OF_GROUND, OF_RELATION, OF_ROW, SceneSet, made, meaning_of, padded
from scenes.render import Renderer
from scenes.scene import COLOUR_NAMES, COLOURS, GRID, MOST, NOUNS, RELATIONS, Scene, Scenes, apart, as_arrays
from scenes.settled import Settled, clusters
from scenes.vocabulary import END, UNKNOWN, Words
from squares import settled_squares, sprites


class Drawn(unittest.TestCase):
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
        begun = codes[first_cells_of(settled.seen_cells(objects))]
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
        known = known_cells(objects, seen)[0].nonzero()[:, 0].tolist()
        self.assertEqual(known, cells[1:])
        self.assertEqual(first_cells_of(seen)[0].nonzero()[:, 0].tolist(), [place])

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
