"""What is drawn and what is said of it: scenes of one to four objects, and captions.

A scene lies on a grid of 12x12 cells of 8 pixels, the cells of the image tokenizer: objects are 3, 4
or 6 cells wide and begin at cell borders, so that an object of one size has few sets of tokens
and a model of seven million parameters can learn all of them. Pairs of nouns and counts of nouns
whose hash says so are never trained: what the model makes of them is how it is judged.
"""
import json
from pathlib import Path

import numpy as np

GRID = 12
SIZES = (3, 4, 6)
MOST = 4
NOUNS = json.loads((Path(__file__).parent / "nouns.json").read_text())
# Those that are drawn: places in NOUNS.
KEPT = list(range(len(NOUNS)))
COLOURS = {
    "white": (255, 255, 255),
    "gray": (176, 176, 180),
    "yellow": (255, 226, 110),
    "orange": (255, 182, 108),
    "pink": (255, 188, 210),
    "red": (226, 98, 92),
    "light blue": (176, 218, 242),
    "blue": (88, 136, 222),
    "dark blue": (44, 56, 110),
    "light green": (182, 228, 164),
    "green": (98, 172, 98),
    "turquoise": (92, 202, 196),
    "purple": (164, 124, 208),
    "brown": (154, 114, 84),
    "beige": (240, 228, 204),
}
COLOUR_NAMES = tuple(COLOURS)
WORDS = {1: ("one",), 2: ("two", "two", "2"), 3: ("three", "three", "3"), 4: ("four", "four", "4")}
# How a caption says that the first is there; the place of the first as seen from the second.
RELATIONS = {
    "left": ("{} to the left of {}", "{} left of {}", "{} on the left of {}"),
    "right": ("{} to the right of {}", "{} right of {}", "{} on the right of {}"),
    "above": ("{} above {}", "{} over {}", "{} on top of {}"),
    "below": ("{} below {}", "{} under {}", "{} beneath {}"),
}
OPENINGS = ("", "", "", "", "", "", "a picture of ", "a drawing of ", "an image of ", "draw ")
PLAIN = (" on a {} ground", " on a {} background", " on {}", ", {} background")
FADING = (" on a ground fading from {} to {}", " on a gradient from {} to {}", " on {} fading to {}")
KINDS = ("single", "relation", "count", "row", "groups", "pair")
SHARES = (0.10, 0.44, 0.24, 0.10, 0.06, 0.06)


def is_held_out(a, b):
    """Whether this pair of different nouns is never trained: one in ten."""
    low, high = min(a, b), max(a, b)
    return ((low * 7919 + high * 104729 + 12345) * 2654435761 >> 16) % 10 == 0


def is_held_out_count(noun, count):
    """Whether this number (two or more) of this noun is never trained: one in ten."""
    return count > 1 and ((noun * 15485863 + count * 32452843) * 2654435761 >> 16) % 10 == 0


def keep_nouns(count, first=()):
    """Draws and names only so many nouns: `first`, and others spread over the table. They keep their
    places in it, so that what is held out stays so when more are kept later."""
    others = [i for i in range(len(NOUNS)) if i not in first]
    spread = np.linspace(0, len(others) - 1, max(0, count - len(first))).round().astype(int)
    KEPT[:] = sorted([*first[:count], *(others[i] for i in spread)])


def bare(name):
    """A noun without its article."""
    return name.split(" ", 1)[1]


class Scene:
    """`groups` [(noun, count)] as the caption names them; `relation` of the first to the second;
    `objects` [(noun, size, x, y)] in cells; `ground` (colour at the top, colour at the bottom)."""

    def __init__(self, kind, groups, relation, objects, ground, caption):
        self.kind, self.groups, self.relation = kind, groups, relation
        self.objects, self.ground, self.caption = objects, ground, caption

    def holds_out(self):
        nouns = [noun for noun, _ in self.groups]
        pairs = ((a, b) for i, a in enumerate(nouns) for b in nouns[i + 1 :])
        return any(is_held_out_count(*g) for g in self.groups) or any(is_held_out(*p) for p in pairs)


