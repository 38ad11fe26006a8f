//! Smoothing over time against closed forms.

#![allow(clippy::unwrap_used)]

use pose::{Keypoint, KeypointSet, OneEuro, OneEuroSettings, Point, Pose, PoseSmoother, Smoothing};
use std::f32::consts::PI;

const PLAIN: OneEuroSettings = OneEuroSettings {
    min_cutoff: 2.0,
    beta: 0.0,
    derivative_cutoff: 1.0,
};

fn point(x: f32) -> Point {
    Point::new(x, -x)
}

#[test]
fn a_constant_stays() {
    let mut filter = OneEuro::default();
    for _ in 0..50 {
        assert_eq!(filter.update(point(7.25), 0.03, &PLAIN), point(7.25));
    }
}

#[test]
fn a_step_is_answered_exponentially() {
    let mut filter = OneEuro::default();
    filter.update(point(0.0), 0.0, &PLAIN);
    let (dt, tau) = (0.02, 1.0 / (2.0 * PI * 2.0));
    // The rest after n steps is (τ / (τ + Δt))ⁿ.
    for n in 1..40 {
        let found = filter.update(point(1.0), dt, &PLAIN);
        let rest = (tau / (tau + dt)).powi(n);
        assert!((found.x - (1.0 - rest)).abs() < 1e-5 && found.y == -found.x);
    }
}

#[test]
fn a_ramp_is_followed_with_the_stated_lag_at_any_frame_rate() {
    let settings = OneEuroSettings { beta: 3.0, ..PLAIN };
    for rate in [10.0f32, 30.0, 120.0] {
        let (mut filter, speed) = (OneEuro::default(), 0.5);
        let mut found = 0.0;
        let frames = (rate * 8.0) as usize;
        for n in 0..=frames {
            let at = Point::new(speed * n as f32 / rate, 0.0);
            found = filter.update(at, 1.0 / rate, &settings).x;
        }
        let lag = (speed * frames as f32 / rate - found) / speed;
        let expected = settings.lag_seconds(speed);
        assert!((lag - expected).abs() < 2e-3, "{rate}: {lag}, {expected}");
        // fc = 2 + 3 · 0.5 = 3.5 Hz.
        assert!((expected - 1.0 / (2.0 * PI * 3.5)).abs() < 1e-6);
    }
}

#[test]
fn uneven_frames_give_what_even_ones_give_at_the_same_time() {
    let steps = [
        [0.02f32; 6].as_slice(),
        &[0.01, 0.03, 0.02, 0.015, 0.025, 0.02],
    ];
    let found = steps.map(|steps| {
        let (mut filter, mut time, mut value) = (OneEuro::default(), 0.0, 0.0);
        filter.update(Point::default(), 0.0, &PLAIN);
        for dt in steps.repeat(10) {
            time += dt;
            value = filter.update(Point::new(time, 0.0), dt, &PLAIN).x;
        }
        value
    });
    assert!((found[0] - found[1]).abs() < 2e-3, "{found:?}");
}

#[test]
fn what_is_not_finite_changes_nothing() {
    let mut filter = OneEuro::default();
    assert!(filter.update(point(f32::NAN), 0.1, &PLAIN).x.is_nan());
    assert_eq!(filter.value(), None);
    filter.update(point(1.0), 0.1, &PLAIN);
    let value = filter.update(point(2.0), 0.1, &PLAIN);
    for (x, dt) in [
        (f32::NAN, 0.1),
        (f32::INFINITY, 0.1),
        (5.0, 0.0),
        (5.0, -1.0),
        (5.0, f32::NAN),
    ] {
        assert_eq!(filter.update(point(x), dt, &PLAIN), value);
    }
    assert!(filter.update(point(2.0), 0.1, &PLAIN).x > value.x);
}

/// A body 100 pixels high whose keypoints all have this confidence.
fn body(x: f32, confidence: f32) -> Pose {
    let set = KeypointSet::mpii();
    let place = |k: usize| Keypoint::new(x + k as f32, 100.0 * k as f32 / 15.0, confidence);
    Pose::new((0..set.len()).map(place).collect())
}

fn smoother(smoothing: Smoothing) -> PoseSmoother {
    PoseSmoother::new(smoothing, &KeypointSet::mpii())
}

#[test]
fn off_changes_nothing() {
    let mut off = smoother(Smoothing::Off);
    for n in 0..5 {
        let pose = body(n as f32 * 17.0, 0.1 * n as f32);
        assert_eq!(off.update(&pose, 0.1 * f64::from(n)), pose);
    }
}

