//! Smaller and larger networks from trained ones, as a user makes them.

use std::path::{Path, PathBuf};

use end_to_end::{Desk, Finished, Program, desk_of_people};
use serde_json::Value;

const RUNTIME: Program = Program::EDGE_RUNTIME;
const TRAINER: Program = Program::TRAINER;

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.printed).expect("JSON")
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("no number: {value}"))
}

fn shipped() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.with_file_name("models").join("tiny.safetensors")
}

/// A desk with rendered people; the last fifth is for validation.
fn desk() -> Desk {
    desk_of_people(40, 5, 96, 8)
}

const TRAIN: &str = "annotations:people?split=train";
const VALIDATION: &str = "annotations:people?split=validation";

#[test]
fn a_pruned_network_is_really_smaller() {
    let desk = desk();
    let tiny = shipped();
    let tiny = tiny.to_str().expect("a path");
    // Prune by samples, and train on for an epoch.
    let finished = desk.ok(
        TRAINER,
        &[
            "prune",
            "--weights",
            tiny,
            "--macs",
            "0.6",
            "--output",
            "pruned.safetensors",
            "--samples",
            "16",
            "--threads",
            "2",
            "--data",
            TRAIN,
            "--validate",
            VALIDATION,
            "--json",
            "--",
            "--output",
            "run",
            "--epochs",
            "1",
            "--batch",
            "8",
        ],
    );
    let report = finished
        .printed
        .split("best validation")
        .next()
        .unwrap_or_default();
    let report: Value = serde_json::from_str(report).expect("JSON");
    let (before, after) = (&report["before"], &report["after"]);
    let share = number(&after["macs"]) / number(&before["macs"]);
    assert!(share <= 0.6 && share > 0.55, "{share}");
    assert!(
        before["pck"].is_number() && after["pck"].is_number(),
        "{report}"
    );

    let mut facts = Vec::new();
    for (weights, name) in [
        (tiny, "tiny.onnx"),
        ("pruned.safetensors", "pruned.onnx"),
        ("run/best.safetensors", "trained.onnx"),
    ] {
        desk.ok(TRAINER, &["export", "--weights", weights, "--output", name]);
        facts.push(json(&desk.ok(RUNTIME, &["inspect", name, "--json"])));
    }
    // What another program counts in the files is what pruning said.
    for (facts, side) in facts.iter().zip([before, after, after]) {
        assert_eq!(facts["macs"], side["macs"]);
        assert_eq!(facts["parameters"], side["parameters"]);
    }
    assert!(number(&facts[1]["bytes"]) < 0.8 * number(&facts[0]["bytes"]));
    let architecture = &facts[2]["card"]["architecture"];
    let widths = architecture["widths"].as_object().expect("widths");
    assert!(widths.len() > 20, "{architecture}");
    for (name, width) in widths {
        assert!(
            width.as_u64().is_some_and(|w| w % 8 == 0 && w >= 16),
            "{name}: {width}"
        );
    }
    // Training went on from the pruned weights with the network as it was left.
    let log = std::fs::read_to_string(desk.path("run/train.log")).expect("train.log");
    assert!(log.contains("pruned_192_192"), "{log}");
    let summary = json(&desk.ok(TRAINER, &["summary", "run/best.safetensors", "--json"]));
    assert_eq!(summary["exported"][1], after["macs"]);
}

