//! The program, as users and scripts see it: what it prints and writes, and how it ends when the
//! input is wrong.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{BlobModel, NAMES, blob_photo};
use pose::Point;

const CENTERS: [Point; 3] = [
    Point::new(60.0, 50.0),
    Point::new(110.0, 95.0),
    Point::new(140.0, 70.0),
];

/// A folder with a model and a photo.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        BlobModel::default().save(folder.path(), "blobs.onnx");
        let photo = blob_photo(240, 180, CENTERS, 9.0);
        photo.save(folder.path().join("blobs.png")).unwrap();
        Desk { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs the program in the folder.
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_edge-runtime"))
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    /// Runs the program, which must succeed, and returns what it prints.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the program, which must end with `code` and say one line that contains all of `words`.
    fn fails(&self, code: i32, arguments: &[&str], words: &[&str]) {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{arguments:?}: no `{word}` in: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
        // clap's messages about wrong usage have a hint below them.
        if code == 1 {
            assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        }
    }
}

#[test]
fn run_prints_the_keypoints_and_writes_the_picture() {
    let desk = Desk::new();
    let printed = desk.ok(&["run", "blobs.png", "--model", "blobs.onnx"]);
    for (name, center) in NAMES.iter().zip(CENTERS) {
        let line = printed.lines().find(|l| l.starts_with(name)).unwrap();
        let fields: Vec<f32> = line
            .split_whitespace()
            .skip(1)
            .map(|v| v.parse().unwrap())
            .collect();
        assert!((fields[0] - center.x).abs() < 1.0, "{line}");
        assert!((fields[1] - center.y).abs() < 1.0, "{line}");
        assert!(fields[2] > 0.5 && fields[2] <= 1.0, "{line}");
    }
    assert!(printed.contains("picture: pose.png"), "{printed}");
    let picture = image::open(desk.path("pose.png")).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (240, 180));
    // Half way along the bone there is its red, lightened; the photo is nearly black there.
    let middle = picture.get_pixel(85, 72).0;
    assert!(middle[0] == 255 && middle[1] < 100, "{middle:?}");
}

