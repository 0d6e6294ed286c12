#!/usr/bin/env python3
"""Trains the text model of scenes by the clock: image tokenizer, T5, decoder, judge, evaluation.

Writes to --out: gpt, vq, t5 and helpers (the judge, and what teaches T5) as f16 safetensors,
report.json with every curve and number, sheet.png and reconstructions.png. The weights are written
before anything is judged. With --init a run goes on from what another wrote, so that several short
ones add up: the moments of Adam begin anew.
"""
import json
import math
import os
import shutil
import sys
import time
import traceback
from pathlib import Path

BEGAN = time.time()
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from common import device_of, fail, main, precision_of
from safetensors_io import load, part_of, save
from scenes import evaluate as ev
from scenes.bench import bench
from scenes.decoder import DecoderTrainer
from scenes.image_tokens import CONFIG
from scenes.judging import Judging
from scenes.options import LAYOUTS, options_of, shares_of
from scenes.painter import GPT, T5, Painter
from scenes.pool import Pool, SceneSet
from scenes.render import Renderer
from scenes.scene import KEPT, NOUNS, keep_nouns
from scenes.settled import Settled
from scenes.told import ToldTrainer
from scenes.vocabulary import FILE, Words
from vq_model import compile_norms

# Seconds of a GPU at most; the other stages share what is left.
MOST = {"judge": 15, "evaluation": 20}


class Outputs:
    """Writes each result as soon as it is there."""

    def __init__(self, folder, report):
        self.folder, self.report = folder, report
        folder.mkdir(parents=True, exist_ok=True)

    def weights(self, name, state):
        half = {k: v.detach().half().contiguous() for k, v in state.items() if v.is_floating_point()}
        bad = [k for k, v in half.items() if not torch.isfinite(v).all()]
        if bad:
            print(f"[{name}] not finite in f16: {bad}", flush=True)
        save(self.folder / f"{name}.safetensors", half)
        self.write()

    def write(self):
        self.report["seconds"] = round(time.time() - BEGAN, 1)
        (self.folder / "report.json").write_text(json.dumps(self.report, indent=1) + "\n")


def attempt(name, part, strict=False):
    """A failing stage is told, and does not keep the later ones from what they can do."""
    try:
        return part()
    except Exception:
        if strict:
            raise
        print(f"[{name}] failed\n{traceback.format_exc()}", flush=True)
        return None


def deadlines(now, end, shares, is_cpu):
    """When each stage ends (time.time())."""
    every = sum(shares.values()) or 1
    spans = {name: share / every * (end - now) for name, share in shares.items()}
    few = {name: min(spans[name], math.inf if is_cpu else most) for name, most in MOST.items()}
    others = sum(share for name, share in shares.items() if name not in few) or 1
    left = end - now - sum(few.values())
    at, ends = now, {}
    for name, share in shares.items():
        at += few[name] if name in few else share / others * left
        ends[name] = at
    return ends


def started_from(folder):
    """Weights by name of a run before, and what it reported; nothing without one."""
    if folder is None:
        return {}
    names = ("vq", "gpt", "t5", "helpers", "report.json")
    files = [folder / (name if "." in name else f"{name}.safetensors") for name in names]
    for file in files:
        if not file.exists():
            fail(f'{file}: no such file; "--init" expected what run.py wrote')
    weights = {f.stem: {k: v.float() for k, v in load(f).items()} for f in files[:-1]}
    return {**weights, "report": json.loads(files[-1].read_text())}


