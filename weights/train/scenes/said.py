"""Losses that only training needs: what a caption says, what of it is still to be drawn, and where."""
import torch
from scenes.places import first_seen
from scenes.pool import MEANINGS
from scenes.scene import GRID, MOST, NOUNS
from torch import nn
from torch.nn import functional as F

# A word is a tenth of a mean: as it is, the weights that read it take thousands of steps to become large.
# With 16 nouns and after 28,000 captions T5's loss is 9.5 nats without this and 0.6 with it.
WIDE = 16.0


class Meaning(nn.Module):
    """Reads what a caption says (see pool.py) from the mean of the condition tokens, which is
    what image tokens see of a caption (their scores with condition tokens are all 0). It teaches T5
    before there is a decoder to do so, and beside it: a caption's nouns are a small part of what a
    picture's tokens tell, and 660,000 scenes without this loss taught none of them."""

    def __init__(self, dim):
        super().__init__()
        self.read = nn.Linear(dim, MEANINGS)
        nn.init.zeros_(self.read.weight)
        nn.init.constant_(self.read.bias, -6)

    def forward(self, tokens, valid, meaning):
        mean = (tokens * valid.unsqueeze(-1)).sum(1) / valid.sum(1, keepdim=True)
        return self.loss(WIDE * mean, meaning)

    def loss(self, vectors, meaning):
        """Nats a vector, 0 of none; vectors [n, dim]."""
        logits = self.read(vectors.to(self.read.weight.dtype)).float()
        wanted = torch.zeros(len(logits), MEANINGS + 1, device=logits.device)
        places = meaning.long()
        wanted.scatter_(1, torch.where(places >= 0, places, torch.full_like(places, MEANINGS)), 1.0)
        return F.binary_cross_entropy_with_logits(logits, wanted[:, :-1], reduction="sum") / max(1, len(logits))


class Left(nn.Module):
    """Reads which things are still to be drawn, and how many, from what a middle layer makes of image
    tokens. Without it a decoder learned in 38,000 scenes of 253 things to draw each of them, and began
    them without regard to the caption: of 144 tokens two depend on its nouns, and each on where
    others have begun."""

    def __init__(self, dim):
        super().__init__()
        self.read = nn.Linear(dim, len(NOUNS) + MOST + 1)
        nn.init.zeros_(self.read.weight)
        nn.init.constant_(self.read.bias, -4)

    def forward(self, states, nouns, count):
        """Nats a state; states [n, dim], nouns bool [n, nouns], count int [n]."""
        logits = self.read(unit(states).to(self.read.weight.dtype)).float()
        which, many = logits.split([len(NOUNS), MOST + 1], -1)
        said = F.binary_cross_entropy_with_logits(which, nouns.float(), reduction="sum")
        return (said + F.cross_entropy(many, count, reduction="sum")) / len(states)


class Next(nn.Module):
    """Reads which thing begins next, or that none does, from what a middle layer makes of image tokens. Only
    the tokens that begin things depend on what a relation says, two of 144: after 156,000 scenes without this
    loss 15 % of what the decoder gave to the first of two was for the lower one."""

    def __init__(self, dim):
        super().__init__()
        self.read = nn.Linear(dim, len(NOUNS) + 1)
        nn.init.zeros_(self.read.weight)

    def forward(self, states, noun):
        """Nats a state; states [n, dim], noun int [n], len(NOUNS) for none."""
        return F.cross_entropy(self.read(unit(states).to(self.read.weight.dtype)).float(), noun)


class Where(nn.Module):
    """Reads the row and the column of the next token from what an early layer makes of image tokens. RoPE
    says how far tokens are apart, and nothing says where they are: trained without this loss for 156,000
    scenes, things began at the right edge and went on at the left."""

    def __init__(self, dim):
        super().__init__()
        self.read = nn.Linear(dim, 2 * GRID)
        nn.init.zeros_(self.read.weight)

    def forward(self, states, places):
        """Nats a state; states [n, dim], places int [n] of the next tokens."""
        logits = self.read(unit(states).to(self.read.weight.dtype)).float()
        rows, columns = logits.split(GRID, -1)
        return F.cross_entropy(rows, places // GRID) + F.cross_entropy(columns, places % GRID)


def unit(states):
    """Each of root mean square 1, in f32."""
    return F.normalize(states.float(), dim=-1) * states.shape[-1] ** 0.5


def left_to_draw(objects, seen, places):
    """(nouns bool [batch, n, nouns], count [batch, n], next [batch, n], len(NOUNS) for none) of those whose
    first cell is not before the places [batch, n]; objects [batch, 4, 4], seen bool [batch, 4, 144] (see
    Settled.seen_cells)."""
    first, there = first_seen(seen)
    ahead = there.unsqueeze(1) & (first.unsqueeze(1) >= places.unsqueeze(-1))
    nouns = torch.zeros(*places.shape, len(NOUNS), device=places.device)
    which = objects[..., 0].long().clamp_min(0).unsqueeze(1).expand_as(ahead)
    cells = seen.shape[-1]
    nearest = first.unsqueeze(1).masked_fill(~ahead, cells).min(-1)
    begins = which.gather(2, nearest.indices.unsqueeze(-1)).squeeze(-1)
    begins = begins.masked_fill(nearest.values == cells, len(NOUNS))
    return nouns.scatter_add_(2, which, ahead.float()) > 0, ahead.sum(-1), begins