#[test]
fn stacks_can_be_cut_and_added() {
    let desk = Desk::new();
    let tiny = shipped();
    let tiny = tiny.to_str().expect("a path");
    let cut = [
        "prune",
        "--weights",
        tiny,
        "--stacks",
        "1",
        "--output",
        "one.safetensors",
    ];
    desk.ok(TRAINER, &cut);
    let grow = [
        "grow",
        "--weights",
        "one.safetensors",
        "--stacks",
        "3",
        "--channels",
        "160",
    ];
    let grown = json(&desk.ok(
        TRAINER,
        &[&grow[..], &["--output", "three.safetensors", "--json"]].concat(),
    ));
    assert!(number(&grown["largest_difference"]) < 1e-4, "{grown}");
    let summary = |file: &str| json(&desk.ok(TRAINER, &["summary", file, "--json"]));
    assert_eq!(
        summary("one.safetensors")["stages"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    assert_eq!(
        summary("three.safetensors")["stages"]
            .as_array()
            .map(Vec::len),
        Some(4)
    );
    // The options name the network that growing made.
    let named = ["summary", "--stacks", "3", "--mobile", "--channels", "160"];
    let named = json(&desk.ok(
        TRAINER,
        &[&named[..], &["--input", "192x192", "--json"]].concat(),
    ));
    assert_eq!(
        named["parameters"],
        summary("three.safetensors")["parameters"]
    );

    desk.ok(
        TRAINER,
        &["plot", "--graph", "net.svg", "three.safetensors"],
    );
    let svg = std::fs::read_to_string(desk.path("net.svg")).expect("net.svg");
    assert!(svg.contains(">hg2</text>") && svg.trim_end().ends_with("</svg>"));

    desk.fails(
        TRAINER,
        1,
        &[
            "grow",
            "--weights",
            "one.safetensors",
            "--channels",
            "64",
            "--output",
            "x",
        ],
        &["never takes channels away"],
    );
    desk.fails(
        TRAINER,
        1,
        &["prune", "--weights", "one.safetensors", "--output", "x"],
        &["--macs", "--params", "--stacks"],
    );
    let taylor = [
        "prune",
        "--weights",
        "one.safetensors",
        "--params",
        "0.5",
        "--output",
        "x",
    ];
    desk.fails(TRAINER, 1, &taylor, &["--data"]);
    let wrong = [&taylor[..], &["--", "--no-such-option"]].concat();
    desk.fails(TRAINER, 2, &wrong, &["--no-such-option"]);
}

/// A small network learns from the shipped one's heatmaps where the labels alone say nothing.
#[test]
fn a_small_network_learns_from_a_larger_one() {
    let desk = desk();
    let tiny = shipped();
    let onnx = tiny.with_extension("onnx");
    let train = [
        "--stacks",
        "1",
        "--mobile",
        "--width",
        "32",
        "32",
        "--input",
        "96x96",
        "--batch",
        "8",
        "--epochs",
        "2",
        "--warmup",
        "2",
        "--threads",
        "2",
        "--sigma",
        "1.4",
        "--precision",
        "f32",
        "--data",
        TRAIN,
        "--validate",
        VALIDATION,
    ];
    for (output, tutor) in [("a", &tiny), ("b", &onnx)] {
        let tutor = tutor.to_str().expect("a path");
        let distill = [
            "distill",
            "--from",
            tutor,
            "--distill-weight",
            "1",
            "--output",
            output,
        ];
        desk.ok(TRAINER, &[&distill[..], &train].concat());
    }
    let log =
        |run: &str, file: &str| std::fs::read_to_string(desk.path(run).join(file)).expect("a log");
    assert!(log("a", "train.log").contains("teaches 16 of 16 keypoints at 192x192"));
    // Checkpoint and file are the same network: the courses differ by rounding alone.
    let loss = |run: &str| -> Vec<f64> {
        let text = log(run, "log.csv");
        let rows = text.lines().skip(1);
        rows.filter_map(|row| row.split(',').nth(4)?.parse().ok())
            .collect()
    };
    let (a, b) = (loss("a"), loss("b"));
    assert_eq!(a.len(), 2);
    for (a, b) in a.iter().zip(&b) {
        assert!((a / b - 1.0).abs() < 0.02, "{a} {b}");
    }
    let both = ["distill", "--from", "x", "--distill", "y", "--output", "c"];
    desk.fails(TRAINER, 2, &[&both[..], &train].concat(), &["--distill"]);
}