class Training:
    def __init__(self, options):
        self.options = options
        if not options.sprites.exists():
            fail(f'{options.sprites}: no such file; run "python3 weights/train/scenes/prepare.py" first')
        self.shares = shares_of(options.shares)
        if options.nouns is not None:
            if not 4 <= options.nouns <= len(NOUNS):
                fail(f'"--nouns" expected a number from 4 to {len(NOUNS)}, got {options.nouns}')
            keep_nouns(options.nouns, ev.shown_nouns())
        self.before = started_from(options.init)
        judged = self.shares["judge"] or any(n.startswith("judge.") for n in self.before.get("helpers", ()))
        if self.shares["evaluation"] and not judged:
            fail('"--shares" expected a judge to evaluate by: give "judge" a share, or --init with one')
        self.pool = Pool(max(1, (os.cpu_count() or 2) - 2))
        seed = options.seed
        self.asked = self.pool.ask(seed + 1, options.chunks, options.per_chunk, False)
        judge_chunks = max(1, options.chunks // 5)
        self.asked_judge = self.pool.ask(seed + 2, judge_chunks, options.per_chunk, None)
        torch.manual_seed(seed)
        self.device = device_of(options.device)
        self.precision = precision_of(options.precision, self.device)
        if self.device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.allow_tf32 = True
        compile_norms(options.compile_norms)
        self.strict = False
        self.words = Words(FILE)
        self.report = {"settings": {k: str(v) for k, v in vars(options).items()}, "torch": torch.__version__}
        if self.before:
            self.report["before"] = self.before["report"]
        cpu = f"{torch.get_num_threads()} CPU cores"
        self.report["device"] = torch.cuda.get_device_name() if self.device.type == "cuda" else cpu
        self.out = Outputs(options.out, self.report)
        self.report["nouns"] = [NOUNS[i]["names"][0]["one"] for i in KEPT]
        self.renderer = Renderer(np.load(options.sprites)["sprites"], self.device)
        self.judged = ev.held_out_scenes(seed + 1000, options.judged)
        self.packed = ev.arrays(self.judged, self.words, self.device)
        self.tried = ev.held_out_scenes(seed + 2000, options.judged * 0.6)
        # The first scenes are enough to begin with; the others come while the tokenizer learns.
        first = max(1, options.chunks // 8)
        self.scenes = SceneSet([job.result() for job in self.asked[:first]], self.device)
        self.say(f"started: {len(self.scenes)} scenes, {self.report['device']}")

    def say(self, text):
        print(f"{time.time() - BEGAN:6.1f} s  {text}", flush=True)

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def rehearse(self, seconds):
        """Every stage for a moment, into a folder of its own; any failure ends the program."""
        whole, self.out = self.out, Outputs(self.options.out / "rehearsal", {})
        self.report, self.strict = self.out.report, True
        self.train(time.time() + seconds)
        self.out, self.report, self.strict = whole, whole.report, False
        shutil.rmtree(self.options.out / "rehearsal")
        self.say("rehearsed")

    def train(self, end):
        """All stages; the last ends at `end` (time.time())."""
        options, device = self.options, self.device
        compile_norms(options.compile_norms)
        ends = deadlines(time.time(), end, self.shares, device.type == "cpu")
        self.settled = Settled(self.renderer)
        self.tokenizer = self.train_tokenizer(ends)
        self.out.weights("vq", self.tokenizer.state_dict())
        # A rehearsal does with those that are there.
        jobs = [job for job in self.asked if job.done() or not self.strict]
        self.scenes = SceneSet([job.result() for job in jobs], device)
        self.say(f"{len(self.scenes)} scenes to learn")
        codes = self.codes_of(self.scenes)
        helpers = self.train_decoder(codes, ends)
        self.report["model"] = {"gpt": GPT, "vq": CONFIG, "t5": T5}
        self.out.write()
        self.say("weights written")
        compile_norms(False)  # other shapes than those it was compiled for
        if self.shares["judge"] == 0 and self.shares["evaluation"] == 0:
            return
        judging = Judging(self)
        attempt("tokenizer measured", judging.measure_tokenizer, self.strict)
        judge = attempt("judge", lambda: judging.judge_of(ends["judge"]), self.strict)
        if judge is not None:
            helpers.update({f"judge.{k}": v for k, v in judge.state_dict().items()})
            self.out.weights("helpers", helpers)
        if self.shares["evaluation"]:
            attempt("evaluation", lambda: judging.evaluate(judge, ends["evaluation"]), self.strict)
        self.out.write()
        self.say("done")

    def train_decoder(self, codes, ends):
        """T5 and decoder; their helpers."""
        options, device = self.options, self.device
        self.trained_scenes = 0 if self.skips("decoder") else len(codes)
        batch = min(options.batch, len(codes))
        settings = (device, self.precision, batch, options.rate, options.compile)
        decoder = DecoderTrainer(self.scenes, self.settled, *settings)
        if self.before:
            gpt = self.before["gpt"]
            if options.new_captions:
                gpt = {k: v for k, v in gpt.items() if not k.startswith("cls_embedding.")}
            else:
                decoder.network.t5.load_state_dict(self.before["t5"])
                for name, part in decoder.helpers():
                    part.load_state_dict(part_of(self.before["helpers"], f"{name}.") or part.state_dict())
            decoder.network.gpt.load_state_dict(gpt, strict=not options.new_captions)
        if not self.skips("t5"):
            attempt("t5", lambda: decoder.warm_up(ends["t5"], self.report, 2 * options.batch), self.strict)
        decoder.average.begin()
        if not self.skips("decoder"):
            test = (self.packed, self.codes_of(self.packed))
            end, keep = ends["decoder"], lambda: self.keep(decoder)
            decoder.train(codes, end, self.report, options.thinned, test, keep)
        return self.keep(decoder)

    def train_tokenizer(self, ends):
        """It is told its codes: first to draw from them, then to give them."""
        options, before = self.options, self.before
        layout, compiled = LAYOUTS[options.layout], options.compile and self.device.type == "cpu"
        if before:
            self.settled.load_state(part_of(before["helpers"], "settled."))
        settings = (self.device, self.precision, options.vq_batch, options.vq_rate, layout, compiled)
        told = ToldTrainer(before["vq"] if before else None, self.settled, self.scenes, *settings)
        if not self.skips("drawing"):
            told.draw(ends["drawing"], self.report)
        if not self.skips("telling"):
            told.tell(ends["telling"], self.report)
        return told.trained()

    def skips(self, stage):
        """Whether what was there before stays as it is."""
        return self.shares[stage] == 0

    def codes_of(self, scenes):
        """int16 [n, 144]."""
        parts = zip(scenes.objects.split(8192), scenes.ground.split(8192))
        return torch.cat([self.settled.codes(*part).flatten(1).short() for part in parts])

    def keep(self, decoder):
        """Writes what a decoder has learned; its helpers."""
        self.painter = decoder.trained(Painter().to(self.device)).requires_grad_(False)
        helpers = {f"settled.{k}": v for k, v in self.settled.state().items()}
        for name, part in decoder.helpers():
            helpers.update({f"{name}.{k}": v for k, v in part.state_dict().items()})
        if self.before:
            # The judge, until there is another.
            helpers.update({k: v for k, v in self.before["helpers"].items() if k.startswith("judge.")})
        self.out.weights("gpt", self.painter.gpt.state_dict())
        self.out.weights("t5", self.painter.t5.state_dict())
        self.out.weights("helpers", helpers)
        return helpers


def run():
    options = options_of(__doc__.split("\n")[0])
    training = Training(options)
    try:
        if options.rehearse:
            training.rehearse(options.rehearse)
        if options.bench:
            attempt("bench", lambda: bench(training, options.bench, attempt))
        torch.manual_seed(options.seed)
        training.train(BEGAN + options.seconds)
    finally:
        training.pool.close()


if __name__ == "__main__":
    main(run)
