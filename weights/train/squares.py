"""Squares of plain colours in place of emoji, for tests."""
from functools import cache

import numpy as np
import torch
from scenes.render import Renderer
from scenes.scene import NOUNS
from scenes.settled import Settled


def sprites():
    """A square of its own colour for each noun, as RGBA."""
    colours = np.random.default_rng(0).integers(0, 256, (len(NOUNS), 3))
    pictures = np.zeros((len(NOUNS), 64, 64, 4), np.uint8)
    pictures[:, 8:56, 8:56, :3] = colours[:, None, None]
    pictures[:, 8:56, 8:56, 3] = 255
    return pictures


@cache
def settled_squares():
    return Settled(Renderer(sprites(), torch.device("cpu")))
