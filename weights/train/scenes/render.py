"""Draws scenes in batches on any device, by looking up cells: an object of k cells is k x k patches."""
import numpy as np
import torch
from scenes.scene import COLOURS, GRID, SIZES
from torch.nn import functional as F

CELL = 8


class Renderer:
    """`sprites` uint8 [nouns, 64, 64, 4], RGBA."""

    def __init__(self, sprites, device):
        rgba = torch.as_tensor(np.asarray(sprites)).to(device).float().permute(0, 3, 1, 2) / 255
        # Colour times opacity, so that averaging does not bleed the colour of invisible pixels.
        rgba = torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], dim=1)
        patches, self.first = [torch.zeros(1, 4, CELL, CELL, device=device)], {}
        count = 1
        for size in SIZES:
            small = F.adaptive_avg_pool2d(rgba, size * CELL)
            cells = small.unflatten(2, (size, CELL)).unflatten(4, (size, CELL))
            cells = cells.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
            self.first[size] = count
            count += len(cells)
            patches.append(cells)
        self.patches = torch.cat(patches).half()
        first = torch.zeros(max(SIZES) + 1, dtype=torch.long)
        for size in SIZES:
            first[size] = self.first[size]
        self.first_of = first.to(device)
        self.colours = torch.tensor(list(COLOURS.values()), device=device).float() / 127.5 - 1
        self.cells = torch.arange(GRID, device=device)
        self.device = device

    def cell_map(self, objects):
        """Which patch each cell shows [batch, 12, 12]; 0 is none. objects int [batch, 4, 4]."""
        noun, size, x, y = (objects[..., i, None, None].long() for i in range(4))
        down = self.cells.view(1, 1, GRID, 1) - y
        across = self.cells.view(1, 1, 1, GRID) - x
        inside = (noun >= 0) & (down >= 0) & (down < size) & (across >= 0) & (across < size)
        patch = self.first_of[size.clamp_min(0)] + (noun * size + down) * size + across
        # Objects do not overlap: at most one of the four is inside.
        return torch.where(inside, patch, torch.zeros_like(patch)).sum(1)

    def draw(self, objects, ground):
        """Scenes as arrays (see scene.as_arrays) on the device -> images [batch, 3, 96, 96] in
        [-1, 1], and the opacity of objects [batch, 1, 96, 96]."""
        patches = self.patches[self.cell_map(objects)].permute(0, 3, 1, 4, 2, 5)
        drawn = patches.flatten(4, 5).flatten(2, 3).float()
        opacity = drawn[:, 3:]
        top, bottom = self.colours[ground.long()].unsqueeze(-1).unsqueeze(-1).unbind(1)
        share = torch.linspace(0, 1, GRID * CELL, device=self.device).view(1, 1, -1, 1)
        behind = top + (bottom - top) * share
        # Premultiplied colour c in [0, a] becomes 2c - a in [-a, a].
        return 2 * drawn[:, :3] - opacity + behind * (1 - opacity), opacity
