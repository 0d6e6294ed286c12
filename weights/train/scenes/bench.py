"""Which layout and which compilation are quickest on this device, tried for some seconds each."""
import time

import torch
from scenes.decoder import DecoderTrainer
from scenes.options import LAYOUTS
from scenes.settled import Settled
from scenes.told import ToldTrainer
from vq_model import compile_norms


def bench(run, seconds, attempt):
    """Samples a second of the variants that --layout and --compile choose among."""
    report, settled = {}, Settled(run.renderer)

    def timed(name, make, batch):
        step = make()
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
    device, precision = run.device, run.precision

    def tokenizer(layout, norms):
        compile_norms(norms)
        settings = (run.scenes, device, precision, batch, 1e-4, LAYOUTS[layout], False)
        told = ToldTrainer(None, settled, *settings)
        return lambda: told.drawing_loss().backward()

    best = 0.0
    for layout, norms in (("contiguous", False), ("channels_last", False), ("channels_last", True)):
        name = f"tokenizer {layout}{', compiled norms' if norms else ''}"
        if attempt(name, lambda: timed(name, lambda: tokenizer(layout, norms), batch)) is None:
            continue
        if report[name] > best:
            best, options.layout, options.compile_norms = report[name], layout, norms
    compile_norms(options.compile_norms)
    codes = settled.codes(run.scenes.objects, run.scenes.ground).flatten(1)
    rows = torch.arange(min(options.batch, len(codes)), device=device)

    def decoder(compiled):
        trainer = DecoderTrainer(run.scenes, settled, device, precision, len(rows), compiled=compiled)
        return lambda: trainer.step(codes, rows, 1e-5)

    best = 0.0
    for compiled in (False, True):
        name = f"decoder{', compiled' if compiled else ''}"
        if attempt(name, lambda: timed(name, lambda: decoder(compiled), len(rows))) is None:
            continue
        if report[name] > best:
            best, options.compile = report[name], compiled
    run.report["bench"] = report
    chosen = (options.layout, options.compile_norms, options.compile)
    run.say("bench chose layout {}, compiled norms {}, compiled decoder {}".format(*chosen))
