//! COCO's figures against pycocotools' (on small made cases, see `tests/tools/README.md`) and
//! against closed forms.

#![allow(clippy::unwrap_used)]

use dataset::{
    CocoFile, FoundPose, OTHER_SIGMA, Sigmas, TruePose, coco_eval, keypoint_similarity, oks,
    read_results, results_json,
};
use pose::KeypointSet;
use serde_json::Value;
use std::path::Path;

/// Cases that `tests/tools/coco_agreement.py --fixtures` made, with the figures that
/// pycocotools 2.0.11 gave for them.
#[test]
fn as_pycocotools() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let desk = tempfile::tempdir().unwrap();
    for (name, labelled) in [
        ("coco_perturbed", 17),
        ("coco_crowds", 17),
        ("coco_boxes_mpii", 16),
    ] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let case: Value = serde_json::from_str(&text).unwrap();
        let file = |part: &str| {
            let path = desk.path().join(format!("{name}-{part}.json"));
            std::fs::write(&path, case[part].to_string()).unwrap();
            path
        };
        let truth = CocoFile::read(&file("truth")).unwrap();
        assert_eq!(truth.keypoints.len(), labelled);
        let found = read_results(&file("results")).unwrap();
        let sigmas = match case["sigmas"].as_str().unwrap() {
            "coco" => Sigmas::Coco,
            _ => Sigmas::Uniform,
        };
        let sigmas = sigmas.of(&truth.keypoints, |_| true);
        let report = coco_eval(&truth.people, &found, &sigmas);
        println!("{name}\n{report}");
        let json = serde_json::to_value(&report).unwrap();
        for (figure, expected) in case["pycocotools"].as_object().unwrap() {
            let (found, expected) = (json[figure].as_f64(), expected.as_f64());
            let same = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
                (found, expected) => found == expected,
            };
            assert!(same, "{name} {figure}: {found:?} instead of {expected:?}");
        }
        // What we write is what we read.
        let copy = desk.path().join("copy.json");
        std::fs::write(&copy, results_json(&found)).unwrap();
        assert_eq!(read_results(&copy).unwrap(), found);
    }
}

fn person(image_id: u64, at: f64, area: f64) -> TruePose {
    TruePose {
        image_id,
        category_id: 1,
        person: String::new(),
        keypoints: vec![[at, at, 2.0]; 17],
        bbox: [at, at, 10.0, 10.0],
        area,
        crowd: false,
        ignored: false,
    }
}

fn pose(image_id: u64, at: f64, score: f64) -> FoundPose {
    FoundPose {
        image_id,
        category_id: 1,
        keypoints: vec![[at, at, 1.0]; 17],
        score,
        bbox: None,
        person: None,
    }
}

