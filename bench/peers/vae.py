"""PyTorch's side of `vae_mlp` and `conv_vae`: one training step, batch 128, fused Adam 1e-3."""

import timing

BATCH = 128


def main():
    arguments = timing.parse_arguments(__doc__, ("vae_mlp", "conv_vae"), ("nchw", "nhwc"))
    torch = timing.load_torch(arguments.threads)
    import vae_models

    make, image = vae_models.MODELS["mlp" if arguments.workload == "vae_mlp" else "conv"]
    model, x = make(), torch.rand(BATCH, *image)
    if arguments.layout == "nhwc" and len(image) == 3:
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    loss_of = timing.compile_function(
        torch, lambda x: vae_models.negative_elbo(model, x), arguments)

    def step():
        loss = loss_of(x)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        return loss

    first = float(step().detach())
    figures = timing.measure(step, arguments.seconds, arguments.warmup)
    timing.report(torch, arguments, figures, first_loss=first, last_loss=float(step().detach()),
                  parameters=sum(p.numel() for p in model.parameters()))


if __name__ == "__main__":
    main()
