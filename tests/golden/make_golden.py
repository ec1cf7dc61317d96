"""Makes golden.safetensors and manifest.json: PyTorch's values for tests that have no PyTorch.

    python3 tests/golden/make_golden.py          (needs: pip install torch numpy safetensors)

Inputs are f32 (indices i32) and drawn from a fixed seed. Outputs are computed by PyTorch in f64
from exactly these inputs and stored as f64, so an f32 or an f64 result can be held against them.

manifest.json lists the cases. Each has
    name         unique, "operation/variant"
    operation    what is computed
    attributes   its parameters, in PyTorch's meaning
    inputs       {role: tensor key in golden.safetensors}
    outputs      {role: tensor key}
Where an input "cotangent" exists, the loss is sum(y * cotangent), and each output "grad_ROLE" is
the gradient of that loss with respect to the input ROLE.
"""

import json
import pathlib

import numpy as np
import safetensors.numpy
import torch
import torch.nn.functional as F

FOLDER = pathlib.Path(__file__).resolve().parent


class Golden:
    """Collects the cases and their tensors."""

    def __init__(self):
        self.random = np.random.default_rng(20240607)
        self.tensors, self.cases = {}, []

    def normal(self, *shape):
        return self.random.standard_normal(shape).astype(np.float32)

    def uniform(self, low, high, *shape):
        return self.random.uniform(low, high, shape).astype(np.float32)

    def integers(self, below, *shape):
        return self.random.integers(0, below, shape).astype(np.int32)

    def store(self, name, operation, attributes, inputs, outputs):
        case = {"name": name, "operation": operation, "attributes": attributes}
        for part, tensors in (("inputs", inputs), ("outputs", outputs)):
            case[part] = {}
            for role, value in tensors.items():
                key = f"{name}.{role}"
                assert key not in self.tensors, key
                if isinstance(value, torch.Tensor):
                    value = value.detach().numpy()
                self.tensors[key] = np.ascontiguousarray(value)
                case[part][role] = key
        self.cases.append(case)

    def case(self, name, function, inputs, attributes=None, constant=()):
        """Stores y = function(**inputs, **attributes), and the gradients but for `constant`."""
        attributes, operation = attributes or {}, name.split("/")[0]
        arguments = {}
        for role, value in inputs.items():
            tensor = torch.from_numpy(np.array(value))
            whole = not tensor.is_floating_point()
            arguments[role] = tensor.long() if whole else tensor.double()
            if not whole and role not in constant:
                arguments[role].requires_grad_(True)
        y = function(**arguments, **attributes)
        cotangent = self.normal(*y.shape)
        outputs = {"y": y}
        wanted = {role: tensor for role, tensor in arguments.items() if tensor.requires_grad}
        loss = (y * torch.from_numpy(np.array(cotangent)).double()).sum()
        for role, gradient in zip(wanted, torch.autograd.grad(loss, wanted.values())):
            outputs[f"grad_{role}"] = gradient
        self.store(name, operation, attributes, {**inputs, "cotangent": cotangent}, outputs)

    def write(self):
        path = FOLDER / "golden.safetensors"
        path.write_bytes(safetensors.numpy.save(self.tensors))
        manifest = {"made_by": "tests/golden/make_golden.py",
                    "torch": torch.__version__.split("+")[0], "numpy": np.__version__,
                    "tensors": "golden.safetensors"}
        cases = ",\n".join(json.dumps(case) for case in self.cases)
        head = json.dumps(manifest)[:-1]
        (FOLDER / "manifest.json").write_text(f'{head}, "cases": [\n{cases}\n]}}\n')


