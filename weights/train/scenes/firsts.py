"""Which of two named things begins first, by what a caption says of them and by where something begins."""
import torch
from scenes.places import first_seen
from scenes.pool import OF_RELATION, OF_ROW
from scenes.scene import GRID, RELATIONS
from torch.nn import functional as F

CELLS = GRID * GRID
# What a caption says of how two things lie: a relation, a row, or nothing.
ORDERS = len(RELATIONS) + 2


def order_of(meaning):
    """int [n] of captions (see pool.py)."""
    kinds = torch.arange(OF_RELATION, OF_ROW + 1, device=meaning.device)
    said = (meaning.long().unsqueeze(-1) == kinds).any(1)
    return torch.where(said.any(1), said.long().argmax(1), len(kinds))


def two_things(objects):
    """bool [n]: whether there are two, and different; objects [n, 4, 4]."""
    there = objects[..., 0] >= 0
    return (there.sum(1) == 2) & there[:, 1] & (objects[:, 0, 0] != objects[:, 1, 0])


class Firsts:
    """Counted over scenes. A picture says at one token which of two things begins, and this what it would have
    been at all tokens before: 15 times as many examples of what a caption says."""

    def __init__(self, scenes, settled, least=20):
        counts = torch.zeros(2, ORDERS * CELLS, device=scenes.device)
        for rows in torch.arange(len(scenes), device=scenes.device).split(8192):
            objects = scenes.objects[rows].long()
            two = two_things(objects)
            first, named_first = first_of_two(settled.seen_cells(objects[two]))
            at = order_of(scenes.meaning[rows][two]) * CELLS + first
            counts[0] += at.bincount(minlength=counts.shape[1])
            counts[1] += at[named_first].bincount(minlength=counts.shape[1])
        self.share = (counts[1] / counts[0].clamp_min(1)).view(ORDERS, -1)
        self.known = (counts[0] >= least).view(ORDERS, -1)

    def __call__(self, objects, seen, meaning, places):
        """(share that the first named has, which of them count), both [batch, n], of places [batch, n] up to
        where the first of two things begins."""
        order = order_of(meaning)[:, None].expand_as(places)
        first, _ = first_of_two(seen)
        counts = two_things(objects)[:, None] & (places <= first[:, None]) & self.known[order, places]
        return self.share[order, places], counts & both_inside(objects, seen, places)


def first_of_two(seen):
    """(the cell that the first of the first two things begins at, whether that is the first named one);
    seen [n, 4, cells]."""
    cells, _ = first_seen(seen[:, :2])
    return cells.min(-1).values, cells[:, 0] < cells[:, 1]


def both_inside(objects, seen, places):
    """bool [batch, n]: whether neither of the first two things would go over a side, were it to begin there."""
    sizes, x = objects[:, :2, 1, None], objects[:, :2, 2, None]
    first, _ = first_seen(seen[:, :2])
    left = places[:, None] % GRID - (first[..., None] % GRID - x)
    return ((left >= 0) & (left + sizes <= GRID)).all(1)


def loss_of_two(logits, codes, share):
    """Nats; logits [n, codes], codes [n, 2] of the two, share [n] that the first has."""
    said = F.log_softmax(logits, -1).gather(-1, codes)
    return -(share * said[:, 0] + (1 - share) * said[:, 1]).sum() / max(1, len(said))
