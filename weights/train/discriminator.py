"""The patch discriminator of the tokenizer's adversarial loss (Isola et al. 2017, PatchGAN)."""
import torch
from torch import nn
from torch.nn import functional as F


class PatchDiscriminator(nn.Module):
    """Images [batch, 3, size, size] -> one score per patch; positive means real."""

    def __init__(self, width=32):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 3, padding=1, bias=False),
            nn.BatchNorm2d(4 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * width, 1, 3, padding=1),
        )
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, 0, 0.02)

    def forward(self, x):
        return self.layers(x)


def hinge_loss(real, fake):
    return 0.5 * (F.relu(1 - real.float()).mean() + F.relu(1 + fake.float()).mean())


def adaptive_weight(reconstruction, adversarial, last_layer):
    """Makes both losses pull equally hard on the last layer (Esser et al. 2021, equation 7)."""
    (wanted,) = torch.autograd.grad(reconstruction, last_layer, retain_graph=True)
    (pull,) = torch.autograd.grad(adversarial, last_layer, retain_graph=True)
    return (wanted.norm() / (pull.norm() + 1e-4)).clamp(0, 1e4).detach()
