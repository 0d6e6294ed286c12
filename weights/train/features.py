"""A small convolutional classifier: perceptual loss of the tokenizer, and judge of generated images."""
import torch
from torch import nn
from torch.nn import functional as F


class Classifier(nn.Module):
    """Images [batch, 3, size, size] in [-1, 1] -> logits [batch, classes]; see `maps` and `embed`."""

    def __init__(self, width, classes):
        super().__init__()
        channels = [3, width, 2 * width, 4 * width, 4 * width]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(channels, channels[1:])
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in channels[1:])
        self.head = nn.Linear(channels[-1], classes)

    def maps(self, x):
        """Feature maps after each convolution."""
        found = []
        for conv, norm in zip(self.convs, self.norms):
            x = F.relu(norm(conv(x)))
            found.append(x)
        return found

    def embed(self, x):
        """[batch, 4 * width]: the last maps, averaged over pixels."""
        return self.maps(x)[-1].float().mean((2, 3))

    def forward(self, x):
        return self.head(self.embed(x))


def perceptual_loss(network, x, y):
    """Distance of unit-length features at every place, summed over layers (after LPIPS, Zhang 2018)."""
    with torch.no_grad():
        wanted = [F.normalize(m.float(), dim=1) for m in network.maps(y)]
    got = [F.normalize(m.float(), dim=1) for m in network.maps(x)]
    return sum((a - b).square().sum(1).mean() for a, b in zip(got, wanted))


def load_classifier(path, device):
    saved = torch.load(path, map_location="cpu")
    network = Classifier(saved["width"], saved["classes"])
    network.load_state_dict(saved["network"])
    return network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
