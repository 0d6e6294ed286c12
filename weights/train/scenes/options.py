"""What run.py is asked for."""
import argparse
from pathlib import Path

import torch
from common import fail
from scenes.prepare import SPRITES

# Of the time, in the order of the stages.
SHARES = {"drawing": 0.2, "telling": 0.08, "t5": 0.1, "decoder": 0.46, "judge": 0.08, "evaluation": 0.08}
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def options_of(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=200, help="for everything")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--precision", default="auto", choices=["auto", "f32", "bf16"])
    parser.add_argument("--init", type=Path, help="go on from the weights in this --out of a run before")
    parser.add_argument(
        "--new-captions", action="store_true", help="with --init: T5 and the caption MLP begin anew"
    )
    parser.add_argument("--shares", default="", help="of the time, e.g. drawing=0.1,decoder=0.8; what has 0 stays as it was")
    parser.add_argument("--nouns", type=int, help="only so many of them, for a smaller model (4 or more)")
    parser.add_argument("--sprites", type=Path, default=SPRITES)
    parser.add_argument("--chunks", type=int, default=80, help="of scenes to make")
    parser.add_argument("--per-chunk", type=int, default=10000)
    parser.add_argument("--vq-batch", type=int, default=512)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--vq-rate", type=float, default=1e-3)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument(
        "--thinned", type=float, default=0.0, help="share of the decoder's time that learns 64 of 144 tokens, twice as fast"
    )
    parser.add_argument("--layout", default="contiguous", choices=list(LAYOUTS))
    parser.add_argument(
        "--compile", action="store_true", help="torch.compile for the decoder, on CPUs for the tokenizer too"
    )
    parser.add_argument("--compile-norms", action="store_true", help="and for the tokenizer's norms")
    parser.add_argument("--judged", type=float, default=1.0, help="share of the 500 captions")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--bench", type=float, default=0, help="time each variant so many seconds, and take the fastest"
    )
    parser.add_argument(
        "--rehearse",
        type=float,
        default=0,
        help="first run all of it in so many seconds, and end with exit code 1 if a part fails",
    )
    return parser.parse_args()


def shares_of(text):
    """"tokenizer=0.1,decoder=0.8" over SHARES."""
    shares = dict(SHARES)
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name not in SHARES or not value.replace(".", "", 1).isdigit():
            fail(f'"--shares" expected parts like drawing=0.3 of {", ".join(SHARES)}, got "{part}"')
        shares[name] = float(value)
    return shares