def convolutions(golden):
    shapes = {  # variant: (x, weight, attributes)
        "plain": ((2, 3, 7, 6), (4, 3, 3, 3), {}),
        "stride2_pad1": ((2, 3, 8, 8), (4, 3, 4, 4), {"stride": 2, "padding": 1}),
        "uneven": ((1, 2, 9, 7), (3, 2, 3, 2), {"stride": [2, 1], "padding": [0, 1]}),
        "dilation2": ((1, 2, 9, 9), (3, 2, 3, 3), {"dilation": 2, "padding": 2}),
        "groups2": ((2, 4, 6, 6), (6, 2, 3, 3), {"groups": 2, "padding": 1}),
        "depthwise": ((1, 4, 6, 5), (4, 1, 3, 3), {"groups": 4, "padding": 1, "stride": 2}),
        "all": ((1, 4, 11, 10), (6, 2, 3, 2),
                {"stride": [2, 3], "padding": [1, 2], "dilation": [2, 1], "groups": 2}),
        "one_by_one": ((2, 5, 3, 3), (4, 5, 1, 1), {}),
        "thin": ((2, 1, 8, 8), (8, 1, 4, 4), {"stride": 2, "padding": 1}),
    }
    for variant, (x, weight, attributes) in shapes.items():
        inputs = {"input": golden.normal(*x), "weight": golden.normal(*weight),
                  "bias": golden.normal(weight[0])}
        golden.case(f"conv2d/{variant}", F.conv2d, inputs, attributes)
    transposed = {  # weight is (input channels, output channels / groups, height, width)
        "plain": ((2, 3, 5, 4), (3, 4, 3, 3), {}),
        "stride2_pad1": ((2, 4, 4, 4), (4, 3, 4, 4), {"stride": 2, "padding": 1}),
        "output_padding": ((1, 3, 4, 4), (3, 2, 3, 3),
                           {"stride": 2, "padding": 1, "output_padding": 1}),
        "dilation2": ((1, 2, 5, 5), (2, 3, 3, 3), {"dilation": 2, "padding": 1}),
        "groups2": ((2, 4, 4, 4), (4, 3, 3, 3), {"groups": 2, "stride": 2}),
        "thin": ((2, 8, 4, 4), (8, 1, 4, 4), {"stride": 2, "padding": 1}),
    }
    for variant, (x, weight, attributes) in transposed.items():
        channels = weight[1] * attributes.get("groups", 1)
        inputs = {"input": golden.normal(*x), "weight": golden.normal(*weight),
                  "bias": golden.normal(channels)}
        golden.case(f"conv_transpose2d/{variant}", F.conv_transpose2d, inputs, attributes)


def pooling(golden):
    x = {"input": golden.normal(2, 3, 7, 6)}
    golden.case("max_pool2d/k2", F.max_pool2d, x, {"kernel_size": 2})
    golden.case("max_pool2d/k3s2p1", F.max_pool2d, x,
                {"kernel_size": 3, "stride": 2, "padding": 1})
    golden.case("avg_pool2d/k2", F.avg_pool2d, x, {"kernel_size": 2})
    golden.case("avg_pool2d/k3s2p1", F.avg_pool2d, x,
                {"kernel_size": 3, "stride": 2, "padding": 1})
    for mode, extra in (("nearest", {}), ("bilinear", {"align_corners": False})):
        golden.case(f"interpolate/{mode}2", F.interpolate, {"input": golden.normal(1, 2, 3, 4)},
                    {"scale_factor": 2, "mode": mode, **extra})


def norms(golden):
    def affine(*shape):
        return {"weight": golden.uniform(0.5, 1.5, *shape), "bias": golden.normal(*shape)}

    golden.case("layer_norm/last", F.layer_norm, {"input": golden.normal(5, 9), **affine(9)},
                {"normalized_shape": [9], "eps": 1e-5})
    golden.case("layer_norm/last_two", F.layer_norm,
                {"input": golden.normal(2, 3, 4, 5), **affine(4, 5)},
                {"normalized_shape": [4, 5], "eps": 1e-5})
    golden.case("layer_norm/no_affine", F.layer_norm, {"input": golden.normal(3, 7)},
                {"normalized_shape": [7], "eps": 1e-3})
    golden.case("group_norm/2_of_6", F.group_norm,
                {"input": golden.normal(2, 6, 3, 4), **affine(6)}, {"num_groups": 2, "eps": 1e-5})
    golden.case("group_norm/instance", F.group_norm,
                {"input": golden.normal(2, 4, 3, 3), **affine(4)}, {"num_groups": 4, "eps": 1e-5})
    for variant, shape in (("train_2d", (4, 3, 3, 2)), ("train_1d", (8, 5))):
        batch_norm_train(golden, variant, shape, affine(shape[1]))
    golden.case("batch_norm/eval", F.batch_norm,
                {"input": golden.normal(3, 4, 2, 2), "running_mean": golden.normal(4),
                 "running_var": golden.uniform(0.5, 2, 4), **affine(4)},
                {"training": False, "eps": 1e-5}, constant=("running_mean", "running_var"))