#[test]
fn similarity_is_a_gaussian_of_the_distance() {
    // One standard deviation away: d = 2σ · √area.
    for (area, sigma) in [(2500.0, 0.062), (400.0, 0.107)] {
        let distance = 2.0 * sigma * f64::sqrt(area);
        let found = keypoint_similarity(distance * distance, area, sigma);
        assert!((found - (-0.5f64).exp()).abs() < 1e-12, "{found}");
    }
    // Unlabelled keypoints do not count; the mean of the others does.
    let truth = [[0.0, 0.0, 2.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
    let found = [[0.0, 0.0, 1.0], [900.0, 900.0, 1.0], [6.0, 8.0, 1.0]];
    let similarity = oks(&truth, &found, 100.0, &[0.1; 3]).unwrap();
    // 10 px on an area of 10²: 2σ · √area = 2, exp(−100 / (2 · 2²)).
    let expected = (1.0 + (-12.5f64).exp()) / 2.0;
    assert!((similarity - expected).abs() < 1e-12);
    assert_eq!(oks(&truth[1..2], &found[1..2], 100.0, &[0.1]), None);
}

#[test]
fn sigmas_go_by_name() {
    let all = |_: usize| true;
    let coco = Sigmas::Auto.of(&KeypointSet::coco(), all);
    assert!((coco[0] - 0.026).abs() < 1e-12 && (coco[16] - 0.089).abs() < 1e-12);
    let mpii = KeypointSet::mpii();
    assert_eq!(Sigmas::Auto.of(&mpii, all), [OTHER_SIGMA; 16]);
    // Labels of COCO's joints alone, in MPII's order: right ankle, knee, hip …
    let limbs = |index: usize| !(6..10).contains(&index);
    let found = Sigmas::Auto.of(&mpii, limbs);
    assert!((found[0] - 0.089).abs() < 1e-12 && (found[2] - 0.107).abs() < 1e-12);
    assert_eq!(found[6], OTHER_SIGMA);
}

#[test]
fn thresholds_below_the_similarity_count() {
    // All joints off by d with a common sigma: OKS is exp(−d² / (2 · area · (2σ)²)) = 0.72, which
    // is above five of the ten thresholds.
    let area = 5000.0;
    let distance_squared = -(0.72f64.ln()) * 2.0 * area * 4.0 * OTHER_SIGMA * OTHER_SIGMA;
    let shift = (distance_squared / 2.0).sqrt();
    let truth = [person(1, 100.0, area)];
    let sigmas = [OTHER_SIGMA; 17];
    let report = coco_eval(&truth, &[pose(1, 100.0 + shift, 0.5)], &sigmas);
    let near = |found: Option<f64>, expected: f64| {
        assert!((found.unwrap() - expected).abs() < 1e-9, "{found:?}");
    };
    near(report.ap, 0.5);
    near(report.ap50, 1.0);
    near(report.ap75, 0.0);
    near(report.ar, 0.5);
    // An area of 5000 is medium, and nobody is large.
    near(report.ap_medium, 0.5);
    assert_eq!((report.ap_large, report.ar_large), (None, None));

    // A surer pose of nobody, in another photo: the first half of the precisions is 1/2.
    let found = [pose(1, 100.0, 0.5), pose(2, 100.0, 0.9)];
    let two = [person(1, 100.0, area), person(2, 900.0, area)];
    let report = coco_eval(&two, &found, &sigmas);
    // Recalls 0.00 to 0.50 have precision 1/2, the rest 0.
    near(report.ap, 0.5 * 51.0 / 101.0);
    near(report.ar, 0.5);
}

#[test]
fn nobody_misses_crowds_and_unlabelled_people() {
    let area = 20_000.0;
    let sigmas = [OTHER_SIGMA; 17];
    let unlabelled = |crowd: bool| TruePose {
        keypoints: vec![[0.0; 3]; 17],
        bbox: [300.0, 300.0, 100.0, 100.0],
        crowd,
        ignored: true,
        ..person(1, 0.0, area)
    };
    let right = pose(1, 100.0, 0.5);
    // Two surer poses in the box of the others: a crowd takes both, one person only one.
    let found = [right.clone(), pose(1, 350.0, 0.9), pose(1, 360.0, 0.8)];
    let ap = |others: TruePose, found: &[FoundPose]| {
        let truth = [person(1, 100.0, area), others];
        let report = coco_eval(&truth, found, &sigmas);
        assert_eq!((report.people, report.ar), (1, Some(1.0)));
        report.ap.unwrap()
    };
    assert!((ap(unlabelled(true), &found) - 1.0).abs() < 1e-9);
    assert!((ap(unlabelled(false), &found) - 0.5).abs() < 1e-9);
    // Only the 20 surest poses of a photo count.
    let mut many = vec![pose(1, 5000.0, 0.9); 20];
    many.push(right);
    let report = coco_eval(&[person(1, 100.0, area)], &many, &sigmas);
    assert_eq!((report.ap, report.ar), (Some(0.0), Some(0.0)));
    assert_eq!(coco_eval(&[], &[], &sigmas).ap, None);
}

#[test]
fn what_is_wrong_with_a_file_is_named() {
    let desk = tempfile::tempdir().unwrap();
    let read = |name: &str, text: &str| {
        let path = desk.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let message = |text: &str| {
        let path = read("results.json", text);
        read_results(&path).unwrap_err().to_string()
    };
    let good = r#"{"image_id":1,"category_id":1,"keypoints":[1,2,1],"score":0.5}"#;
    let two = |other: &str| message(&format!("[{good},{other}]"));
    assert!(message("{}").contains("a list of results"));
    let short = two(r#"{"image_id":1,"category_id":1,"keypoints":[1,2,1,1,2,1],"score":0.5}"#);
    assert!(
        short.contains("record 1, field `keypoints`") && short.contains("found 6"),
        "{short}"
    );
    let missing = two(r#"{"image_id":1,"category_id":1,"keypoints":[1,2,1]}"#);
    assert!(
        missing.contains("record 1") && missing.contains("score"),
        "{missing}"
    );
    let truth = |annotation: &str| {
        let text = format!(
            r#"{{"images":[{{"id":7,"file_name":"7.jpg"}}],"categories":[],"annotations":[{annotation}]}}"#
        );
        CocoFile::read(&read("truth.json", &text))
    };
    let other = truth(r#"{"id":1,"image_id":8,"bbox":[0,0,1,1],"keypoints":[]}"#);
    let other = other.unwrap_err().to_string();
    assert!(
        other.contains("annotations.image_id") && other.contains("id 8"),
        "{other}"
    );
    let crowd = truth(r#"{"id":1,"image_id":7,"bbox":[0,0,9,9],"iscrowd":1}"#).unwrap();
    assert!(crowd.people[0].crowd && crowd.people[0].is_ignored());
    assert_eq!(crowd.people[0].keypoints.len(), 17);
}
