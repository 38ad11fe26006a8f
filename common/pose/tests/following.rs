//! Crops that follow, presence, and people who keep their numbers.

#![allow(clippy::unwrap_used)]

use pose::{
    Crop, FollowCrop, Keypoint, KeypointSet, Point, Pose, Presence, PresenceSettings, Rect,
    Sighting, Size, Smoothing, Torso, Tracker, TrackerSettings, box_overlap, pose_similarity,
};

const FRAME: Size = Size::new(640, 480);
const INPUT: Size = Size::square(192);

/// Someone standing, 200 pixels high, with the middle of the body at (x, y).
fn person(x: f32, y: f32, confidence: f32) -> Pose {
    let place: [(f32, f32); 16] = [
        (-15.0, 95.0),
        (-14.0, 50.0),
        (-13.0, 5.0),
        (13.0, 5.0),
        (14.0, 50.0),
        (15.0, 95.0),
        (0.0, 5.0),
        (0.0, -52.0),
        (0.0, -65.0),
        (0.0, -105.0),
        (-35.0, 5.0),
        (-30.0, -25.0),
        (-22.0, -53.0),
        (22.0, -53.0),
        (30.0, -25.0),
        (35.0, 5.0),
    ];
    Pose::new(
        place
            .iter()
            .map(|(dx, dy)| Keypoint::new(x + dx, y + dy, confidence))
            .collect(),
    )
}

fn follow() -> FollowCrop {
    FollowCrop::new(Torso::of(&KeypointSet::mpii()), 1.25, 0.2, INPUT)
}

fn rect(crop: &Crop) -> Rect {
    Rect::around(crop.center, crop.width, crop.height)
}

#[test]
fn the_first_crop_is_the_box_with_its_margin() {
    let crop = follow()
        .update(&person(300.0, 240.0, 0.9), FRAME, 0.0)
        .unwrap();
    assert_eq!((crop.width, crop.height), (250.0, 250.0));
    assert!(crop.center.distance(Point::new(300.0, 235.0)) < 1e-3);
}

#[test]
fn hidden_legs_have_room_in_the_crop() {
    let mut pose = person(300.0, 200.0, 0.9);
    for k in [0, 1, 4, 5] {
        pose.keypoints[k].confidence = 0.05;
    }
    let crop = follow().wanted(&pose, FRAME).unwrap();
    for k in &pose.keypoints {
        assert!(rect(&crop).contains(Point::new(k.x, k.y)), "{k:?} {crop:?}");
    }
}

#[test]
fn noise_does_not_move_the_crop() {
    let mut follow = follow();
    let first = follow
        .update(&person(300.0, 240.0, 0.9), FRAME, 0.0)
        .unwrap();
    for n in 0..100 {
        let mut pose = person(300.0, 240.0, 0.9);
        for (k, keypoint) in pose.keypoints.iter_mut().enumerate() {
            keypoint.x += 4.0 * ((n * 7 + k * 3) as f32).sin();
            keypoint.y += 4.0 * ((n * 5 + k * 11) as f32).cos();
        }
        let crop = follow.update(&pose, FRAME, 1.0 / 30.0).unwrap();
        assert_eq!(crop, first);
    }
}

#[test]
fn somebody_who_walks_stays_inside_and_who_leaves_stays_limited() {
    for speed in [60.0, 600.0, 3000.0] {
        let mut follow = follow();
        for n in 0..60 {
            let x = 100.0 + speed * n as f32 / 30.0;
            let pose = person(x, 240.0, 0.9);
            let crop = follow.update(&pose, FRAME, 1.0 / 30.0).unwrap();
            let view = rect(&crop);
            let outer = Rect::new(
                view.x - 0.1,
                view.y - 0.1,
                view.width + 0.2,
                view.height + 0.2,
            );
            for k in &pose.keypoints {
                let p = Point::new(k.x.clamp(0.0, 640.0), k.y);
                assert!(outer.contains(p), "{speed} {n}: {p:?} {view:?}");
            }
            let whole = Crop::letterbox(FRAME, INPUT);
            assert!(crop.width <= whole.width + 0.1);
            assert!((0.0..=640.0).contains(&crop.center.x));
        }
    }
}

