"""PyTorch's side of the whole-model workloads: one step of one of them, timed, or held against
a case that `genera-bench --case` wrote."""

import json

import timing
import workloads


def make(name, small):
    import boltzmann_models
    import flow_models
    import gan_models
    import text_models
    import vae_models

    for family in (vae_models, gan_models, flow_models, boltzmann_models, text_models):
        if name in family.WORKLOADS:
            return family.WORKLOADS[name](small)
    raise SystemExit(f"error: no PyTorch side of {name}")


def check(torch, workload, path):
    """Prints our results and PyTorch's on the same weights, input and draws."""
    from workload import read_case, results_of

    case = read_case(path)
    print(json.dumps({"ours": case["results"].tolist(), "peer": results_of(workload, case)}))


def main():
    arguments = timing.parse_arguments(__doc__, workloads.MODELS, ("nchw", "nhwc"))
    torch = timing.load_torch(arguments.threads)
    workload = make(arguments.workload, arguments.small)
    if arguments.case:
        return check(torch, workload, arguments.case)
    if arguments.layout == "nhwc":
        workload.module.to(memory_format=torch.channels_last)
        workload.inputs = {name: value.to(memory_format=torch.channels_last)
                           if value.dim() == 4 else value
                           for name, value in workload.inputs.items()}
    if arguments.mode == "compiled":
        workload.compile(lambda function: timing.compile_function(
            torch, function, arguments, freezing=workload.inference))
    from workload import Noise

    noise = Noise()
    first = float(workload.step(noise).double().square().mean())
    figures = timing.measure(lambda: workload.step(noise), arguments.seconds)
    return timing.report(torch, arguments, figures, first_result=first,
                         parameters=sum(p.numel() for p in workload.module.parameters()))


if __name__ == "__main__":
    main()
