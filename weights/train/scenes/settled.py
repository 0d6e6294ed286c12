"""Codes that do not depend on what is around: one for each cell of each object, one for each shade of
the ground.

The encoder's norms and attention see the whole picture, so its codes tell something of all of it: on
64 things and after 140,000 pictures a cell of plain ground had 3.6 nats of them (2.2 given its place),
and such cells are half of all. A decoder learned this by heart in place of the nouns. Here each cell
gets a code that the encoder often gives it, and the tokenizer then learns to give and to draw these.
"""
import torch
from scenes.clock import Stage
from scenes.image_tokens import CONFIG, encode, full_scenes
from scenes.render import CELL
from scenes.scene import COLOURS, GRID, KEPT, NOUNS, SIZES
from torch.nn import functional as F

# Cells whose mean opacity is less are ground.
SEEN = 0.02
# Colours of fading grounds that lie in one cube of so many levels of 255 have one code.
SHADE = 28
# How much less often than the first a code may be given, for each cell that has it already.
SHARED = 0.05


class Settled:
    """`patch` int64 [patches of the renderer], -1 for ground; `shade` int64 [colours, colours, 12], of
    each row of a ground that fades from one colour to another; both -1 where nothing is settled yet."""

    def __init__(self, renderer):
        self.renderer, device = renderer, renderer.device
        self.patch = torch.full((len(renderer.patches),), -1, device=device)
        self.shade = torch.full((len(COLOURS), len(COLOURS), GRID), -1, device=device)

    def codes(self, objects, ground):
        """Scenes as arrays on the device (see scene.as_arrays) -> codes int64 [batch, 12, 12]."""
        patch = self.patch[self.renderer.cell_map(objects)]
        top, bottom = ground.long().unbind(1)
        return torch.where(patch >= 0, patch, self.shade[top, bottom].unsqueeze(-1))

    def seen_cells(self, objects):
        """bool [batch, 4, 144]: where each object is seen; objects int [batch, 4, 4]."""
        patch = self.patch[self.renderer.cell_map(objects)].flatten(1)
        return cells_of(objects.long()) & (patch >= 0).unsqueeze(1)

    def first_codes(self):
        """bool [codes]: those that objects begin with."""
        begins = torch.zeros(CONFIG["codebook_size"], dtype=torch.bool, device=self.patch.device)
        for size in SIZES:
            first = self.renderer.first[size]
            cells = self.patch[first : first + len(NOUNS) * size * size].view(-1, size * size)
            cells = cells[(cells >= 0).any(1)]
            begins[cells.gather(1, (cells >= 0).float().argmax(1, keepdim=True))] = True
        return begins

    def state(self):
        """As tensors that f16 holds without loss."""
        return {"patch": self.patch.float(), "shade": self.shade.float()}

    def load_state(self, state):
        for name in ("patch", "shade"):
            getattr(self, name).copy_(state[name].long())

    def wanted(self):
        """Places of patches that are drawn and have something to see."""
        seen = self.renderer.patches[:, 3].float().mean((1, 2)) >= SEEN
        kept = torch.zeros_like(seen)
        for size in SIZES:
            cells, first = size * size, self.renderer.first[size]
            for noun in KEPT:
                kept[first + noun * cells : first + (noun + 1) * cells] = True
        return seen & kept

    @torch.no_grad()
    def settle(self, network, scenes, deadline, precision, report, batch=128):
        """Gives codes to patches and shades that have none, by how often the encoder gives which."""
        wanted = self.wanted() & (self.patch < 0)
        if not wanted.any():
            return
        shades = shades_of(self.renderer.colours)
        counts = Counts(len(self.patch), int(shades.max()) + 1, self.renderer.device)
        stage = Stage("settled", deadline, self.renderer.device, report)
        while stage.goes_on() or counts.missing(wanted) > 0.01:
            rows = scenes.random_rows(batch // 2)
            more, grounds = full_scenes(batch // 2, self.renderer.device)
            objects = F.pad(scenes.objects[rows].long(), (0, 0, 0, more.shape[1] - 4), value=-1)
            objects, ground = torch.cat([objects, more]), torch.cat([scenes.ground[rows].long(), grounds])
            x, opacity = self.renderer.draw(objects, ground)
            with precision():
                _, codes, _ = encode(network, x)
            top, bottom = ground.unbind(1)
            behind = shades[top, bottom].unsqueeze(-1).expand(-1, -1, GRID)
            counts.add(self.renderer.cell_map(objects), F.avg_pool2d(opacity, CELL)[:, 0], behind, codes)
            stage.step(batch)
        if (self.shade < 0).any():
            self.shade.copy_(given(counts.shade, SHARED)[shades])
        # A code of the ground says that a cell is ground.
        counts.patch[:, self.shade.flatten()] = 0
        chosen = given(counts.patch[wanted], SHARED, self.uses())
        self.patch[wanted] = chosen
        stage.end(patches=int((self.patch >= 0).sum()), codes=len(torch.unique(self.patch)))

    def uses(self):
        """How many cells have each code already."""
        settled = self.patch[self.patch >= 0]
        return torch.bincount(settled, minlength=CONFIG["codebook_size"]).float()


def cells_of(objects):
    """bool [batch, 4, 144]: the cells of each object [batch, 4, 4]."""
    noun, size, x, y = objects.unsqueeze(-1).unbind(2)
    cells = torch.arange(GRID * GRID, device=objects.device)
    across, down = cells % GRID - x, cells // GRID - y
    return (noun >= 0) & (across >= 0) & (across < size) & (down >= 0) & (down < size)


class Counts:
    """How often each patch, and each shade of the ground, had which code."""

    def __init__(self, patches, shades, device):
        size = CONFIG["codebook_size"]
        self.patch = torch.zeros(patches, size, device=device)
        self.shade = torch.zeros(shades, size, device=device)

    def add(self, patch, opacity, shade, codes):
        ground = opacity < SEEN
        for counts, places, among in ((self.patch, patch, ~ground), (self.shade, shade, ground)):
            where = places[among] * counts.shape[1] + codes[among]
            counts.view(-1).index_add_(0, where, torch.ones_like(where, dtype=counts.dtype))

    def missing(self, wanted):
        """The share of wanted patches that were never seen."""
        return ((self.patch[wanted].sum(1) == 0).float().mean()).item()


def given(counts, shared, uses=None):
    """A code for each row of counts [rows, codes]: one of those that it had most, and few others have."""
    shares = (counts / counts.sum(1, keepdim=True).clamp_min(1)).cpu()
    uses = torch.zeros(shares.shape[1]) if uses is None else uses.cpu()
    chosen = torch.zeros(len(shares), dtype=torch.long)
    # Those that are surest first.
    for row in shares.amax(1).argsort(descending=True).tolist():
        code = (shares[row] - shared * uses).argmax()
        chosen[row] = code
        uses[code] += 1
    return chosen.to(counts.device)


def shades_of(colours):
    """For each row of each ground [colours, colours, 12], which of few shades it has: one for each
    plain colour, one for each cube of the others. `colours` [n, 3] in [-1, 1]."""
    share = (torch.arange(GRID, device=colours.device) + 0.5) / GRID
    top, bottom = colours[:, None, None], colours[None, :, None]
    levels = (top + (bottom - top) * share[:, None] + 1) * 127.5
    cube = (levels / SHADE).round().long()
    side = int(cube.max()) + 1
    key = (cube[..., 0] * side + cube[..., 1]) * side + cube[..., 2] + len(colours)
    plain = torch.arange(len(colours), device=colours.device)
    key[plain, plain] = plain[:, None]
    return torch.unique(key, return_inverse=True)[1]
