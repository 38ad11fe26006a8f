//! What is suspicious about labels, and what is not; and the numbers of photos.

#![allow(clippy::unwrap_used)]

use dataset::{ImageIds, LabelledKeypoint, Person, Split, Visibility, suspicions};
use pose::{KeypointSet, Point, Rect, Size};
use std::path::Path;

/// Somebody who stands and faces the camera, 300 px high: MPII's joints.
fn standing() -> Person {
    let places = [
        (80.0, 320.0),
        (85.0, 250.0),
        (90.0, 180.0),
        (120.0, 180.0),
        (125.0, 250.0),
        (130.0, 320.0),
        (105.0, 180.0),
        (105.0, 90.0),
        (105.0, 75.0),
        (105.0, 35.0),
        (60.0, 190.0),
        (65.0, 140.0),
        (75.0, 90.0),
        (135.0, 90.0),
        (145.0, 140.0),
        (150.0, 190.0),
    ];
    let keypoints: Vec<_> = places
        .iter()
        .map(|&(x, y)| LabelledKeypoint::new(x, y, Visibility::Visible))
        .collect();
    Person {
        image: "photo.jpg".into(),
        dataset: "test".into(),
        id: "test:0".into(),
        rect: Rect::new(50.0, 20.0, 110.0, 310.0),
        keypoints,
        head_size: None,
        area: None,
        split: Split::Train,
    }
}

/// What is said about the standing person after a change.
fn said(change: impl FnOnce(&mut Person)) -> Vec<String> {
    let mut person = standing();
    change(&mut person);
    let photo = Some(Size::new(240, 360));
    let found = suspicions(&person, &KeypointSet::mpii(), photo);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn someone_who_stands_is_not_suspicious() {
    assert!(said(|_| ()).is_empty());
    // Nor is a small part of someone, or nobody.
    assert!(said(|p| p.keypoints[3..].fill(LabelledKeypoint::MISSING)).is_empty());
    assert!(said(|p| p.keypoints.fill(LabelledKeypoint::MISSING)).is_empty());
}

#[test]
fn each_kind_is_said_once() {
    let place = |p: &mut Person, joint: usize, at: Point| {
        p.keypoints[joint].x = at.x;
        p.keypoints[joint].y = at.y;
    };
    let outside = said(|p| {
        place(p, 10, Point::new(-4.0, 190.0));
        p.rect = p.rect.scaled(2.0);
    });
    assert_eq!(outside, ["right_wrist at -4, 190 is outside of the photo"]);

    let same = said(|p| place(p, 1, Point::new(125.0, 250.5)));
    assert_eq!(same, ["right_knee and left_knee are at the same place"]);
    assert!(said(|p| place(p, 7, Point::new(105.0, 75.5))).is_empty());

    let swapped = said(|p| p.keypoints.swap(2, 3));
    assert_eq!(
        swapped,
        ["the torso's sides cross: left and right swapped?"]
    );

    let head = said(|p| {
        place(p, 9, Point::new(105.0, 10.0));
        place(p, 8, Point::new(105.0, 100.0));
    });
    assert_eq!(head, ["the head is 99 % of the torso's length"]);

    let limb = said(|p| {
        place(p, 1, Point::new(89.0, 190.0));
        place(p, 4, Point::new(150.0, 280.0));
    });
    assert_eq!(limb.len(), 1, "{limb:?}");
    assert!(
        limb[0].starts_with("left_hip to left_knee is 10 times"),
        "{limb:?}"
    );

    let off = said(|p| p.rect = Rect::new(50.0, 20.0, 110.0, 150.0));
    assert_eq!(
        off,
        ["far outside of the person's box: right_ankle, right_knee, left_knee, left_ankle"]
    );
}

#[test]
fn photos_have_numbers_of_their_own() {
    let people = |names: &[&str]| -> Vec<Person> {
        let person = |name: &&str| Person {
            image: Path::new("photos").join(name),
            ..standing()
        };
        names.iter().map(person).collect()
    };
    let ids = |names: &[&str]| {
        let ids = ImageIds::new(&people(names), &[]);
        let number = |name: &&str| ids.get(&Path::new("photos").join(name)).unwrap();
        (
            names.iter().map(number).collect::<Vec<_>>(),
            ids.are_counted(),
        )
    };
    assert_eq!(
        ids(&["im1001.jpg", "000000000139.jpg", "im1001.jpg"]),
        (vec![1001, 139, 1001], false)
    );
    // Two photos with the same number, or one without: all are counted.
    assert_eq!(ids(&["a7.jpg", "b7.jpg"]), (vec![1, 2], true));
    assert_eq!(ids(&["a7.jpg", "someone.jpg"]), (vec![1, 2], true));
    assert_eq!(ids(&["99999999999999999999999.jpg"]), (vec![1], true));
}
