//! The measures as both programs give them, on rendered people: heads have boxes there, and
//! everything is labelled.

use end_to_end::{Desk, Program, desk_of_people};
use serde_json::Value;

const RUNTIME: Program = Program::EDGE_RUNTIME;
const TRAINER: Program = Program::TRAINER;

/// A desk with a data set in `people` and a network that was trained for a moment.
fn desk() -> Desk {
    let desk = desk_of_people(30, 5, 80, 4);
    let train = [
        "train",
        "--stacks",
        "1",
        "--channels",
        "32",
        "--mobile",
        "--input",
        "64x64",
        "--batch",
        "8",
        "--warmup",
        "5",
        "--average",
        "0.9",
        "--threads",
        "2",
        "--seed",
        "5",
        "--epochs",
        "12",
        "--learning-rate",
        "1e-2",
        "--foreground",
        "20",
        "--sigma",
        "2",
        "--data",
        "annotations:people?split=train",
        "--validate",
        "annotations:people?split=validation",
        "--output",
        "run",
    ];
    desk.ok(TRAINER, &train);
    let export = [
        "export",
        "--weights",
        "run/best.safetensors",
        "--output",
        "small.onnx",
    ];
    desk.ok(TRAINER, &export);
    desk
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// All numbers in the JSON, with the way to each.
fn numbers(value: &Value, way: &str, found: &mut Vec<(String, f64)>) {
    match value {
        Value::Number(number) => found.push((way.to_owned(), number.as_f64().unwrap_or(f64::NAN))),
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                numbers(value, &format!("{way}[{index}]"), found);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                numbers(value, &format!("{way}.{name}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn checkpoint_and_exported_file_measure_the_same() {
    let desk = desk();
    let measures = [
        "--data",
        "annotations:people",
        "--metric",
        "all",
        "--flip-test",
        "--scales",
        "0.9,1,1.1",
        "--json",
    ];
    let trained = ["eval", "--weights", "run/best.safetensors"];
    let results = ["--results", "trained.json"];
    let printed = desk
        .ok(TRAINER, &[&trained[..], &measures, &results].concat())
        .printed;
    let trained = json(&printed);
    let deployed = [
        "eval",
        "--model",
        "small.onnx",
        "--results",
        "deployed.json",
    ];
    let printed = desk
        .ok(RUNTIME, &[&deployed[..], &measures].concat())
        .printed;
    let deployed = json(&printed);
    for measure in ["pck", "pckh", "cells"] {
        assert!(
            deployed["measures"][measure]["people"].as_u64() > Some(20),
            "{deployed}"
        );
    }
    let (mut one, mut other) = (Vec::new(), Vec::new());
    numbers(&trained["measures"], "", &mut one);
    numbers(&deployed["measures"], "", &mut other);
    assert_eq!(one.len(), other.len());
    // So that the comparison is one of something.
    assert!(one.len() > 100);
    for ((way, one), (_, other)) in one.iter().zip(&other) {
        // The arithmetic differs in the last digits: a joint on the edge may fall to either side.
        let least = if way.starts_with(".oks") { 0.02 } else { 4.0 };
        assert!(
            (one - other).abs() <= least,
            "{way}: {one} in training, {other} deployed"
        );
    }

    // What was written, measured again by either program: the same to the last digit.
    for (file, report) in [("trained.json", &trained), ("deployed.json", &deployed)] {
        let again = [
            "eval",
            "--predictions",
            file,
            "--data",
            "annotations:people",
            "--json",
        ];
        for program in [TRAINER, RUNTIME] {
            for (metric, part) in [("pckh", "pckh"), ("oks", "oks")] {
                let arguments = [&again[..], &["--metric", metric]].concat();
                let scored = json(&desk.ok(program, &arguments).printed);
                assert_eq!(
                    scored["measures"][part], report["measures"][part],
                    "{file} {metric}"
                );
            }
        }
    }

    let wrong = [
        "eval",
        "--weights",
        "small.onnx",
        "--predictions",
        "trained.json",
        "--data",
        "annotations:people",
    ];
    desk.fails(TRAINER, 2, &wrong, &["--predictions"]);
    desk.write("broken.json", "[{\"image_id\": 1}]");
    let broken = [
        "eval",
        "--predictions",
        "broken.json",
        "--data",
        "annotations:people",
    ];
    desk.fails(
        TRAINER,
        1,
        &broken,
        &["broken.json", "record 0", "category_id"],
    );
}
