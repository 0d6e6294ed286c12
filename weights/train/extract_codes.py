#!/usr/bin/env python3
"""Turns every training and test image, and its mirror image, into codes of the trained tokenizer."""
import argparse
from pathlib import Path

import numpy as np
import torch
from common import DATA, RUNS, Images, add_device_options, fail, load_checkpoint, main, start
from vq_model import VQModel


def load_tokenizer(run, device):
    """The averaged tokenizer of a run, as it is exported."""
    saved = load_checkpoint(run, "train_vq.py")
    network = VQModel(saved["config"])
    network.load_state_dict(saved["average"])
    return network.eval().to(device, memory_format=torch.channels_last), saved["config"]


@torch.no_grad()
def codes_of(network, images, device, precision, batch=64):
    """int16 [2, n, grid^2]: of the images, and of their mirror images."""
    found = []
    for part in torch.arange(len(images)).split(batch):
        x = images.batch(part, device)
        with precision():
            pair = [network.encode(v.contiguous(memory_format=torch.channels_last))[1] for v in (x, x.flip(3))]
        found.append(torch.stack(pair).flatten(2).cpu().numpy().astype(np.int16))
    return np.concatenate(found, axis=1)


def run():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--vq", type=Path, default=RUNS / "vq", help="run of train_vq.py")
    add_device_options(parser)
    options = parser.parse_args()
    device, precision = start(options)
    network, config = load_tokenizer(options.vq, device)
    if config["codebook_size"] > 2**15:
        fail(f'"codebook_size" expected at most {2**15} (codes are kept as int16)')
    for split in ("train", "test"):
        images = Images(options.data, split)
        codes = codes_of(network, images, device, precision)
        np.save(options.vq / f"{split}-codes.npy", codes)
        used = len(np.unique(codes[0])) / config["codebook_size"]
        print(f"{split}: {codes.shape[1]} images, {codes.shape[2]} codes each, {used:.1%} in use", flush=True)


if __name__ == "__main__":
    main(run)