#[test]
fn somebody_who_comes_nearer_fills_a_larger_crop_and_smaller_again() {
    let mut follow = follow();
    let scaled = |by: f32| {
        let pose = person(0.0, 0.0, 0.9);
        let place = |k: &Keypoint| Keypoint::new(300.0 + k.x * by, 240.0 + k.y * by, 0.9);
        Pose::new(pose.keypoints.iter().map(place).collect())
    };
    let mut side = follow.update(&scaled(1.0), FRAME, 0.0).unwrap().width;
    for n in 1..60 {
        let crop = follow
            .update(&scaled(1.0 + 0.015 * n as f32), FRAME, 1.0 / 30.0)
            .unwrap();
        assert!(crop.width >= side);
        side = crop.width;
    }
    assert!(side > 400.0, "{side}");
    for _ in 0..120 {
        side = follow
            .update(&scaled(1.0), FRAME, 1.0 / 30.0)
            .unwrap()
            .width;
    }
    assert!((side / 250.0 - 1.0).abs() < 0.15, "{side}");
}

#[test]
fn poses_without_anything_sure_leave_the_crop_alone() {
    let mut follow = follow();
    assert_eq!(follow.update(&person(300.0, 240.0, 0.1), FRAME, 0.0), None);
    assert_eq!(follow.update(&Pose::default(), FRAME, 0.0), None);
    let crop = follow.update(&person(300.0, 240.0, 0.9), FRAME, 0.0);
    let mut broken = person(300.0, 240.0, 0.9);
    broken.keypoints.iter_mut().for_each(|k| k.x = f32::NAN);
    for pose in [person(10.0, 10.0, 0.1), broken] {
        assert_eq!(follow.update(&pose, FRAME, f32::NAN), crop);
    }
}

#[test]
fn presence_has_hysteresis() {
    let settings = PresenceSettings {
        found: 0.5,
        lost: 0.3,
        hold: 0.25,
    };
    let mut presence = Presence::Lost;
    let mut next = |sureness: Option<f32>| {
        presence = presence.next(sureness, 0.1, &settings);
        presence
    };
    assert_eq!(next(Some(0.45)), Presence::Lost);
    assert_eq!(next(Some(0.5)), Presence::Found);
    assert_eq!(next(Some(0.35)), Presence::Found);
    assert_eq!(next(Some(0.25)), Presence::Held { seconds: 0.1 });
    // 0.35 is enough to stay, but not to come back.
    assert_eq!(next(Some(0.35)), Presence::Held { seconds: 0.2 });
    assert_eq!(next(Some(0.4)), Presence::Found);
    assert_eq!(next(Some(f32::NAN)), Presence::Held { seconds: 0.1 });
    assert_eq!(next(None), Presence::Held { seconds: 0.2 });
    assert_eq!(next(None), Presence::Lost);
    assert_eq!(next(Some(0.45)), Presence::Lost);
}

#[test]
fn similarity_has_the_value_of_its_formula() {
    let (a, b) = (person(300.0, 240.0, 0.9), person(310.0, 240.0, 0.9));
    let found = pose_similarity(&a, &b, 4000.0, 0.1, 0.2, 3).unwrap();
    let expected = (-100.0f32 / (2.0 * 0.04 * 4000.0)).exp();
    assert!((found - expected).abs() < 1e-5);
    let unsure = person(300.0, 240.0, 0.1);
    assert_eq!(pose_similarity(&a, &unsure, 4000.0, 0.1, 0.2, 3), None);
    let (left, right) = (Rect::new(0.0, 0.0, 2.0, 2.0), Rect::new(1.0, 0.0, 2.0, 2.0));
    assert!((box_overlap(&left, &right) - 1.0 / 3.0).abs() < 1e-6);
    assert_eq!(box_overlap(&left, &Rect::new(5.0, 5.0, 1.0, 1.0)), 0.0);
}

#[test]
fn a_half_hidden_body_keeps_its_sureness() {
    let torso = Torso::of(&KeypointSet::mpii());
    let mut pose = person(300.0, 240.0, 0.8);
    // Arms, legs, head.
    for k in [0, 1, 4, 5, 9, 10, 11, 14, 15] {
        pose.keypoints[k].confidence = 0.0;
    }
    assert!((torso.sureness(&pose) - 0.8).abs() < 1e-6);
    // At a desk: no hips.
    pose.keypoints[2].confidence = 0.2;
    pose.keypoints[3].confidence = 0.2;
    assert!((torso.sureness(&pose) - 0.6).abs() < 1e-6);
    assert_eq!(torso.sureness(&Pose::default()), 0.0);
    assert!((Torso::default().sureness(&person(0.0, 0.0, 0.3)) - 0.3).abs() < 1e-6);
}

