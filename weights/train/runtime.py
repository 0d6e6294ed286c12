"""Calls this project's runtime, so that what is judged is what users get."""
import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from common import HERE, fail
from PIL import Image

ROOT = HERE.parent.parent


def generate(model, classes, count, seed, extra=()):
    """Images uint8 [n, h, w, 3] class by class, and their tokens [n, grid^2]."""
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder) / "tokens.json"
        run_cli(
            ["generate", "--model", model, "--class", ",".join(map(str, classes))]
            + ["--count", count, "--seed", seed, "--out-dir", Path(folder) / "images"]
            + ["--tokens-out", tokens, *extra, "--json"]
        )
        made = json.loads(tokens.read_text())["images"]
        # Files are numbered in the order of the images.
        files = sorted((Path(folder) / "images").glob("*.png"))
        if len(files) != len(made):
            fail(f"the runtime made {len(files)} files for {len(made)} images")
        pixels = np.stack([np.asarray(Image.open(f).convert("RGB")) for f in files])
        return pixels, np.array([image["tokens"] for image in made])


def run_cli(arguments):
    command = ["npm", "run", "--silent", "llamagen", "--", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        fail("the runtime failed; its message is above")
    return done.stdout
