"""Scenes in bulk: made by processes while the device trains, kept on the device."""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from scenes.scene import COLOUR_NAMES, MOST, NOUNS, RELATIONS, Scenes, as_arrays
from scenes.vocabulary import PAD, Words

LENGTH = 28
# What a caption may say, told apart so that what was never trained together can be said together: which
# noun comes first, second and third, how many there are of each, how the first lies to the second, whether
# they stand in a row, and the colours of the ground at the top and at the bottom.
SLOTS = 3
OF_COUNT = SLOTS * len(NOUNS)
OF_RELATION = OF_COUNT + SLOTS * MOST
OF_ROW = OF_RELATION + len(RELATIONS)
OF_GROUND = OF_ROW + 1
MEANINGS = OF_GROUND + 2 * len(COLOUR_NAMES)
# At most so much of it.
SAID = 2 * SLOTS + 3


def meaning_of(scene):
    """int [9]: what the caption says, as places among MEANINGS; -1 where it says less."""
    said = []
    for slot, (noun, count) in enumerate(scene.groups):
        said += [slot * len(NOUNS) + noun, OF_COUNT + slot * MOST + count - 1]
    if scene.relation:
        said.append(OF_RELATION + tuple(RELATIONS).index(scene.relation))
    if scene.in_row:
        said.append(OF_ROW)
    if scene.says_ground:
        top, bottom = (COLOUR_NAMES.index(colour) for colour in scene.ground)
        said += [OF_GROUND + top, OF_GROUND + len(COLOUR_NAMES) + bottom]
    return np.array([*said, *[-1] * (SAID - len(said))], np.int16)


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
