"""Scenes in bulk: made by processes while the device trains, kept on the device."""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from scenes.scene import MOST, Scenes, as_arrays
from scenes.vocabulary import PAD, Words

LENGTH = 32
ROLES = {"left": (0, 1), "right": (1, 0), "above": (2, 3), "below": (3, 2)}
ROLE_COUNT = 7


def meaning_of(scene):
    """int [3, 3]: noun, count, role (left, right, above, below, first to third in a row; or -1)."""
    rows = np.full((3, 3), -1, np.int16)
    for i, (noun, count) in enumerate(scene.groups):
        role = ROLES[scene.relation][i] if scene.relation else 4 + i if scene.kind == "row" else -1
        rows[i] = noun, count, role
    return rows


def padded(ids):
    """Left-padded to LENGTH; longer captions lose words before the end token."""
    ids = [*ids[: LENGTH - 1], ids[-1]] if len(ids) > LENGTH else ids
    return [PAD] * (LENGTH - len(ids)) + ids


def made(seed, count, held_out):
    """(objects, ground, ids, meaning) of `count` scenes, as numpy arrays."""
    words, source = Words(), Scenes(seed, held_out)
    scenes = [source.scene() for _ in range(count)]
    return pack(scenes, words)


def pack(scenes, words):
    objects, ground = as_arrays(scenes)
    ids = np.array([padded(words.ids(s.caption)) for s in scenes], np.int16)
    return objects, ground, ids, np.stack([meaning_of(s) for s in scenes])


class Pool:
    """Processes that make scenes; start it before the device is touched."""

    def __init__(self, workers):
        self.executor = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork"))
        # Processes start with the first task: now, before CUDA.
        self.executor.submit(made, 0, 1, False).result()

    def ask(self, seed, chunks, per_chunk, held_out):
        jobs = ((seed * 100_003 + i, per_chunk, held_out) for i in range(chunks))
        return [self.executor.submit(made, *job) for job in jobs]

    def close(self):
        self.executor.shutdown(wait=False, cancel_futures=True)


class SceneSet:
    """Scenes on the device. `parts` are results of `made`."""

    def __init__(self, parts, device):
        columns = [np.concatenate(column) for column in zip(*parts)]
        self.objects, self.ground, self.ids, self.meaning = (
            torch.from_numpy(column).to(device) for column in columns
        )
        self.device = device

    def __len__(self):
        return len(self.objects)

    def random_rows(self, count):
        return torch.randint(len(self), (count,), device=self.device)

    def draw(self, renderer, rows):
        return renderer.draw(self.objects[rows], self.ground[rows])

    def captions(self, rows):
        """(ids int64 [n, 32], valid bool [n, 32]), padding first."""
        ids = self.ids[rows].long()
        return ids, ids != PAD


__all__ = ["LENGTH", "MOST", "Pool", "ROLE_COUNT", "SceneSet", "made", "pack", "padded"]
