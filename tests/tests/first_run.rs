//! The first thing that anybody does: `edge-runtime run`, with nothing else said.

use end_to_end::{Desk, Program, project};
use serde_json::Value;

/// Farther than this part of the torso is wrong.
const RIGHT: f64 = 0.5;
/// At least so many of the 16 keypoints of the sample must be right.
const LEAST_RIGHT: usize = 11;
/// Largest mean distance, in torsos, of the keypoints that the model is sure of.
const LARGEST_MEAN: f64 = 0.4;
/// Confidence from which a keypoint is drawn.
const SURE: f64 = 0.2;

struct Joint {
    name: String,
    x: f64,
    y: f64,
}

impl Joint {
    fn distance(&self, x: f64, y: f64) -> f64 {
        (self.x - x).hypot(self.y - y)
    }
}

/// Where the figure's joints are in the sample: from the renderer, not from a model.
fn truth() -> Vec<Joint> {
    let text = std::fs::read_to_string(project().join("assets/sample.json")).expect("sample.json");
    let sample: Value = serde_json::from_str(&text).expect("JSON");
    let joints = sample["keypoints"].as_array().expect("keypoints");
    joints
        .iter()
        .map(|joint| Joint {
            name: joint["name"].as_str().expect("name").to_owned(),
            x: joint["x"].as_f64().expect("x"),
            y: joint["y"].as_f64().expect("y"),
        })
        .collect()
}

#[test]
fn run_without_arguments_finds_the_figure_of_the_sample() {
    let desk = Desk::new();
    let finished = desk.ok(Program::EDGE_RUNTIME, &["run"]);
    let truth = truth();
    let by_name = |name: &str| {
        truth
            .iter()
            .find(|j| j.name == name)
            .expect("a torso joint")
    };
    let shoulder = by_name("left_shoulder");
    let torso = by_name("right_hip").distance(shoulder.x, shoulder.y);

    let mut lines = finished.printed.lines();
    let title = lines.next().unwrap_or_default();
    assert!(
        title.contains("sample.jpg") && title.contains("640x480"),
        "{title}"
    );
    let (mut right, mut sure, mut sum) = (0, 0, 0.0);
    for joint in &truth {
        let line = lines.next().unwrap_or_default();
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(fields.len(), 4, "{line}");
        // MPII's own list has a slip of the pen, which files in its format share.
        let name = fields[0].replace("plevis", "pelvis");
        assert_eq!(name, joint.name, "in the order of MPII");
        let [x, y, confidence] = [1, 2, 3].map(|i| fields[i].parse::<f64>().expect(line));
        assert!((0.0..=1.0).contains(&confidence), "{line}");
        let off = joint.distance(x, y) / torso;
        eprintln!("{line}   off by {off:.2} torso");
        right += usize::from(off < RIGHT);
        if confidence >= SURE {
            sure += 1;
            sum += off;
        }
    }
    assert_eq!(lines.next(), Some("picture: pose.png"));
    let mean = sum / f64::from(sure.max(1));
    eprintln!("{right} of 16 within {RIGHT} torso; mean of the {sure} sure ones {mean:.3} torso");
    assert!(right >= LEAST_RIGHT, "{right} of 16 within {RIGHT} torso");
    assert!(sure >= LEAST_RIGHT as i32, "sure of only {sure} of 16");
    assert!(mean <= LARGEST_MEAN, "mean distance {mean:.3} torso");
}

#[test]
fn the_picture_is_the_sample_with_a_skeleton_on_it() {
    let desk = Desk::new();
    desk.ok(Program::EDGE_RUNTIME, &["run"]);
    let open = |path| image::open(path).expect("a picture").into_rgb8();
    let drawn = open(desk.path("pose.png"));
    let sample = open(project().join("assets/sample.jpg"));
    assert_eq!(drawn.dimensions(), sample.dimensions());
    let changed = drawn
        .pixels()
        .zip(sample.pixels())
        .filter(|(d, s)| d.0 != s.0)
        .count();
    let share = changed as f64 / (640.0 * 480.0);
    // Lines on a person, on a background that stays as it is.
    assert!(
        (0.002..0.2).contains(&share),
        "{share} of the pixels differ"
    );
}

#[test]
fn the_same_photo_gives_the_same_pose_however_it_is_given() {
    let desk = Desk::new();
    let sample = project().join("assets/sample.jpg");
    let model = project().join("models/tiny.onnx");
    let [sample, model] = [sample, model].map(|path| path.to_string_lossy().into_owned());
    let keypoints = |arguments: &[&str]| -> Value {
        let printed = desk.ok(Program::EDGE_RUNTIME, arguments).printed;
        let record: Value = serde_json::from_str(&printed).expect("one line of JSON");
        record["keypoints"].clone()
    };
    let inside = keypoints(&["run", "--json", "--no-picture"]);
    assert_eq!(inside.as_array().map(Vec::len), Some(16));
    let files = ["run", &sample, "--model", &model, "--json", "--no-picture"];
    assert_eq!(keypoints(&files), inside);
    // Two threads add up in another order.
    let threads = keypoints(&[&files[..], &["--threads", "2"]].concat());
    let near =
        |a: &Value, b: &Value| (a.as_f64().unwrap_or(1e9) - b.as_f64().unwrap_or(0.0)).abs() < 0.1;
    for (one, two) in inside
        .as_array()
        .into_iter()
        .flatten()
        .zip(threads.as_array().into_iter().flatten())
    {
        assert!(
            near(&one["x"], &two["x"]) && near(&one["y"], &two["y"]),
            "{one} {two}"
        );
    }
}
