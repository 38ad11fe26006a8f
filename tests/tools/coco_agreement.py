"""Compares our COCO figures (AP, AR …) with pycocotools' on the same files.

    cargo build --release -p edge-runtime
    python tests/tools/coco_agreement.py
    python tests/tools/coco_agreement.py --truth person_keypoints_val2017.json --results results.json

Without files: made cases with perturbed poses, several poses a person, more than 20 poses a photo,
equal scores, crowds, unlabelled people, photos without anybody, boxes in the results, and another
keypoint set. Ends with code 1 when one of the ten figures differs by more than the tolerance.

    python tests/tools/coco_agreement.py --fixtures common/dataset/tests/fixtures

writes smaller ones of these cases, with pycocotools' figures, for the Rust tests.
"""

import argparse
import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

PROJECT = pathlib.Path(__file__).resolve().parents[2]
FIGURES = ["ap", "ap50", "ap75", "ap_medium", "ap_large", "ar", "ar50", "ar75", "ar_medium", "ar_large"]
TOLERANCE = 5e-5
UNIFORM = 0.0625


def names(keypoints):
    name = {16: "mpii", 17: "coco"}[keypoints]
    return (PROJECT / f"assets/keypoints/{name}_classes.txt").read_text().split()


def made_case(seed, photos, keypoints=17, crowds=False, many=0, ties=False, boxes=False, blur=1.0):
    """A COCO file and results for it. Numbers are rounded, so that both programs read the same."""
    random = np.random.default_rng(seed)
    images, annotations, results = [], [], []

    def found(image, places, score):
        rows = [[round(float(x), 1), round(float(y), 1), 1] for x, y in places]
        result = {
            "image_id": image,
            "category_id": 1,
            "keypoints": [v for row in rows for v in row],
            "score": round(float(score), 1 if ties else 4),
        }
        if boxes:
            low, high = places.min(0), places.max(0)
            sides = (high - low) * random.uniform(0.5, 2.0)
            result["bbox"] = [round(float(v), 1) for v in (*low, *sides)]
        results.append(result)

    for image in range(1, photos + 1):
        images.append({"id": image, "file_name": f"{image:012d}.jpg", "width": 640, "height": 480})
        for person in range(int(random.integers(0, 5))):
            side = float(np.exp(random.uniform(np.log(16), np.log(300))))
            corner = random.uniform(0, 500, 2)
            places = corner + random.uniform(0, 1, (keypoints, 2)) * side * [0.6, 1.0]
            labelled = random.random(keypoints) < random.choice([0.3, 0.7, 1.0])
            kind = random.random()
            crowd = crowds and kind < 0.15
            if crowd or (crowds and kind < 0.3):
                labelled[:] = False
            rows = [[round(float(x), 1), round(float(y), 1), int(random.integers(1, 3))] if on else [0, 0, 0]
                    for (x, y), on in zip(places, labelled)]
            annotations.append({
                "id": len(annotations) + 1,
                "image_id": image,
                "category_id": 1,
                "iscrowd": int(crowd),
                "num_keypoints": int(labelled.sum()),
                "keypoints": [v for row in rows for v in row],
                "bbox": [round(float(v), 1) for v in (*corner, 0.6 * side, side)],
                "area": round(0.53 * 0.6 * side * side, 1),
            })
            for _ in range(int(random.choice([0, 1, 1, 1, 2, 3]))):
                noise = random.normal(0, 1, (keypoints, 2)) * side * blur * random.choice([0.0, 0.02, 0.05, 0.12])
                lost = random.random(keypoints) < 0.05
                guess = np.where(lost[:, None], 0, places + noise)
                found(image, guess, random.random())
        for _ in range(many if image == 1 else int(random.choice([0, 0, 1]))):
            found(image, random.uniform(0, 500, 2) + random.uniform(0, 1, (keypoints, 2)) * 80, random.random())
    category = {"id": 1, "name": "person", "keypoints": names(keypoints), "skeleton": []}
    truth = {"images": images, "annotations": annotations, "categories": [category]}
    return truth, results


CASES = {
    "perturbed": dict(seed=1, photos=60),
    "crowds": dict(seed=2, photos=60, crowds=True, many=30),
    "ties": dict(seed=3, photos=60, crowds=True, ties=True, blur=0.5),
    "boxes": dict(seed=4, photos=60, boxes=True),
    "mpii": dict(seed=5, photos=60, keypoints=16, many=25),
    "large": dict(seed=6, photos=600, crowds=True, many=30, ties=True),
    "exact": dict(seed=7, photos=40, blur=0.0),
}
SMALL = {
    "perturbed": dict(seed=11, photos=8),
    "crowds": dict(seed=12, photos=8, crowds=True, many=24, ties=True),
    "boxes_mpii": dict(seed=13, photos=6, keypoints=16, boxes=True),
}


