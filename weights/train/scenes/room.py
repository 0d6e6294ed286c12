"""Where things have no room to begin: at borders, and beside what has begun."""
import torch
from scenes.places import first_seen
from scenes.scene import GRID, NOUNS, SIZES
from scenes.settled import first_cells

# Sizes of things by how many there are (see Scenes.placed, row and related).
FEW, MANY = (4, 6), (3, 4)


class Room:
    def __init__(self, settled):
        renderer, seen = settled.renderer, settled.patch >= 0
        first = first_cells(renderer, seen)
        # Of each noun and size, how far its first seen cell lies below and right of its corner.
        self.corner = torch.zeros(len(NOUNS), max(SIZES) + 1, 2, dtype=torch.long, device=seen.device)
        for size in SIZES:
            begin, cells = renderer.first[size], size * size
            of = first[:, begin : begin + len(NOUNS) * cells].view(len(NOUNS), len(NOUNS), cells)
            at = of.diagonal().t().float().argmax(-1)
            self.corner[:, size] = torch.stack([at // size, at % size], -1)
        self.sizes = torch.tensor([FEW, MANY], device=seen.device)

    def none(self, objects, seen, places):
        """bool [batch, n, 4]: things that none of their sizes lets begin at the places [batch, n], beside what
        has begun before; objects int [batch, 4, 4], seen bool [batch, 4, 144]."""
        noun, size, x, y = objects.unbind(-1)
        there, (first, begun) = noun >= 0, first_seen(seen)
        sizes = self.sizes[(there.sum(1) > 2).long()][:, None, None]
        corner = self.corner[noun.clamp_min(0)[..., None], sizes[:, 0]][:, None]
        top = (places // GRID)[:, :, None, None] - corner[..., 0]
        left = (places % GRID)[:, :, None, None] - corner[..., 1]
        room = (top >= 0) & (left >= 0) & (top + sizes <= GRID) & (left + sizes <= GRID)
        begun = begun[:, None] & (first[:, None] < places[..., None])
        for other in range(objects.shape[1]):
            of_x, of_y, of_size = (part[:, other, None, None, None] for part in (x, y, size))
            across = (left < of_x + of_size) & (of_x < left + sizes)
            down = (top < of_y + of_size) & (of_y < top + sizes)
            room &= ~(across & down & begun[:, :, other, None, None])
        return there[:, None] & ~room.any(-1)

