"""PyTorch's side of the single operations: the names are those of `genera-bench`.

sgemm_MxKxN                       (M,K) @ (K,N)
bmm_BxMxKxN                       B products (M,K) @ (K,N)
conv_BxCxHxW_O_kKsS/ROLE          convolution of (B,C,H,W) to O channels, K x K, stride S, padding 1
  out, grad_input, grad_weight    its three roles
  transposed                      the transposed convolution from its output's shape to its input's
softmax_4096x512                  over the last axis
layer_norm_4096x384               over the last axis, with scale and shift
gelu_chain_16m                    gelu(x*a+b)*c, all of 2^24 elements, erf form
sum_16m, normal_16m               sum of, and standard normal samples into, 2^24 elements
adam_10m                          one fused step over 10,000,000 parameters in one tensor
tiny_add                          sum of two tensors of 16 elements
"""

import re

import timing
import workloads

SIXTEEN_M = 1 << 24


def sgemm(torch, size):
    m, k, n = (int(word) for word in size.split("x"))
    a, b = torch.randn(m, k), torch.randn(k, n)
    return lambda a, b: a @ b, (a, b), 2.0 * m * k * n


def bmm(torch, size):
    batch, m, k, n = (int(word) for word in size.split("x"))
    a, b = torch.randn(batch, m, k), torch.randn(batch, k, n)
    return lambda a, b: torch.bmm(a, b), (a, b), 2.0 * batch * m * k * n


def convolution(torch, shape, role, layout):
    batch, channels, height, width, out, kernel, stride = (
        int(word) for word in re.fullmatch(r"(\d+)x(\d+)x(\d+)x(\d+)_(\d+)_k(\d+)s(\d+)",
                                           shape).groups())
    memory = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    x = torch.randn(batch, channels, height, width).to(memory_format=memory)
    weight = torch.randn(out, channels, kernel, kernel).to(memory_format=memory)
    forward = torch.nn.functional.conv2d
    y = forward(x, weight, stride=stride, padding=1)
    flops = 2.0 * y.numel() * channels * kernel * kernel
    if role == "out":
        return lambda x, w: forward(x, w, stride=stride, padding=1), (x, weight), flops
    if role == "transposed":
        backward = torch.nn.functional.conv_transpose2d
        return lambda y, w: backward(y, w, stride=stride, padding=1), (y, weight), flops
    wanted = [role == "grad_input", role == "grad_weight", False]

    def gradient(y, x, w):
        return torch.ops.aten.convolution_backward(
            y, x, w, None, [stride] * 2, [1, 1], [1, 1], False, [0, 0], 1, wanted)
    return gradient, (y, x, weight), flops


def adam(torch):
    parameter = torch.nn.Parameter(torch.randn(10_000_000))
    parameter.grad = torch.randn(10_000_000)
    optimiser = torch.optim.Adam([parameter], lr=1e-3, fused=True)
    return optimiser.step, (), 0.0


def other(torch, name):
    functional = torch.nn.functional
    if name == "softmax_4096x512":
        return lambda x: torch.softmax(x, -1), (torch.randn(4096, 512),), 0.0
    if name == "layer_norm_4096x384":
        scale, shift = torch.randn(384), torch.randn(384)
        return (lambda x, s, t: functional.layer_norm(x, (384,), s, t),
                (torch.randn(4096, 384), scale, shift), 0.0)
    if name == "gelu_chain_16m":
        return (lambda x, a, b, c: functional.gelu(x * a + b) * c,
                tuple(torch.randn(SIXTEEN_M) for _ in range(4)), 0.0)
    if name == "sum_16m":
        return lambda x: x.sum(), (torch.randn(SIXTEEN_M),), 0.0
    if name == "normal_16m":
        return lambda: torch.randn(SIXTEEN_M), (), 0.0
    if name == "adam_10m":
        return adam(torch)
    return lambda a, b: a + b, (torch.randn(16), torch.randn(16)), 0.0


def make(torch, name, layout):
    """(function, its arguments, floating-point operations or 0) of a benchmark name."""
    if name.startswith("sgemm_"):
        return sgemm(torch, name.removeprefix("sgemm_"))
    if name.startswith("bmm_"):
        return bmm(torch, name.removeprefix("bmm_"))
    if name.startswith("conv_"):
        shape, role = name.removeprefix("conv_").split("/")
        return convolution(torch, shape, role, layout)
    return other(torch, name)


def main():
    arguments = timing.parse_arguments(__doc__, workloads.OPERATIONS, ("nchw", "nhwc"))
    torch = timing.load_torch(arguments.threads)
    function, inputs, flops = make(torch, arguments.workload, arguments.layout)
    if arguments.workload != "adam_10m":  # the fused step is one kernel already
        function = timing.compile_function(torch, function, arguments)
    with torch.no_grad():
        figures = timing.measure(lambda: function(*inputs), arguments.seconds)
    extra = {"gflops": round(flops / figures["median_ms"] / 1e6, 1)} if flops else {}
    timing.report(torch, arguments, figures, **extra)


if __name__ == "__main__":
    main()
