//! Evaluating a network on people whose labels are known.

#![allow(clippy::unwrap_used)]

mod common;

use common::{BlobModel, NAMES, blob_photo};
use dataset::{LabelledKeypoint, PckRule, Person, Split, Visibility};
use edge_runtime::{
    ContactSheet, EvalSettings, ModelOptions, ModelPredictor, PoseModel, RuntimeError, SheetEntry,
    evaluate, load_photo, predictor_from_fn,
};
use pose::{Crop, Point, Rect, Size};

/// Photos of blobs at different places, with true labels.
fn people(folder: &std::path::Path, count: usize) -> Vec<Person> {
    (0..count)
        .map(|i| {
            let shift = i as f32 * 1.7;
            let centers = [
                Point::new(60.0 + shift, 50.0),
                Point::new(110.0 + shift, 95.0 + shift),
                Point::new(140.0, 70.0 + shift),
            ];
            let image = folder.join(format!("{i}.png"));
            blob_photo(240, 180, centers, 6.0).save(&image).unwrap();
            let keypoints: Vec<_> = centers
                .iter()
                .map(|c| LabelledKeypoint::new(c.x, c.y, Visibility::Visible))
                .collect();
            Person {
                image,
                dataset: "blobs".into(),
                id: format!("blobs:{i}"),
                rect: Rect::from_points(centers).unwrap(),
                keypoints,
                head_size: Some(20.0),
                area: None,
                split: Split::Test,
            }
        })
        .collect()
}

fn predictor() -> ModelPredictor {
    let bytes = BlobModel::default().build().to_bytes();
    let model = PoseModel::from_bytes(&bytes, "blobs", &ModelOptions::default()).unwrap();
    ModelPredictor::new(model).unwrap()
}

#[test]
fn true_labels_give_100_percent_and_each_wrong_one_its_share() {
    let folder = tempfile::tempdir().unwrap();
    let mut people = people(folder.path(), 10);
    let settings = EvalSettings::for_model(predictor().spec());
    let all = evaluate(&people, &settings, vec![predictor()], |_| ()).unwrap();
    assert_eq!(all.report.mean, Some(100.0));
    assert_eq!(all.report.people, 10);
    for (person, pose) in people.iter().zip(&all.poses) {
        for (truth, found) in person
            .keypoints
            .iter()
            .zip(&pose.as_ref().unwrap().keypoints)
        {
            let cell = settings.crop(person).width / settings.maps.width as f32;
            let distance = truth.point().distance(Point::new(found.x, found.y)) / cell;
            assert!(distance < 0.1, "{distance} cells off in {}", person.id);
        }
    }
    // The torso (right hip to left shoulder) is at least 67 pixels long: 10 is within 0.2 of it, and 40
    // is not. One joint of ten people wrong is 10 % of that joint.
    people[3].keypoints[2].x += 40.0;
    people[4].keypoints[2].x += 10.0;
    let one_wrong = evaluate(&people, &settings, vec![predictor()], |_| ()).unwrap();
    assert_eq!(one_wrong.report.joints[2].pck, Some(90.0));
    assert_eq!(one_wrong.report.joints[0].pck, Some(100.0));
}

#[test]
fn other_rules_count_in_their_own_units() {
    let folder = tempfile::tempdir().unwrap();
    let mut people = people(folder.path(), 4);
    // A cell is about 1.5 × 80 / 16 = 7.5 pixels; PCK by cells allows 3.2 · 80 / 256 = 1 cell here.
    people[0].keypoints[0].x += 12.0;
    let settings = |rule| EvalSettings {
        rule,
        ..EvalSettings::for_model(predictor().spec())
    };
    let cells = settings(PckRule::HeatmapCells {
        input_width: 96,
        input_height: 64,
    });
    let found = evaluate(&people, &cells, vec![predictor()], |_| ()).unwrap();
    assert_eq!(found.report.joints[0].pck, Some(75.0), "{}", found.report);
    assert_eq!(found.report.joints[1].pck, Some(100.0), "{}", found.report);
    // Half of the head's 20 pixels are less than 12; 0.7 of it are more.
    for (threshold, expected) in [(0.5, 75.0), (0.7, 100.0)] {
        let head = settings(PckRule::Head { threshold });
        let found = evaluate(&people, &head, vec![predictor()], |_| ()).unwrap();
        assert_eq!(found.report.joints[0].pck, Some(expected));
    }
}

