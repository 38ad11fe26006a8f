"""Compares the heatmaps of edge-runtime (tract) and onnxruntime on one exported model.

    cargo build --release --example heatmaps
    python tests/tools/onnx_agreement.py models/tiny.onnx

Both get the same pixels: noise, flat grey, waves and blocks of colour. Also checks the file with
the onnx package. Ends with code 1 when a value differs by more than the tolerance.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

PROJECT = pathlib.Path(__file__).resolve().parents[2]
TOLERANCE = 1e-4


def pictures(height, width):
    """Name and RGB bytes, height x width x 3."""
    random = np.random.default_rng(1)
    yield "noise", random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    yield "grey", np.full((height, width, 3), 128, np.uint8)
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(columns / 9 + phase) * np.cos(rows / 14) for phase in (0, 1, 2)]
    yield "waves", (np.stack(waves, 2) * 127 + 128).astype(np.uint8)
    block = random.integers(0, 256, (-(-height // 16), -(-width // 16), 3), dtype=np.uint8)
    yield "blocks", block.repeat(16, 0).repeat(16, 1)[:height, :width]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument(
        "--heatmaps",
        type=pathlib.Path,
        default=PROJECT / "target/release/examples/heatmaps",
        help="the built example of edge-runtime",
    )
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    arguments = parser.parse_args()

    onnx.checker.check_model(str(arguments.model), full_check=True)
    session = onnxruntime.InferenceSession(str(arguments.model), providers=["CPUExecutionProvider"])
    [feed] = session.get_inputs()
    card = json.loads(session.get_modelmeta().custom_metadata_map["pose_model_card"])
    assert card["input"]["layout"] == "nchw" and card["input"]["color"] == "rgb", card["input"]
    _, _, height, width = feed.shape
    mean, std = np.float32(card["input"]["mean"]), np.float32(card["input"]["std"])

    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        pixels, heatmaps = pathlib.Path(folder, "pixels"), pathlib.Path(folder, "heatmaps")
        for name, picture in pictures(height, width):
            picture.tofile(pixels)
            subprocess.run([arguments.heatmaps, arguments.model, pixels, heatmaps], check=True)
            found = np.fromfile(heatmaps, "<f4")
            tensor = ((picture.astype(np.float32) - mean) / std).transpose(2, 0, 1)[None]
            [expected] = session.run([card["output"]["name"]], {feed.name: np.ascontiguousarray(tensor)})
            if found.size != expected.size:
                sys.exit(f"{name}: {found.size} values from edge-runtime, {expected.shape} from onnxruntime")
            difference = float(np.abs(found - expected.ravel()).max())
            worst = max(worst, difference)
            print(f"{name}: heatmaps {expected.shape} from {expected.min():.3f} to {expected.max():.3f}, "
                  f"largest difference {difference:.1e}")
    print(f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}: largest difference {worst:.1e}")
    sys.exit(worst > arguments.tolerance)


if __name__ == "__main__":
    main()