def batch_norm_train(golden, variant, shape, affine):
    """Adds the running statistics after the call: the running variance is the unbiased one."""
    before = {"running_mean": golden.normal(shape[1]),
              "running_var": golden.uniform(0.5, 2, shape[1])}
    attributes = {"training": True, "momentum": 0.1, "eps": 1e-5}
    after = {}

    def run(input, running_mean, running_var, weight, bias, **attributes):
        mean, var = running_mean.clone(), running_var.clone()
        y = F.batch_norm(input, mean, var, weight, bias, **attributes)
        after.update(new_running_mean=mean, new_running_var=var)
        return y

    golden.case(f"batch_norm/{variant}", run, {"input": golden.normal(*shape), **before, **affine},
                attributes, constant=("running_mean", "running_var"))
    case = golden.cases[-1]
    for role, value in after.items():
        key = f"{case['name']}.{role}"
        golden.tensors[key] = value.numpy()
        case["outputs"][role] = key


def softmaxes(golden):
    functions = {"softmax": torch.softmax, "log_softmax": torch.log_softmax,
                 "logsumexp": torch.logsumexp, "cumsum": torch.cumsum,
                 "logcumsumexp": torch.logcumsumexp}
    for operation, function in functions.items():
        golden.case(f"{operation}/last", function, {"input": golden.normal(4, 7)}, {"dim": -1})
        golden.case(f"{operation}/middle", function, {"input": golden.normal(2, 5, 3)}, {"dim": 1})
        far = golden.normal(3, 6) * np.float32(60)  # overflows unless the maximum is taken off
        golden.case(f"{operation}/large", function, {"input": far}, {"dim": -1})
    for unbiased in (False, True):
        golden.case(f"var/unbiased_{str(unbiased).lower()}", torch.var,
                    {"input": golden.normal(3, 8)}, {"dim": 1, "unbiased": unbiased})


def activations(golden):
    # Without 0, where libraries may choose the slope of relu.
    x = np.concatenate([np.linspace(-12, 12, 48), [-40, 40, 1e-4, -1e-4, 1e-7, -1e-7],
                        golden.normal(17)]).astype(np.float32)
    functions = {"gelu": F.gelu, "silu": F.silu, "softplus": F.softplus, "sigmoid": torch.sigmoid,
                 "log_sigmoid": lambda input: F.logsigmoid(input), "tanh": torch.tanh,
                 "erf": torch.erf, "elu": F.elu, "relu": torch.relu, "expm1": torch.expm1,
                 "exp": torch.exp}
    for operation, function in functions.items():
        golden.case(f"{operation}/range", function, {"input": x})
    golden.case("gelu/tanh", F.gelu, {"input": x}, {"approximate": "tanh"})
    golden.case("leaky_relu/slope0.2", F.leaky_relu, {"input": x}, {"negative_slope": 0.2})
    positive = np.concatenate([np.logspace(-8, 8, 33), golden.uniform(0, 3, 15)]).astype(np.float32)
    for operation, function in {"log": torch.log, "log1p": torch.log1p, "sqrt": torch.sqrt,
                                "rsqrt": torch.rsqrt}.items():
        golden.case(f"{operation}/range", function, {"input": positive})


