//! A keypoint set of the user's own: named in text files, trained, exported, run.

use end_to_end::{Program, people, train};
use serde_json::Value;

const RUNTIME: Program = Program::EDGE_RUNTIME;
const TRAINER: Program = Program::TRAINER;

#[test]
fn a_set_from_text_files_goes_into_checkpoint_and_model() {
    let desk = people();
    desk.write("ends_classes.txt", "left_wrist\nright_wrist\nhead_top\n");
    desk.write("ends_match_point.txt", "left_wrist,right_wrist,h\n");
    desk.write("ends_skeleton.txt", "left_wrist,head_top,b\n");
    let keypoints = ["--keypoints", "ends_classes.txt", "--epochs", "2"];
    desk.ok(TRAINER, &train("run", &keypoints));
    // The files are not needed any more.
    for part in ["classes", "match_point", "skeleton"] {
        std::fs::remove_file(desk.path(&format!("ends_{part}.txt"))).expect("a file of the test's");
    }
    let weights = ["--weights", "run/last.safetensors"];
    let data = ["--data", "annotations:people", "--json"];
    let measured = desk.ok(TRAINER, &[&["eval"], &weights[..], &data].concat());
    let measured: Value = serde_json::from_str(&measured.printed).expect("JSON");

    let output = ["--output", "ends.onnx"];
    desk.ok(TRAINER, &[&["export"], &weights[..], &output].concat());
    let shown = desk.ok(RUNTIME, &["inspect", "ends.onnx", "--json"]);
    let shown: Value = serde_json::from_str(&shown.printed).expect("JSON");
    let card = &shown["card"];
    let names = serde_json::json!(["left_wrist", "right_wrist", "head_top"]);
    assert_eq!(card["keypoints"], names);
    assert_eq!(card["flip_pairs"].as_array().map(Vec::len), Some(1));
    assert_eq!(card["skeleton"].as_array().map(Vec::len), Some(1));
    let model = ["eval", "--model", "ends.onnx"];
    let run = desk.ok(RUNTIME, &[&model[..], &data].concat());
    let run: Value = serde_json::from_str(&run.printed).expect("JSON");
    assert_eq!(run["rule"], measured["rule"]);
    let mean = |report: &Value| report["mean"].as_f64().expect("a mean");
    assert!(
        (mean(&run) - mean(&measured)).abs() < 1e-6,
        "{run} {measured}"
    );
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let desk = people();
    let arguments = |file| train("run", &["--keypoints", file]);
    desk.fails(
        TRAINER,
        2,
        &arguments("none.txt"),
        &["no file `none.txt`", "animal_pose"],
    );
    desk.write("two_classes.txt", "head\nhead\n");
    desk.fails(
        TRAINER,
        2,
        &arguments("two_classes.txt"),
        &["two_classes.txt", "two_classes.txt:2", "head"],
    );
}
