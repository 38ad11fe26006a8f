"""Files of annotated people that other programs write, for the readers of `common/dataset` to be
tested on; and a look at what `trainer convert` wrote, with other programs' readers.

    dataset_formats.py make FOLDER     write the files in common/dataset/tests/formats
    dataset_formats.py check FOLDER    FOLDER holds one data set as annotations/, coco/, labelme/,
                                       yolo/, animal-pose/, csv/ and lspet/: are they the same?

The people are made up; there is no photo of anybody.
"""

import csv
import json
import sys
from pathlib import Path

import h5py
import numpy as np
import scipy.io

MPII = """right_ankle right_knee right_hip left_hip left_knee left_ankle plevis thorax upper_neck
head_top right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist""".split()
LSP = """right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow
right_shoulder left_shoulder left_elbow left_wrist upper_neck head_top""".split()

# MATLAB's first pixel has its centre at 1, ours at 0.5.
MATLAB = 0.5


def points(seed, labelled=range(16)):
    """Made-up places of some of MPII's joints, as MPII has them: whole numbers and halves."""
    random = np.random.default_rng(seed)
    places = random.integers(20, 400, size=(16, 2)) / 2
    return {k: (float(places[k, 0]), float(places[k, 1])) for k in labelled}


def expected(name, split, labels, visible, rect, head):
    """A person as our reader should give it."""
    keypoints = []
    for k in range(16):
        if k in labels:
            x, y = labels[k]
            keypoints.append([x - MATLAB, y - MATLAB, 2 if visible.get(k) else 1])
        else:
            keypoints.append([0, 0, 0])
    return {"image": name, "split": split, "keypoints": keypoints, "rect": rect, "head": head}


def square(x, y, scale):
    side = 200 * scale
    return [x - MATLAB - side / 2, y - MATLAB - side / 2, side, side]


def empty():
    return np.zeros((0, 0))


def mpii_mat(folder):
    """The nested structs of the official file, with its irregularities: people without points, of
    whom nothing but the head's box is known, test photos, `is_visible` as number, as text and as
    nothing."""
    people = []

    def rect(seed, labels=None, scale=None, objpos=None, head=None, style=None):
        point = []
        for k, (x, y) in (labels or {}).items():
            visible = {"number": float(k % 2), "text": str(k % 2), None: empty()}[
                style if k not in (8, 9) else None
            ]
            point.append((x, y, float(k), visible))
        kinds = [("x", "O"), ("y", "O"), ("id", "O"), ("is_visible", "O")]
        annopoints = {"point": np.array(point, dtype=kinds).reshape(1, -1)} if point else empty()
        x1, y1, x2, y2 = head or (empty(),) * 4
        place = {"x": objpos[0], "y": objpos[1]} if objpos else empty()
        return (x1, y1, x2, y2, empty() if scale is None else scale, place, annopoints)

    def rects(rows):
        names = ["x1", "y1", "x2", "y2", "scale", "objpos", "annopoints"]
        return np.array(rows, dtype=[(n, "O") for n in names]).reshape(1, -1)

    def seen(labels):
        return {k: k % 2 == 1 and k not in (8, 9) for k in labels}

    a, b, c = points(1), points(2, [2, 3, 6, 7, 8, 9, 12, 13]), points(3, [0, 1, 2])
    annorects = [
        rects(
            [
                rect(1, a, 1.5, (110.0, 120.0), (40.0, 30.0, 60.0, 70.0), "number"),
                rect(0, None, 0.75, (50.0, 60.0), (1.0, 2.0, 3.0, 4.0)),
                rect(2, b, 2.25, (90.0, 95.0), (10.0, 10.0, 40.0, 50.0), "text"),
            ]
        ),
        empty(),
        rects([rect(0, None, 1.0, (10.0, 10.0))]),
        # Somebody whose place and size nobody wrote down.
        rects([rect(3, c, None, None, None, "text")]),
    ]
    people.append(
        expected("a.jpg", "train", a, seen(a), square(110, 120, 1.5), [39.5, 29.5, 20, 40])
    )
    people.append(
        expected("a.jpg", "train", b, seen(b), square(90, 95, 2.25), [9.5, 9.5, 30, 40])
    )
    xs, ys = [p[0] - MATLAB for p in c.values()], [p[1] - MATLAB for p in c.values()]
    tight = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    people.append(expected("d.jpg", "train", c, seen(c), tight, None))
    annolist = np.array(
        [
            ({"name": f"{letter}.jpg"}, annorect, empty(), empty())
            for letter, annorect in zip("abcd", annorects)
        ],
        dtype=[(n, "O") for n in ["image", "annorect", "frame_sec", "vidx"]],
    ).reshape(1, -1)
    single = np.empty((4, 1), dtype=object)
    for k, alone in enumerate([[[1.0], [3.0]], [], [[1.0]], [[1.0]]]):
        single[k, 0] = np.array(alone).reshape(-1, 1)
    act = np.array(
        [("walking", "sports", 7.0)] * 4,
        dtype=[(n, "O") for n in ["cat_name", "act_name", "act_id"]],
    ).reshape(-1, 1)
    videos = np.empty((1, 1), dtype=object)
    videos[0, 0] = "abcdefghijk"
    release = {
        "annolist": annolist,
        "img_train": np.array([[1, 1, 0, 1]], dtype=np.uint8),
        "version": "12",
        "single_person": single,
        "act": act,
        "video_list": videos,
    }
    for name, packed in [("mpii.mat", True), ("mpii_plain.mat", False)]:
        scipy.io.savemat(folder / name, {"RELEASE": release}, do_compression=packed)
    (folder / "mpii_expected.json").write_text(json.dumps(people) + "\n")


