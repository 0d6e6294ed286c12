"""What every training command shares: failing, devices, prepared data, averages, runs."""
import csv
import json
import math
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs"
DATA = HERE / "data"


def fail(message):
    """Ends the command with one line on stderr and exit code 2, as the runtime's does."""
    print(f"train: {message}", file=sys.stderr)
    sys.exit(2)


def main(command):
    """Runs a command; Ctrl-C ends it with exit code 130."""
    try:
        command()
    except KeyboardInterrupt:
        print("train: stopped; the last checkpoint is kept", file=sys.stderr)
        sys.exit(130)


def device_of(name):
    """`auto` takes a CUDA GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        fail('"--device cuda" expected a CUDA build of PyTorch and a GPU, and there is none')
    return torch.device(name)


def has_bf16(device):
    """Whether bfloat16 products are fast: 4 to 6 times float32 on a CPU with AVX-512 BF16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def precision_of(name, device):
    """A function that gives the context in which networks run: bf16 where it is fast, else f32."""
    bf16 = name == "bf16" or (name == "auto" and has_bf16(device))
    if not bf16:
        return nullcontext
    return lambda: torch.autocast(device.type, dtype=torch.bfloat16)


def add_device_options(parser):
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--precision", default="auto", choices=["auto", "f32", "bf16"])
    parser.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's own)")
    parser.add_argument("--seed", type=int, default=0, help="fixes the run")


def start(options):
    """Seeds everything; the device and the context for networks."""
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    device = device_of(options.device)
    return device, precision_of(options.precision, device)


class Images:
    """One split of a prepared folder: images uint8 [n, size, size, 3] and labels int64 [n]."""

    def __init__(self, folder, split):
        folder = Path(folder)
        if not (folder / "data.json").exists():
            fail(f'{folder}: holds no prepared data; run "python3 weights/train/prepare.py" first')
        self.info = json.loads((folder / "data.json").read_text())
        self.classes = self.info["classes"]
        self.pixels = np.load(folder / f"{split}-images.npy", mmap_mode="r")
        self.labels = torch.from_numpy(np.load(folder / f"{split}-labels.npy"))
        self.size = self.pixels.shape[1]

    def __len__(self):
        return len(self.labels)

    def batch(self, indices, device):
        """Images of these indices as f32 [batch, 3, size, size] in [-1, 1]."""
        pixels = torch.from_numpy(self.pixels[np.asarray(indices)])
        return to_float(pixels, device)


def to_float(pixels, device):
    """uint8 [batch, h, w, 3] -> f32 [batch, 3, h, w] in [-1, 1], channels last in memory."""
    x = pixels.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def to_bytes(images):
    """[batch, 3, h, w] in [-1, 1] -> uint8 [batch, h, w, 3], rounded as the runtime does."""
    return (127.5 * images.float() + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def shown(path):
    """A path as settings record it: inside this project relative to it, whatever the machine."""
    path = path.resolve()
    inside = path.is_relative_to(HERE.parent.parent)
    return path.relative_to(HERE.parent.parent).as_posix() if inside else path.name


class Shuffled:
    """Endless indices, every epoch in a new order; a step's batch depends on seed and step only."""

    def __init__(self, count, batch, seed):
        if count < batch:
            fail(f"expected at least one batch of {batch} images, got {count}")
        self.count, self.batch, self.seed = count, batch, seed
        self.per_epoch = count // batch
        self.epoch, self.order = None, None

    def at(self, step):
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self.epoch:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            self.epoch, self.order = epoch, torch.randperm(self.count, generator=generator)
        return self.order[place * self.batch : (place + 1) * self.batch]


def rate_at(step, steps, peak, warmup, floor=0.05):
    """Learning rate: linear warm-up, then a cosine down to `floor` of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1, done))))


class Average:
    """Exponential moving average of a network's parameters; short runs start with a shorter one."""

    def __init__(self, network, decay):
        self.decay, self.count = decay, 0
        self.values = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network):
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        for name, value in network.state_dict().items():
            self.values[name].lerp_(value, 1 - decay)


def load_checkpoint(run, command):
    """The last checkpoint of a run's folder."""
    path = Path(run) / "checkpoint.pt"
    if not path.exists():
        fail(f'{path}: no such file; run "python3 weights/train/{command}" first')
    return torch.load(path, map_location="cpu")


class Run:
    """A training run: settings, loss curve, checkpoint and plot in one folder. Resumes after a kill."""

    def __init__(self, folder, settings):
        self.folder = Path(folder)
        self.settings = {k: shown(v) if isinstance(v, Path) else v for k, v in settings.items()}
        self.before, self.began = 0.0, time.time()
        self.checkpoint_file = self.folder / "checkpoint.pt"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self.folder, os.W_OK):
                raise PermissionError
        except OSError:
            fail(f"{self.folder}: cannot be written to; choose another folder with --run")

    @property
    def seconds(self):
        return self.before + time.time() - self.began

    def resume(self):
        """The checkpoint of an interrupted run, or None. Other settings than its own are refused."""
        if not self.checkpoint_file.exists():
            self.write_settings()
            (self.folder / "curve.csv").unlink(missing_ok=True)
            return None
        saved = torch.load(self.checkpoint_file, map_location="cpu")
        other = [
            f'"{k}" {saved["settings"].get(k)!r}, now {v!r}'
            for k, v in self.settings.items()
            if saved["settings"].get(k) != v
        ]
        if other:
            fail(
                f"{self.checkpoint_file}: was made with other settings: {'; '.join(other)}. "
                "Continue with those, or choose another folder with --run"
            )
        self.before = saved["seconds"]
        torch.set_rng_state(saved["rng"])
        return saved

    def save(self, **state):
        """Writes beside, then renames: a kill leaves the last whole checkpoint."""
        state.update(settings=self.settings, seconds=self.seconds, rng=torch.get_rng_state())
        beside = self.checkpoint_file.with_suffix(".tmp")
        torch.save(state, beside)
        beside.replace(self.checkpoint_file)
        self.write_settings()

    def write_settings(self):
        about = {
            **self.settings,
            "seconds": round(self.seconds),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        }
        (self.folder / "settings.json").write_text(json.dumps(about, indent=2) + "\n")

    def log(self, **row):
        """Adds a line to the loss curve and shows it."""
        row = {"seconds": round(self.seconds), **row}
        file = self.folder / "curve.csv"
        is_new = not file.exists()
        with file.open("a", newline="") as out:
            writer = csv.writer(out)
            if is_new:
                writer.writerow(row)
            writer.writerow(f"{v:.5g}" if isinstance(v, float) else v for v in row.values())
        shown = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
        print("  ".join(shown), flush=True)

    def plot(self, columns):
        """Draws columns of the loss curve over steps, one panel each."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        with (self.folder / "curve.csv").open() as lines:
            rows = list(csv.DictReader(lines))
        figure, axes = pyplot.subplots(1, len(columns), figsize=(4 * len(columns), 3), squeeze=False)
        for axis, column in zip(axes[0], columns):
            points = [(int(r["step"]), float(r[column])) for r in rows if r[column] not in ("", "nan")]
            if points:
                axis.plot(*zip(*points), linewidth=1)
            axis.set_title(column)
            axis.set_xlabel("step")
            axis.grid(alpha=0.3)
        figure.tight_layout()
        figure.savefig(self.folder / "curve.png", dpi=100)
        pyplot.close(figure)
