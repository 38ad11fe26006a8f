"""Compares the CPU engine's gradients with PyTorch's autograd in double precision.

    cargo run --release -p hourglass --example dump_gradients -- FOLDER
    python tests/tools/gradients.py FOLDER

Interprets the graph that the example writes; shares no code with the engine. Ends with code 1
when a block differs by more than the tolerance.
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
TOLERANCE = 1e-3  # of a block's gradient, against the gradient's own length


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


def check(folder):
    """Prints the worst blocks; returns relative errors of loss, of all gradients, of the worst block."""
    case = json.loads((folder / "case.json").read_text())
    graph = case["graph"]
    read = lambda name: np.fromfile(folder / name, "<f4").astype(np.float64)
    pictures, height, width = case["pictures"], case["height"], case["width"]
    keypoints = case["config"]["keypoints"]

    parameters = [
        {part: torch.tensor(values, requires_grad=True) for part, values in layer.items()}
        for layer in split(graph["layers"], read("weights.f32"))
    ]
    images = torch.tensor(read("images.f32").reshape(pictures, height, width, 3)).permute(0, 3, 1, 2)
    shape = (pictures, height // 4, width // 4, keypoints)
    targets = torch.tensor(read("targets.f32").reshape(shape)).permute(0, 3, 1, 2)
    masks = torch.tensor(read("masks.f32").reshape(pictures, keypoints, 1, 1))
    loss = sum((masks * (maps - targets) ** 2).mean() for maps in run(graph, parameters, images))
    loss.backward()

    blocks, cancelling = {}, 0.0
    for layer, expected, found in zip(graph["layers"], parameters, split(graph["layers"], read("gradients.f32"))):
        for part, values in found.items():
            if part == "bias" and layer["norm"]:
                # The normalization takes the bias out again: its gradient is zero.
                cancelling = max(cancelling, float(np.abs(values).max()))
                continue
            pair = (values - expected[part].grad.numpy(), expected[part].grad.numpy())
            blocks.setdefault(block_of(layer["name"]), []).append(pair)
    errors = {
        name: length(d for d, _ in pairs) / length(e for _, e in pairs) for name, pairs in blocks.items()
    }
    pairs = [pair for block in blocks.values() for pair in block]
    everything = length(d for d, _ in pairs) / length(e for _, e in pairs)
    worst = sorted(errors, key=errors.get, reverse=True)
    loss_error = abs(case["loss"] - loss.item()) / loss.item()
    print(f"{folder.name}: {len(graph['layers'])} layers in {len(blocks)} blocks, loss off by {loss_error:.1e}, "
          f"all gradients by {everything:.1e}, worst blocks "
          + ", ".join(f"{name} {errors[name]:.1e}" for name in worst[:3])
          + (f", zero gradients up to {cancelling:.1e}" if cancelling else ""))
    return loss_error, everything, errors[worst[0]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="what the example dump_gradients wrote")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    arguments = parser.parse_args()
    cases = sorted(path.parent for path in arguments.folder.glob("*/case.json"))
    if not cases:
        sys.exit(f"{arguments.folder}: no case; run the example dump_gradients first")
    worst = max(max(check(case)) for case in cases)
    print(f"PyTorch {torch.__version__}, NumPy {np.__version__}: worst relative error {worst:.1e}")
    sys.exit(worst > arguments.tolerance)


if __name__ == "__main__":
    main()