def mpii_h5(folder):
    """The arrays of the first hourglass, kept in three ways that are found in the wild."""

    def people(seed, count):
        random = np.random.default_rng(seed)
        part = random.integers(2, 500, size=(count, 16, 2)) / 2
        part[0, 5] = 0
        return {
            "imgname": [f"{seed:03}{k:06}.jpg" for k in range(count)],
            "part": part,
            "center": random.integers(100, 500, size=(count, 2)).astype(float),
            "scale": random.integers(2, 20, size=count) / 4,
            "visible": random.integers(0, 2, size=(count, 16)).astype(float),
            "normalize": random.integers(100, 900, size=count) / 8,
            "torsoangle": random.random(count),
            "index": np.arange(count, dtype=float),
            "person": np.ones(count),
        }

    def expect(arrays, splits):
        out = []
        for k, name in enumerate(arrays["imgname"]):
            labels = {j: tuple(p) for j, p in enumerate(arrays["part"][k]) if p.any()}
            visible = {j: arrays["visible"][k][j] > 0 for j in labels}
            (x, y), scale = arrays["center"][k], arrays["scale"][k]
            person = expected(name, splits[k], labels, visible, square(x, y, scale), None)
            person["head_size"] = arrays["normalize"][k]
            out.append(person)
        return out

    train, valid, codes = people(1, 4), people(2, 3), people(3, 5)
    with h5py.File(folder / "train.h5", "w") as file:
        for name, values in train.items():
            file[name] = np.array(values, dtype="S13") if name == "imgname" else values
    with h5py.File(folder / "valid.h5", "w", libver=("v110", "v110")) as file:
        for name, values in valid.items():
            if name == "imgname":
                file.create_dataset(name, data=values, dtype=h5py.string_dtype())
            else:
                values = np.asarray(values)
                file.create_dataset(
                    name, data=values, chunks=(2, *values.shape[1:]), compression="gzip", shuffle=True
                )
    # Names as rows of character codes, and both splits in one file.
    with h5py.File(folder / "codes.h5", "w") as file:
        for name, values in codes.items():
            if name == "imgname":
                values = np.zeros((5, 16))
                for k, text in enumerate(codes["imgname"]):
                    values[k, : len(text)] = [ord(c) for c in text]
            file[name] = values
        file["istrain"] = np.array([1, 0, 1, 1, 0], dtype=np.uint8)
    splits = ["train" if k in (0, 2, 3) else "validation" for k in range(5)]
    (folder / "h5_expected.json").write_text(
        json.dumps(
            {
                "train": expect(train, ["train"] * 4),
                "valid": expect(valid, ["validation"] * 3),
                "codes": expect(codes, splits),
            }
        )
        + "\n"
    )


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    mpii_mat(folder)
    mpii_h5(folder)


def canonical(keypoints, size):
    """A person by the places of their labels: formats keep no common id."""
    return [(round(x, 2), round(y, 2), v) for x, y, v in keypoints]


def read_annotations(root):
    for record in json.loads((root / "annotations.json").read_text()):
        joints = []
        for x, y, v in record["joint_self"]:
            missing = (x, y, v) == (0, 0, 0)
            joints.append((0, 0, 0) if missing else (x - MATLAB, y - MATLAB, 2 if v else 1))
        yield joints


