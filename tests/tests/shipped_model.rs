//! The shipped models on photos that they were not trained on. Needs the data sets' folder in
//! `HOURGLASS_DATA`.

use end_to_end::{Desk, Program, photos, project};
use serde_json::Value;

/// Every so many of LSP's 1,000 test people.
const EVERY: &str = "10";

#[test]
fn tiny_finds_people_in_lsp() {
    finds_people_in_lsp("tiny", 71.0);
}

#[test]
fn mobile_finds_people_in_lsp() {
    finds_people_in_lsp("mobile", 72.0);
}

/// PCK@0.2 (PC, flip test off) of `models/NAME.onnx` is at least `least` percent.
fn finds_people_in_lsp(name: &str, least: f64) {
    let Some(folder) = photos(&format!("{name}_finds_people_in_lsp")) else {
        return;
    };
    let model = project().join(format!("models/{name}.onnx"));
    let weights = model.to_string_lossy();
    let desk = Desk::new();
    let data = format!("lsp:{}?split=test", folder.join("lsp").display());
    let arguments = [
        "eval",
        "--model",
        &weights,
        "--data",
        &data,
        "--every",
        EVERY,
        "--workers",
        "2",
        "--json",
    ];
    let printed = desk.ok(Program::EDGE_RUNTIME, &arguments).printed;
    let report: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(report["people"], 100, "{printed}");
    assert_eq!(report["flip_test"], false);
    assert!(
        report["problems"].as_array().is_some_and(Vec::is_empty),
        "{printed}"
    );
    let pck = report["mean"].as_f64().unwrap_or_default();
    eprintln!("PCK@0.2 {pck:.1} on {} people", report["people"]);
    assert!(pck >= least, "PCK@0.2 {pck:.1}, at least {least} expected");

    // The trainer's evaluation of the same file, on the same people.
    let part = format!("{data}#0/{EVERY}");
    let arguments = ["eval", "--weights", &weights, "--data", &part, "--json"];
    let printed = desk.ok(Program::TRAINER, &arguments).printed;
    let other: Value = serde_json::from_str(&printed).expect("JSON");
    let other = other["mean"].as_f64().unwrap_or_default();
    assert!(
        (pck - other).abs() < 0.2,
        "edge-runtime {pck}, trainer {other}"
    );
}

#[test]
fn nobody_trains_on_test_people_of_lsp() {
    let Some(folder) = photos("nobody_trains_on_test_people_of_lsp") else {
        return;
    };
    let desk = Desk::new();
    let data = format!("lsp:{}", folder.join("lsp").display());
    let arguments = [
        "train",
        "--output",
        ".",
        "--data",
        &data,
        "--validate",
        &data,
    ];
    let finished = desk.run(Program::TRAINER, &arguments);
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    assert!(finished.said.contains("test split"), "{finished:#?}");
}