fn tracker(people: usize) -> Tracker {
    let settings = TrackerSettings {
        people,
        smoothing: Smoothing::Off,
        ..TrackerSettings::default()
    };
    Tracker::new(settings, &KeypointSet::mpii(), INPUT)
}

fn seen(pose: Pose, track: Option<u32>) -> Sighting {
    Sighting {
        pose,
        crop: Crop::letterbox(FRAME, INPUT),
        track,
    }
}

fn ids(tracker: &Tracker) -> Vec<u32> {
    tracker.people().map(|t| t.id).collect()
}

#[test]
fn people_who_cross_keep_their_numbers() {
    let mut tracker = tracker(2);
    for n in 0..=60 {
        let x = 10.0 * n as f32;
        // One walks to the right, the other, 40 pixels lower, to the left; in no fixed order.
        let mut sightings = vec![
            seen(person(20.0 + x, 200.0, 0.9), None),
            seen(person(620.0 - x, 290.0, 0.8), None),
        ];
        if n % 3 == 0 {
            sightings.reverse();
        }
        tracker.update(sightings, FRAME, f64::from(n) / 30.0);
        assert_eq!(ids(&tracker), [1, 2], "frame {n}");
        for track in tracker.people() {
            let expected = if track.id == 1 { 200.0 } else { 290.0 };
            assert_eq!(track.shown.keypoints[9].y, expected - 105.0, "frame {n}");
        }
    }
}

#[test]
fn one_person_seen_twice_is_one() {
    let mut tracker = tracker(3);
    for n in 0..5 {
        let twice = vec![
            seen(person(300.0, 240.0, 0.9), None),
            seen(person(304.0, 243.0, 0.7), None),
        ];
        tracker.update(twice, FRAME, f64::from(n) * 0.1);
        assert_eq!(ids(&tracker), [1]);
    }
}

#[test]
fn a_person_is_held_forgotten_and_remembered() {
    let mut tracker = tracker(1);
    tracker.update(vec![seen(person(300.0, 240.0, 0.9), None)], FRAME, 0.0);
    assert_eq!(ids(&tracker), [1]);
    tracker.update(vec![seen(person(300.0, 240.0, 0.1), Some(1))], FRAME, 0.25);
    let held: Vec<_> = tracker.people().collect();
    assert_eq!(held[0].presence, Presence::Held { seconds: 0.25 });
    assert!((held[0].shown.confidence - 0.45).abs() < 1e-3);
    assert_eq!(held[0].shown.keypoints[0].x, 285.0);
    tracker.update(Vec::new(), FRAME, 0.6);
    assert!(ids(&tracker).is_empty());
    // Back within two seconds: the same number; later another one.
    tracker.update(vec![seen(person(310.0, 240.0, 0.9), None)], FRAME, 1.5);
    assert_eq!(ids(&tracker), [1]);
    tracker.update(Vec::new(), FRAME, 2.2);
    tracker.update(Vec::new(), FRAME, 4.0);
    tracker.update(vec![seen(person(310.0, 240.0, 0.9), None)], FRAME, 4.1);
    assert_eq!(ids(&tracker), [2]);
}

#[test]
fn an_unsure_leap_is_no_move() {
    let mut tracker = tracker(1);
    for n in 0..3 {
        tracker.update(
            vec![seen(person(150.0, 240.0, 0.9), Some(1))],
            FRAME,
            f64::from(n) * 0.03,
        );
    }
    // Enough to stay (0.42), but somewhere else in the background.
    tracker.update(vec![seen(person(500.0, 240.0, 0.45), Some(1))], FRAME, 0.12);
    let track = tracker.people().next().unwrap();
    assert!(matches!(track.presence, Presence::Held { .. }));
    assert_eq!(track.shown.keypoints[9].x, 150.0);
    // Where the person is, the same sureness is enough… once the person is seen again.
    tracker.update(vec![seen(person(152.0, 240.0, 0.5), Some(1))], FRAME, 0.15);
    let track = tracker.people().next().unwrap();
    assert_eq!(track.presence, Presence::Found);
}

#[test]
fn no_more_people_than_wanted_and_the_surest_first() {
    let mut tracker = tracker(2);
    let three = vec![
        seen(person(100.0, 240.0, 0.6), None),
        seen(person(300.0, 240.0, 0.9), None),
        seen(person(500.0, 240.0, 0.8), None),
        seen(person(600.0, 240.0, 0.2), None),
    ];
    tracker.update(three, FRAME, 0.0);
    let at: Vec<f32> = tracker.people().map(|t| t.raw.keypoints[9].x).collect();
    assert_eq!(at, [300.0, 500.0]);
}
