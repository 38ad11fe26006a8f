"""The networks of this workspace in PyTorch, with the names under which `trainer train --weights` finds them.

    python tests/tools/twin.py torch IN.safetensors OUT.pt
    python tests/tools/twin.py fixture trainer/tests/twin

`torch` turns a checkpoint of the trainer into a state_dict of this module. `fixture` writes the checkpoint of a
small network of random values as training programs do, with the heatmaps that it gives for one picture; a test
of the trainer reads it.
"""

import argparse
import json
import pathlib
import struct

import torch
import torch.nn.functional as F
from torch import nn

EPSILON = 1e-3
PARTS = {
    "weight": "conv.weight",
    "bias": "conv.bias",
    "gamma": "norm.weight",
    "beta": "norm.bias",
    "mean": "norm.running_mean",
    "variance": "norm.running_var",
}


class Layer(nn.Module):
    """Convolution with "same" padding, the odd row after; then perhaps BatchNorm, perhaps ReLU."""

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1, bias=True, norm=False, relu=False):
        super().__init__()
        total = kernel - stride if stride > 1 else kernel - 1
        before, after = total // 2, total - total // 2
        self.pad = (before, after, before, after) if before != after else None
        inside = 0 if self.pad else before
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, inside, groups=groups, bias=bias)
        if norm:
            self.norm = nn.BatchNorm2d(outputs, eps=EPSILON, momentum=0.05)
        self.relu = relu

    def forward(self, x):
        x = self.conv(F.pad(x, self.pad) if self.pad else x)
        if hasattr(self, "norm"):
            x = self.norm(x)
        return F.relu(x, inplace=True) if self.relu else x


