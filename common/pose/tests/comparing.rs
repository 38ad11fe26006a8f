//! Joint angles and comparison against poses made by hand.

#![allow(clippy::unwrap_used)]

use pose::{
    Affine, ClipFollower, CompareSettings, Deviation, Keypoint, KeypointSet, Point, Pose,
    ReferenceClip, angle, compare_poses, joint_angles,
};

fn set() -> KeypointSet {
    KeypointSet::mpii()
}

/// Someone standing, with the left arm at `degrees` from hanging down towards the side.
fn standing(degrees: f32) -> Pose {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let names = [
        ("head_top", 0.0, 0.0),
        ("upper_neck", 0.0, 25.0),
        ("thorax", 0.0, 33.0),
        ("right_shoulder", -18.0, 34.0),
        ("right_elbow", -20.0, 62.0),
        ("right_wrist", -20.0, 88.0),
        ("left_shoulder", 18.0, 34.0),
        ("left_elbow", 18.0 + 28.0 * sin, 34.0 + 28.0 * cos),
        ("left_wrist", 18.0 + 54.0 * sin, 34.0 + 54.0 * cos),
        ("plevis", 0.0, 88.0),
        ("right_hip", -10.0, 88.0),
        ("right_knee", -10.0, 130.0),
        ("right_ankle", -10.0, 170.0),
        ("left_hip", 10.0, 88.0),
        ("left_knee", 10.0, 130.0),
        ("left_ankle", 10.0, 170.0),
    ];
    let mut pose = Pose::new(vec![Keypoint::default(); 16]);
    for (name, x, y) in names {
        pose.keypoints[set().index_of(name).unwrap()] = Keypoint::new(x, y, 0.9);
    }
    pose
}

fn through(pose: &Pose, map: &Affine) -> Pose {
    let keypoints = pose.keypoints.iter().map(|k| {
        let p = map.apply(Point::new(k.x, k.y));
        Keypoint::new(p.x, p.y, k.confidence)
    });
    Pose::new(keypoints.collect())
}

fn joint(pose: &Pose, name: &str) -> Option<f32> {
    let angles = joint_angles(pose, &set(), 0.2);
    angles.iter().find(|a| a.name == name).unwrap().degrees
}

#[test]
fn angles_are_what_geometry_says() {
    for degrees in [10.0f32, 45.0, 90.0, 170.0] {
        let pose = standing(degrees);
        assert!((joint(&pose, "left_elbow").unwrap() - 180.0).abs() < 1e-3);
        // Between arm and trunk; the hip is 8 pixels further in than the shoulder, 54 below it.
        let trunk = (8.0f32 / 54.0).atan().to_degrees();
        let found = joint(&pose, "left_shoulder").unwrap();
        let expected = degrees + trunk;
        let expected = if expected > 180.0 {
            360.0 - expected
        } else {
            expected
        };
        assert!((found - expected).abs() < 1e-2, "{found} {expected}");
    }
    let turned = through(
        &standing(60.0),
        &Affine::rotation(1.1).then(&Affine::scale(3.0)),
    );
    assert!((joint(&turned, "left_knee").unwrap() - 180.0).abs() < 1e-2);
    let right = angle(
        Point::new(0.0, 5.0),
        Point::default(),
        Point::new(-2.0, 0.0),
    );
    assert!((right.unwrap() - 90.0).abs() < 1e-4);
}

#[test]
fn missing_keypoints_have_no_angle() {
    let mut pose = standing(30.0);
    let wrist = set().index_of("left_wrist").unwrap();
    pose.keypoints[wrist].confidence = 0.1;
    assert_eq!(joint(&pose, "left_elbow"), None);
    assert!(joint(&pose, "left_shoulder").is_some());
    pose.keypoints[wrist] = Keypoint::new(f32::NAN, 1.0, 0.9);
    assert_eq!(joint(&pose, "left_elbow"), None);
    assert_eq!(
        angle(Point::default(), Point::default(), Point::new(1.0, 0.0)),
        None
    );
    assert!(
        joint_angles(&Pose::default(), &set(), 0.2)
            .iter()
            .all(|a| a.degrees.is_none())
    );
}

#[test]
fn a_moved_turned_larger_body_is_the_same_pose() {
    let map = Affine::rotation(0.4)
        .then(&Affine::scale(2.5))
        .then(&Affine::translation(320.0, 50.0));
    let reference = standing(50.0);
    let found = compare_poses(
        &through(&reference, &map),
        &reference,
        &set(),
        &CompareSettings::default(),
    )
    .unwrap();
    assert!((found.score - 1.0).abs() < 1e-4, "{}", found.score);
    assert!(found.hints.is_empty());
    for (a, b) in found.alignment.m.iter().zip(map.m) {
        assert!((a - b).abs() < 1e-3, "{:?} {map:?}", found.alignment);
    }
}

#[test]
fn a_mirrored_body_is_not_the_same_pose() {
    let reference = standing(90.0);
    let mirrored = through(&reference, &Affine::scale_xy(-1.0, 1.0));
    let found = compare_poses(&mirrored, &reference, &set(), &CompareSettings::default());
    assert!(found.is_none_or(|c| c.score < 0.7));
}

