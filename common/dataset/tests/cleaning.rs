//! Labels against a teacher, on a hand-made body and on the real data sets.

#![allow(clippy::unwrap_used)]

use dataset::{
    CleanReport, CleanSettings, DatasetError, LabelledKeypoint, Person, Source, SourceKind, Split,
    Teacher, TeacherKeypoint, Visibility, clean, load,
};
use pose::{KeypointSet, Point, Rect};
use std::path::PathBuf;

/// MPII's 16 keypoints of somebody who stands and looks at us: 200 px tall, the torso 63 px from
/// hip to opposite shoulder.
const BODY: [[f32; 2]; 16] = [
    [80.0, 200.0],
    [82.0, 160.0],
    [85.0, 110.0],
    [115.0, 110.0],
    [118.0, 160.0],
    [120.0, 200.0],
    [100.0, 110.0],
    [100.0, 55.0],
    [100.0, 45.0],
    [100.0, 0.0],
    [60.0, 110.0],
    [65.0, 80.0],
    [75.0, 52.0],
    [125.0, 52.0],
    [135.0, 80.0],
    [140.0, 110.0],
];
const ARMS: [usize; 6] = [10, 11, 12, 13, 14, 15];

fn person(id: &str) -> Person {
    Person {
        image: "a.jpg".into(),
        dataset: "lspet".into(),
        id: id.into(),
        rect: Rect::new(60.0, 0.0, 80.0, 200.0),
        keypoints: BODY
            .iter()
            .map(|p| LabelledKeypoint::new(p[0], p[1], Visibility::Visible))
            .collect(),
        head_size: None,
        area: None,
        split: Split::Train,
    }
}

/// A teacher who sees the body two pixels to the right, and knows all but the trunk and the head.
fn teacher(id: &str, score: f32, flip_px: f32) -> Teacher {
    let keypoint = |(joint, p): (usize, &[f32; 2])| {
        (!(6..10).contains(&joint)).then_some(TeacherKeypoint {
            point: Point::new(p[0] + 2.0, p[1]),
            score,
            flip_px,
        })
    };
    let mut teacher = Teacher::default();
    teacher.insert(id, BODY.iter().enumerate().map(keypoint).collect());
    teacher
}

fn swap(person: &mut Person, joints: &[usize]) {
    for &joint in joints {
        let partner = if joint < 6 { 5 - joint } else { 25 - joint };
        if joint < partner {
            person.keypoints.swap(joint, partner);
        }
    }
}

fn run(person: &mut Person, teacher: &Teacher) -> CleanReport {
    let settings = CleanSettings::default();
    let people = std::slice::from_mut(person);
    clean(people, teacher, &KeypointSet::mpii(), &settings).unwrap()
}

#[test]
fn good_labels_stay_as_they_are() {
    let mut found = person("lspet:1");
    let report = run(&mut found, &teacher("lspet:1", 0.9, 1.0));
    assert_eq!(found, person("lspet:1"));
    let expected = CleanReport {
        people: 1,
        matched: 1,
        compared: 12,
        agreed_before: 12,
        agreed_after: 12,
        ..CleanReport::default()
    };
    assert_eq!(report, expected);
}

#[test]
fn swapped_bodies_and_halves_are_swapped_back() {
    let all: Vec<usize> = (0..6).chain(10..16).collect();
    for (joints, bodies, arms) in [(&all[..], 1, 0), (&ARMS[..], 0, 1)] {
        let mut found = person("lspet:1");
        swap(&mut found, joints);
        let report = run(&mut found, &teacher("lspet:1", 0.9, 1.0));
        assert_eq!(found, person("lspet:1"));
        assert_eq!((report.swapped_bodies, report.swapped_arms), (bodies, arms));
        assert!(report.agreed_before < 12);
        assert_eq!((report.agreed_after, report.lowered), (12, 0));
    }
}

#[test]
fn an_unsure_teacher_changes_nothing() {
    for (score, flip_px) in [(0.2, 1.0), (0.9, 40.0)] {
        let mut swapped = person("lspet:1");
        swap(&mut swapped, &ARMS);
        swapped.keypoints[0] = LabelledKeypoint::MISSING;
        let before = swapped.clone();
        run(&mut swapped, &teacher("lspet:1", score, flip_px));
        assert_eq!(swapped, before);
    }
    let mut unknown = person("lspet:2");
    let report = run(&mut unknown, &teacher("lspet:1", 0.9, 1.0));
    assert_eq!((report.people, report.matched), (1, 0));
}

#[test]
fn contradicted_labels_weigh_less_and_gaps_are_filled() {
    let mut found = person("lspet:1");
    found.keypoints[0].x += 60.0;
    found.keypoints[15] = LabelledKeypoint::MISSING;
    found.keypoints[7] = LabelledKeypoint::MISSING;
    let report = run(&mut found, &teacher("lspet:1", 0.9, 1.0));
    assert_eq!((report.lowered, report.filled), (1, 1));
    assert_eq!(found.keypoints[0].weight, 0.1);
    assert_eq!(found.keypoints[0].x, 140.0);
    let filled = LabelledKeypoint {
        weight: 0.5,
        ..LabelledKeypoint::new(142.0, 110.0, Visibility::Occluded)
    };
    assert_eq!(found.keypoints[15], filled);
    // The teacher does not know the thorax.
    assert_eq!(found.keypoints[7], LabelledKeypoint::MISSING);
}