def losses(golden):
    logits, target = golden.normal(6, 5), golden.integers(5, 6)
    for variant, attributes in {"mean": {"reduction": "mean"}, "sum": {"reduction": "sum"},
                                "none": {"reduction": "none"},
                                "smoothing0.1": {"reduction": "mean",
                                                 "label_smoothing": 0.1}}.items():
        golden.case(f"cross_entropy/{variant}", F.cross_entropy,
                    {"input": logits, "target": target}, attributes)
    logits = np.concatenate([golden.normal(2, 6), [[-90, 90, 0, 30, -30, 1]]]).astype(np.float32)
    target = golden.uniform(0, 1, 3, 6)
    for reduction in ("mean", "sum", "none"):
        golden.case(f"binary_cross_entropy_with_logits/{reduction}",
                    F.binary_cross_entropy_with_logits, {"input": logits, "target": target},
                    {"reduction": reduction}, constant=("target",))
    pair = {"input": golden.normal(4, 3) * np.float32(2), "target": golden.normal(4, 3)}
    golden.case("mse_loss/mean", F.mse_loss, pair, {"reduction": "mean"})
    golden.case("l1_loss/mean", F.l1_loss, pair, {"reduction": "mean"})
    golden.case("huber_loss/delta1", F.huber_loss, pair, {"reduction": "mean", "delta": 1.0})

    def elbo_kl(mean, log_variance):
        return -0.5 * (1 + log_variance - mean ** 2 - log_variance.exp()).sum(1)
    golden.case("kl_normal/standard", elbo_kl,
                {"mean": golden.normal(4, 3), "log_variance": golden.normal(4, 3)})


def contractions(golden):
    equations = {  # equation: shapes
        "ij,jk->ik": [(3, 4), (4, 5)],
        "ij,kj->ki": [(3, 4), (5, 4)],
        "bij,bjk->bik": [(2, 3, 4), (2, 4, 5)],
        "bhqd,bhkd->bhqk": [(2, 2, 3, 4), (2, 2, 5, 4)],
        "bthd,hde->bte": [(2, 3, 2, 4), (2, 4, 5)],
        "i,j->ij": [(3,), (4,)],
        "i,i->": [(5,), (5,)],
        "ij,ij->i": [(3, 4), (3, 4)],
        "ij->ji": [(3, 4)],
        "ij->": [(3, 4)],
        "ijk->j": [(2, 3, 4)],
        "ii->i": [(4, 4)],
        "ii->": [(4, 4)],
        "bij,bj->bi": [(2, 3, 4), (2, 4)],
        "abc,cd,bd->a": [(2, 3, 4), (4, 5), (3, 5)],
        "...ij,...jk->...ik": [(2, 1, 3, 4), (3, 4, 2)],
        "ij,jk": [(3, 4), (4, 2)],
    }
    for equation, shapes in equations.items():
        inputs = {f"operand{i}": golden.normal(*shape) for i, shape in enumerate(shapes)}
        golden.case(f"einsum/{equation}",
                    lambda equation, **operands: torch.einsum(equation, *operands.values()),
                    inputs, {"equation": equation})
    query = {"query": golden.normal(2, 2, 5, 4), "key": golden.normal(2, 2, 5, 4),
             "value": golden.normal(2, 2, 5, 3)}
    for causal in (True, False):
        golden.case(f"attention/causal_{str(causal).lower()}", F.scaled_dot_product_attention,
                    query, {"is_causal": causal})


def linear_algebra(golden):
    def well_conditioned(*shape):
        return golden.normal(*shape) + 3 * np.eye(shape[-1], dtype=np.float32)

    single, batch = well_conditioned(4, 4), well_conditioned(2, 5, 5)
    # Asks for row exchanges, and has a negative determinant.
    pivoting = np.array([[0, 2, 1], [1, 0, 3], [4, 1, 0.5]], dtype=np.float32) * np.float32(-1)
    for variant, matrix in {"4x4": single, "batch": batch, "pivoting": pivoting}.items():
        golden.case(f"inverse/{variant}", torch.linalg.inv, {"A": matrix})
        golden.case(f"log_abs_det/{variant}", lambda A: torch.linalg.slogdet(A)[1], {"A": matrix})
        sign = torch.linalg.slogdet(torch.from_numpy(matrix).double())[0]
        golden.store(f"sign_det/{variant}", "sign_det", {}, {"A": matrix}, {"y": sign})
    golden.case("solve/matrix", torch.linalg.solve, {"A": single, "B": golden.normal(4, 3)})
    golden.case("solve/batch", torch.linalg.solve, {"A": batch, "B": golden.normal(2, 5, 2)})
    golden.case("solve/pivoting", torch.linalg.solve, {"A": pivoting, "B": golden.normal(3, 1)})

    def symmetric(S):  # the gradient of S does not depend on which triangle a library reads
        return 0.5 * (S + S.mT)

    for variant, shape in {"4x4": (4, 4), "batch": (2, 3, 3)}.items():
        S = golden.normal(*shape) * np.float32(0.5) + 4 * np.eye(shape[-1], dtype=np.float32)
        golden.case(f"cholesky_of_symmetric_part/{variant}",
                    lambda S: torch.linalg.cholesky(symmetric(S)), {"S": S})
    for upper in (False, True):
        golden.case(f"solve_triangular/{'upper' if upper else 'lower'}",
                    lambda A, B, upper: torch.linalg.solve_triangular(A, B, upper=upper),
                    {"A": (np.triu if upper else np.tril)(single), "B": golden.normal(4, 2)},
                    {"upper": upper})


