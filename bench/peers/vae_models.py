"""The two variational autoencoders of the benchmarks in PyTorch (Kingma and Welling, 1312.6114).

`vae_mlp`:  784-400-(20,20)-400-784, ReLU.
`conv_vae`: 1x28x28, convolutions to 32 and 64 channels (4x4, stride 2, padding 1), linear 256,
            z of 32, and the mirrored decoder, ReLU.
Both give Bernoulli logits; x is the grey image in [0,1].
"""

import torch
import torch.nn.functional as F
from torch import nn

import workload


class MlpVae(nn.Module):
    """x (B,784) -> logits (B,784), mean (B,20), log-variance (B,20)."""

    def __init__(self, latent=20):
        super().__init__()
        self.latent = latent
        self.encoder = nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, 400), nn.ReLU(), nn.Linear(400, 784))

    def forward(self, x, noise=workload.Noise()):
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * noise.normal(*mean.shape)
        return self.decoder(z), mean, log_variance


class ConvVae(nn.Module):
    """x (B,1,28,28) -> logits (B,1,28,28), mean (B,32), log-variance (B,32)."""

    def __init__(self, latent=32):
        super().__init__()
        self.latent = latent
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 4, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
            nn.Linear(64 * 7 * 7, 256), nn.ReLU(), nn.Linear(256, 2 * latent))
        self.decoder = nn.Sequential(
            nn.Linear(latent, 256), nn.ReLU(), nn.Linear(256, 64 * 7 * 7), nn.ReLU(),
            nn.Unflatten(1, (64, 7, 7)),
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1))

    def forward(self, x, noise=workload.Noise()):
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * noise.normal(*mean.shape)
        return self.decoder(z), mean, log_variance


def negative_elbo(model, x, noise=workload.Noise()):
    """Summed over pixels and latents, mean over the batch: nats per image, one draw of z."""
    logits, mean, log_variance = model(x, noise)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = -0.5 * torch.sum(1 + log_variance - mean * mean - torch.exp(log_variance))
    return (reconstruction + kl) / x.shape[0]


MODELS = {"mlp": (MlpVae, (784,)), "conv": (ConvVae, (1, 28, 28))}


def trained(kind, small):
    make, image = MODELS[kind]
    module = make()
    return workload.Training(
        module, {"x": torch.rand(2 if small else 128, *image)},
        lambda module, inputs, noise: negative_elbo(module, inputs["x"], noise),
        workload.adam(module, 1e-3))


WORKLOADS = {"vae_mlp": lambda small: trained("mlp", small),
             "conv_vae": lambda small: trained("conv", small)}