def read_coco(root):
    from pycocotools.coco import COCO

    for path in sorted(root.glob("person_keypoints_*.json")):
        coco = COCO(str(path))
        for annotation in coco.loadAnns(coco.getAnnIds()):
            image = coco.loadImgs(annotation["image_id"])[0]
            assert (root / "images" / image["file_name"]).is_file(), image
            k = annotation["keypoints"]
            assert annotation["num_keypoints"] == sum(v > 0 for v in k[2::3])
            yield list(zip(k[0::3], k[1::3], k[2::3]))


def read_labelme(root):
    for path in sorted(root.rglob("*.json")):
        file = json.loads(path.read_text())
        assert path.with_name(file["imagePath"]).is_file()
        groups = {}
        for shape in file["shapes"]:
            person = groups.setdefault(shape["group_id"], {})
            if shape["shape_type"] == "point":
                ((x, y),) = shape["points"]
                person[shape["label"]] = (x, y, 1 if shape["flags"].get("occluded") else 2)
        for person in groups.values():
            yield [person.get(name, (0, 0, 0)) for name in MPII]


def read_yolo(root):
    import yaml
    from PIL import Image

    data = yaml.safe_load((root / "data.yaml").read_text())
    count, dims = data["kpt_shape"]
    assert dims == 3 and len(data["flip_idx"]) == count == len(data["kpt_names"][0])
    for split in ("train", "val", "test"):
        if not data.get(split):
            continue
        for photo in sorted((root / data[split]).rglob("*.jpg")):
            width, height = Image.open(photo).size
            labels = root / "labels" / photo.relative_to(root / "images").with_suffix(".txt")
            for line in labels.read_text().splitlines():
                numbers = [float(word) for word in line.split()]
                assert len(numbers) == 5 + count * dims
                # Ultralytics refuses files with a share below 0 or above 1.
                assert all(0 <= n <= 1 for n in numbers[1:5]), line
                k = numbers[5:]
                yield [
                    (x * width, y * height, int(v)) for x, y, v in zip(k[0::3], k[1::3], k[2::3])
                ]


def read_animal_pose(root):
    file = json.loads((root / "keypoints.json").read_text())
    assert file["categories"][0]["keypoints"] == MPII
    for annotation in file["annotations"]:
        assert (root / "images" / file["images"][str(annotation["image_id"])]).is_file()
        yield [tuple(k) for k in annotation["keypoints"]]


def read_csv(root):
    with open(root / "people.csv", newline="") as file:
        for row in csv.DictReader(file):
            yield [
                (float(row[f"{n}_x"] or 0), float(row[f"{n}_y"] or 0), int(row[f"{n}_v"]))
                for n in MPII
            ]


def read_lspet(root):
    joints = scipy.io.loadmat(root / "joints.mat")["joints"]
    assert joints.shape[:2] == (14, 3), joints.shape
    for k in range(joints.shape[2]):
        assert (root / "images" / f"im{k + 1:05}.jpg").is_file()
        person = [(0, 0, 0)] * 16
        for name, (x, y, flag) in zip(LSP, joints[:, :, k]):
            if flag:
                person[MPII.index(name)] = (x - MATLAB, y - MATLAB, 2)
        yield person


def check(folder):
    readers = {
        "annotations": read_annotations,
        "coco": read_coco,
        "labelme": read_labelme,
        "yolo": read_yolo,
        "animal-pose": read_animal_pose,
        "csv": read_csv,
        "lspet": read_lspet,
    }
    reference = sorted(canonical(k, None) for k in readers["annotations"](folder / "annotations"))
    for name, reader in readers.items():
        people = sorted(canonical(k, None) for k in reader(folder / name))
        truth = reference
        if name == "lspet":
            # Fourteen keypoints, and hidden ones count as seen.
            def seen(person):
                return [
                    (x, y, 2) if v and n in LSP else (0, 0, 0)
                    for n, (x, y, v) in zip(MPII, person)
                ]

            truth, people = sorted(map(seen, truth)), sorted(people)
        assert len(people) == len(truth), f"{name}: {len(people)} people, not {len(truth)}"
        worst = 0.0
        for a, b in zip(people, truth):
            for p, q in zip(a, b):
                assert p[2] == q[2], (name, a, b)
                worst = max(worst, abs(p[0] - q[0]), abs(p[1] - q[1]))
        print(f"{name:12} {len(people)} people, positions differ by at most {worst:.3f} px")
        assert worst < 0.02


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("make", "check"):
        sys.exit(__doc__)
    {"make": make, "check": check}[sys.argv[1]](Path(sys.argv[2]))
