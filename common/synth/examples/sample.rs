//! Draws the sample input that ships in `assets/`: `sample.jpg` and `sample.json`.
//!
//! `cargo run -p synth --example sample -- --body DIR [--out assets]`, where DIR is MakeHuman's
//! `makehuman/data` folder (https://github.com/makehumancommunity/makehuman).

use glam::{Quat, Vec3};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use synth::{
    Backdrop, Background, Camera, Cloth, Finish, Floor, HairCut, KEYPOINT_NAMES, Light, MakeHuman,
    Outfit, Pattern, Person, Pose, SEGMENTS, Scene, Segment, Shape, Visibility, write_jpeg,
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (mut body, mut out) = (None, PathBuf::from("assets"));
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--body" => body = Some(PathBuf::from(value()?)),
            "--out" => out = PathBuf::from(value()?),
            _ => return Err(format!("expected --body DIR or --out DIR, found {arg}").into()),
        }
    }
    let body = MakeHuman::load(&body.ok_or("expected --body DIR, MakeHuman's data folder")?)?;
    let sample = scene(&body).paint();
    write_jpeg(&sample, &out.join("sample.jpg"), 90)?;
    let keypoints: Vec<_> = KEYPOINT_NAMES
        .iter()
        .zip(&sample.keypoints[0])
        .map(|(name, point)| {
            // A tenth of a pixel is more than enough.
            let round = |v: f32| (f64::from(v) * 10.0).round() / 10.0;
            json!({
                "name": name,
                "x": round(point.x),
                "y": round(point.y),
                "visible": point.visibility == Visibility::Visible,
            })
        })
        .collect();
    let truth = json!({
        "image": "sample.jpg",
        "width": sample.image.width(),
        "height": sample.image.height(),
        "coordinates": "continuous: pixel (i, j) covers [i, i+1) x [j, j+1)",
        "keypoints": keypoints,
    });
    let text = serde_json::to_string_pretty(&truth)? + "\n";
    std::fs::write(out.join("sample.json"), text)?;
    Ok(())
}

/// Rotation in degrees: about x (forwards), then z (to the right), then y (turn to the left).
fn turn(x: f32, y: f32, z: f32) -> Quat {
    Quat::from_rotation_y(y.to_radians())
        * Quat::from_rotation_z(z.to_radians())
        * Quat::from_rotation_x(x.to_radians())
}

/// A dancer's step: weight on the left leg, arms open.
fn pose() -> Pose {
    let mut local = [Quat::IDENTITY; SEGMENTS];
    let mut set = |segment: Segment, turn| local[segment as usize] = turn;
    set(Segment::Pelvis, turn(2.0, 0.0, -4.0));
    set(Segment::Chest, turn(2.0, -8.0, 9.0));
    set(Segment::Neck, turn(2.0, 0.0, -4.0));
    set(Segment::Head, turn(2.0, 12.0, -5.0));
    set(Segment::LeftClavicle, turn(0.0, 0.0, 14.0));
    set(
        Segment::LeftUpperArm,
        turn(0.0, -10.0, 98.0) * turn(0.0, 75.0, 0.0),
    );
    set(Segment::LeftForearm, turn(-48.0, 0.0, 0.0));
    set(Segment::LeftHand, turn(0.0, 0.0, 12.0));
    set(Segment::RightClavicle, turn(0.0, 0.0, -2.0));
    set(
        Segment::RightUpperArm,
        turn(0.0, 8.0, -66.0) * turn(0.0, 35.0, 0.0),
    );
    set(Segment::RightForearm, turn(-42.0, 0.0, 0.0));
    set(Segment::RightHand, turn(0.0, 0.0, -15.0));
    set(
        Segment::LeftThigh,
        turn(-4.0, 0.0, 9.0) * turn(0.0, 14.0, 0.0),
    );
    set(Segment::LeftShin, turn(8.0, 0.0, 0.0));
    set(Segment::LeftFoot, turn(-4.0, 0.0, -5.0));
    set(
        Segment::RightThigh,
        turn(-32.0, 0.0, -24.0) * turn(0.0, -20.0, 0.0),
    );
    set(Segment::RightShin, turn(52.0, 0.0, 0.0));
    set(Segment::RightFoot, turn(8.0, 0.0, 0.0));
    Pose::from_local(&local)
}

fn scene(body: &MakeHuman) -> Scene {
    let figure = body.figure(&Shape {
        female: 0.9,
        old: 0.06,
        descent: [0.1, 0.15, 0.75],
        weight: -0.25,
        muscle: 0.35,
        scale: 1.0,
    });
    let outfit = Outfit {
        skin: Vec3::new(0.52, 0.31, 0.22),
        hair: Vec3::new(0.06, 0.03, 0.016),
        cut: HairCut::Long,
        iris: Vec3::new(0.06, 0.05, 0.02),
        top: Cloth {
            color: Vec3::new(0.42, 0.06, 0.05),
            second: Vec3::splat(0.6),
            pattern: Pattern::Plain,
        },
        sleeve: 0.5,
        hem: 0.14,
        collar: 0.06,
        top_ease: 0.02,
        bottom: Cloth {
            color: Vec3::new(0.035, 0.06, 0.13),
            second: Vec3::new(0.08, 0.12, 0.21),
            pattern: Pattern::Mottled,
        },
        leg: 1.9,
        bottom_ease: 0.018,
        skirt: None,
        shoes: Vec3::new(0.10, 0.11, 0.13),
        soles: Vec3::splat(0.7),
        socks: Vec3::splat(0.5),
        grain: 77,
    };
    let person = Person {
        figure,
        pose: pose(),
        outfit,
        at: Vec3::ZERO,
        heading: -0.25,
    };
    let camera = Camera::look_at(
        Vec3::new(0.35, 1.25, 4.6),
        Vec3::new(0.05, 0.9, 0.0),
        Vec3::Y,
        1040.0,
        (640, 480),
    );
    Scene {
        camera,
        light: Light {
            sun: Vec3::new(0.55, 0.85, 0.75).normalize(),
            sun_color: Vec3::new(0.95, 0.88, 0.78),
            sky: Vec3::new(0.55, 0.58, 0.62),
            horizon: Vec3::splat(0.48),
            ground: Vec3::new(0.22, 0.17, 0.13),
        },
        backdrop: Backdrop {
            floor: Floor::Planks,
            floor_color: Vec3::new(0.30, 0.19, 0.11),
            background: Background::Room {
                distance: 1.8,
                side: 3.4,
                bricks: false,
            },
            color: Vec3::new(0.50, 0.52, 0.50),
            accent: Vec3::new(0.2, 0.3, 0.25),
            grain: 31,
        },
        people: vec![person],
        blocks: Vec::new(),
        finish: Finish {
            exposure: 1.1,
            noise: 1.2,
            blur: 0.4,
            vignette: 0.12,
            grain: 5,
        },
        supersampling: 4,
        dome: 96,
    }
}