def pycocotools_figures(truth, results, sigmas):
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = json.loads(json.dumps(truth))
        reference.createIndex()
        evaluation = COCOeval(reference, reference.loadRes(json.loads(json.dumps(results))), "keypoints")
        if sigmas is not None:
            evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [None if figure == -1 else float(figure) for figure in evaluation.stats]


COCO_SIGMAS = dict(zip(names(17), [.026, .025, .025, .035, .035, .079, .079, .072, .072, .062, .062,
                                   .107, .107, .087, .087, .089, .089]))


def mapped(truth, target):
    """The truth with the keypoints of another set, by name, and COCO's sigmas for those that are COCO's."""
    own = truth["categories"][0]["keypoints"]
    for annotation in truth["annotations"]:
        rows = np.reshape(annotation["keypoints"], (-1, 3)).tolist()
        rows = [rows[own.index(name)] if name in own else [0, 0, 0] for name in target]
        annotation["keypoints"] = [v for row in rows for v in row]
        annotation["num_keypoints"] = sum(row[2] > 0 for row in rows)
    return [COCO_SIGMAS.get(name, UNIFORM) for name in target]


def our_figures(program, truth, results, sigmas, keypoints=None):
    with tempfile.TemporaryDirectory() as folder:
        truth_file, results_file = pathlib.Path(folder, "truth.json"), pathlib.Path(folder, "results.json")
        truth_file.write_text(json.dumps(truth))
        results_file.write_text(json.dumps(results))
        command = [program, "eval", "--predictions", results_file, "--data", f"coco:{truth_file}",
                   "--metric", "oks", "--sigmas", "coco" if sigmas is None else "uniform", "--json"]
        if keypoints:
            command[-3:-1] = ["--sigmas", "coco", "--keypoints", keypoints]
        report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return [report["measures"]["oks"]["coco"][figure] for figure in FIGURES]


def without_unlabelled_area(truth):
    """pycocotools needs what some files lack."""
    for annotation in truth["annotations"]:
        annotation.setdefault("iscrowd", 0)
        labelled = sum(v > 0 for v in annotation.get("keypoints", [])[2::3])
        annotation.setdefault("num_keypoints", labelled)
    return truth


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=PROJECT / "target/release/edge-runtime")
    parser.add_argument("--truth", type=pathlib.Path, help="COCO keypoint file")
    parser.add_argument("--results", type=pathlib.Path, help="results for it")
    parser.add_argument("--keypoints", choices=["mpii", "lsp"], help="the results' set, if it is not COCO's")
    parser.add_argument("--fixtures", type=pathlib.Path, help="folder to write small cases to")
    arguments = parser.parse_args()

    def sigmas_of(truth):
        count = len(truth["categories"][0]["keypoints"])
        return None if count == 17 else [UNIFORM] * count

    if arguments.fixtures:
        arguments.fixtures.mkdir(exist_ok=True, parents=True)
        for name, settings in SMALL.items():
            truth, results = made_case(**settings)
            sigmas = sigmas_of(truth)
            case = {
                "made_by": "tests/tools/coco_agreement.py --fixtures",
                "sigmas": "coco" if sigmas is None else "uniform",
                "pycocotools": dict(zip(FIGURES, pycocotools_figures(truth, results, sigmas))),
                "truth": truth,
                "results": results,
            }
            path = arguments.fixtures / f"coco_{name}.json"
            path.write_text(json.dumps(case, separators=(",", ":")).replace("},{", "},\n{") + "\n")
            print(path, path.stat().st_size, "bytes", case["pycocotools"])
        return

    if arguments.truth:
        truth = without_unlabelled_area(json.loads(arguments.truth.read_text()))
        cases = {"files": (truth, json.loads(arguments.results.read_text()))}
    else:
        cases = {name: made_case(**settings) for name, settings in CASES.items()}
    worst = 0.0
    for name, (truth, results) in cases.items():
        sigmas = sigmas_of(truth)
        # Ours maps by itself: it gets the file as it is.
        found = our_figures(arguments.program, truth, results, sigmas, arguments.keypoints)
        if arguments.keypoints:
            classes = PROJECT / f"assets/keypoints/{arguments.keypoints}_classes.txt"
            sigmas = mapped(truth, classes.read_text().split())
        expected = pycocotools_figures(truth, results, sigmas)
        differences = [0.0 if (a is None and b is None) else float("inf") if None in (a, b) else abs(a - b)
                       for a, b in zip(expected, found)]
        worst = max(worst, *differences)
        print(f"{name}: {len(truth['annotations'])} people, {len(results)} poses, largest difference {max(differences):.1e}")
        for figure, a, b in zip(FIGURES, expected, found):
            show = lambda v: "–" if v is None else f"{v:.6f}"
            print(f"    {figure:<10} pycocotools {show(a)}  ours {show(b)}")
    print(f"largest difference {worst:.1e}")
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
