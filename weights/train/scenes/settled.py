"""Which code each cell of a scene has: chosen by what cells look like, before anything is trained.

An encoder that chooses its codes itself tells something of the whole picture with each: on 64 things
and after 140,000 pictures a cell of plain ground had 3.6 nats of codes (2.2 given its place), and such
cells are half of all. A decoder learned this by heart in place of the nouns. Here a code belongs to a
shade of the ground, to the first cell of a thing, or to cells of things that look alike, and the
tokenizer learns to draw these and to give them.
"""
import torch
from scenes.image_tokens import CONFIG
from scenes.render import CELL
from scenes.scene import COLOURS, GRID, NOUNS, SIZES
from torch.nn import functional as F

# Cells whose mean opacity is less are ground.
SEEN = 0.02
# Colours of fading grounds that lie in one cube of so many levels of 255 have one code.
SHADE = 28
# Rounds of the search for cells that look alike.
ROUNDS = 25


class Settled:
    """`patch` int64 [patches of the renderer], -1 for ground; `shade` int64 [colours, colours, 12], of
    each row of a ground that fades from one colour to another; `looks` f32 [codes, 4, 8, 8], what is
    seen of each code: colour times opacity, and opacity.

    All sizes of a thing begin with one code, which no other thing has: what is begun is one choice.
    All nouns have theirs whether they are drawn or not, so that more can be drawn later."""

    def __init__(self, renderer):
        self.renderer, device = renderer, renderer.device
        size = CONFIG["codebook_size"]
        self.shade = shades_of(renderer.colours)
        shades = int(self.shade.max()) + 1
        # A tiny codebook, as in tests, has room for few of each.
        firsts = min(len(NOUNS), (size - shades) // 2)
        if firsts < 1:
            raise ValueError(f"{shades} shades of the ground leave no codes of {size} for things")
        seen = renderer.patches[:, 3].float().mean((1, 2)) >= SEEN
        first = first_cells(renderer, seen)
        places = (seen & ~first.any(0)).nonzero()[:, 0]
        alike, centres = clusters(renderer.patches[places].float().flatten(1), size - shades - firsts)
        self.patch = torch.full((len(seen),), -1, device=device)
        self.patch[places] = shades + firsts + alike
        for noun, cells in enumerate(first):
            self.patch[cells] = shades + noun % firsts
        self.looks = torch.zeros(size, 4, CELL, CELL, device=device)
        self.looks[self.shade.flatten(), :3] = ground_colours(renderer.colours).flatten(0, 2)[..., None, None]
        self.looks[shades : shades + firsts] = F.adaptive_avg_pool2d(whole(renderer), CELL)[:firsts]
        self.looks[shades + firsts :][: len(centres)] = centres.unflatten(1, (4, CELL, CELL))

    def state(self):
        """As tensors that f16 holds without loss."""
        return {"patch": self.patch.float(), "shade": self.shade.float()}

    def load_state(self, state):
        """Those that a run before had: on other devices the same search may end otherwise."""
        for name in ("patch", "shade"):
            getattr(self, name).copy_(state[name].long())

    @property
    def begins(self):
        """bool [codes]: those that things begin with."""
        codes = torch.zeros(CONFIG["codebook_size"], dtype=torch.bool, device=self.patch.device)
        seen = self.patch >= 0
        codes[self.patch[first_cells(self.renderer, seen).any(0)]] = True
        return codes

    def codes(self, objects, ground):
        """Scenes as arrays on the device (see scene.as_arrays) -> codes int64 [batch, 12, 12]."""
        patch = self.patch[self.renderer.cell_map(objects)]
        top, bottom = ground.long().unbind(1)
        return torch.where(patch >= 0, patch, self.shade[top, bottom].unsqueeze(-1))

    def seen_cells(self, objects):
        """bool [batch, 4, 144]: where each object is seen; objects int [batch, 4, 4]."""
        patch = self.patch[self.renderer.cell_map(objects)].flatten(1)
        return cells_of(objects.long()) & (patch >= 0).unsqueeze(1)

    def vectors(self):
        """A codebook to begin with [codes, 8]: what looks alike lies together (the first principal
        components), and cells that things begin with lie apart, like each other as the things are."""
        size = CONFIG["codebook_embed_dim"]
        looks = self.looks.flatten(1)
        looks = looks - looks.mean(0)
        _, spread, ways = torch.linalg.svd(looks, full_matrices=False)
        parts = looks @ ways[: size - 1].t() / (spread[: size - 1] / len(looks) ** 0.5)
        side = torch.where(self.begins, -1.0, 1.0).unsqueeze(1)
        return F.normalize(torch.cat([parts, 1.5 * side], 1), dim=1)


def whole(renderer):
    """The things themselves at their largest size [nouns, 4, 48, 48]."""
    size, first = SIZES[-1], renderer.first[SIZES[-1]]
    cells = renderer.patches[first : first + len(NOUNS) * size * size].float()
    return cells.view(-1, size, size, 4, CELL, CELL).permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)


def first_cells(renderer, seen):
    """bool [nouns, patches]: where each thing is first seen, one cell for each size."""
    first = torch.zeros(len(NOUNS), len(seen), dtype=torch.bool, device=seen.device)
    for size in SIZES:
        begin, cells = renderer.first[size], size * size
        of = seen[begin : begin + len(NOUNS) * cells].view(-1, cells)
        nouns = torch.arange(len(NOUNS), device=seen.device)[of.any(1)]
        first[nouns, begin + nouns * cells + of[nouns].float().argmax(1)] = True
    return first


def clusters(rows, count):
    """k-means (Lloyd 1982): the cluster of each row, and the means; fewer where there are fewer rows."""
    chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:count]
    centres = rows[chosen.to(rows.device)].clone()
    for _ in range(ROUNDS):
        nearest = ((rows @ centres.t()) * -2 + centres.square().sum(1)).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, rows)
        counts = torch.bincount(nearest, minlength=len(centres)).unsqueeze(1)
        # One that nothing is near to stays where it is.
        centres = torch.where(counts > 0, sums / counts.clamp_min(1), centres)
    return nearest, centres


def cells_of(objects):
    """bool [batch, 4, 144]: the cells of each object [batch, 4, 4]."""
    noun, size, x, y = objects.unsqueeze(-1).unbind(2)
    cells = torch.arange(GRID * GRID, device=objects.device)
    across, down = cells % GRID - x, cells // GRID - y
    return (noun >= 0) & (across >= 0) & (across < size) & (down >= 0) & (down < size)


def ground_colours(colours):
    """[colours, colours, 12, 3] in [-1, 1]: of each row of a ground from one colour to another."""
    share = (torch.arange(GRID, device=colours.device) + 0.5) / GRID
    top, bottom = colours[:, None, None], colours[None, :, None]
    return top + (bottom - top) * share[:, None]


def shades_of(colours):
    """For each row of each ground [colours, colours, 12], which of few shades it has: one for each
    plain colour, one for each cube of the others. `colours` [n, 3] in [-1, 1]."""
    cube = ((ground_colours(colours) + 1) * 127.5 / SHADE).round().long()
    side = int(cube.max()) + 1
    key = (cube[..., 0] * side + cube[..., 1]) * side + cube[..., 2] + len(colours)
    plain = torch.arange(len(colours), device=colours.device)
    key[plain, plain] = plain[:, None]
    return torch.unique(key, return_inverse=True)[1]
