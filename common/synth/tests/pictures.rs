//! The pictures against their keypoints, with the built-in figure.

#![allow(clippy::unwrap_used)]

use glam::Vec3;
use synth::{
    Block, BuiltIn, Camera, Finish, KEYPOINT_NAMES, Outfit, Person, Pose, Sample, Scene,
    SceneOptions, Visibility, render,
};

fn index(name: &str) -> usize {
    KEYPOINT_NAMES.iter().position(|n| *n == name).unwrap()
}

fn options() -> SceneOptions {
    SceneOptions {
        width: 160,
        height: 160,
        occluders: 0.0,
        ..SceneOptions::default()
    }
}

/// A scene without noise, blur and vignette.
fn plain(seed: u64) -> Scene {
    let mut scene = Scene::random(&BuiltIn, seed, &options());
    scene.finish = Finish {
        exposure: 1.0,
        noise: 0.0,
        blur: 0.0,
        vignette: 0.0,
        grain: 0,
    };
    scene
}

/// Standing upright, facing the camera three metres away.
fn standing(seed: u64) -> Scene {
    let mut scene = plain(seed);
    let person = &mut scene.people[0];
    person.pose = Pose::default();
    person.heading = 0.0;
    person.outfit.skirt = None;
    let eye = Vec3::new(0.0, 0.95, 3.5);
    scene.camera = Camera::look_at(eye, Vec3::new(0.0, 0.9, 0.0), Vec3::Y, 260.0, (160, 160));
    scene
}

/// One colour from head to toe.
fn dye(outfit: &mut Outfit, color: Vec3) {
    outfit.skin = color;
    outfit.hair = color;
    outfit.iris = color;
    outfit.shoes = color;
    outfit.soles = color;
    outfit.socks = color;
    for cloth in [&mut outfit.top, &mut outfit.bottom] {
        (cloth.color, cloth.second) = (color, color);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let a = render(&BuiltIn, 5, &options());
    let b = render(&BuiltIn, 5, &options());
    assert_eq!(a, b);
    let c = render(&BuiltIn, 6, &options());
    assert_ne!(a.image.as_raw(), c.image.as_raw());
}

#[test]
fn visible_keypoints_lie_on_the_person() {
    let mut checked = 0;
    for seed in 0..6 {
        // The same person in black and in white: only the person's own pixels differ, as nothing
        // in a scene mirrors or bounces their colour.
        let mut scene = plain(seed);
        let [black, white] = [0.0, 1.0].map(|tone| {
            dye(&mut scene.people[0].outfit, Vec3::splat(tone));
            scene.paint()
        });
        for (name, point) in KEYPOINT_NAMES.iter().zip(black.keypoints[0]) {
            if point.visibility == Visibility::Outside {
                continue;
            }
            // A crown lies on the outline: two pixels are allowed.
            let reach = if *name == "head_top" { 2 } else { 0 };
            let (x, y) = (point.x as i64, point.y as i64);
            let differs = |dx: i64, dy: i64| {
                let (x, y) = (x + dx, y + dy);
                (0..160).contains(&x) && (0..160).contains(&y) && {
                    let (a, b) = (
                        black.image.get_pixel(x as u32, y as u32),
                        white.image.get_pixel(x as u32, y as u32),
                    );
                    a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 4)
                }
            };
            let hit = (-reach..=reach).any(|dy| (-reach..=reach).any(|dx| differs(dx, dy)));
            assert!(hit, "seed {seed}: {name} at {x}, {y} is on the background");
            checked += 1;
        }
    }
    assert!(checked > 70, "{checked}");
}

/// Mean position of the pixels for which `pick` holds.
fn centroid(sample: &Sample, pick: impl Fn([u8; 3], f32) -> bool) -> (f32, f32) {
    let mut sum = (0.0, 0.0, 0.0);
    for (x, y, pixel) in sample.image.enumerate_pixels() {
        let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
        if pick(pixel.0, x) {
            sum = (sum.0 + x, sum.1 + y, sum.2 + 1.0);
        }
    }
    assert!(sum.2 > 5.0, "too few pixels of that colour");
    (sum.0 / sum.2, sum.1 / sum.2)
}

#[test]
fn ankles_are_where_the_shoes_are() {
    let mut scene = standing(3);
    let outfit = &mut scene.people[0].outfit;
    (outfit.shoes, outfit.soles) = (Vec3::new(0.0, 0.7, 0.0), Vec3::new(0.0, 0.7, 0.0));
    let sample = scene.paint();
    for side in ["left", "right"] {
        let ankle = sample.keypoints[0][index(&format!("{side}_ankle"))];
        // Facing us, the left foot is on the right.
        let right_half = side == "left";
        let (x, y) = centroid(&sample, |[r, g, b], x| {
            i32::from(g) > 60 + i32::from(r.max(b)) && (x > 80.0) == right_half
        });
        // 260 / 3.5 = 74 pixels a metre: the shoe's middle is within 4 cm sideways of the ankle
        // and up to 9 cm below it.
        assert!((ankle.x - x).abs() < 3.0, "{side} {} {x}", ankle.x);
        assert!(
            (0.0..7.0).contains(&(y - ankle.y)),
            "{side} {} {y}",
            ankle.y
        );
    }
}

#[test]
fn proportions_are_a_persons() {
    let sample = standing(1).paint();
    let at = |name: &str| sample.keypoints[0][index(name)];
    let height = at("left_ankle").y - at("head_top").y;
    for (upper, lower, low, high) in [
        ("head_top", "upper_neck", 0.10, 0.17),
        ("upper_neck", "pelvis", 0.30, 0.42),
        ("left_hip", "left_knee", 0.22, 0.30),
        ("left_knee", "left_ankle", 0.22, 0.30),
        ("right_shoulder", "right_elbow", 0.14, 0.22),
        ("right_elbow", "right_wrist", 0.12, 0.20),
    ] {
        let (a, b) = (at(upper), at(lower));
        let share = (a.x - b.x).hypot(a.y - b.y) / height;
        assert!((low..high).contains(&share), "{upper}–{lower}: {share}");
    }
    assert!(at("left_shoulder").x > at("right_shoulder").x);
}

#[test]
fn a_block_in_front_hides_the_legs_only() {
    let mut scene = standing(2);
    scene.blocks = vec![Block {
        center: Vec3::new(0.0, 0.35, 0.9),
        half: Vec3::new(0.6, 0.35, 0.1),
        heading: 0.0,
        color: Vec3::splat(0.5),
    }];
    let sample = scene.paint();
    for (name, point) in KEYPOINT_NAMES.iter().zip(sample.keypoints[0]) {
        let leg = name.ends_with("ankle") || name.ends_with("knee");
        let expected = if leg {
            Visibility::Occluded
        } else {
            Visibility::Visible
        };
        assert_eq!(point.visibility, expected, "{name}");
    }
    scene.people[0].at = Vec3::new(50.0, 0.0, 0.0);
    let sample = scene.paint();
    let outside = |p: &synth::Keypoint| p.visibility == Visibility::Outside;
    assert!(sample.keypoints[0].iter().all(outside));
}

#[test]
fn turned_round_left_is_right() {
    let mut scene = standing(4);
    scene.people[0].heading = std::f32::consts::PI;
    let back = scene.paint().keypoints[0];
    assert!(back[index("left_shoulder")].x < back[index("right_shoulder")].x);
    let placed = Person::placed(&scene.people[0]);
    assert!(placed[index("left_hip")].x < 0.0);
}
