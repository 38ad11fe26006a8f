"""Compares the CPU engine's gradients with PyTorch's autograd in double precision.

    cargo run --release -p hourglass --example dump_gradients -- FOLDER
    python tests/tools/gradients.py FOLDER

Interprets the graph that the example writes; shares no code with the engine. Ends with code 1
when a block differs by more than the tolerance.

The engine computes in single precision. There a value next to zero can fall on the other side of
a ReLU, and another cell can win a 2x2 maximum, which moves single gradients by their whole size.
How much that is to be expected is measured with PyTorch in single precision on the same network.
"""

import argparse
import json
import pathlib
import re
import sys

import numpy as np
import torch
import torch.nn.functional as F

EPSILON = 1e-3  # in every batch normalization
TOLERANCE = 1e-2  # of a block's gradient, against the gradient's own length


def block_of(layer):
    """`hg0_upsample_f4_short_conv_3x3_2_depthwise` belongs to `hg0_upsample_f4_short`."""
    name = layer.removesuffix("_depthwise")
    return re.sub(r"_(conv_\dx\d_\w+|skip)$", "", name) if "residual" in name or "sample" in name else name


def same_padding(size, kernel, stride):
    """Rows before and after; the odd one goes after."""
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def convolution(x, layer, parameters):
    top, bottom = same_padding(x.shape[2], layer["kernel"], layer["stride"])
    left, right = same_padding(x.shape[3], layer["kernel"], layer["stride"])
    groups = layer["inputs"] if layer["depthwise"] else 1
    x = F.pad(x, (left, right, top, bottom))
    x = F.conv2d(x, parameters["weight"], parameters.get("bias"), stride=layer["stride"], groups=groups)
    if layer["norm"]:
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
        x = (x - mean) / torch.sqrt(variance + EPSILON)
        x = x * parameters["gamma"].view(1, -1, 1, 1) + parameters["beta"].view(1, -1, 1, 1)
    return torch.relu(x) if layer["relu"] else x


def run(graph, parameters, picture):
    """The heatmaps of every stack."""
    values = []
    for node in graph["nodes"]:
        kind, fields = (node, {}) if isinstance(node, str) else next(iter(node.items()))
        if kind == "Input":
            value = picture
        elif kind == "Conv":
            index = fields["layer"]
            value = convolution(values[fields["input"]], graph["layers"][index], parameters[index])
        elif kind == "Add":
            value = values[fields["a"]] + values[fields["b"]]
        elif kind == "MaxPool":
            value = F.max_pool2d(values[fields["input"]], 2)
        elif kind == "UpsampleAdd":
            value = values[fields["high"]] + F.interpolate(values[fields["low"]], scale_factor=2, mode="nearest")
        else:
            sys.exit(f"unknown node {node}")
        values.append(value)
    return [values[output] for output in graph["outputs"]]


def split(layers, flat):
    """Weight, bias, gamma and beta of every layer, as far as it has them."""
    result, at = [], 0
    for layer in layers:
        inputs = 1 if layer["depthwise"] else layer["inputs"]
        shapes = {"weight": (layer["outputs"], inputs, layer["kernel"], layer["kernel"])}
        if layer["bias"]:
            shapes["bias"] = (layer["outputs"],)
        if layer["norm"]:
            shapes["gamma"] = shapes["beta"] = (layer["outputs"],)
        parts = {}
        for part, shape in shapes.items():
            size = int(np.prod(shape))
            parts[part] = flat[at : at + size].reshape(shape)
            at += size
        result.append(parts)
    assert at == len(flat), f"{len(flat)} values in the file, {at} in the graph"
    return result


def length(arrays):
    return float(np.sqrt(sum(float(np.sum(np.square(a))) for a in arrays)))


def autograd(case, files, precision):
    """Loss and, for every layer, the gradients of its parts."""
    graph, keypoints = case["graph"], case["config"]["keypoints"]
    pictures, height, width = case["pictures"], case["height"], case["width"]
    tensor = lambda values: torch.tensor(values, dtype=precision)
    parameters = [
        {part: tensor(values).requires_grad_() for part, values in layer.items()}
        for layer in split(graph["layers"], files["weights"])
    ]
    images = tensor(files["images"].reshape(pictures, height, width, 3)).permute(0, 3, 1, 2)
    shape = (pictures, height // 4, width // 4, keypoints)
    targets = tensor(files["targets"].reshape(shape)).permute(0, 3, 1, 2)
    masks = tensor(files["masks"].reshape(pictures, keypoints, 1, 1))
    weights = masks * (1 + case["foreground"] * targets)
    loss = sum((weights * (maps - targets) ** 2).mean() for maps in run(graph, parameters, images))
    loss.backward()
    return loss.item(), [{part: value.grad.double().numpy() for part, value in layer.items()} for layer in parameters]


def relative_errors(layers, found, expected):
    """Of every block: length of the difference over the length of the expected gradient."""
    blocks = {}
    for layer, ours, theirs in zip(layers, found, expected):
        for part in ours:
            # A normalization takes the bias before it out again: its gradient is zero.
            if part != "bias" or not layer["norm"]:
                pair = (ours[part] - theirs[part], theirs[part])
                blocks.setdefault(block_of(layer["name"]), []).append(pair)
    return {name: length(d for d, _ in pairs) / length(e for _, e in pairs) for name, pairs in blocks.items()}


def check(folder):
    """Prints how far the network's gradients are off; returns the errors of loss and blocks."""
    case = json.loads((folder / "case.json").read_text())
    names = ["weights", "images", "targets", "masks", "gradients"]
    files = {name: np.fromfile(folder / f"{name}.f32", "<f4").astype(np.float64) for name in names}
    layers = case["graph"]["layers"]
    loss, expected = autograd(case, files, torch.float64)
    _, single = autograd(case, files, torch.float32)
    errors = relative_errors(layers, split(layers, files["gradients"]), expected)
    control = relative_errors(layers, single, expected)
    loss_error = abs(case["loss"] - loss) / loss
    worst = max(errors, key=errors.get)
    print(
        f"| {folder.name} | {len(layers)} | {len(errors)} | {loss_error:.0e} | {np.median(list(errors.values())):.1e} "
        f"| {errors[worst]:.1e} ({worst}) | {np.median(list(control.values())):.1e} | {max(control.values()):.1e} |"
    )
    return {"loss": loss_error, **errors}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="what the example dump_gradients wrote")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    arguments = parser.parse_args()
    cases = sorted(path.parent for path in arguments.folder.glob("*/case.json"))
    if not cases:
        sys.exit(f"{arguments.folder}: no case; run the example dump_gradients first")
    print("| network | layers | blocks | loss | median block | worst block | PyTorch f32: median | worst |")
    print("|---|---|---|---|---|---|---|---|")
    errors = [check(case) for case in cases]
    print(f"\n| block | median of {len(cases)} networks | worst |\n|---|---|---|")
    for block in errors[0]:
        figures = [network[block] for network in errors]
        print(f"| {block} | {np.median(figures):.1e} | {max(figures):.1e} |")
    worst = max(max(network.values()) for network in errors)
    print(f"PyTorch {torch.__version__}, NumPy {np.__version__}: worst relative error {worst:.1e}")
    sys.exit(worst > arguments.tolerance)


if __name__ == "__main__":
    main()
