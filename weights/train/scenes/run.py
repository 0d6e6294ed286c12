#!/usr/bin/env python3
"""Trains the text model of scenes by the clock: tokenizer, codes, T5 and decoder, judge, evaluation.

Writes to --out: gpt, vq, t5 and helpers (the judge, and what teaches T5) as f16 safetensors,
report.json with every curve and number, sheet.png and reconstructions.png. The weights are written
before anything is judged. With --init a run goes on from what another wrote, so that several short
ones add up: the moments of Adam begin anew.
"""
import json
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
from common import device_of, fail, main, precision_of, to_bytes
from PIL import Image
from safetensors_io import load, save
from scenes import evaluate as ev
from scenes.decoder import GPT, T5, DecoderTrainer, Painter
from scenes.image_tokens import CONFIG, TokenizerTrainer, codes_of, encode, measured
from scenes.judge import Detector, detections, summary, train_judge
from scenes.options import options_of, shares_of
from scenes.pool import Pool, SceneSet, padded
from scenes.render import Renderer
from scenes.scene import KEPT, NOUNS, keep_nouns
from scenes.vocabulary import FILE, Words
from vq_model import compile_norms

# Seconds at most, and share of the time after the start; the other stages share what is left.
LAST = {"judge": (15, 0.08), "evaluation": (20, 0.08)}
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
SETTINGS = ((3.0, 0), (5.0, 256), (2.0, 0), (4.0, 0), (7.5, 256), (6.0, 0), (3.0, 64), (1.0, 0))


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


def deadlines(now, end, shares):
    """When each stage ends (time.time())."""
    last = {name: min(most, share * (end - now)) for name, (most, share) in LAST.items()}
    left = end - now - sum(last.values())
    spans = {**{name: share / sum(shares.values()) * left for name, share in shares.items()}, **last}
    at, ends = now, {}
    for name, span in spans.items():
        at += span
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