#[test]
fn people_near_and_far_are_smoothed_alike() {
    let scaled = |pose: &Pose, by: f32| {
        let scale = |k: &Keypoint| Keypoint::new(k.x * by, k.y * by, k.confidence);
        Pose::new(pose.keypoints.iter().map(scale).collect())
    };
    let (mut near, mut far) = (smoother(Smoothing::Light), smoother(Smoothing::Light));
    for n in 0..30 {
        let pose = body((n as f32 * 0.7).sin() * 10.0, 0.9);
        let time = f64::from(n) / 30.0;
        let small = far.update(&pose, time);
        let large = near.update(&scaled(&pose, 8.0), time);
        for (a, b) in scaled(&small, 8.0).keypoints.iter().zip(&large.keypoints) {
            assert!((a.x - b.x).abs() < 1e-2 && (a.y - b.y).abs() < 1e-2);
        }
    }
}

#[test]
fn stronger_smoothing_leaves_less_noise() {
    let mut rest = [0.0f32; 3];
    for (k, smoothing) in [Smoothing::Off, Smoothing::Light, Smoothing::Strong]
        .into_iter()
        .enumerate()
    {
        let mut smoother = smoother(smoothing);
        for n in 0..200u32 {
            // A fixed sequence that looks like noise of ±1 pixel.
            let noise = (n.wrapping_mul(2_654_435_761) >> 16) as f32 / 32768.0 - 1.0;
            let found = smoother.update(&body(noise, 0.9), f64::from(n) / 30.0);
            if n > 50 {
                rest[k] += (found.keypoints[3].x - 3.0).powi(2);
            }
        }
    }
    assert!(
        rest[1] < 0.5 * rest[0] && rest[2] < 0.6 * rest[1],
        "{rest:?}"
    );
}

#[test]
fn a_hidden_keypoint_is_held_on_the_body_with_falling_confidence() {
    let mut smoother = smoother(Smoothing::Light);
    let frame = |n: i32, hidden: bool| {
        let mut pose = body(2.0 * n as f32, 0.8);
        if hidden {
            pose.keypoints[10] = Keypoint::new(500.0, 500.0, 0.05);
        }
        pose
    };
    for n in 0..30 {
        smoother.update(&frame(n, false), f64::from(n) / 30.0);
    }
    let mut last = 0.8;
    for n in 30..41 {
        let k = smoother
            .update(&frame(n, true), f64::from(n) / 30.0)
            .keypoints[10];
        // The body moves on, and the keypoint with it.
        assert!((k.x - (2.0 * n as f32 + 10.0)).abs() < 4.0, "{n}: {k:?}");
        assert!(k.confidence < last, "{n}: {k:?}");
        last = k.confidence;
    }
    // After 0.4 s comes what the network says.
    let pose = frame(43, true);
    let found = smoother.update(&pose, 43.0 / 30.0);
    assert_eq!(found.keypoints[10], pose.keypoints[10]);
}

#[test]
fn after_a_gap_or_a_jump_back_in_time_everything_starts_anew() {
    for jump in [0.6, 100.0, -0.2] {
        let mut smoother = smoother(Smoothing::Strong);
        for n in 0..10 {
            smoother.update(&body(0.0, 0.9), f64::from(n) / 30.0);
        }
        let far = body(80.0, 0.9);
        let found = smoother.update(&far, 9.0 / 30.0 + jump);
        for (a, b) in found.keypoints.iter().zip(&far.keypoints) {
            assert!((a.x - b.x).abs() < 1e-3 && (a.y - b.y).abs() < 1e-3);
        }
    }
}

#[test]
fn poses_that_are_not_finite_are_survived() {
    let mut smoother = smoother(Smoothing::Light);
    for n in 0..10 {
        smoother.update(&body(0.0, 0.9), f64::from(n) / 30.0);
    }
    let mut broken = body(0.0, 0.9);
    for k in &mut broken.keypoints {
        (k.x, k.y) = (f32::NAN, f32::INFINITY);
    }
    let held = smoother.update(&broken, 10.0 / 30.0);
    assert!(
        held.keypoints
            .iter()
            .all(|k| k.x.is_finite() && k.y.is_finite())
    );
    let found = smoother.update(&body(0.0, 0.9), 11.0 / 30.0);
    assert!(
        found
            .keypoints
            .iter()
            .all(|k| k.x.is_finite() && k.confidence > 0.8)
    );
}

#[test]
fn two_poses_of_one_time_are_one() {
    let mut smoother = smoother(Smoothing::Strong);
    smoother.update(&body(0.0, 0.9), 0.0);
    let first = smoother.update(&body(10.0, 0.9), 0.1);
    let again = smoother.update(&body(40.0, 0.9), 0.1);
    for (a, b) in first.keypoints.iter().zip(&again.keypoints) {
        assert!((a.x - b.x).abs() < 1e-3);
    }
}
