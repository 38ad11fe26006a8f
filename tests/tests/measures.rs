//! The measures as both programs give them, on rendered people: heads have boxes there, and
//! everything is labelled.

use end_to_end::{Desk, Program, people, train};
use serde_json::Value;

const RUNTIME: Program = Program::EDGE_RUNTIME;
const TRAINER: Program = Program::TRAINER;

/// A desk with a data set in `people` and a network that was trained for a moment.
fn desk() -> Desk {
    let desk = people();
    let longer = [
        "--epochs",
        "30",
        "--learning-rate",
        "1e-2",
        "--foreground",
        "20",
        "--sigma",
        "2",
    ];
    desk.ok(TRAINER, &train("run", &longer));
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

/// Whether two reports agree: percentages to within `percent`, similarities to within `part`.
fn same(one: &[(String, f64)], other: &[(String, f64)], percent: f64, part: f64) {
    assert_eq!(one.len(), other.len());
    for ((way, one), (_, other)) in one.iter().zip(other) {
        let least = if way.contains("oks") { part } else { percent };
        assert!((one - other).abs() <= least, "{way}: {one} and {other}");
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
    // So that the comparison is one of something.
    assert!(one.len() > 100);
    assert!(deployed["mean"].as_f64() > Some(4.0), "{deployed}");
    // The arithmetic differs in the last digits: a joint on the edge may fall to either side.
    same(&one, &other, 4.0, 0.03);

    // What was written, measured again by either program: places are rounded to a hundredth of a
    // pixel, which the figures of OKS were made from too.
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
            for part in ["pckh", "oks"] {
                let arguments = [&again[..], &["--metric", part]].concat();
                let scored = json(&desk.ok(program, &arguments).printed);
                let (mut one, mut other) = (Vec::new(), Vec::new());
                numbers(&report["measures"][part], part, &mut one);
                numbers(&scored["measures"][part], part, &mut other);
                same(&one, &other, 4.0, 0.0);
                assert_eq!(
                    part == "oks",
                    one.iter().any(|(way, _)| way.contains("ap50"))
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