class Twin(nn.Module):
    """Pictures `[batch, 3, height, width]` to the heatmaps of every stack, of a quarter of the size."""

    def __init__(self, stacks=2, channels=256, mobile=False, keypoints=16, form="lean", residual="linear"):
        super().__init__()
        self.stacks, self.mobile = stacks, mobile
        self.classic, self.residual_relu = form == "classic", residual == "relu"
        c = channels
        self.conv("front_conv_1x1_1", 3, 64, 7, stride=2)
        self.bottleneck("front_residual_1", 64, c // 2)
        self.bottleneck("front_residual_2", c // 2, c // 2)
        self.bottleneck("front_residual_3", c // 2, c)
        for i in range(stacks):
            for part in ["1", "2", "4", "8", "f8_short", "f8_1", "f8_2", "f8_3"]:
                self.bottleneck(f"hg{i}_downsample_{part}", c, c)
            for size in [4, 2, 1]:
                self.bottleneck(f"hg{i}_upsample_f{size}_short", c, c)
                self.bottleneck(f"hg{i}_upsample_f{size}_merged", c, c)
            self.conv(f"hg{i}_conv_1x1_1", c, c, 1)
            self.add_module(f"hg{i}_conv_1x1_predict", Layer(c, keypoints, 1))
            if i + 1 < stacks:
                self.add_module(f"hg{i}_conv_1x1_2", Layer(c, c, 1))
                self.add_module(f"hg{i}_conv_1x1_3", Layer(keypoints, c, 1))

    def conv(self, name, inputs, outputs, kernel, stride=1, relu=True):
        self.add_module(name, Layer(inputs, outputs, kernel, stride, bias=self.classic, norm=True, relu=relu))

    def depthwise(self, name, channels, kernel):
        if self.mobile and (kernel > 1 or self.classic):
            self.add_module(f"{name}_depthwise", Layer(channels, channels, kernel, groups=channels, bias=False))

    def block_conv(self, name, inputs, outputs, kernel, relu=True):
        self.depthwise(name, inputs, kernel)
        self.conv(name, inputs, outputs, 1 if self.mobile else kernel, relu=relu)

    def bottleneck(self, name, inputs, outputs):
        if inputs != outputs:
            self.depthwise(f"{name}_skip", inputs, 1)
            self.add_module(f"{name}_skip", Layer(inputs, outputs, 1, relu=self.residual_relu))
        self.block_conv(f"{name}_conv_1x1_1", inputs, outputs // 2, 1)
        self.block_conv(f"{name}_conv_3x3_2", outputs // 2, outputs // 2, 3)
        self.block_conv(f"{name}_conv_1x1_3", outputs // 2, outputs, 1, relu=self.residual_relu)

    def run(self, name, x):
        if hasattr(self, f"{name}_depthwise"):
            x = getattr(self, f"{name}_depthwise")(x)
        return getattr(self, name)(x)

    def block(self, name, x):
        skip = self.run(f"{name}_skip", x) if hasattr(self, f"{name}_skip") else x
        for part in ["1x1_1", "3x3_2", "1x1_3"]:
            x = self.run(f"{name}_conv_{part}", x)
        return skip + x

    def hourglass(self, i, x):
        levels = []
        for size in [1, 2, 4, 8]:
            x = self.block(f"hg{i}_downsample_{size}", F.max_pool2d(x, 2) if size > 1 else x)
            levels.append(x)
        short = self.block(f"hg{i}_downsample_f8_short", x)
        for number in [1, 2, 3]:
            x = self.block(f"hg{i}_downsample_f8_{number}", x)
        x = short + x
        for level, size in [(2, 4), (1, 2), (0, 1)]:
            high = self.block(f"hg{i}_upsample_f{size}_short", levels[level])
            x = self.block(f"hg{i}_upsample_f{size}_merged", high + F.interpolate(x, scale_factor=2, mode="nearest"))
        return x

    def forward(self, picture):
        x = self.block("front_residual_1", self.run("front_conv_1x1_1", picture))
        x = self.block("front_residual_2", F.max_pool2d(x, 2))
        x = self.block("front_residual_3", x)
        heatmaps = []
        for i in range(self.stacks):
            head = self.run(f"hg{i}_conv_1x1_1", self.hourglass(i, x))
            heatmaps.append(self.run(f"hg{i}_conv_1x1_predict", head))
            if i + 1 < self.stacks:
                x = x + self.run(f"hg{i}_conv_1x1_2", head) + self.run(f"hg{i}_conv_1x1_3", heatmaps[-1])
        return heatmaps


def read_safetensors(path):
    """Description and tensors of a checkpoint of the trainer."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    info = json.loads(header.pop("__metadata__")["hourglass"])
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32" and "/" not in name:
            start, end = entry["data_offsets"]
            values = torch.frombuffer(bytearray(data[8 + size + start : 8 + size + end]), dtype=torch.float32)
            tensors[name] = values.reshape(entry["shape"])
    return info, tensors


def load(path):
    """The module of a checkpoint of the trainer, ready for use."""
    info, tensors = read_safetensors(path)
    module = Twin(**info["network"])
    named = {}
    for name, tensor in tensors.items():
        layer, part = name.rsplit(".", 1)
        named[f"{layer}.{PARTS[part]}"] = tensor
    missing, unexpected = module.load_state_dict(named, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    assert not missing and not unexpected, (missing, unexpected)
    return module.eval()


def picture():
    """`[1, 3, 32, 64]`, a pattern that the test makes as well: sin(0.01 · index), channels last."""
    return torch.sin(0.01 * torch.arange(32 * 64 * 3, dtype=torch.float64)).float().reshape(1, 32, 64, 3).permute(0, 3, 1, 2)


def fixture(folder):
    torch.manual_seed(5)
    network = {"stacks": 1, "channels": 8, "mobile": True, "keypoints": 3}
    module = Twin(**network)
    for name, value in module.named_parameters():
        if "norm" in name:
            value.data += 0.2 * torch.randn_like(value)
    for _ in range(5):
        module(torch.randn(2, 3, 32, 64))
    # Half precision is enough for a test, and half the size.
    module = module.half().float().eval()
    with torch.no_grad():
        heatmaps = module(picture())[-1]
    folder.mkdir(parents=True, exist_ok=True)
    wrapped = nn.DataParallel(module.half())
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    checkpoint = {
        "epoch": 3,
        "arch": "twin",
        "best_acc": 0.5,
        "state_dict": wrapped.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    torch.save(checkpoint, folder / "twin.pt")
    shape = list(heatmaps.shape)
    values = [round(v, 6) for v in heatmaps.flatten().tolist()]
    (folder / "heatmaps.json").write_text(json.dumps({"network": network, "shape": shape, "values": values}) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    convert = commands.add_parser("torch", help="a checkpoint of the trainer as a state_dict")
    convert.add_argument("input", type=pathlib.Path)
    convert.add_argument("output", type=pathlib.Path)
    small = commands.add_parser("fixture", help="the files of the trainer's test")
    small.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.command == "torch":
        torch.save(load(arguments.input).state_dict(), arguments.output)
    else:
        fixture(arguments.folder)


if __name__ == "__main__":
    main()