#[test]
fn run_on_a_folder_writes_records_and_pictures_and_survives_a_bad_photo() {
    let desk = Desk::new();
    fs::create_dir(desk.path("photos")).unwrap();
    for name in ["one.png", "two.png"] {
        fs::copy(desk.path("blobs.png"), desk.path("photos").join(name)).unwrap();
    }
    let arguments = [
        "run",
        "photos",
        "--model",
        "blobs.onnx",
        "--out",
        "drawn",
        "--jsonl",
        "poses.jsonl",
        "--csv",
        "poses.csv",
        "--json",
    ];
    let printed = desk.ok(&arguments);
    assert_eq!(
        printed,
        fs::read_to_string(desk.path("poses.jsonl")).unwrap()
    );
    assert_eq!(printed.lines().count(), 2);
    let csv = fs::read_to_string(desk.path("poses.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 2 * 3);
    assert!(desk.path("drawn/one.png").is_file() && desk.path("drawn/two.png").is_file());

    desk.write("photos/bad.jpg", b"words, not pixels");
    let output = desk.run(&arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("bad.jpg") && said.contains("1 of 3 photos"),
        "{said}"
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), printed);
    // A photo that does not exist is passed over like a broken one.
    let list = ["run", "gone.jpg", "blobs.png", "--model", "blobs.onnx"];
    let output = desk.run(&list);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot read gone.jpg"), "{said}");
    assert!(desk.path("poses/blobs.png").is_file());
}

#[test]
fn run_takes_a_region_passes_flip_test_and_decoding() {
    let desk = Desk::new();
    let position = |extra: &[&str]| {
        let base = [
            "run",
            "blobs.png",
            "--model",
            "blobs.onnx",
            "--no-picture",
            "--json",
        ];
        let printed = desk.ok(&[&base, extra].concat());
        let record: serde_json::Value = serde_json::from_str(&printed).unwrap();
        record["keypoints"][0]["x"].as_f64().unwrap()
    };
    for extra in [
        vec!["--roi", "50,40,100,60", "--passes", "1"],
        vec!["--passes", "3", "--flip-test"],
        vec!["--decoding", "quarter"],
        vec!["--threads", "2"],
    ] {
        let x = position(&extra);
        assert!((x - 60.0).abs() < 2.5, "{extra:?}: {x}");
    }
    // Argmax gives the centre of a cell: of the 1.5 × 80 × 45 box's crop, exactly.
    let x = position(&[
        "--decoding",
        "argmax",
        "--roi",
        "60,50,80,45",
        "--passes",
        "1",
    ]);
    let cell = 120.0 / 24.0;
    let cells = (x - (100.0 - 60.0)) / cell;
    assert!((cells - cells.floor() - 0.5).abs() < 1e-3, "{x}");
    assert!(!desk.path("pose.png").exists());
}

#[test]
fn a_model_without_a_card_runs_when_the_command_line_says_the_rest() {
    let desk = Desk::new();
    let model = BlobModel {
        card: false,
        ..BlobModel::default()
    };
    model.save(desk.folder.path(), "bare.onnx");
    desk.write("names.txt", NAMES.join("\n").as_bytes());
    desk.write("bones.txt", b"right_hip,left_shoulder,g\n");
    let arguments = [
        "run",
        "blobs.png",
        "--model",
        "bare.onnx",
        "--classes",
        "names.txt",
        "--skeleton",
        "bones.txt",
        "--mean",
        "10,20,30",
        "--std",
        "50,60,70",
        "--crop-margin",
        "1.5",
    ];
    let printed = desk.ok(&arguments);
    assert!(printed.contains("left_shoulder"), "{printed}");
    let picture = image::open(desk.path("pose.png")).unwrap().into_rgb8();
    let middle = picture.get_pixel(85, 72).0;
    assert_eq!(middle, [0, 255, 0]);
}

#[test]
fn wrong_models_end_with_one_line_and_code_1() {
    let desk = Desk::new();
    let model = fs::read(desk.path("blobs.onnx")).unwrap();
    desk.write("cut.onnx", &model[..model.len() / 2]);
    desk.write("text.onnx", b"no model\n");
    let mut graph = onnx_graph::GraphBuilder::new("other");
    let shape = [1.into(), 10.into()];
    graph.input("x", onnx_graph::DataType::Float, &shape);
    graph.node("Relu", &["x"], &["y"], vec![]);
    graph.output("y", onnx_graph::DataType::Float, &shape);
    graph
        .finish()
        .unwrap()
        .save(desk.path("other.onnx"))
        .unwrap();
    for (file, words) in [
        ("missing.onnx", ["missing.onnx", "No such file"]),
        ("cut.onnx", ["cut.onnx", "not a whole ONNX model"]),
        ("text.onnx", ["text.onnx", "not a whole ONNX model"]),
        ("other.onnx", ["other.onnx", "is no keypoint-heatmap model"]),
    ] {
        desk.fails(1, &["run", "blobs.png", "--model", file], &words);
        desk.fails(1, &["bench", "--model", file], &words);
        if file != "other.onnx" {
            desk.fails(1, &["inspect", file], &words);
        }
    }
}

#[test]
fn wrong_keypoint_files_name_line_and_word() {
    let desk = Desk::new();
    desk.write(
        "bones.txt",
        b"right_hip,left_shoulder,r\nright_hip,tail,g\n",
    );
    desk.write("pairs.txt", b"right_hip,left_shoulder,x\n");
    let base = ["run", "blobs.png", "--model", "blobs.onnx"];
    desk.fails(
        1,
        &[&base[..], &["--skeleton", "bones.txt"]].concat(),
        &["bones.txt:2", "`tail`"],
    );
    desk.fails(
        1,
        &[&base[..], &["--match-points", "pairs.txt"]].concat(),
        &["pairs.txt:1", "`x`"],
    );
    desk.fails(
        1,
        &[&base[..], &["--skeleton", "gone.txt"]].concat(),
        &["gone.txt"],
    );
}

#[test]
fn wrong_photos_end_with_one_line_and_code_1() {
    let desk = Desk::new();
    desk.write("text.jpg", b"words\n");
    fs::create_dir(desk.path("empty")).unwrap();
    for (photo, words) in [
        ("missing.jpg", ["missing.jpg", "No such file"]),
        ("text.jpg", ["text.jpg", "is not a picture"]),
        ("empty", ["empty", "no photo in the folder"]),
    ] {
        desk.fails(1, &["run", photo, "--model", "blobs.onnx"], &words);
    }
}

#[test]
fn outputs_that_cannot_be_written_end_with_one_line_and_code_1() {
    let desk = Desk::new();
    let base = ["run", "blobs.png", "--model", "blobs.onnx"];
    let with = |extra: &[&'static str]| [&base[..], extra].concat();
    desk.fails(
        1,
        &with(&["--out", "no/folder/p.png"]),
        &["no/folder/p.png"],
    );
    desk.fails(
        1,
        &with(&["--csv", "no/folder/p.csv"]),
        &["no/folder/p.csv"],
    );
    if Path::new("/dev/full").exists() {
        desk.fails(
            1,
            &with(&["--no-picture", "--csv", "/dev/full"]),
            &["/dev/full", "space"],
        );
    }
    desk.write("file", b"");
    fs::create_dir(desk.path("two")).unwrap();
    for name in ["a.png", "b.png"] {
        fs::copy(desk.path("blobs.png"), desk.path("two").join(name)).unwrap();
    }
    let folder = ["run", "two", "--model", "blobs.onnx", "--out", "file"];
    desk.fails(1, &folder, &["cannot write file"]);
}

#[test]
fn photos_of_one_pixel_and_of_108_megapixels_are_taken() {
    let desk = Desk::new();
    image::RgbImage::new(1, 1)
        .save(desk.path("dot.png"))
        .unwrap();
    let printed = desk.ok(&["run", "dot.png", "--model", "blobs.onnx"]);
    assert!(printed.contains("1x1"), "{printed}");
    image::GrayImage::from_pixel(12_000, 9_000, image::Luma([80]))
        .save(desk.path("wall.jpg"))
        .unwrap();
    let printed = desk.ok(&["run", "wall.jpg", "--model", "blobs.onnx", "--no-picture"]);
    assert!(printed.contains("12000x9000"), "{printed}");
}

#[test]
fn wrong_usage_ends_with_code_2() {
    let desk = Desk::new();
    let base = ["run", "blobs.png", "--model", "blobs.onnx"];
    for extra in [
        ["--passes", "4"],
        ["--roi", "1,2,3"],
        ["--roi", "1,2,3,-4"],
        ["--mean", "a,b,c"],
        ["--layout", "hwc"],
        ["--min-confidence", "2"],
        ["--out", "pose.gif"],
        ["--keypoints", "octopus"],
        ["--crop-margin", "0"],
        ["--std", "0,1,1"],
        ["--frobnicate", "1"],
    ] {
        desk.fails(2, &[&base[..], &extra].concat(), &["error"]);
    }
    desk.fails(2, &["eval", "--model", "blobs.onnx"], &["--data"]);
    desk.fails(
        2,
        &["eval", "--model", "blobs.onnx", "--data", "zip:x"],
        &["zip"],
    );
    desk.fails(
        2,
        &["bench", "--model", "blobs.onnx", "--runs", "0"],
        &["--runs"],
    );
    desk.fails(2, &[], &["Usage"]);
}

#[cfg(feature = "embedded-model")]
#[test]
fn one_copied_file_is_enough() {
    let desk = Desk::new();
    let copy = desk.path("copied-edge-runtime");
    // Another program copies: a file that this process has open for writing, if only for a moment
    // in a child of another test, cannot be started.
    let cp = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_edge-runtime"))
        .arg(&copy)
        .status()
        .unwrap();
    assert!(cp.success());
    let output = Command::new(copy)
        .arg("run")
        .current_dir(desk.folder.path())
        .env_clear()
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(printed.contains("picture: pose.png"), "{printed}");
    let keypoints = printed
        .lines()
        .filter(|l| l.split_whitespace().count() == 4);
    assert_eq!(keypoints.count(), 16, "{printed}");
    assert!(desk.path("pose.png").is_file());
}

#[test]
fn help_has_an_example_each() {
    let desk = Desk::new();
    for command in ["run", "inspect", "bench", "eval"] {
        let help = desk.ok(&[command, "--help"]);
        assert!(help.contains(&format!("edge-runtime {command}")), "{help}");
        assert!(help.contains("Example"), "{help}");
    }
}

#[test]
fn inspect_shows_the_card_and_the_figures() {
    let desk = Desk::new();
    let printed = desk.ok(&["inspect", "blobs.onnx"]);
    // 3 maps of 24 × 16 cells, each a sum over 3 × 4 × 4 values.
    for words in [
        "opset         13",
        "input         picture float32 [1, 3, 64, 96]",
        "output        maps float32 [1, 3, 16, 24]",
        "parameters    147",
        "multiply-adds 55,296",
        "right_hip left_shoulder head_top",
        "stride 4",
    ] {
        assert!(printed.contains(words), "no `{words}` in:\n{printed}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&desk.ok(&["inspect", "blobs.onnx", "--json"])).unwrap();
    assert_eq!(json["macs"], 55_296);
    assert_eq!(json["card"]["input"]["width"], 96);
    assert_eq!(json["operators"]["Conv"], 1);
    assert_eq!(json["card_is_stale"], false);
}

#[test]
fn bench_reports_every_stage() {
    let desk = Desk::new();
    let arguments = [
        "bench",
        "--model",
        "blobs.onnx",
        "--runs",
        "5",
        "--warm-up",
        "1",
    ];
    let printed = desk.ok(&arguments);
    for stage in ["preprocessing", "inference", "decoding", "total"] {
        assert!(printed.contains(stage), "{printed}");
    }
    let json = desk.ok(&[&arguments[..], &["--json", "--threads", "2"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["runs"], &json["threads"]), (&5.into(), &2.into()));
    let time = |stage: &str, rank: &str| json[stage][rank].as_f64().unwrap();
    for stage in ["preprocessing", "inference", "decoding", "total"] {
        assert!(time(stage, "min_ms") > 0.0);
        assert!(time(stage, "min_ms") <= time(stage, "p50_ms"));
        assert!(time(stage, "p50_ms") <= time(stage, "p95_ms"));
    }
    assert!(time("total", "min_ms") >= time("inference", "min_ms"));
}

#[test]
fn eval_gives_the_figures_and_the_contact_sheet() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("set/images")).unwrap();
    fs::copy(desk.path("blobs.png"), desk.path("set/images/blobs.png")).unwrap();
    let joints: Vec<[f32; 3]> = CENTERS.iter().map(|c| [c.x, c.y, 1.0]).collect();
    let mut moved = joints.clone();
    moved[2][0] += 60.0;
    let record = |joints: &[[f32; 3]]| {
        serde_json::json!({
            "dataset": "blobs", "isValidation": 0.0, "img_paths": "blobs.png",
            "objpos": [100.0, 72.0], "scale_provided": 0.4, "joint_self": joints,
        })
    };
    let list = serde_json::json!([record(&joints), record(&moved)]).to_string();
    desk.write("set/annotations.json", list.as_bytes());
    desk.write("names.txt", NAMES.join("\n").as_bytes());
    let data = "annotations:set?names=names.txt";
    let arguments = [
        "eval",
        "--model",
        "blobs.onnx",
        "--data",
        data,
        "--workers",
        "2",
    ];
    let sheet = ["--contact-sheet", "sheet.png", "--count", "2"];
    let printed = desk.ok(&[&arguments[..], &sheet].concat());
    assert!(
        printed.contains("PCK@0.2") && printed.contains("2 people"),
        "{printed}"
    );
    assert!(desk.path("sheet.png").is_file());
    let json = desk.ok(&[&arguments[..], &["--json", "--flip-test"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["people"], 2);
    assert_eq!(json["joints"][0]["pck"], 100.0);
    assert_eq!(json["joints"][2]["pck"], 50.0);
    assert_eq!(json["flip_test"], true);
    desk.fails(
        1,
        &["eval", "--model", "blobs.onnx", "--data", "lsp:nowhere"],
        &["nowhere"],
    );

    // Everything at once; and what was written, measured again.
    let all = [
        "--metric",
        "all",
        "--scales",
        "0.9,1,1.1",
        "--results",
        "results.json",
        "--chart",
        "chart.svg",
        "--worst",
        "1",
        "--out",
        "worst",
    ];
    let printed = desk.ok(&[&arguments[..], &all].concat());
    for word in [
        "PCK@0.2",
        "heatmap cells",
        "OKS",
        "AP75",
        "chart.svg",
        "results.json",
    ] {
        assert!(printed.contains(word), "no {word} in {printed}");
    }
    for file in ["chart.svg", "worst/worst.png", "worst/001-blobs_1.png"] {
        assert!(desk.path(file).is_file(), "{file}");
    }
    let again = [
        "eval",
        "--predictions",
        "results.json",
        "--classes",
        "names.txt",
        "--data",
        data,
        "--json",
    ];
    let json: serde_json::Value = serde_json::from_str(&desk.ok(&again)).unwrap();
    assert_eq!(json["joints"][2]["pck"], 50.0);
    assert_eq!(json["measures"]["pck"]["people"], 2);
    for (wrong, words) in [
        (&["--metric", "cells", "--by", "box"][..], &["--by"][..]),
        (&["--metric", "all", "--threshold", "0.3"], &["--threshold"]),
        (&["--scales", "0.9,none"], &["none"]),
        (&["--worst", "3"], &["--out"]),
        (&["--results-keypoints", "coco"], &["--results"]),
    ] {
        desk.fails(2, &[&arguments[..], wrong].concat(), words);
    }
    let nowhere = ["--results", "no/such/results.json"];
    desk.fails(
        1,
        &[&arguments[..], &nowhere].concat(),
        &["no/such/results.json"],
    );
}
