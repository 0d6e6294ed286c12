"""Which layout and which compilation are quickest on this device, tried for some seconds each."""
import time

import torch
from scenes.decoder import DecoderTrainer
from scenes.image_tokens import CONFIG, TokenizerTrainer
from scenes.options import LAYOUTS
from scenes.settled import Settled
from vq_model import compile_norms


def bench(run, seconds, attempt):
    """Samples a second of the variants that --layout and --compile choose among."""
    report = {}

    def timed(name, step, batch):
        began = time.time()
        step()
        run.wait()
        first, began, steps = time.time() - began, time.time(), 0
        while time.time() - began < seconds:
            for _ in range(3):
                step()
            run.wait()
            steps += 3
        report[name] = round(steps * batch / (time.time() - began))
        run.say(f"bench {name}: {report[name]}/s, first step {first:.1f} s")
        return True

    options, batch = run.options, run.options.vq_batch
    best = 0.0
    for layout, norms in (("contiguous", False), ("channels_last", False), ("channels_last", True)):
        compile_norms(norms)
        name = f"tokenizer {layout}{', compiled norms' if norms else ''}"
        vq = TokenizerTrainer(
            run.renderer, run.scenes, run.device, run.precision, batch, layout=LAYOUTS[layout]
        )
        if attempt(name, lambda: timed(name, lambda: vq.step(1e-4), batch)) is None:
            continue
        if report[name] > best:
            best, options.layout, options.compile_norms = report[name], layout, norms
    compile_norms(options.compile_norms)
    settled = Settled(run.renderer)
    settled.patch.random_(CONFIG["codebook_size"])
    codes = torch.randint(CONFIG["codebook_size"], (len(run.scenes), 144), device=run.device)
    batch = min(options.batch, len(codes))
    rows = torch.arange(batch, device=run.device)
    best = 0.0
    for compiled in (False, True):
        name = f"decoder{', compiled' if compiled else ''}"
        trainer = DecoderTrainer(run.scenes, settled, run.device, run.precision, batch, compiled=compiled)
        if attempt(name, lambda: timed(name, lambda: trainer.step(codes, rows, 1e-5), batch)) is None:
            continue
        if report[name] > best:
            best, options.compile = report[name], compiled
    run.report["bench"] = report
    chosen = (options.layout, options.compile_norms, options.compile)
    run.say("bench chose layout {}, compiled norms {}, compiled decoder {}".format(*chosen))
