//! The rules of PCK on hand-made people. `real_data.rs` compares with published figures.

#![allow(clippy::unwrap_used)]

use dataset::{LabelledKeypoint, Pck, PckError, PckReport, PckRule, Visibility};
use pose::{KeypointSet, Point};

/// All joints of MPII at (100, 100), but for the left shoulder, 50 px from the right hip.
fn truth() -> Vec<LabelledKeypoint> {
    let mut truth = vec![LabelledKeypoint::new(100.0, 100.0, Visibility::Visible); 16];
    truth[13] = LabelledKeypoint::new(130.0, 60.0, Visibility::Occluded);
    truth
}

fn points(truth: &[LabelledKeypoint]) -> Vec<Point> {
    truth.iter().map(LabelledKeypoint::point).collect()
}

#[test]
fn by_the_torso() {
    let mut pck = Pck::new(&KeypointSet::mpii(), PckRule::LSP).unwrap();
    let mut truth = truth();
    truth[10] = LabelledKeypoint::MISSING;
    let mut found = points(&truth);
    // 0.2 × 50 = 10: right at 9.9, wrong at 10.1; a missing wrist is not counted.
    found[0].x += 9.9;
    found[5].y -= 10.1;
    found[13].x += 10.1;
    found[10] = Point::new(500.0, 500.0);
    assert!(pck.add(&truth, &found, None).unwrap());
    // Without a labelled torso nobody can tell.
    let mut headless = truth.clone();
    headless[2] = LabelledKeypoint::MISSING;
    assert!(!pck.add(&headless, &found, None).unwrap());
    let report = pck.report();
    assert_eq!((report.people, report.left_out), (1, 1));
    let joint = |i: usize| (report.joints[i].right, report.joints[i].counted);
    assert_eq!(
        (joint(0), joint(5), joint(10), joint(13)),
        ((1, 1), (0, 1), (0, 0), (0, 1))
    );
    assert_eq!(report.joints[10].pck, None);
    let groups: Vec<_> = report
        .groups
        .iter()
        .map(|g| (g.name.as_str(), g.pck.unwrap()))
        .collect();
    let expected = [
        ("head", 100.0),
        ("shoulder", 50.0),
        ("elbow", 100.0),
        ("wrist", 100.0),
        ("hip", 100.0),
        ("knee", 100.0),
        ("ankle", 50.0),
    ];
    assert_eq!(groups, expected);
    // 13 of LSP's 14 joints were counted, 11 right; 11 of the 12 limb joints, 9 right. Pelvis
    // and thorax are in neither.
    assert_eq!(report.mean, Some(1100.0 / 13.0));
    assert_eq!(report.limb_mean, Some(900.0 / 11.0));
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<PckReport>(&json).unwrap(), report);
    let table = report.to_string();
    assert!(
        table.starts_with("PCK@0.2 (torso), 1 people (1 could not be judged)\n"),
        "{table}"
    );
    assert!(
        table.contains("right_ankle") && !table.contains("right_wrist"),
        "{table}"
    );
}

#[test]
fn by_the_head() {
    let mut pck = Pck::new(&KeypointSet::mpii(), PckRule::Head { threshold: 0.5 }).unwrap();
    let truth = truth();
    let mut found = points(&truth);
    found[0].x += 14.0;
    found[1].x += 16.0;
    assert!(pck.add(&truth, &found, Some(30.0)).unwrap());
    assert!(!pck.add(&truth, &found, None).unwrap());
    let report = pck.report();
    assert_eq!((report.joints[0].right, report.joints[1].right), (1, 0));
}

/// The reach is 3.2 cells for 256² (12.8 px of the input), 2.4 cells for 192².
#[test]
fn by_heatmap_cells() {
    for (side, reach) in [(256, 3.2f32), (192, 2.4)] {
        let rule = PckRule::HeatmapCells {
            input_width: side,
            input_height: side,
        };
        let mut pck = Pck::new(&KeypointSet::coco(), rule).unwrap();
        let mut truth = vec![LabelledKeypoint::new(20.5, 20.5, Visibility::Visible); 17];
        truth[2].x = 1.5;
        truth[3].x = 1.6;
        let mut found = points(&truth);
        found[0].x += reach - 0.01;
        found[1].x += reach + 0.01;
        pck.add(&truth, &found, None).unwrap();
        let report = pck.report();
        let joint = |i: usize| (report.joints[i].right, report.joints[i].counted);
        assert_eq!(
            (joint(0), joint(1), joint(2), joint(3)),
            ((1, 1), (0, 1), (0, 0), (1, 1))
        );
    }
}

#[test]
fn other_keypoint_sets() {
    let animal = KeypointSet::animal_pose();
    let error = Pck::new(&animal, PckRule::LSP).unwrap_err();
    assert!(matches!(
        error,
        PckError::NoTorso {
            missing: "right_hip",
            ..
        }
    ));
    let mut pck = Pck::new(&animal, PckRule::Head { threshold: 0.5 }).unwrap();
    let truth = vec![LabelledKeypoint::new(5.0, 5.0, Visibility::Visible); 20];
    let error = pck
        .add(&truth, &[Point::new(5.0, 5.0); 19], Some(9.0))
        .unwrap_err();
    assert_eq!(error.to_string(), "expected 20 predictions, found 19");
    pck.add(&truth, &points(&truth), Some(9.0)).unwrap();
    assert_eq!(pck.report().mean, Some(100.0));
    assert_eq!(pck.report().limb_mean, None);
    let nobody = Pck::new(&KeypointSet::lsp(), PckRule::LSP)
        .unwrap()
        .report();
    assert_eq!((nobody.mean, nobody.groups.len()), (None, 0));
}