class Scenes:
    """An endless source of scenes. `held_out`: False never, True always, None whatever comes."""

    def __init__(self, seed, held_out=False):
        self.random = np.random.default_rng(seed)
        self.held_out = held_out
        self.ahead = iter(())

    def upto(self, bound):
        """A number from 0 to below `bound`; drawn ahead in blocks, which is ten times faster."""
        u = next(self.ahead, None)
        if u is None:
            self.ahead = iter(self.random.random(4096).tolist())
            u = next(self.ahead)
        return int(u * bound)

    def one_of(self, choices):
        return choices[self.upto(len(choices))]

    def scene(self, kinds=KINDS, shares=SHARES):
        """Draws until held-out combinations are as asked."""
        kind = self.kind_of(kinds, shares)
        while True:
            groups = self.groups_of(kind)
            relation = self.one_of(tuple(RELATIONS)) if kind == "relation" else None
            scene = Scene(kind, groups, relation, None, None, None)
            if self.held_out is None or scene.holds_out() == self.held_out:
                break
        scene.in_row = kind == "row" or (kind == "count" and self.upto(4) == 0)
        scene.objects = None
        while scene.objects is None:
            scene.objects = self.placed(scene)
        top = self.one_of(COLOUR_NAMES)
        bottom = self.one_of(COLOUR_NAMES) if self.upto(10) < 3 else top
        scene.ground = (top, bottom)
        scene.caption = self.caption(scene)
        return scene

    def kind_of(self, kinds, shares):
        at = self.upto(1_000_000) / 1_000_000 * sum(shares)
        for kind, share in zip(kinds, shares):
            at -= share
            if at < 0:
                return kind
        return kinds[-1]

    def groups_of(self, kind):
        """Different nouns, each with its count."""
        counts = {
            "single": (1,),
            "relation": (1, 1),
            "pair": (1, 1),
            "count": (2 + self.upto(3),),
            "row": self.one_of(((1, 1), (1, 1, 1))),
            "groups": self.one_of(((1, 2), (2, 1), (2, 2), (1, 3), (3, 1), (1, 1, 1), (1, 1, 2))),
        }[kind]
        nouns = []
        while len(nouns) < len(counts):
            noun = self.one_of(KEPT)
            if noun not in nouns:
                nouns.append(noun)
        return list(zip(nouns, counts))

    def placed(self, scene):
        """Objects that do not overlap, or None where chance left no room."""
        nouns = [noun for noun, count in scene.groups for _ in range(count)]
        if scene.in_row:
            return self.row(nouns)
        if scene.relation:
            return self.related(nouns, scene.relation)
        sizes = {1: (4, 6, 6), 2: (4, 4, 6), 3: (4,), 4: (3, 4, 4)}[len(nouns)]
        one_size = self.one_of(sizes) if len(scene.groups) == 1 else None
        objects = []
        for noun in nouns:
            size = one_size or self.one_of(sizes)
            for _ in range(12):
                x, y = self.upto(GRID - size + 1), self.upto(GRID - size + 1)
                if all(apart(x, y, size, *other[1:]) for other in objects):
                    objects.append((noun, size, x, y))
                    break
            else:
                return None
        return objects

    def row(self, nouns):
        size = self.one_of({2: (4, 4, 6), 3: (3, 4, 4), 4: (3,)}[len(nouns)])
        room = GRID - size * len(nouns)
        gap = self.upto(min(2, room // (len(nouns) - 1)) + 1)
        left = self.upto(room - gap * (len(nouns) - 1) + 1)
        y = self.upto(GRID - size + 1)
        return [(noun, size, left + i * (size + gap), y) for i, noun in enumerate(nouns)]

    def related(self, nouns, relation):
        """The first left of (...) the second: clear of it along one axis, near its line on the other."""
        a, b = self.one_of((4, 6)), self.one_of((4, 6))
        first, second = (a, b) if relation in ("left", "above") else (b, a)
        low = self.upto(GRID - first - second + 1)
        high = low + first + self.upto(GRID - second - low - first + 1)
        along = (low, high) if relation in ("left", "above") else (high, low)
        across_a = self.upto(GRID - a + 1)
        middle = across_a + (a - b) // 2 + self.upto(3) - 1
        across_b = min(max(middle, 0), GRID - b)
        if relation in ("left", "right"):
            return [(nouns[0], a, along[0], across_a), (nouns[1], b, along[1], across_b)]
        return [(nouns[0], a, across_a, along[0]), (nouns[1], b, across_b, along[1])]

    def named(self, noun, count):
        name = self.one_of(NOUNS[noun]["names"]) if self.upto(3) == 0 else NOUNS[noun]["names"][0]
        if count == 1:
            return f"one {bare(name['one'])}" if self.upto(12) == 0 else name["one"]
        return f"{self.one_of(WORDS[count])} {name['many']}"

    def caption(self, scene):
        parts = [self.named(*group) for group in scene.groups]
        if scene.relation:
            text = self.one_of(RELATIONS[scene.relation]).format(*parts)
        else:
            text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
        if scene.in_row:
            text += self.one_of((" in a row", " in a row", " side by side"))
        text = self.one_of(OPENINGS) + text
        scene.says_ground = self.upto(10) < 6
        if scene.says_ground:
            top, bottom = scene.ground
            text += self.one_of(PLAIN if top == bottom else FADING).format(top, bottom)
        return text


def apart(x, y, size, other_size, other_x, other_y):
    return (
        x + size <= other_x
        or other_x + other_size <= x
        or y + size <= other_y
        or other_y + other_size <= y
    )


def as_arrays(scenes):
    """objects int16 [n, 4, 4] (noun, or -1; size; x; y) and ground int16 [n, 2], for render.py."""
    objects = np.full((len(scenes), MOST, 4), -1, np.int16)
    for row, scene in zip(objects, scenes):
        row[: len(scene.objects)] = scene.objects
    colours = {name: i for i, name in enumerate(COLOUR_NAMES)}
    ground = np.array([[colours[c] for c in scene.ground] for scene in scenes], np.int16)
    return objects, ground
