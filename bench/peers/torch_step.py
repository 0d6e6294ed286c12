"""A step of LlamaGen's decoders in PyTorch as fast as its own tools make it: layers compiled, the whole step
one CUDA graph, in the middle of an image; and VQ-16 with cuDNN. Prints one JSON object a line. PyTorch 2.

    python bench/peers/torch_step.py --budget 75    # on a CUDA machine; begins nothing new after 75 s
"""

import argparse
import json
import time

import torch
import torch_llamagen as llamagen

POSITION = 288
CFG_SCALE = 2.0
TOP_K = 2000


class Head(torch.nn.Module):
    """Logits of guided rows to the next ids, top-k included."""

    def __init__(self, decoder):
        super().__init__()
        self.norm, self.output = decoder.norm, decoder.output

    def forward(self, x):
        conditional, unconditional = self.output(self.norm(x)).float().chunk(2)
        logits = unconditional + (conditional - unconditional) * CFG_SCALE
        least = torch.topk(logits, TOP_K).values[:, -1:]
        probs = torch.where(logits < least, -float("inf"), logits).softmax(-1)
        token = (probs / torch.empty_like(probs).exponential_(1)).argmax(-1)
        return (token + llamagen.CLASSES + 1).repeat(2)


def best_of(work, times, runs=3):
    best = float("inf")
    for _ in range(runs):
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(times):
            work()
        torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - started) / times)
    return best


def time_step(name, rows):
    dim, layers, heads = llamagen.SIZES[name]
    torch.manual_seed(0)
    with torch.device("cuda"):
        decoder = llamagen.Decoder(dim, layers, heads, rows, 24)
    decoder = decoder.to(dtype=torch.bfloat16).eval()
    decoder.rope = decoder.rope.float()
    torch._dynamo.reset()
    forward = torch.compile(llamagen.Layer.forward, fullgraph=True, dynamic=False)
    for layer in decoder.layers:
        layer.forward = forward.__get__(layer)
    head = Head(decoder)

    def step(ids, position):
        x = decoder.embeddings(ids)
        rope, mask = decoder.rope[position], decoder.mask[position]
        for layer in decoder.layers:
            x = layer(x, position, rope, mask)
        return head(x)

    ids = torch.full((rows,), 5, device="cuda")
    position = torch.tensor([POSITION], device="cuda")
    with torch.no_grad():
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                step(ids, position)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step(ids, position)
        best_of(graph.replay, 20, 1)
        return best_of(graph.replay, 100)


def time_vq(dtype, images):
    decoder = llamagen.VqDecoder().to("cuda", dtype).eval().to(memory_format=torch.channels_last)
    codes = torch.randint(llamagen.VOCAB, (images, 24, 24), device="cuda")
    with torch.inference_mode():
        best_of(lambda: decoder(codes), 2, 1)
        return best_of(lambda: decoder(codes), 1)


def main():
    parser = argparse.ArgumentParser(description="Times compiled steps of LlamaGen in PyTorch.")
    parser.add_argument("--budget", type=float, default=75, help="seconds after which nothing new begins")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("no CUDA device")
    began = time.time()
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    jobs = [
        (f"VQ-16, {images} images, {str(dtype).replace('torch.', '')}", lambda d=dtype, n=images: time_vq(d, n))
        for dtype in (torch.bfloat16, torch.float32)
        for images in (1, 8)
    ]
    jobs += [
        (f"GPT-{name} 24x24, {rows // 2} classes, bfloat16", lambda n=name, r=rows: time_step(n, r))
        for name in llamagen.SIZES
        for rows in (2, 16)
    ]
    for name, work in jobs:
        if time.time() - began > args.budget:
            break
        row = {"torch": torch.__version__, "device": torch.cuda.get_device_name(), "name": name}
        print(json.dumps({**row, "ms": work() * 1e3}), flush=True)
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
