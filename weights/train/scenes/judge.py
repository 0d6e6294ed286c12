"""The judge: a detector of objects, trained on scenes drawn for it alone, and what it says of pictures.

It sees other scenes than the decoder (another seed, held-out combinations too), moved by a pixel,
blurred and with noise, as a decoder's pictures are not as clean as drawn ones.
"""
import torch
from scenes.clock import Stage, adam, set_rate
from scenes.image_tokens import full_scenes
from scenes.render import CELL
from scenes.scene import GRID, NOUNS
from torch import nn
from torch.nn import functional as F

# A centre belongs to the cell of this point a little right of and below it: centres of drawn
# objects lie on borders of cells, and a pixel more or less is to change nothing.
AHEAD = 0.25


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x):
        return F.relu(x + self.layers(x))


def halved(before, after):
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )


class Detector(nn.Module):
    """Images [batch, 3, 96, 96] in [-1, 1] -> [batch, 3 + nouns, 12, 12]: object or not, place
    (across, down) in its cell, noun."""

    def __init__(self, width=32):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            Residual(width),
            halved(width, 2 * width),
            Residual(2 * width),
            Residual(2 * width),
            halved(2 * width, 4 * width),
            Residual(4 * width),
            Residual(4 * width),
            Residual(4 * width),
            nn.Conv2d(4 * width, 8 * width, 1, bias=False),
            nn.BatchNorm2d(8 * width),
            nn.ReLU(),
            nn.Conv2d(8 * width, 3 + len(NOUNS), 1),
        )

    def forward(self, x):
        return self.layers(x)


def disturbed(x):
    """Moved by up to a pixel (a quarter of the batch at a time), partly blurred, with noise."""
    moved = []
    for part in x.chunk(4):
        across, down = torch.randint(0, 3, (2,)).tolist()
        wide = F.pad(part, (1, 1, 1, 1), mode="replicate")
        moved.append(wide[..., down : down + part.shape[2], across : across + part.shape[3]])
        moved[-1] = torch.cat([moved[-1], torch.full_like(moved[-1][:, :1], across - 1.0), torch.full_like(moved[-1][:, :1], down - 1.0)], 1)
    moved = torch.cat(moved)
    x, shift = moved[:, :3], moved[:, 3:, 0, 0]
    blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    share = torch.rand(len(x), 1, 1, 1, device=x.device) * 0.8
    noise = torch.rand(len(x), 1, 1, 1, device=x.device) * 0.1 * torch.randn_like(x)
    # The image moved left by `across - 1` pixels, so objects did too.
    return x + share * (blurred - x) + noise, -shift


def targets_of(objects, shift):
    """Per object [batch, objects]: is there, cell, and (across, down) of its centre in cells."""
    noun, size, x, y = objects.long().unbind(-1)
    centre = torch.stack([x, y], -1) + size.unsqueeze(-1) / 2 + shift[:, None, :] / CELL
    column, row = (centre + AHEAD).floor().long().clamp(0, GRID - 1).unbind(-1)
    there = noun >= 0
    cell = torch.where(there, row * GRID + column, torch.zeros_like(row))
    place = centre - torch.stack([column, row], -1)
    return there, cell, place


def loss_of(out, objects, shift):
    there, cell, place = targets_of(objects, shift)
    out = out.float().flatten(2)
    batch = torch.arange(len(out), device=out.device)[:, None].expand_as(cell)
    heat = torch.zeros(len(out), GRID * GRID + 1, device=out.device)
    nowhere = torch.full_like(cell, GRID * GRID)
    heat.scatter_(1, torch.where(there, cell, nowhere), 1.0)
    found = F.binary_cross_entropy_with_logits(out[:, 0], heat[:, :-1], reduction="sum")
    at = out[batch[there], :, cell[there]]
    noun = F.cross_entropy(at[:, 3:], objects[..., 0].long()[there], reduction="sum")
    near = (at[:, 1:3] - place[there]).abs().sum()
    return (found + noun + near) / there.sum()


def train_judge(scenes, renderer, deadline, device, precision, report, batch, rate=2e-3):
    """A trained detector, in evaluation mode."""
    network = Detector().to(device=device, memory_format=torch.channels_last)
    optimizer = adam(network.parameters(), device, rate, betas=(0.9, 0.98))
    stage = Stage("judge", deadline, device, report)
    while stage.goes_on():
        set_rate(optimizer, stage.rate(rate))
        # Half of them full of objects.
        rows, (more, grounds) = scenes.random_rows(batch // 2), full_scenes(batch // 2, device)
        objects = torch.cat([F.pad(scenes.objects[rows].long(), (0, 0, 0, 12), value=-1), more])
        grounds = torch.cat([scenes.ground[rows].long(), grounds])
        x, shift = disturbed(renderer.draw(objects, grounds)[0])
        with precision():
            out = network(x.contiguous(memory_format=torch.channels_last))
        loss = loss_of(out, objects, shift)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        stage.step(len(x))
        if stage.time_to_show():
            stage.log(loss=loss.item())
    stage.end()
    return network.eval().requires_grad_(False)


@torch.no_grad()
def detections(network, images, batch=256):
    """Per image, its objects [(noun, across, down)] with centres in cells."""
    found = []
    for x in images.split(batch):
        out = network(x.contiguous(memory_format=torch.channels_last)).float()
        heat = out[:, :1]
        best = (heat > 0) & (heat == F.max_pool2d(heat, 3, 1, 1))
        noun = out[:, 3:].argmax(1)
        for i in range(len(x)):
            rows, columns = best[i, 0].nonzero(as_tuple=True)
            place = out[i, 1:3, rows, columns].t().cpu()
            found.append(
                [
                    (int(n), float(c) + float(p[0]), float(r) + float(p[1]))
                    for n, r, c, p in zip(noun[i, rows, columns].cpu(), rows.cpu(), columns.cpu(), place)
                ]
            )
    return found


def holds(relation, a, b):
    """Whether the centre a lies so to b, more along that axis than along the other."""
    across, down = a[1] - b[1], a[2] - b[2]
    if relation in ("left", "right"):
        return abs(across) > abs(down) and (across < 0) == (relation == "left")
    return abs(down) > abs(across) and (down < 0) == (relation == "above")


def verdict(scene, found):
    """What is right of what the caption asks; None where it does not ask."""
    of = {noun: [f for f in found if f[0] == noun] for noun, _ in scene.groups}
    said = {"objects": all(of.values()), "relation": None, "row": None, "count": None, "others": False}
    said["others"] = any(f[0] not in of for f in found)
    if scene.relation:
        a, b = (of[noun] for noun, _ in scene.groups)
        said["relation"] = any(holds(scene.relation, p, q) for p in a for q in b)
    if scene.kind == "row":
        centres = [min(of[noun], key=lambda f: f[1]) if of[noun] else None for noun, _ in scene.groups]
        said["row"] = all(centres) and all(
            a[1] < b[1] and abs(a[2] - b[2]) < 1 for a, b in zip(centres, centres[1:])
        )
    if any(count > 1 for _, count in scene.groups):
        said["count"] = all(len(of[noun]) == count for noun, count in scene.groups)
    return said


def summary(scenes, found):
    """Shares of captions, among those that ask, with the number that ask."""
    said = [verdict(*pair) for pair in zip(scenes, found)]
    shares = {}
    for key in ("objects", "relation", "count", "row", "others"):
        asked = [v[key] for v in said if v[key] is not None]
        if asked:
            shares[key] = {"share": round(sum(asked) / len(asked), 4), "of": len(asked)}
    return shares
