#!/usr/bin/env python3
"""Measures an exported model: tokenizer, generated images, agreement of PyTorch and this runtime.

Generated images are made by this project's runtime. Reconstructions are made in PyTorch, and
`agreement` shows that the runtime decodes to the same pixels.
"""
import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from common import DATA, HERE, RUNS, Images, fail, main, to_bytes, to_float
from exported import load_gpt, load_vq, read_model_json, reconstruct
from features import load_classifier
from metrics import frechet_distance, psnr, ssim
from PIL import Image
from runtime import generate

CPU = torch.device("cpu")
PHOTO_SIDE = 384


def planes(pixels):
    """uint8 [n, h, w, 3] -> [n, 3, h, w], values 0 to 255."""
    return torch.as_tensor(np.array(pixels)).permute(0, 3, 1, 2)


def alike(real, made):
    return psnr(planes(real), planes(made)), ssim(planes(real), planes(made))


def reconstruct_all(network, images, batch=32):
    """Reconstructions uint8 [n, h, w, 3] and codes of a split."""
    made, codes = [], []
    for part in torch.arange(len(images)).split(batch):
        y, c = reconstruct(network, images.batch(part, CPU))
        made.append(to_bytes(y))
        codes.append(c)
    return torch.cat(made).numpy(), torch.cat(codes)


def tokenizer(options):
    network, test = load_vq(options.model), Images(options.data, "test")
    made, codes = reconstruct_all(network, test)
    parts = [alike(test.pixels[i : i + 64], made[i : i + 64]) for i in range(0, len(made), 64)]
    db, similarity = (torch.cat(values) for values in zip(*parts))
    used = len(torch.unique(codes)) / network.quantize.embedding.num_embeddings
    found = {
        "test_images": len(test),
        "codebook_usage": used,
        "psnr_db": db.mean().item(),
        "ssim": similarity.mean().item(),
    }
    if options.photos:
        found["photos"] = photos(network, options.photos)
    return found


