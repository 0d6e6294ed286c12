#!/usr/bin/env python3
"""Packs the pictures of the nouns into one file: uint8 [nouns, 64, 64, 4], RGBA.

Reads the unpacked npm package `emoji-datasource-google` (Noto Emoji, Apache-2.0):

npm pack emoji-datasource-google && tar xzf emoji-datasource-google-*.tgz
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common import fail, main
from scenes.scene import NOUNS

SPRITES = Path(__file__).resolve().parent.parent / "data" / "scenes" / "sprites.npz"


def run():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--package", type=Path, required=True, help="the unpacked npm package")
    parser.add_argument("--out", type=Path, default=SPRITES)
    options = parser.parse_args()
    index = options.package / "emoji.json"
    if not index.exists():
        fail(f"{index}: no such file; unpack the npm package emoji-datasource-google there")
    files = {entry["short_name"]: entry["image"] for entry in json.loads(index.read_text())}
    sprites = []
    for noun in NOUNS:
        if noun["emoji"] not in files:
            fail(f'{index}: has no emoji "{noun["emoji"]}"; expected version 16 of the package')
        path = options.package / "img" / "google" / "64" / files[noun["emoji"]]
        sprites.append(np.asarray(Image.open(path).convert("RGBA")))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    version = json.loads((options.package / "package.json").read_text())["version"]
    np.savez_compressed(options.out, sprites=np.stack(sprites), version=version)
    print(f"{options.out}: {len(sprites)} pictures, {options.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(run)
