"""Scenes in bulk: made by processes while the device trains, kept on the device."""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from scenes.scene import COLOUR_NAMES, MOST, NOUNS, Scenes, as_arrays
from scenes.vocabulary import PAD, Words

LENGTH = 32
ROLES = {"left": (0, 1), "right": (1, 0), "above": (2, 3), "below": (3, 2)}
ROLE_COUNT = 7


# What a caption may say: of each noun how many there are and its role (left, right, above, below,
# first to third in a row), then the colour of the ground at the top, and at the bottom.
OF_NOUN = MOST + ROLE_COUNT
OF_GROUND = len(NOUNS) * OF_NOUN
MEANINGS = OF_GROUND + 2 * len(COLOUR_NAMES)
# At most so much of it.
SAID = 8


def meaning_of(scene):
    """int [8]: what the caption says, as places among MEANINGS; -1 where it says less."""
    said = []
    for i, (noun, count) in enumerate(scene.groups):
        said.append(noun * OF_NOUN + count - 1)
        role = ROLES[scene.relation][i] if scene.relation else 4 + i if scene.kind == "row" else None
        if role is not None:
            said.append(noun * OF_NOUN + MOST + role)
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
