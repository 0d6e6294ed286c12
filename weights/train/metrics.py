"""How alike images are: PSNR, SSIM; and how alike sets of features are: Frechet distance."""
import numpy as np
import torch
from torch.nn import functional as F


def psnr(a, b):
    """dB of each pair; images [batch, 3, h, w] with values 0 to 255."""
    error = (a.double() - b.double()).square().mean((1, 2, 3))
    return 10 * torch.log10(255**2 / error.clamp_min(1e-10))


def ssim(a, b):
    """Of each pair, mean over channels; 11x11 Gaussian window of 1.5 (Wang et al. 2004); values 0 to 255."""
    place = torch.arange(11, dtype=torch.float64) - 5
    window = torch.exp(-place.square() / (2 * 1.5**2))
    window = (window / window.sum()).to(a.device)

    def blur(x):
        # Rows, then columns: 22 products a pixel instead of 121.
        x = F.conv2d(x.flatten(0, 1).unsqueeze(1), window.view(1, 1, 1, 11))
        return F.conv2d(x, window.view(1, 1, 11, 1)).unflatten(0, (-1, 3)).squeeze(2)

    a, b = a.double(), b.double()
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    cov = blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    map_ = (2 * mean_a * mean_b + c1) * (2 * cov + c2)
    map_ = map_ / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return map_.mean((1, 2, 3))


def quick_ssim(a, b):
    """Mean SSIM as a loss: images in [-1, 1], 7x7 box windows at every second place."""

    def blur(x):
        return F.avg_pool2d(x, 7, 2)

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    cov = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.02**2, 0.06**2
    map_ = (2 * mean_a * mean_b + c1) * (2 * cov + c2)
    return (map_ / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean()


def frechet_distance(a, b):
    """Between Gaussians fitted to two sets of features [n, d] (Heusel et al. 2017), in float64."""
    a, b = (np.asarray(x, np.float64) for x in (a, b))
    gap = a.mean(0) - b.mean(0)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # trace sqrt(A B) = sum of the square roots of the eigenvalues of A B, all real and >= 0.
    roots = np.sqrt(np.clip(np.linalg.eigvals(cov_a @ cov_b).real, 0, None))
    return float(gap @ gap + np.trace(cov_a) + np.trace(cov_b) - 2 * roots.sum())
