//! MakeHuman's body, rig and motions. Needs the files: the folder `makehuman` in the folder that
//! `HOURGLASS_DATA` names.

#![allow(clippy::unwrap_used)]

use glam::Vec3;
use std::path::{Path, PathBuf};
use synth::{KEYPOINT_NAMES, Layer, MakeHuman, Pose, Random, SceneOptions, Shape, render};

fn body() -> Option<MakeHuman> {
    let Some(data) = std::env::var_os("HOURGLASS_DATA") else {
        eprintln!("skipped: HOURGLASS_DATA does not name a folder with makehuman/");
        return None;
    };
    Some(MakeHuman::load(&PathBuf::from(data).join("makehuman")).unwrap())
}

fn index(name: &str) -> usize {
    KEYPOINT_NAMES.iter().position(|n| *n == name).unwrap()
}

#[test]
fn rest_pose_is_the_base_mesh() {
    let Some(body) = body() else { return };
    let figure = body.figure(&Shape::default());
    let pose = Pose {
        turns: figure.rig.rest,
        lift: 0.0,
    };
    let posed = figure.posed(&pose);
    let shift = posed.positions[0] - figure.vertices[0].rest;
    for (position, vertex) in posed.positions.iter().zip(&figure.vertices) {
        assert!((*position - vertex.rest - shift).length() < 1e-4);
    }
    let skin = figure.triangles.iter().filter(|t| t.layer == Layer::Skin);
    // 13,378 quads.
    assert_eq!(skin.count(), 26_756);
}

#[test]
fn random_people_are_of_human_size_and_symmetric_at_rest() {
    let Some(body) = body() else { return };
    let mut random = Random::new(1);
    for _ in 0..8 {
        let figure = body.random_figure(&mut random);
        let points = figure.posed(&Pose::default()).keypoints;
        let at = |name: &str| points[index(name)];
        let height = at("head_top").y;
        assert!((1.35..2.1).contains(&height), "{height}");
        for name in ["ankle", "knee", "hip", "wrist", "elbow", "shoulder"] {
            let (l, r) = (at(&format!("left_{name}")), at(&format!("right_{name}")));
            assert!(
                (l - Vec3::new(-r.x, r.y, r.z)).length() < 0.01,
                "{name} {l} {r}"
            );
            assert!(l.x > 0.0);
        }
        // Arms hang: wrists below elbows below shoulders, straight.
        let (s, e, w) = (at("left_shoulder"), at("left_elbow"), at("left_wrist"));
        assert!((s - e).normalize().dot(Vec3::Y) > 0.999);
        assert!((e - w).normalize().dot(Vec3::Y) > 0.999);
    }
}

#[test]
fn a_recorded_t_pose_is_a_t() {
    let Some(body) = body() else { return };
    let clip = body.clips().iter().find(|c| c.name == "tpose").unwrap();
    let points = body
        .figure(&Shape::default())
        .posed(&clip.pose(0))
        .keypoints;
    let arm = (points[index("left_wrist")] - points[index("left_shoulder")]).normalize();
    assert!(arm.x > 0.97, "{arm}");
    let arm = (points[index("right_wrist")] - points[index("right_shoulder")]).normalize();
    assert!(arm.x < -0.97, "{arm}");
}

#[test]
fn walkers_walk_upright() {
    let Some(body) = body() else { return };
    let figure = body.figure(&Shape::default());
    let walks = body.clips().iter().filter(|c| c.name.starts_with("cmu_"));
    let mut clips = 0;
    for clip in walks {
        clips += 1;
        let mut widest = 0.0f32;
        for frame in (0..clip.frames()).step_by(17) {
            let points = figure.posed(&clip.pose(frame)).keypoints;
            let at = |name: &str| points[index(name)];
            let height = at("head_top").y;
            assert!(
                (1.3..1.75).contains(&height),
                "{} {frame}: {height}",
                clip.name
            );
            let ankles = at("left_ankle").y.min(at("right_ankle").y);
            assert!(
                (0.0..0.25).contains(&ankles),
                "{} {frame}: {ankles}",
                clip.name
            );
            let (l, r) = (at("left_ankle"), at("right_ankle"));
            widest = widest.max(Vec3::new(l.x - r.x, 0.0, l.z - r.z).length());
        }
        // Steps of at least a foot's length.
        assert!(widest > 0.3, "{}: {widest}", clip.name);
    }
    assert_eq!(clips, 6);
}

#[test]
fn renders_the_same_twice() {
    let Some(body) = body() else { return };
    let options = SceneOptions {
        width: 64,
        height: 64,
        ..SceneOptions::default()
    };
    assert_eq!(render(&body, 3, &options), render(&body, 3, &options));
}

#[test]
fn a_missing_body_says_where_to_get_it() {
    let error = MakeHuman::load(Path::new("no-such-folder"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no-such-folder") && error.contains("github.com/makehuman"),
        "{error}"
    );
}