/// A teacher who looks at somebody else: nothing is taken over from it.
#[test]
fn nothing_is_taken_over_from_a_teacher_who_disagrees() {
    let mut found = person("lspet:1");
    found.keypoints[15] = LabelledKeypoint::MISSING;
    for k in found.keypoints.iter_mut().filter(|k| k.is_labelled()) {
        k.x += 300.0;
    }
    let report = run(&mut found, &teacher("lspet:1", 0.9, 1.0));
    assert_eq!((report.filled, report.lowered), (0, 11));
    assert!(!found.keypoints[15].is_labelled());
}

#[test]
fn test_people_are_refused_before_anything_changes() {
    let mut people = [person("lspet:1"), person("lsp:1001")];
    swap(&mut people[0], &ARMS);
    people[1].split = Split::Test;
    let before = people.clone();
    let teacher = teacher("lspet:1", 0.9, 1.0);
    let error = clean(
        &mut people,
        &teacher,
        &KeypointSet::mpii(),
        &CleanSettings::default(),
    );
    assert!(matches!(error, Err(DatasetError::TestPerson { id }) if id == "lsp:1001"));
    assert_eq!(people, before);
}

#[test]
fn tables_right_and_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let set = KeypointSet::mpii();
    let header = "record,nose_x,nose_y,nose_score,nose_flip_px,left_hip_x,left_hip_y,left_hip_score,left_hip_flip_px\n";
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Teacher::read(&path, "lsp", &set)
            .map_err(|e| e.to_string().replace(&path.display().to_string(), "t.csv"))
    };
    let teacher = read(&format!(
        "{header}im0012.jpg,1,2,0.5,3,10,20,0.75,4\n\n13,1,2,0.5,3,11,21,0.25,5\n"
    ))
    .unwrap();
    assert_eq!(teacher.len(), 2);
    let hip = teacher.pose("lsp:12").unwrap()[3].unwrap();
    assert_eq!(
        hip,
        TeacherKeypoint {
            point: Point::new(10.0, 20.0),
            score: 0.75,
            flip_px: 4.0
        }
    );
    assert_eq!(teacher.pose("lsp:13").unwrap().iter().flatten().count(), 1);
    assert!(teacher.pose("lsp:14").is_none());
    for (text, expected) in [
        (String::new(), "t.csv:1: expected the header `record,"),
        (
            "record,nose_x,nose_y\n".into(),
            "t.csv:1: expected four columns for each keypoint, found 2",
        ),
        (
            header.replace("nose_y", "eye_y"),
            "t.csv:1: expected columns NAME_x, NAME_y, NAME_score, NAME_flip_px, found nose_x, eye_y",
        ),
        (
            format!("{header}1,1,2,0.5,3,10,20,0.75\n"),
            "t.csv:2: expected 8 numbers after the record, found 7",
        ),
        (
            format!("{header}1,1,2,x,3,10,20,0.75,4\n"),
            "t.csv:2: expected a number, found `x`",
        ),
        (
            format!("{header}1,1,2,nan,3,10,20,0.75,4\n"),
            "t.csv:2: expected a number, found `nan`",
        ),
        (
            format!("{header}a,1,2,0.5,3,10,20,0.75,4\n"),
            "t.csv:2: expected a number in the record `a`",
        ),
        (
            format!("{header}1,1,2,0.5,3,10,20,0.75,4\nim1.png,1,2,0.5,3,10,20,0.75,4\n"),
            "t.csv:3: the record `im1.png` is there twice",
        ),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// The shares that the data's description states: where the teacher's score is above 0.3, it lies
/// within 0.2 torso of 92 % of LSP's, 88 % of MPII's and 71 % of LSPET's labels.
#[test]
fn the_teacher_agrees_with_real_labels_as_often_as_stated() {
    let Some(data) = std::env::var_os("HOURGLASS_DATA").map(PathBuf::from) else {
        eprintln!("skipped: HOURGLASS_DATA does not name the folder of the data sets");
        return;
    };
    let set = KeypointSet::mpii();
    for (kind, name, file, known, stated) in [
        (SourceKind::Lsp, "lsp", "teacher_lsp_train.csv", 996, 0.92),
        (
            SourceKind::Annotations,
            "mpii",
            "teacher_mpii.csv",
            2074,
            0.88,
        ),
        (
            SourceKind::Lspet,
            "lspet",
            "teacher_lspet.csv",
            10_000,
            0.71,
        ),
    ] {
        let source = Source::new(kind, data.join(name)).only(Split::Train);
        let mut people = load(&source, &set).unwrap().people;
        let teacher = Teacher::read(&data.join("teacher").join(file), name, &set).unwrap();
        let (mut sure, mut right) = (0, 0);
        for person in &people {
            let (hip, shoulder) = (person.keypoints[2], person.keypoints[13]);
            if !(hip.is_labelled() && shoulder.is_labelled()) {
                continue;
            }
            let torso = hip.point().distance(shoulder.point());
            let pose = teacher.pose(&person.id).unwrap();
            for (label, keypoint) in person.keypoints.iter().zip(pose) {
                let Some(k) = keypoint.filter(|k| label.is_labelled() && k.score > 0.3) else {
                    continue;
                };
                sure += 1;
                right += usize::from(label.point().distance(k.point) <= 0.2 * torso);
            }
        }
        let share = f64::from(u32::try_from(right).unwrap()) / f64::from(sure);
        assert!((share - stated).abs() < 0.006, "{name}: {share}");
        let report = clean(&mut people, &teacher, &set, &CleanSettings::default()).unwrap();
        println!("{name}: {report}");
        assert_eq!(report.matched, known);
        assert!(report.agreed_after >= report.agreed_before);
    }
}