#[test]
fn rotation_can_be_limited() {
    let settings = CompareSettings {
        max_rotation: 0.0,
        ..CompareSettings::default()
    };
    let reference = standing(20.0);
    let lying = through(&reference, &Affine::rotation(1.2));
    let upright = compare_poses(&lying, &reference, &set(), &settings).unwrap();
    let turned = compare_poses(&lying, &reference, &set(), &CompareSettings::default()).unwrap();
    assert!(
        turned.score > 0.999 && upright.score < 0.5,
        "{}",
        upright.score
    );
    assert_eq!(upright.alignment.m[1], 0.0);
}

#[test]
fn a_low_arm_is_called_low_and_a_high_one_high() {
    let settings = CompareSettings::default();
    let low = compare_poses(&standing(60.0), &standing(90.0), &set(), &settings).unwrap();
    let high = compare_poses(&standing(120.0), &standing(90.0), &set(), &settings).unwrap();
    for (found, deviation, words) in [
        (low, Deviation::Low, "° too low"),
        (high, Deviation::High, "° too high"),
    ] {
        assert!(found.score < 0.97 && found.score > 0.5, "{}", found.score);
        let arm: Vec<_> = found
            .hints
            .iter()
            .filter(|h| h.limb.contains("arm"))
            .collect();
        assert_eq!(arm.len(), 2, "{:?}", found.hints);
        for hint in arm {
            assert!(hint.limb.starts_with("left"), "{hint}");
            assert_eq!(hint.deviation, deviation);
            assert!((hint.degrees - 30.0).abs() < 6.0, "{hint}");
            assert!(hint.to_string().ends_with(words), "{hint}");
        }
    }
    let wide = compare_poses(&standing(40.0), &standing(5.0), &set(), &settings).unwrap();
    assert_eq!(
        wide.hints[0].deviation,
        Deviation::Outward,
        "{:?}",
        wide.hints
    );
    let narrow = compare_poses(&standing(5.0), &standing(40.0), &set(), &settings).unwrap();
    assert_eq!(
        narrow.hints[0].deviation,
        Deviation::Inward,
        "{:?}",
        narrow.hints
    );
}

#[test]
fn the_score_falls_as_the_pose_differs_more() {
    let reference = standing(0.0);
    let mut last = 1.1;
    for degrees in [0.0, 20.0, 45.0, 90.0, 150.0] {
        let found = compare_poses(
            &standing(degrees),
            &reference,
            &set(),
            &CompareSettings::default(),
        );
        let score = found.unwrap().score;
        assert!(score < last && score > 0.0, "{degrees}: {score}");
        last = score;
    }
}

#[test]
fn too_little_in_common_is_no_comparison() {
    let settings = CompareSettings::default();
    let mut few = standing(0.0);
    few.keypoints
        .iter_mut()
        .skip(3)
        .for_each(|k| k.confidence = 0.0);
    assert_eq!(compare_poses(&few, &standing(0.0), &set(), &settings), None);
    let point = Pose::new(vec![Keypoint::new(5.0, 5.0, 0.9); 16]);
    assert_eq!(
        compare_poses(&standing(0.0), &point, &set(), &settings),
        None
    );
    assert_eq!(
        compare_poses(&point, &standing(0.0), &set(), &settings),
        None
    );
    assert_eq!(
        compare_poses(&Pose::default(), &Pose::default(), &set(), &settings),
        None
    );
}

/// An arm that goes up and down again in four seconds.
fn clip() -> ReferenceClip {
    let degrees = |n: i32| 150.0 * (1.0 - (n as f32 / 20.0 - 1.0).abs());
    ReferenceClip {
        poses: (0..=40)
            .map(|n| (f64::from(n) * 0.1, standing(degrees(n))))
            .collect(),
    }
}

#[test]
fn the_nearest_pose_of_a_clip_is_found_in_its_window() {
    let (clip, settings) = (clip(), CompareSettings::default());
    let pose = standing(75.0);
    let (up, _) = clip.nearest(&pose, 0.0..=2.0, &set(), &settings).unwrap();
    let (down, _) = clip.nearest(&pose, 2.0..=4.0, &set(), &settings).unwrap();
    assert_eq!((up, down), (10, 30));
    assert!(clip.nearest(&pose, 9.0..=10.0, &set(), &settings).is_none());
}

#[test]
fn a_slow_person_is_followed_through_the_clip() {
    let (clip, settings) = (clip(), CompareSettings::default());
    let mut follower = ClipFollower::default();
    // At 0.7 times the speed; the same poses come twice, on the way up and down.
    for n in 0..=55 {
        let at = f64::from(n) * 0.07;
        let degrees = 150.0 * (1.0 - (at as f32 / 2.0 - 1.0).abs());
        let live = through(&standing(degrees), &Affine::scale(1.7));
        let (k, found) = follower
            .update(&clip, &live, f64::from(n) * 0.1, &set(), &settings)
            .unwrap();
        // The first frames may be of either way.
        if n > 15 {
            assert!(
                (clip.poses[k].0 - at).abs() < 0.25,
                "{n}: {} {at}",
                clip.poses[k].0
            );
            assert!(found.score > 0.95);
        }
    }
    assert!(
        follower
            .update(
                &ReferenceClip::default(),
                &standing(0.0),
                9.0,
                &set(),
                &settings
            )
            .is_none()
    );
}
