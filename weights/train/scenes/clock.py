"""Training by the clock: a stage ends when its time is over, and rates follow the share of it gone."""
import math
import time

import torch
from scenes.muon import Muon


class Stage:
    """Counts steps and samples until `deadline` (time.time()); the device is waited for now and then,
    so that the clock is the device's and not that of the queue before it."""

    def __init__(self, name, deadline, device, report):
        self.name, self.deadline, self.device, self.report = name, deadline, device, report
        self.every = 10 if device.type == "cuda" else 1
        self.begin()

    def begin(self):
        self.began, self.steps, self.samples = time.time(), 0, 0
        self.share, self.shown, self.kept, self.is_warm = 0.0, self.began, self.began, False

    def rate(self, peak, warmup=0.04, floor=0.02):
        """Linear warm-up over the first share of the time, then a cosine down to `floor` of the peak."""
        if self.share < warmup:
            return peak * (self.share + 0.002) / (warmup + 0.002)
        done = (self.share - warmup) / (1 - warmup)
        return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1, done))))

    def goes_on(self):
        if self.steps == 1 and not self.is_warm:
            # The first step loads what the device needs, for seconds: no share of the training.
            self.wait()
            self.began, self.is_warm = time.time(), True
        if self.steps % self.every == 0:
            self.wait()
            now = time.time()
            self.share = (now - self.began) / max(1e-3, self.deadline - self.began)
            return self.steps == 0 or now < self.deadline
        return True

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def step(self, samples):
        self.steps += 1
        self.samples += samples

    def time_to_show(self, seconds=4):
        now = time.time()
        if now - self.shown < seconds and self.steps > 1:
            return False
        self.shown = now
        return True

    def time_to_keep(self, seconds=600):
        """Whether weights should be written, in case that the end is never reached."""
        now = time.time()
        if now - self.kept < seconds:
            return False
        self.kept = now
        return True

    def log(self, **values):
        spent = time.time() - self.began
        row = {"seconds": round(spent, 1), "step": self.steps, "samples": self.samples}
        row.update({k: round(float(v), 5) for k, v in values.items()})
        self.report.setdefault(self.name, {}).setdefault("curve", []).append(row)
        shown = "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
        print(f"[{self.name}] {shown}  {self.samples / max(spent, 1e-3):.0f}/s", flush=True)

    def count(self, **values):
        """What there has been up to now, into the report."""
        self.wait()
        spent = time.time() - self.began
        entry = self.report.setdefault(self.name, {})
        entry.update(values, seconds=round(spent, 1), steps=self.steps, samples=self.samples)
        entry["samples_per_second"] = round(self.samples / max(spent, 1e-3))
        return entry

    def end(self, **values):
        entry = self.count(**values)
        print(f"[{self.name}] ended: {entry['samples_per_second']}/s, {self.steps} steps", flush=True)


class Mean:
    """Exponential moving average of parameters, all in one call where PyTorch can."""

    def __init__(self, network, decay):
        self.source = list(network.parameters())
        self.names = [name for name, _ in network.named_parameters()]
        self.decay = decay
        self.begin()

    def begin(self):
        """Anew, with what the network has now."""
        self.values = [p.detach().clone() for p in self.source]
        self.count = 0

    @torch.no_grad()
    def update(self):
        self.count += 1
        share = 1 - min(self.decay, (1 + self.count) / (10 + self.count))
        if hasattr(torch, "_foreach_lerp_"):
            torch._foreach_lerp_(self.values, self.source, share)
        else:
            for value, new in zip(self.values, self.source):
                value.lerp_(new, share)

    def state(self):
        return dict(zip(self.names, self.values))


def adam(groups, device, rate, betas=(0.9, 0.95)):
    """AdamW, in one kernel where there is one (on CPUs since PyTorch 2.4)."""
    fused = {"fused": True} if device.type == "cuda" or hasattr(torch.nn, "RMSNorm") else {}
    return torch.optim.AdamW(groups, lr=rate, betas=betas, weight_decay=0.0, **fused)


class Optimizers:
    """Muon for matrices between layers, AdamW for all others: embeddings, outputs, gains. `taught`, which
    has learned already, has a third of the rates."""

    def __init__(self, between, others, taught, device, rate, decay=0.02):
        groups = [
            {"params": [p for p in others if p.dim() > 1], "weight_decay": decay},
            {"params": [p for p in others if p.dim() <= 1], "weight_decay": 0.0},
            {"params": taught, "weight_decay": 0.0, "share": 1 / 3},
        ]
        self.parts = [Muon(between, rate, decay), adam(groups, device, rate)]

    def step(self, rate):
        for part in self.parts:
            set_rate(part, rate)
            part.step()

    def zero_grad(self):
        for part in self.parts:
            part.zero_grad(set_to_none=True)


def set_rate(optimizer, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("share", 1)


def total(report, field, *stages):
    """Summed over stages, of this run and of those that it went on from."""
    here = sum(report.get(stage, {}).get(field, 0) for stage in stages)
    return here + (total(report["before"], field, *stages) if "before" in report else 0)
