//! The rules of PCK on hand-made people. `real_data.rs` compares with published figures.

#![allow(clippy::unwrap_used)]

use dataset::{LabelledKeypoint, Pck, PckError, PckReport, PckRule, PersonSize, Visibility};
use pose::{KeypointSet, Point, Rect, Size};

/// All joints of MPII at (100, 100), but for the left shoulder, 50 px from the right hip.
fn truth() -> Vec<LabelledKeypoint> {
    let mut truth = vec![LabelledKeypoint::new(100.0, 100.0, Visibility::Visible); 16];
    truth[13] = LabelledKeypoint::new(130.0, 60.0, Visibility::Occluded);
    truth
}

/// What rules by joints need to know of a person beside the labels.
const NOTHING: PersonSize = PersonSize {
    head: None,
    rect: None,
};

fn head(size: f32) -> PersonSize {
    PersonSize {
        head: Some(size),
        ..NOTHING
    }
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
    assert!(pck.add(&truth, &found, &NOTHING).unwrap());
    // Without a labelled torso nobody can tell.
    let mut headless = truth.clone();
    headless[2] = LabelledKeypoint::MISSING;
    assert!(!pck.add(&headless, &found, &NOTHING).unwrap());
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
    assert!(pck.add(&truth, &found, &head(30.0)).unwrap());
    assert!(!pck.add(&truth, &found, &NOTHING).unwrap());
    let report = pck.report();
    assert_eq!((report.joints[0].right, report.joints[1].right), (1, 0));
}

/// The reach is 3.2 cells for 256² (12.8 px of the input), 2.4 cells for 192².
#[test]
fn by_heatmap_cells() {
    for (side, reach) in [(256, 3.2f32), (192, 2.4)] {
        let rule = PckRule::cells(Size::square(side));
        let mut pck = Pck::new(&KeypointSet::coco(), rule).unwrap();
        let mut truth = vec![LabelledKeypoint::new(20.5, 20.5, Visibility::Visible); 17];
        truth[2].x = 1.5;
        truth[3].x = 1.6;
        let mut found = points(&truth);
        found[0].x += reach - 0.01;
        found[1].x += reach + 0.01;
        pck.add(&truth, &found, &NOTHING).unwrap();
        let report = pck.report();
        let joint = |i: usize| (report.joints[i].right, report.joints[i].counted);
        assert_eq!(
            (joint(0), joint(1), joint(2), joint(3)),
            ((1, 1), (0, 1), (0, 0), (1, 1))
        );
    }
}

/// Half of the head's segment, a tenth of the box's side, a twentieth of its diagonal.
#[test]
fn by_other_norms() {
    let set = KeypointSet::mpii();
    let mut truth = truth();
    // Neck to head top: 30 px.
    truth[9] = LabelledKeypoint::new(118.0, 76.0, Visibility::Visible);
    truth[8] = LabelledKeypoint::new(100.0, 100.0, Visibility::Visible);
    let size = PersonSize {
        head: None,
        rect: Some(Rect::new(10.0, 20.0, 300.0, 400.0)),
    };
    for (rule, reach) in [
        (PckRule::HeadSegment { threshold: 0.5 }, 15.0),
        (PckRule::BoxSide { threshold: 0.1 }, 40.0),
        (PckRule::BoxDiagonal { threshold: 0.05 }, 25.0),
    ] {
        let mut pck = Pck::new(&set, rule).unwrap();
        let mut found = points(&truth);
        found[0].x += reach - 0.01;
        found[1].x += reach + 0.01;
        found[2].x = f32::NAN;
        let judged = pck.judge(&truth, &found, &size).unwrap().unwrap();
        assert!((judged[0].distance - 1.0).abs() < 1e-3 && judged[0].right);
        assert_eq!((judged[3].joint, judged[3].distance), (3, 0.0));
        assert!(pck.add(&truth, &found, &size).unwrap(), "{rule}");
        let report = pck.report();
        let right: Vec<u64> = report.joints.iter().map(|joint| joint.right).collect();
        // What was not found is counted, and not right.
        assert_eq!(right[..4], [1, 0, 0, 1], "{rule}");
        assert_eq!(report.joints[2].counted, 1);
        assert_eq!(report.total, Some(100.0 * 14.0 / 16.0));
        assert_eq!(report.rule.with_threshold(0.7).threshold(), 0.7);
    }
    // Without a head or a box nobody can tell.
    for rule in [PckRule::MPII, PckRule::BoxSide { threshold: 0.1 }] {
        let mut pck = Pck::new(&set, rule).unwrap();
        assert!(!pck.add(&truth, &points(&truth), &NOTHING).unwrap());
    }
}

/// The table of PCKh: the head is the head top alone, the neck counts in the mean, pelvis and
/// thorax in neither; cells count everything.
#[test]
fn published_tables() {
    let set = KeypointSet::mpii();
    let truth = truth();
    let mut found = points(&truth);
    for joint in [6, 7, 8] {
        found[joint].x += 500.0;
    }
    let report = |rule| {
        let mut pck = Pck::new(&set, rule).unwrap();
        pck.add(&truth, &found, &head(20.0)).unwrap();
        pck.report()
    };
    let by_head = report(PckRule::MPII);
    assert_eq!(by_head.groups[0].pck, Some(100.0));
    assert_eq!(by_head.headline(), Some(100.0 * 13.0 / 14.0));
    let table = by_head.to_string();
    let header = [
        "Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean",
    ];
    let line = table.lines().rev().nth(1).unwrap();
    assert!(
        line.split_whitespace().zip(header).all(|(a, b)| a == b),
        "{table}"
    );
    assert_eq!(report(PckRule::LSP).groups[0].pck, Some(50.0));
    let cells = report(PckRule::cells(Size::square(256)));
    assert_eq!(cells.headline(), Some(100.0 * 13.0 / 16.0));
}

#[test]
fn other_keypoint_sets() {
    let animal = KeypointSet::animal_pose();
    let error = Pck::new(&animal, PckRule::LSP).unwrap_err();
    assert!(matches!(
        error,
        PckError::NoJoint {
            missing: "right_hip",
            ..
        }
    ));
    let mut pck = Pck::new(&animal, PckRule::Head { threshold: 0.5 }).unwrap();
    let truth = vec![LabelledKeypoint::new(5.0, 5.0, Visibility::Visible); 20];
    let error = pck
        .add(&truth, &[Point::new(5.0, 5.0); 19], &head(9.0))
        .unwrap_err();
    assert_eq!(error.to_string(), "expected 20 predictions, found 19");
    pck.add(&truth, &points(&truth), &head(9.0)).unwrap();
    assert_eq!(pck.report().mean, Some(100.0));
    assert_eq!(pck.report().limb_mean, None);
    let nobody = Pck::new(&KeypointSet::lsp(), PckRule::LSP)
        .unwrap()
        .report();
    assert_eq!((nobody.mean, nobody.groups.len()), (None, 0));
}
