#!/usr/bin/env python3
"""Turns images with labels into one folder that the training commands read.

Input is either two .npz files (arrays `jpeg`, `offset`, `label`: JPEG files one after another, n + 1
offsets, indices into the class list) with a JSON list of class names, or a folder with one
subfolder per class.
"""
import argparse
import io
import json
from pathlib import Path

import numpy as np
from common import DATA, fail, main
from PIL import Image, UnidentifiedImageError

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


def decode(data, name, size):
    """uint8 [size, size, 3]: the centre square, resized; transparent pixels become white."""
    try:
        image = Image.open(io.BytesIO(data) if isinstance(data, bytes) else data)
        image.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        fail(f"{name}: is not an image that can be decoded ({error})")
    if image.mode in ("RGBA", "LA", "P"):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    image = image.convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    if side != size:
        image = image.resize((size, size), Image.LANCZOS)
    return np.asarray(image)


def spread_over(labels, per_class):
    """Indices of `per_class` images of every class, spread over its frames; all if None."""
    if per_class is None:
        return np.arange(len(labels))
    chosen = []
    for label in np.unique(labels):
        (places,) = np.nonzero(labels == label)
        chosen.append(places[np.linspace(0, len(places) - 1, min(per_class, len(places))).astype(int)])
    return np.sort(np.concatenate(chosen))


def read_npz(path, classes, size, per_class):
    try:
        archive = np.load(path)
        jpeg, offset, label = (archive[k] for k in ("jpeg", "offset", "label"))
    except (OSError, KeyError, ValueError) as error:
        fail(f"{path}: expected an .npz with the arrays jpeg, offset and label ({error})")
    if len(label) == 0:
        fail(f"{path}: holds no images")
    if label.min() < 0 or label.max() >= len(classes):
        bad = int(label.min() if label.min() < 0 else label.max())
        fail(f"{path}: label {bad} has no class name; the class list has {len(classes)} names")
    chosen = spread_over(label, per_class)
    images = np.empty((len(chosen), size, size, 3), np.uint8)
    for place, i in enumerate(chosen):
        data = jpeg[offset[i] : offset[i + 1]].tobytes()
        images[place] = decode(data, f"{path}: image {i}", size)
    return images, label[chosen].astype(np.int64)


def read_folder(folder, size, test_share, per_class):
    classes = sorted(p.name for p in folder.iterdir() if p.is_dir())
    if not classes:
        fail(f"{folder}: expected one subfolder per class, and there is none")
    splits = {"train": ([], []), "test": ([], [])}
    for label, name in enumerate(classes):
        files = sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in SUFFIXES)
        if not files:
            fail(f"{folder / name}: holds no images ({', '.join(sorted(SUFFIXES))})")
        files = [files[i] for i in spread_over(np.zeros(len(files)), per_class)]
        every = max(2, round(1 / test_share)) if test_share > 0 else len(files) + 1
        for i, file in enumerate(files):
            images, labels = splits["test" if i % every == every - 1 else "train"]
            images.append(decode(file, file, size))
            labels.append(label)
    arrays = {
        split: (np.stack(images), np.array(labels, np.int64))
        for split, (images, labels) in splits.items()
        if images
    }
    if "test" not in arrays:
        fail(f"{folder}: too few images to set a share of {test_share} aside for testing")
    return classes, arrays


def run():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", type=Path, help="training images, .npz")
    parser.add_argument("--test", type=Path, help="test images, .npz")
    parser.add_argument("--classes", type=Path, help="JSON list of class names")
    parser.add_argument("--images", type=Path, help="instead: a folder with one subfolder per class")
    parser.add_argument("--test-share", type=float, default=0.1, help="of --images (0.1)")
    parser.add_argument("--size", type=int, default=96, help="pixels of a side (96)")
    parser.add_argument("--per-class", type=int, help="images of a class at most (all), for a quick try")
    parser.add_argument("--out", type=Path, default=DATA)
    options = parser.parse_args()
    if options.size < 16 or options.size % 8 != 0:
        fail(f'"--size" expected a multiple of 8 from 16 up, got {options.size}')
    if options.per_class is not None and options.per_class < 1:
        fail(f'"--per-class" expected a number from 1 up, got {options.per_class}')
    if options.images:
        if not options.images.is_dir():
            fail(f"{options.images}: no such folder")
        source = options.images.name
        classes, arrays = read_folder(
            options.images, options.size, options.test_share, options.per_class
        )
    elif options.train and options.test and options.classes:
        for path in (options.train, options.test, options.classes):
            if not path.exists():
                fail(f"{path}: no such file")
        classes = json.loads(options.classes.read_text())
        source = options.train.name
        arrays = {
            split: read_npz(path, classes, options.size, options.per_class)
            for split, path in (("train", options.train), ("test", options.test))
        }
    else:
        fail("expected --images FOLDER, or --train, --test and --classes")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for split, (images, labels) in arrays.items():
            np.save(options.out / f"{split}-images.npy", images)
            np.save(options.out / f"{split}-labels.npy", labels)
        counts = {split: len(labels) for split, (_, labels) in arrays.items()}
        info = {"source": source, "size": options.size, "classes": classes, "counts": counts}
        (options.out / "data.json").write_text(json.dumps(info, indent=2) + "\n")
    except OSError as error:
        fail(f"{options.out}: cannot be written to ({error.strerror})")
    print(f"{counts['train']} training and {counts['test']} test images of {len(classes)} classes")


if __name__ == "__main__":
    main(run)
