"""Muon (Jordan 2024): steps of matrices whose singular values are all about one.

PyTorch has it since 2.9, in bf16 alone: products of that take three times as long as those of f32 on CPUs
without instructions for them (59 and 188 GFLOPS, two cores of an Intel Xeon, matrices of 1024).
"""
import torch

# Newton-Schulz of the fifth degree (Jordan 2024): five steps bring singular values to 0.7 to 1.2.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5


class Muon(torch.optim.Optimizer):
    """`rate` is as AdamW's: an update has the root mean square of one of AdamW's. Filters of convolutions
    are matrices of [out, in and place]."""

    def __init__(self, weights, rate, weight_decay, momentum=0.95):
        super().__init__(list(weights), {"lr": rate, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    by_shape.setdefault(weight.shape, []).append(weight)
            for shape, weights in by_shape.items():
                ways = [self.direction(w, group["momentum"]).flatten(1) for w in weights]
                size = 0.2 * max(ways[0].shape) ** 0.5 * group["lr"]
                for weight, step in zip(weights, orthogonal(torch.stack(ways))):
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(step.view(shape).to(weight.dtype), alpha=-size)

    def direction(self, weight, momentum):
        """The gradient and those before (Nesterov)."""
        state = self.state[weight]
        if not state:
            state["mean"] = torch.zeros_like(weight)
        mean = state["mean"].lerp_(weight.grad, 1 - momentum)
        return weight.grad.lerp(mean, momentum)


def orthogonal(matrices):
    """[n, rows, columns], each with its singular values near one."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x.bfloat16() if x.is_cuda else x.float()
    x = x / x.flatten(1).norm(dim=1).clamp_min(1e-7)[:, None, None]
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
