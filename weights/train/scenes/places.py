"""Which tokens of a scene say something, and which are trained."""
import torch
from scenes.settled import cells_of
from torch.nn import functional as F


def first_seen(seen):
    """(cell that each object begins at [batch, n], whether it is seen at all); seen bool [batch, n, 144]
    (see Settled.seen_cells)."""
    return seen.float().argmax(-1), seen.any(-1)


def first_cells_of(seen):
    """bool [batch, 144]: where objects begin; seen bool [batch, 4, 144]."""
    first, there = first_seen(seen)
    return (F.one_hot(first, seen.shape[-1]).bool() & there.unsqueeze(-1)).any(1)


def places_to_learn(begins, count):
    """(int [batch, count], ascending, f32 [batch, count]): places of tokens to train, and how much each
    counts. All by chance but for the ones before and at the first token of an object, which say what begins:
    they are few and matter most. What they weigh makes up for their being taken more often than others."""
    kept = begins[:, :-1] | begins[:, 1:]
    order = torch.rand(kept.shape, device=kept.device) - kept.float()
    places = order.topk(count, largest=False).indices.sort(-1).values
    sure = kept.sum(1, keepdim=True)
    share = (count - sure).clamp_min(1) / (kept.shape[1] - sure)
    return places, torch.where(kept.gather(1, places), share, torch.ones_like(share))


def known_cells(objects, seen):
    """1 where an object has been begun, 0 for the cell that it is first seen in, those before, and the
    ground [batch, 144]: where an object begins is for chance to say, and weights there would make more
    of them begin."""
    begun = seen.long().cumsum(-1) - seen.long() > 0
    return (cells_of(objects.long()) & begun).any(1).float()
