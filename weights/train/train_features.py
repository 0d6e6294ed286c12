#!/usr/bin/env python3
"""Trains the classifier that serves as perceptual loss, or, with another seed and width, as judge."""
import argparse
from pathlib import Path

import torch
from common import DATA, RUNS, Images, Run, Shuffled, add_device_options, main, rate_at, start
from features import Classifier
from torch.nn import functional as F


def augment(x, generator):
    """Flips and shifts by up to 4 pixels; the border is white, as the images' background."""
    if torch.rand((), generator=generator) < 0.5:
        x = x.flip(3)
    dx, dy = torch.randint(0, 9, (2,), generator=generator).tolist()
    size = x.shape[-1]
    padded = F.pad(x, (4, 4, 4, 4), value=1.0)
    return padded[:, :, dy : dy + size, dx : dx + size].contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def accuracy(network, images, device, batch=128):
    right = 0
    for i in range(0, len(images), batch):
        indices = torch.arange(i, min(i + batch, len(images)))
        got = network(images.batch(indices, device)).argmax(1).cpu()
        right += int((got == images.labels[indices]).sum())
    return right / len(images)


def run():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--run", type=Path, default=RUNS / "features")
    parser.add_argument("--width", type=int, default=16, help="channels of the first layer")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    add_device_options(parser)
    options = parser.parse_args()
    device, _ = start(options)
    train, test = Images(options.data, "train"), Images(options.data, "test")
    order = Shuffled(len(train), options.batch, options.seed)
    out = Run(options.run, vars(options))
    network = Classifier(options.width, len(train.classes))
    network = network.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=0.05)
    first = 0
    if saved := out.resume():
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    generator = torch.Generator()
    for step in range(first, options.steps):
        generator.manual_seed(options.seed * 1_000_003 + step)
        optimizer.param_groups[0]["lr"] = rate_at(step, options.steps, options.rate, 50)
        indices = order.at(step)
        logits = network(augment(train.batch(indices, device), generator))
        loss = F.cross_entropy(logits, train.labels[indices].to(device), label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        done = step + 1
        if done % 100 == 0 or done == options.steps:
            network.eval()
            out.log(step=done, loss=loss.item(), test_accuracy=accuracy(network, test, device))
            network.train()
            out.save(network=network.state_dict(), optimizer=optimizer.state_dict(), step=done)
    torch.save(
        {"network": network.state_dict(), "width": options.width, "classes": len(train.classes)},
        options.run / "classifier.pt",
    )
    out.plot(["loss", "test_accuracy"])


if __name__ == "__main__":
    main(run)