def part_of(state, prefix):
    """The tensors under a prefix, without it."""
    return {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}


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

    def bench(self, seconds):
        """Samples a second of the variants that --layout and --compile choose among."""
        report = {}

        def timed(name, step, batch):
            began = time.time()
            step()
            self.wait()
            first, began, steps = time.time() - began, time.time(), 0
            while time.time() - began < seconds:
                for _ in range(3):
                    step()
                self.wait()
                steps += 3
            report[name] = round(steps * batch / (time.time() - began))
            self.say(f"bench {name}: {report[name]}/s, first step {first:.1f} s")
            return True

        options, batch = self.options, self.options.vq_batch
        best = 0.0
        for layout, norms in (("contiguous", False), ("channels_last", False), ("channels_last", True)):
            compile_norms(norms)
            name = f"tokenizer {layout}{', compiled norms' if norms else ''}"
            vq = TokenizerTrainer(
                self.renderer, self.scenes, self.device, self.precision, batch, layout=LAYOUTS[layout]
            )
            if attempt(name, lambda: timed(name, lambda: vq.step(1e-4), batch)) is None:
                continue
            if report[name] > best:
                best, options.layout, options.compile_norms = report[name], layout, norms
        compile_norms(options.compile_norms)
        codes = torch.randint(CONFIG["codebook_size"], (len(self.scenes), 144), device=self.device)
        batch = min(options.batch, len(codes))
        rows = torch.arange(batch, device=self.device)
        best = 0.0
        for compiled in (False, True):
            name = f"decoder{', compiled' if compiled else ''}"
            trainer = DecoderTrainer(self.scenes, self.device, self.precision, batch, compiled=compiled)
            if attempt(name, lambda: timed(name, lambda: trainer.step(codes, rows, 1e-5), batch)) is None:
                continue
            if report[name] > best:
                best, options.compile = report[name], compiled
        self.report["bench"] = report
        chosen = (options.layout, options.compile_norms, options.compile)
        self.say("bench chose layout {}, compiled norms {}, compiled decoder {}".format(*chosen))

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
        ends = deadlines(time.time(), end, self.shares)
        compiled = options.compile and device.type == "cpu"
        trainer = TokenizerTrainer(
            self.renderer,
            self.scenes,
            device,
            self.precision,
            options.vq_batch,
            options.vq_rate,
            LAYOUTS[options.layout],
            compiled,
            options.keep_codes,
        )
        if self.before:
            trainer.network.load_state_dict(self.before["vq"])
            trainer.average.begin()
        self.tokenizer = trainer.train(ends["tokenizer"], self.report)
        del trainer
        self.out.weights("vq", self.tokenizer.state_dict())
        # A rehearsal does with those that are there.
        jobs = [job for job in self.asked if job.done() or not self.strict]
        self.scenes = SceneSet([job.result() for job in jobs], device)
        self.say(f"{len(self.scenes)} scenes to learn")
        codes = codes_of(
            self.tokenizer,
            self.renderer,
            self.scenes,
            ends["codes"],
            device,
            self.precision,
            self.report,
            compiled,
        )
        rows = torch.arange(len(self.packed), device=device)
        with torch.no_grad(), self.precision():
            test = encode(self.tokenizer, self.packed.draw(self.renderer, rows)[0])[1].flatten(1)
        decoder = DecoderTrainer(
            self.scenes, device, self.precision, min(options.batch, len(codes)), options.rate, options.compile
        )
        if self.before:
            gpt = self.before["gpt"]
            if options.new_captions:
                gpt = {k: v for k, v in gpt.items() if not k.startswith("cls_embedding.")}
            else:
                decoder.network.t5.load_state_dict(self.before["t5"])
                decoder.meaning.load_state_dict(part_of(self.before["helpers"], "meaning."))
            decoder.network.gpt.load_state_dict(gpt, strict=not options.new_captions)
            decoder.average.begin()
        attempt("t5", lambda: decoder.warm_up(ends["t5"], self.report, 2 * options.batch), self.strict)
        decoder.train(
            codes, ends["decoder"], self.report, (self.packed, test), lambda: self.keep(decoder)
        )
        self.trained_scenes = len(codes)
        helpers = self.keep(decoder)
        del decoder
        self.report["model"] = {"gpt": GPT, "vq": CONFIG, "t5": T5}
        self.out.write()
        self.say("weights written")
        compile_norms(False)  # other shapes than those it was compiled for
        attempt("tokenizer measured", self.measure_tokenizer, self.strict)
        self.judge = attempt("judge", lambda: self.judge_of(ends["judge"]), self.strict)
        if self.judge is not None:
            helpers.update({f"judge.{k}": v for k, v in self.judge.state_dict().items()})
            self.out.weights("helpers", helpers)
        attempt("evaluation", lambda: self.evaluate(ends["evaluation"]), self.strict)
        self.out.write()
        self.say("done")

    def keep(self, decoder):
        """Writes what a decoder has learned; its helpers."""
        self.painter = decoder.trained(Painter().to(self.device)).requires_grad_(False)
        helpers = {f"meaning.{k}": v for k, v in decoder.meaning.state_dict().items()}
        if self.before:
            # The judge, until there is another.
            helpers.update({k: v for k, v in self.before["helpers"].items() if k.startswith("judge.")})
        self.out.weights("gpt", self.painter.gpt.state_dict())
        self.out.weights("t5", self.painter.t5.state_dict())
        self.out.weights("helpers", helpers)
        return helpers

    def measure_tokenizer(self):
        quality = measured(self.tokenizer, self.renderer, self.packed, self.device)
        self.report["tokenizer"].update(quality)
        self.say(f"tokenizer: {quality}")
        rows = torch.arange(0, len(self.packed), max(1, len(self.packed) // 24), device=self.device)[:24]
        x, _ = self.packed.draw(self.renderer, rows)
        with torch.no_grad():
            y = self.tokenizer.decode(encode(self.tokenizer, x)[0]).clamp(-1, 1)
        pairs = to_bytes(torch.cat([torch.cat(p, 2) for p in zip(x, y)], 2).unsqueeze(0))[0]
        strips = pairs.cpu().numpy().reshape(96, -1, 8 * 192, 3) if len(rows) % 8 == 0 else None
        if strips is not None:
            Image.fromarray(strips.transpose(1, 0, 2, 3).reshape(-1, 8 * 192, 3)).save(
                self.out.folder / "reconstructions.png"
            )

    def judge_of(self, deadline):
        """The judge of the run before, or a new one; and what it says of pictures as they were drawn."""
        saved = part_of(self.before["helpers"], "judge.") if self.before else {}
        if saved:
            judge = Detector().to(self.device)
            judge.load_state_dict(saved, strict=False)
            judge.eval().requires_grad_(False)
        else:
            judge = self.train_judge(deadline)
        entry = self.report.setdefault("judge", {})
        entry["on_drawn_held_out_scenes"] = ev.judge_quality(judge, self.renderer, self.judged, self.packed)
        rows = torch.arange(len(self.packed), device=self.device)
        x, _ = self.packed.draw(self.renderer, rows)
        with torch.no_grad():
            y = torch.cat([self.tokenizer.decode(encode(self.tokenizer, part)[0]) for part in x.split(128)])
        entry["on_their_reconstructions"] = summary(self.judged, detections(judge, y.float().clamp(-1, 1)))
        for name in ("on_drawn_held_out_scenes", "on_their_reconstructions"):
            self.say(f"judge {name.replace('_', ' ')}: {entry[name]}")
        return judge

    def train_judge(self, deadline):
        jobs = self.asked_judge[:1] if self.strict else self.asked_judge
        parts = [job.result() for job in jobs]
        scenes = SceneSet(parts, self.device)
        settings = (self.device, self.precision, self.report, 4 * self.options.vq_batch)
        return train_judge(scenes, self.renderer, deadline, *settings)

    def paint(self, packed, scale, top_k, seed):
        ids, valid = packed.captions(torch.arange(len(packed), device=self.device))
        chooser = ev.Chooser(scale, top_k, seed=seed, device=self.device)
        return ev.paint(self.painter, self.tokenizer, ids, valid, chooser)

    def evaluate(self, deadline):
        """Chooses guidance and top k on other captions than those that are then judged."""
        tried = ev.arrays(self.tried, self.words, self.device)
        evaluation = self.report.setdefault("evaluation", {"tried": []})
        best, chosen = -1.0, (4.0, 0)
        evaluation["cfg_scale"], evaluation["top_k"] = chosen
        if self.judge is None:
            self.show(self.paint(self.packed, *chosen, seed=2)[0], chosen)
            return
        for scale, top_k in SETTINGS:
            if time.time() > deadline - 7 and best >= 0:
                break
            images, _ = self.paint(tried, scale, top_k, seed=1)
            said = summary(self.tried, detections(self.judge, images))
            points = sum(said[k]["share"] for k in ("objects", "relation", "count") if k in said)
            evaluation["tried"].append({"cfg_scale": scale, "top_k": top_k, **said})
            self.say(f"guidance {scale} top k {top_k}: " + ", ".join(f"{k} {v['share']}" for k, v in said.items()))
            if points > best:
                best, chosen = points, (scale, top_k)
        evaluation["cfg_scale"], evaluation["top_k"] = chosen
        images, tokens = self.paint(self.packed, *chosen, seed=2)
        evaluation["held_out"] = summary(self.judged, detections(self.judge, images))
        self.say(f"500 held-out captions, guidance {chosen}: {evaluation['held_out']}")
        self.out.write()
        self.show(images, chosen)
        singles = ev.single_scenes(3)
        pictures, _ = self.paint(ev.arrays(singles, self.words, self.device), *chosen, seed=3)
        evaluation["singles"] = summary(singles, detections(self.judge, pictures))
        self.say(f"single objects: {evaluation['singles']}")
        apart = ev.nearest(images, self.renderer, self.scenes, self.trained_scenes)
        rows = torch.arange(len(self.packed), device=self.device)
        drawn, _ = self.packed.draw(self.renderer, rows)
        reference = ev.nearest(drawn, self.renderer, self.scenes, self.trained_scenes)
        evaluation["nearest_trained_scene"] = {
            "median": round(apart.median().item(), 2),
            "below_8": round((apart < 8).float().mean().item(), 4),
            "drawn_median": round(reference.median().item(), 2),
            "drawn_below_8": round((reference < 8).float().mean().item(), 4),
        }
        self.say(f"nearest trained scene: {evaluation['nearest_trained_scene']}")

    def show(self, images, chosen):
        """Eight chosen prompts, then held-out captions of every kind."""
        ids = torch.tensor([padded(self.words.ids(text)) for text in ev.SHOWN], device=self.device)
        chooser = ev.Chooser(*chosen, seed=4, device=self.device)
        first, _ = ev.paint(self.painter, self.tokenizer, ids, ids != 0, chooser)
        rows = torch.linspace(0, len(images) - 1, min(24, len(images))).long().tolist()
        captions = [*ev.SHOWN, *(self.judged[i].caption for i in rows)]
        page = ev.sheet(torch.cat([first, images[rows]]), captions)
        page.save(self.out.folder / "sheet.png")


def run():
    options = options_of(__doc__.split("\n")[0])
    training = Training(options)
    try:
        if options.rehearse:
            training.rehearse(options.rehearse)
        if options.bench:
            attempt("bench", lambda: training.bench(options.bench))
        torch.manual_seed(options.seed)
        training.train(BEGAN + options.seconds)
    finally:
        training.pool.close()


if __name__ == "__main__":
    main(run)
