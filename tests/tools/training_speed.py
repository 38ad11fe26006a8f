"""Training speed on this CPU side by side with PyTorch, in one run.

    cargo build --release --workspace --examples
    python tests/tools/training_speed.py --network tiny --side 128 --batch 32

Every round times some steps of ours and then some of PyTorch's (forward, backward, Adam) on the
same network: bf16 autocast, channels-last, eager. What counts is the
ratio round by round, so that a machine whose speed drifts, or on which something else runs, does
little harm.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

EXAMPLE = pathlib.Path("target/release/examples/train_step")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="tiny", choices=["tiny", "mobile", "full"])
    parser.add_argument("--side", type=int, default=128, help="pixels of the square picture")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4, help="steps of each program in a round")
    parser.add_argument("--f32", action="store_true", help="both in f32 instead of bf16")
    parser.add_argument("--flex", action="store_true", help="also burn's CPU backend, in f32, once a round")
    parser.add_argument("--example", type=pathlib.Path, default=EXAMPLE, help="the built example train_step")
    return parser.parse_args()


args = arguments()
# Before torch is imported: threads that wait give the cores to the other program.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402

from twin import Twin  # noqa: E402


NETWORKS = {"tiny": {"channels": 128, "mobile": True}, "mobile": {"mobile": True}, "full": {}}


class Theirs:
    def __init__(self):
        torch.set_num_threads(args.threads)
        torch.manual_seed(1)
        self.network = Twin(**NETWORKS[args.network]).to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3, foreach=True)
        shape = (args.batch, 3, args.side, args.side)
        self.pictures = torch.randn(shape).contiguous(memory_format=torch.channels_last)
        self.targets = torch.rand(args.batch, 16, args.side // 4, args.side // 4)
        self.targets = self.targets.contiguous(memory_format=torch.channels_last)
        self.step()
        self.step()

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not args.f32):
            heatmaps = self.network(self.pictures)
        loss = sum(((maps.float() - self.targets) ** 2).mean() for maps in heatmaps)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def samples_per_second(self):
        times = []
        for _ in range(args.steps):
            start = time.perf_counter()
            self.step()
            times.append(time.perf_counter() - start)
        return args.batch / statistics.median(times)


def ours(device, precision):
    numbers = [args.network, args.side, args.batch, args.threads, args.steps, device, precision]
    environment = {**os.environ, "RAYON_NUM_THREADS": str(args.threads)}
    run = subprocess.run([args.example, *map(str, numbers)], check=True, capture_output=True, env=environment)
    return json.loads(run.stdout)["samples_per_second"]


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return "unknown CPU"


def main():
    precision = "f32" if args.f32 else "bf16"
    theirs = Theirs()
    rows = []
    for _ in range(args.rounds):
        row = [ours("cpu", precision), theirs.samples_per_second()]
        if args.flex:
            row.append(ours("flex", "f32"))
        rows.append(row)
        print("  ".join(f"{value:.1f}" for value in row), file=sys.stderr)
    columns = list(zip(*rows))
    ratio = statistics.median(row[0] / row[1] for row in rows)
    flex = [f"{statistics.median(columns[2]):.1f}" if args.flex else ""]
    medians = [f"{statistics.median(column):.1f}" for column in columns[:2]]
    setting = [args.network, f"{args.side}²", args.batch, precision]
    print(f"{cpu_name()}, {args.threads} threads, PyTorch {torch.__version__}; samples/s, median of {args.rounds} rounds")
    print("| network | picture | batch | format | ours | PyTorch | ours / PyTorch | burn-flex, f32 |")
    print("|---|---|---|---|---|---|---|---|")
    print("| " + " | ".join(map(str, [*setting, *medians, f"{ratio:.2f}", *flex])) + " |")


main()