def optimisers(golden):
    """p after each of 5 steps down 0.5 p'Ap - b'p, whose gradient is Ap - b."""
    root = golden.normal(4, 4)
    A = (root @ root.T + np.eye(4, dtype=np.float32)).astype(np.float32)
    b, start = golden.normal(4), golden.normal(4)
    cases = {
        "sgd/plain": (torch.optim.SGD, {"lr": 0.05}),
        "sgd/momentum": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
        "sgd/nesterov": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
        "sgd/weight_decay": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}),
        "adam/default": (torch.optim.Adam, {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8}),
        "adam/gan": (torch.optim.Adam, {"lr": 0.02, "betas": [0.5, 0.999], "eps": 1e-8}),
        "adam/weight_decay": (torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.1}),
        "adam/large_eps": (torch.optim.Adam, {"lr": 0.01, "eps": 1e-2}),
        "adamw/default": (torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
        "rmsprop/default": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.99, "eps": 1e-8}),
        "rmsprop/momentum": (torch.optim.RMSprop,
                             {"lr": 0.01, "alpha": 0.9, "eps": 1e-8, "momentum": 0.9}),
        "rmsprop/centered": (torch.optim.RMSprop,
                             {"lr": 0.01, "alpha": 0.9, "eps": 1e-8, "centered": True}),
    }
    for name, (make, attributes) in cases.items():
        p = torch.from_numpy(start.copy()).double().requires_grad_(True)
        optimiser, path = make([p], **attributes), []
        for _ in range(5):
            p.grad = torch.from_numpy(A).double() @ p.detach() - torch.from_numpy(b).double()
            optimiser.step()
            path.append(p.detach().clone())
        golden.store(name, name.split("/")[0], attributes, {"A": A, "b": b, "start": start},
                     {"path": torch.stack(path)})


def schedules(golden):
    """Learning rates of the steps 0 to 10, and gradients clipped by their global norm."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    for variant, floor in (("to_zero", 0.0), ("to_floor", 1e-4)):
        optimiser = torch.optim.SGD([parameter], lr=1e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10, eta_min=floor)
        rates = []
        for _ in range(11):
            rates.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
        golden.store(f"cosine/{variant}", "cosine", {"lr": 1e-3, "steps": 10, "eta_min": floor}, {},
                     {"rates": np.array(rates)})
    gradients = {"first": golden.normal(3, 2), "second": golden.normal(5)}
    for limit in (1.0, 100.0):
        tensors = [torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64))
                   for g in gradients.values()]
        for tensor, gradient in zip(tensors, gradients.values()):
            tensor.grad = torch.from_numpy(gradient.copy()).double()
        norm = torch.nn.utils.clip_grad_norm_(tensors, limit)
        golden.store(f"clip_by_norm/{limit:g}", "clip_by_norm", {"max_norm": limit}, gradients,
                     {"norm": norm, "clipped_first": tensors[0].grad,
                      "clipped_second": tensors[1].grad})


def main():
    torch.use_deterministic_algorithms(True)
    golden = Golden()
    for family in (convolutions, pooling, norms, softmaxes, activations, losses, contractions,
                   linear_algebra, optimisers, schedules):
        family(golden)
    golden.write()
    print(f"{len(golden.cases)} cases, {len(golden.tensors)} tensors")


if __name__ == "__main__":
    main()