#[test]
fn batches_threads_and_closures_give_the_same_poses() {
    let folder = tempfile::tempdir().unwrap();
    let people = people(folder.path(), 11);
    let settings = EvalSettings::for_model(predictor().spec());
    let one = evaluate(&people, &settings, vec![predictor()], |_| ()).unwrap();
    let two = evaluate(&people, &settings, vec![predictor(), predictor()], |_| ()).unwrap();
    assert_eq!(one.poses, two.poses);
    let mut inner = predictor();
    let mut largest = 0;
    let batched = predictor_from_fn(4, |crops, count, maps| {
        assert_eq!(crops.len(), count * 96 * 64 * 3);
        largest = largest.max(count);
        edge_runtime::HeatmapPredictor::predict(&mut inner, crops, count, maps)
    });
    let seen = std::sync::atomic::AtomicUsize::new(0);
    let batched = evaluate(&people, &settings, vec![batched], |n| {
        seen.store(n, std::sync::atomic::Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(one.poses, batched.poses);
    assert_eq!((largest, seen.into_inner()), (4, 11));
    let flipped = EvalSettings {
        flip_test: true,
        ..settings
    };
    let flipped = evaluate(&people, &flipped, vec![predictor()], |_| ()).unwrap();
    assert_eq!(flipped.report.mean, Some(100.0));
}

#[test]
fn a_photo_that_is_gone_is_reported_and_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let people = people(folder.path(), 3);
    std::fs::remove_file(&people[1].image).unwrap();
    let settings = EvalSettings::for_model(predictor().spec());
    let found = evaluate(&people, &settings, vec![predictor()], |_| ()).unwrap();
    assert_eq!(found.report.people, 2);
    assert!(found.poses[1].is_none());
    assert!(found.problems.len() == 1 && found.problems[0].contains("1.png"));
}

#[test]
fn a_network_that_fails_ends_the_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let people = people(folder.path(), 3);
    let settings = EvalSettings::for_model(predictor().spec());
    let failing = predictor_from_fn(1, |_: &[u8], _, _: &mut Vec<f32>| {
        Err(RuntimeError::Predictor("out of paper".into()))
    });
    let said = evaluate(&people, &settings, vec![failing], |_| ()).unwrap_err();
    assert_eq!(said.to_string(), "the network failed: out of paper");
    let short = predictor_from_fn(1, |_: &[u8], _, maps: &mut Vec<f32>| {
        maps.resize(5, 0.0);
        Ok(())
    });
    let said = evaluate(&people, &settings, vec![short], |_| ()).unwrap_err();
    assert!(said.to_string().contains("found 5"), "{said}");
    assert!(evaluate(&people, &settings, Vec::<ModelPredictor>::new(), |_| ()).is_err());
}

#[test]
fn the_contact_sheet_shows_each_photo_where_the_skeleton_is() {
    let folder = tempfile::tempdir().unwrap();
    let people = people(folder.path(), 2);
    let settings = EvalSettings::for_model(predictor().spec());
    let found = evaluate(&people, &settings, vec![predictor()], |_| ()).unwrap();
    let mut sheet = ContactSheet::new(2);
    for (person, pose) in people.iter().zip(&found.poses) {
        let photo = load_photo(&person.image).unwrap();
        let entry = SheetEntry {
            photo: &photo,
            crop: Crop::around(person.rect, 1.5, Size::square(1)),
            pose: pose.as_ref().unwrap(),
            caption: person.id.clone(),
        };
        sheet.add(&entry, &settings.keypoints, 0.2).unwrap();
    }
    let picture = sheet.into_picture();
    // Two tiles of 256 with gaps of 6 around them, captions of 14 below.
    assert_eq!(picture.dimensions(), (2 * 262 + 6, 276 + 6));
    // The tile of 256 pixels shows 120 pixels of the photo: right hip of the first person.
    let crop = Crop::around(people[0].rect, 1.5, Size::square(1));
    let at = crop
        .to_input(Size::square(256))
        .apply(people[0].keypoints[0].point());
    let dot = picture.get_pixel(6 + at.x as u32, 6 + at.y as u32).0;
    // A dot's centre is a light tint of its bone's red.
    assert!(
        dot[0] > 240 && dot[1] > 120 && dot[2] > 120,
        "{dot:?} at {at:?}"
    );
    assert_eq!(NAMES[0], "right_hip");
}