def photos(network, folder):
    """PSNR and SSIM on the centre of real photographs, which the tokenizer never saw."""
    files = sorted(f for f in folder.iterdir() if f.suffix in (".jpg", ".png"))
    if not files:
        fail(f"{folder}: holds no photographs (.jpg, .png)")
    rows = {}
    for file in files:
        image = Image.open(file).convert("RGB")
        side = min(PHOTO_SIDE, min(image.size) // 32 * 32)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        pixels = np.array(image.crop((left, top, left + side, top + side)))[None]
        y, _ = reconstruct(network, to_float(torch.from_numpy(pixels), CPU))
        db, similarity = alike(pixels, to_bytes(y).numpy())
        rows[file.name] = {"psnr_db": db.item(), "ssim": similarity.item()}
    return rows


def embed(judge, pixels, batch=128):
    """(features [n, d], classes [n]) that the judge gives uint8 images."""
    features, classes = [], []
    with torch.no_grad():
        for i in range(0, len(pixels), batch):
            x = to_float(torch.from_numpy(np.array(pixels[i : i + batch])), CPU)
            found = judge.embed(x)
            features.append(found)
            classes.append(judge.head(found).argmax(1))
    return torch.cat(features), torch.cat(classes)


def make_sheet(model, count, seed, extra):
    """`count` images of every class, image i with seed + i, and the classes asked for."""
    classes = len(read_model_json(model)["classes"])
    pixels, _ = generate(model, range(classes), count, seed, extra)
    return pixels, torch.arange(classes).repeat_interleave(count)


def images(options):
    judge = load_classifier(options.judge, CPU)
    train, test = Images(options.data, "train"), Images(options.data, "test")
    test_features, test_classes = embed(judge, test.pixels)
    train_features, _ = embed(judge, train.pixels)
    recon, _ = reconstruct_all(load_vq(options.model), test)
    recon_features, recon_classes = embed(judge, recon)
    halves = torch.randperm(len(train), generator=torch.Generator().manual_seed(0)).chunk(2)
    found = {
        "judge_test_accuracy": (test_classes == test.labels).float().mean().item(),
        "reconstructions_recognised": (recon_classes == test.labels).float().mean().item(),
        "frechet_two_halves_of_training": frechet_distance(*(train_features[h] for h in halves)),
        "frechet_test_reconstructed": frechet_distance(test_features, recon_features),
    }
    settings = {"default": [], "without_guidance": ["--cfg-scale", "1"]}
    for name, extra in settings.items():
        extra = [*extra, "--precision", options.precision] if options.precision else extra
        pixels, labels = make_sheet(options.model, options.count, options.seed, extra)
        np.save(options.out / f"images-{name}.npy", pixels)
        features, classes = embed(judge, pixels)
        found[name] = {
            **agreement_of_classes(classes, labels),
            "frechet_test": frechet_distance(features, test_features),
            "near_copies": near_copies(features, train_features, train.labels),
        }
    return found


def agreement_of_classes(classes, labels):
    """Share of images recognised as what was asked for: over all, and of the worst classes."""
    right = (classes == labels).float()
    recall = torch.stack([right[labels == c].mean() for c in labels.unique()])
    return {
        "images": len(labels),
        "class_agreement": right.mean().item(),
        "lowest_class_recall": recall.min().item(),
        "classes_with_recall_over_half": int((recall > 0.5).sum()),
    }


def near_copies(features, train_features, train_labels):
    """
    Share of images whose nearest training image is closer than the median distance between
    neighbouring training frames (next to each other in the data and of one class).
    """
    same = train_labels[1:] == train_labels[:-1]
    steps = (train_features[1:] - train_features[:-1]).norm(dim=1)[same]
    nearest = torch.cat([torch.cdist(f, train_features).min(1).values for f in features.split(64)])
    return (nearest < steps.median()).float().mean().item()


def agreement(options):
    """Greedy tokens and decoded pixels of all classes, PyTorch in f32 against the runtime."""
    gpt, vq = load_gpt(options.model), load_vq(options.model)
    classes, steps = gpt.num_classes, len(gpt.cos) - 1
    tokens = gpt.greedy(torch.arange(classes), steps)
    side = round(steps**0.5)
    with torch.no_grad():
        made = to_bytes(vq.decode_code(tokens.reshape(-1, side, side))).numpy()
    greedy = ["--greedy", "--cfg-scale", "1"]
    pixels, their_tokens = generate(options.model, range(classes), 1, 0, greedy)
    same = (tokens.numpy() == their_tokens).all(1)
    gap = np.abs(made[same].astype(int) - pixels[same])
    return {
        "classes": classes,
        "classes_with_equal_greedy_tokens": int(same.sum()),
        "values_within_1_of_255": float((gap <= 1).mean()),
        "largest_gap": int(gap.max()),
    }


MEASURES = {"tokenizer": tokenizer, "images": images, "agreement": agreement}


def run():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--model", type=Path, default=HERE.parent / "fruits-96")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--judge", type=Path, default=RUNS / "judge" / "classifier.pt")
    parser.add_argument("--photos", type=Path, help="folder of photographs, for `tokenizer`")
    parser.add_argument("--count", type=int, default=16, help="images per class")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--precision", choices=["exact", "fast"], help="of `images`, as generate has it")
    parser.add_argument("--out", type=Path, default=RUNS / "evaluation")
    options = parser.parse_args()
    options.model = options.model.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.measure == "images" and not options.judge.exists():
        fail(
            f"{options.judge}: no such file; run "
            '"python3 weights/train/train_features.py --run weights/train/runs/judge --seed 1 --width 24"'
        )
    began = time.time()
    found = MEASURES[options.measure](options)
    found["seconds"] = round(time.time() - began)
    text = json.dumps(found, indent=2)
    (options.out / f"{options.measure}.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main(run)
