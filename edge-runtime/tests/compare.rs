//! `edge-runtime compare`, as its users see it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Someone standing, with the left forearm turned by so many degrees from straight out to the side.
fn line(degrees: f32, by: f32) -> String {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let points = [
        ("head_top", 0.0, 0.0),
        ("upper_neck", 0.0, 25.0),
        ("right_shoulder", -18.0, 34.0),
        ("right_elbow", -20.0, 62.0),
        ("right_wrist", -20.0, 88.0),
        ("left_shoulder", 18.0, 34.0),
        ("left_elbow", 46.0, 34.0),
        ("left_wrist", 46.0 + 26.0 * cos, 34.0 + 26.0 * sin),
        ("right_hip", -10.0, 88.0),
        ("right_knee", -10.0, 130.0),
        ("right_ankle", -10.0, 170.0),
        ("left_hip", 10.0, 88.0),
        ("left_knee", 10.0, 130.0),
        ("left_ankle", 10.0, 170.0),
    ];
    let points: Vec<String> = points
        .iter()
        .map(|(name, x, y)| format!(r#"{{"name":"{name}","x":{},"y":{}}}"#, x * by, y * by))
        .collect();
    format!("{{\"keypoints\":[{}]}}\n", points.join(","))
}

fn compare(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_edge-runtime"))
        .arg("compare")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn a_low_forearm_is_named_and_the_best_moment_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("mine.jsonl"), line(30.0, 1.0)).unwrap();
    fs::write(path.join("wanted.jsonl"), line(0.0, 2.0)).unwrap();
    let lesson: String = [-80.0, -20.0, 32.0, 80.0]
        .iter()
        .map(|&d| line(d, 1.5))
        .collect();
    fs::write(path.join("lesson.jsonl"), lesson).unwrap();

    let output = compare(path, &["mine.jsonl", "wanted.jsonl"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains("score 0.9"),
        "{text}"
    );
    assert!(
        text.contains("left forearm") && text.contains("° too low"),
        "{text}"
    );
    assert!(
        text.contains("left_elbow           150        180"),
        "{text}"
    );

    let output = compare(path, &["mine.jsonl", "lesson.jsonl", "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["reference_pose"], 2);
    assert_eq!(found["hints"].as_array().unwrap().len(), 0);
    assert!(found["score"].as_f64().unwrap() > 0.99);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("full.jsonl"), line(0.0, 1.0)).unwrap();
    fs::write(path.join("empty.jsonl"), "\n").unwrap();
    let few = r#"{"keypoints":[{"name":"head_top","x":1,"y":2}]}"#;
    fs::write(path.join("few.jsonl"), few).unwrap();
    for (name, part, code) in [
        ("empty.jsonl", "expected at least one line with a pose", 2),
        ("few.jsonl", "expected at least four keypoints", 1),
        ("missing.jsonl", "cannot read missing.jsonl", 1),
    ] {
        let output = compare(path, &[name, "full.jsonl"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(part), "{error}");
        assert_eq!(output.status.code(), Some(code));
    }
}
