"""What PyTorch reaches in a given time: trains the VAE of the benchmarks and prints its test ELBO.

Bernoulli likelihood on grey targets in [0,1], summed over pixels; analytic KL; one draw of z per
image; the mean over the test set. Adam with cosine decay to nothing over the steps that fit in the
given time: the first 20 steps, after a warm-up, tell how many those are.
"""

import argparse
import gzip
import json
import math
import pathlib
import statistics
import struct
import sys
import time

import timing

CALIBRATION_STEPS = 20
WARMUP_STEPS = 10


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("mlp", "conv"), default="mlp")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist",
                        help="folder with {train,t10k}-images-idx3-ubyte.gz")
    parser.add_argument("--time", type=float, default=120.0, help="seconds of training")
    parser.add_argument("--steps", type=int, help="a fixed number of steps instead of --time")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mode", choices=("eager", "compiled"), default="eager")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--schedule", choices=("cosine", "constant"), default="cosine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hold-out", type=int, default=0, metavar="N",
                        help="leave the last N training images out (a validation split)")
    arguments = parser.parse_args()
    arguments.layout = "nchw"
    return arguments


def read_images(torch, path):
    """The images of a gzipped IDX file as floats in [0,1], (N,H,W)."""
    try:
        with gzip.open(path, "rb") as file:
            content = file.read()
        magic, count, height, width = struct.unpack(">IIII", content[:16])
        if magic != 0x803 or len(content) != 16 + count * height * width:
            raise ValueError(f"not an IDX file of images: {magic:#x}, {len(content)} bytes")
    except (OSError, ValueError, struct.error) as error:
        sys.exit(f"error: {path}: {error}")
    pixels = torch.frombuffer(bytearray(content[16:]), dtype=torch.uint8)
    return pixels.reshape(count, height, width).float() / 255


class Trainer:
    """One model, its optimiser and its stream of shuffled batches; the last partial is dropped."""

    def __init__(self, torch, arguments, images):
        import vae_models
        make, self.image = vae_models.MODELS[arguments.model]
        self.torch, self.arguments, self.images = torch, arguments, images
        self.model = make()
        self.adam = torch.optim.Adam(self.model.parameters(), lr=arguments.lr, fused=True)
        self.loss = timing.compile_function(
            torch, lambda x: vae_models.negative_elbo(self.model, x), arguments)
        self.order, self.at = [], 0

    def batch(self):
        size = self.arguments.batch
        if self.at + size > len(self.order):
            self.order, self.at = self.torch.randperm(len(self.images)), 0
        chosen = self.order[self.at:self.at + size]
        self.at += size
        return self.images[chosen].reshape(size, *self.image)

    def step(self, learning_rate):
        self.adam.param_groups[0]["lr"] = learning_rate
        loss = self.loss(self.batch())
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        self.adam.step()
        return loss.detach()

    def run(self, steps, begin):
        rate = self.arguments.lr
        for index in range(steps):
            if self.arguments.schedule == "cosine":
                rate = self.arguments.lr * 0.5 * (1 + math.cos(math.pi * index / steps))
            loss = self.step(rate)
            if index % 2000 == 0 or index + 1 == steps:
                print(f"step {index} of {steps}  loss {float(loss):.2f}  "
                      f"{time.perf_counter() - begin:.1f} s", file=sys.stderr)

    def steps_for(self, seconds):
        """The number of steps that fit, from short steps at the learning rate zero."""
        for _ in range(WARMUP_STEPS):
            self.step(0.0)
        times = []
        for _ in range(CALIBRATION_STEPS):
            start = time.perf_counter()
            self.step(0.0)
            times.append(time.perf_counter() - start)
        return max(1, int(seconds / statistics.median(times)))


def evaluate(torch, model, image, images, batch=500):
    """(mean, standard error) of the negative ELBO over all images, one draw of z each."""
    functional, values = torch.nn.functional, []
    with torch.no_grad():
        for start in range(0, len(images), batch):
            x = images[start:start + batch].reshape(-1, *image)
            logits, mean, log_variance = model(x)
            pixels = functional.binary_cross_entropy_with_logits(logits, x, reduction="none")
            kl = -0.5 * (1 + log_variance - mean ** 2 - log_variance.exp()).sum(1)
            values.append(pixels.flatten(1).sum(1).double() + kl.double())
    values = torch.cat(values)
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


def main():
    arguments = parse_arguments()
    timing.set_environment(arguments.threads)
    torch = timing.load_torch(arguments.threads)
    torch.manual_seed(arguments.seed)
    folder = pathlib.Path(arguments.data)
    train = read_images(torch, folder / "train-images-idx3-ubyte.gz")
    test = read_images(torch, folder / "t10k-images-idx3-ubyte.gz")
    if arguments.hold_out:
        train = train[:-arguments.hold_out]
    trainer = Trainer(torch, arguments, train)
    steps = arguments.steps or trainer.steps_for(arguments.time)
    # Moments gathered while calibrating would help nobody: begin afresh.
    trainer.adam.state.clear()
    begin = time.perf_counter()
    trainer.run(steps, begin)
    seconds = time.perf_counter() - begin
    elbo, error = evaluate(torch, trainer.model, trainer.image, test)
    print(json.dumps({
        "model": arguments.model, "negative_elbo": round(elbo, 3),
        "standard_error": round(error, 3), "seconds": round(seconds, 1), "steps": steps,
        "epochs": round(steps * arguments.batch / len(train), 2),
        "ms_per_step": round(1e3 * seconds / steps, 3), "threads": arguments.threads,
        "mode": arguments.mode, "schedule": arguments.schedule, "lr": arguments.lr,
        "batch": arguments.batch, "seed": arguments.seed, "train_images": len(train),
        "torch": torch.__version__}))


if __name__ == "__main__":
    main()
