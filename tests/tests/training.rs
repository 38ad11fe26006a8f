//! The whole way without a download: rendered people → training → ONNX → keypoints.

use std::process::Stdio;
use std::time::{Duration, Instant};

use end_to_end::{PICTURES, Program, course, losses, people, train};
use serde_json::Value;

const RUNTIME: Program = Program::EDGE_RUNTIME;
const TRAINER: Program = Program::TRAINER;

/// Long enough to find some joints.
const LONGER: [&str; 8] = [
    "--epochs",
    "30",
    "--learning-rate",
    "1e-2",
    "--foreground",
    "20",
    "--sigma",
    "2",
];

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn rendered_people_become_a_network_that_runs() {
    let desk = people();
    let finished = desk.ok(TRAINER, &train("run", &LONGER));
    assert!(
        finished.printed.contains("best.safetensors"),
        "{finished:#?}"
    );
    let losses = losses(&course(&desk, "run"));
    assert_eq!(losses.len(), 30);
    assert!(losses[29] < 0.5 * losses[0], "{losses:?}");
    for file in ["best.safetensors", "last.safetensors", "train.log"] {
        assert!(desk.path("run").join(file).is_file(), "{file}");
    }

    desk.ok(
        TRAINER,
        &["plot", "--log", "run/log.csv", "--output", "curve.svg"],
    );
    let curve = std::fs::read_to_string(desk.path("curve.svg")).expect("curve.svg");
    assert!(curve.contains("<svg") && curve.trim_end().ends_with("</svg>"));

    let weights = ["--weights", "run/best.safetensors"];
    let export = [
        "--output",
        "small.onnx",
        "--split",
        "four fifths",
        "--license-note",
        "ours",
    ];
    desk.ok(TRAINER, &[&["export"], &weights[..], &export].concat());

    let shown = json(
        &desk
            .ok(RUNTIME, &["inspect", "small.onnx", "--json"])
            .printed,
    );
    let card = &shown["card"];
    assert_eq!(shown["card_is_stale"], false);
    assert_eq!(card["name"], "small");
    assert_eq!(card["architecture"]["stacks"], 1);
    assert_eq!(card["architecture"]["channels"], 32);
    assert_eq!(card["input"]["width"], 64);
    assert_eq!(card["output"]["stride"], 4.0);
    assert_eq!(card["keypoints"].as_array().map(Vec::len), Some(16));
    assert_eq!(card["keypoints"][9], "head_top");
    assert_eq!(
        card["training"]["data"][0],
        "annotations:people?split=train"
    );
    // The best of the epochs of 48 people.
    let samples = card["training"]["samples"].as_u64().unwrap_or_default();
    assert!(
        (48..=30 * 48).contains(&samples) && samples.is_multiple_of(48),
        "{samples}"
    );
    assert_eq!(card["training"]["license_note"], "ours");
    // Heatmaps of a quarter of the input, of the last stack alone.
    assert_eq!(shown["outputs"].as_array().map(Vec::len), Some(1));
    let operators = shown["operators"].as_object().expect("operators");
    assert!(
        !operators.contains_key("BatchNormalization"),
        "{operators:?}"
    );

    // Checkpoint in the training engine, file in the inference engine: the same figure.
    let data = ["--data", "annotations:people", "--json"];
    let mean = |report: &Value| report["mean"].as_f64().expect("a mean");
    let in_training = json(
        &desk
            .ok(TRAINER, &[&["eval"], &weights[..], &data].concat())
            .printed,
    );
    let model = ["--model", "small.onnx"];
    let deployed = json(
        &desk
            .ok(RUNTIME, &[&["eval"], &model[..], &data].concat())
            .printed,
    );
    assert_eq!(deployed["people"], in_training["people"]);
    assert!(deployed["people"].as_u64() > Some(40), "{deployed}");
    let (one, other) = (mean(&in_training), mean(&deployed));
    eprintln!("PCK@0.2 in training {one:.2}, deployed {other:.2}");
    assert!((one - other).abs() < 0.2, "{one} against {other}");
    // So that the comparison is one of something.
    assert!(one > 4.0, "{one}");

    let run = [
        "run",
        "people/images",
        "--model",
        "small.onnx",
        "--out",
        "drawn",
    ];
    let printed = desk.ok(RUNTIME, &[&run[..], &["--json"]].concat()).printed;
    assert_eq!(printed.lines().count(), PICTURES);
    assert!(desk.path("drawn/synth_000000.jpg").is_file());
}

#[test]
fn an_interrupted_training_takes_the_same_course() {
    const EPOCHS: [&str; 2] = ["--epochs", "8"];
    let desk = people();
    desk.ok(TRAINER, &train("whole", &EPOCHS));

    // Somebody pulls the plug after the third validation.
    let mut child = desk
        .command(TRAINER, &train("parts", &EPOCHS))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the trainer");
    let log = desk.path("parts/log.csv");
    let lines = || std::fs::read_to_string(&log).map_or(0, |text| text.matches('\n').count());
    let patience = Instant::now() + Duration::from_secs(120);
    while lines() < 1 + 3 && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("a running trainer");
    child.wait().expect("an end");
    let before = course(&desk, "parts");
    assert!((3..8).contains(&before.len()), "{before:?}");

    desk.ok(
        TRAINER,
        &train("parts", &[&EPOCHS[..], &["--resume"]].concat()),
    );
    assert_eq!(course(&desk, "parts"), course(&desk, "whole"));
    let weights = |run: &str| std::fs::read(desk.path(run).join("last.safetensors"));
    let same = weights("whole").expect("weights") == weights("parts").expect("weights");
    assert!(same, "the last weights differ");
}

#[test]
fn what_cannot_be_exported_leaves_nothing_behind() {
    let desk = people();
    desk.ok(TRAINER, &train("run", &["--epochs", "1"]));
    let weights = std::fs::read(desk.path("run/last.safetensors")).expect("weights");
    desk.write("cut.safetensors", &weights[..weights.len() / 2]);
    let cut = [
        "export",
        "--weights",
        "cut.safetensors",
        "--output",
        "cut.onnx",
    ];
    desk.fails(TRAINER, 1, &cut, &["cut.safetensors"]);
    let folder = [
        "export",
        "--weights",
        "run/last.safetensors",
        "--output",
        "no/model.onnx",
    ];
    desk.fails(TRAINER, 1, &folder, &["no/model.onnx"]);
    // A checkpoint is not what the runtime runs; it says so.
    let run = ["run", "--model", "run/last.safetensors"];
    desk.fails(RUNTIME, 1, &run, &["last.safetensors", "ONNX"]);
}
