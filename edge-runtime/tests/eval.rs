//! Evaluating a network on people whose labels are known.

#![allow(clippy::unwrap_used)]

mod common;

use common::{BlobModel, NAMES, blob_photo};
use dataset::{
    FoundPose, ImageIds, LabelledKeypoint, PckRule, Person, Sigmas, Split, Visibility,
    read_results, results_json,
};
use edge_runtime::{
    CocoTruth, ContactSheet, EvalSettings, Measures, ModelOptions, ModelPredictor, PoseModel,
    RuntimeError, SheetEntry, chart_of, draw_case, evaluate, found_poses, load_photo,
    match_predictions, measure, measure_predictions, predictor_from_fn, worst_cases,
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
    let cells = settings(PckRule::cells(Size::new(96, 64)));
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

#[test]
fn several_scales_find_the_same_places() {
    let folder = tempfile::tempdir().unwrap();
    let people = people(folder.path(), 5);
    let one = EvalSettings::for_model(predictor().spec());
    let scales = |scales: &[f32]| EvalSettings {
        scales: scales.to_vec(),
        flip_test: true,
        ..one.clone()
    };
    let three = scales(&[0.85, 1.0, 1.2]);
    let found = evaluate(&people, &three, vec![predictor()], |_| ()).unwrap();
    assert_eq!(found.report.mean, Some(100.0));
    for (person, pose) in people.iter().zip(&found.poses) {
        let cell = one.crop(person).width / one.maps.width as f32;
        let found = &pose.as_ref().unwrap().keypoints;
        for (truth, found) in person.keypoints.iter().zip(found) {
            let off = truth.point().distance(Point::new(found.x, found.y)) / cell;
            assert!(off < 0.15, "{off} cells off in {}", person.id);
        }
    }
    // Every look runs the network: three sizes, each mirrored too.
    let mut inner = predictor();
    let mut looks = 0;
    let counting = predictor_from_fn(5, |crops, count, maps| {
        looks += 1;
        edge_runtime::HeatmapPredictor::predict(&mut inner, crops, count, maps)
    });
    evaluate(&people, &three, vec![counting], |_| ()).unwrap();
    assert_eq!(looks, 6);
    for wrong in [&[][..], &[0.0], &[1.0, f32::NAN]] {
        let said = evaluate(&people, &scales(wrong), vec![predictor()], |_| ()).unwrap_err();
        assert!(said.to_string().contains("scales"), "{said}");
    }
}

#[test]
fn unsure_keypoints_count_as_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let people = people(folder.path(), 3);
    let mut settings = EvalSettings::for_model(predictor().spec());
    let all = evaluate(&people, &settings, vec![predictor()], |_| ()).unwrap();
    let mut scores: Vec<f32> = all
        .poses
        .iter()
        .flat_map(|pose| {
            pose.as_ref()
                .unwrap()
                .keypoints
                .iter()
                .map(|k| k.confidence)
        })
        .collect();
    scores.sort_by(f32::total_cmp);
    settings.min_score = scores[4];
    let sure = evaluate(&people, &settings, vec![predictor()], |_| ()).unwrap();
    // Counted all the same: 5 of 9 are left.
    assert_eq!(sure.report.total, Some(100.0 * 5.0 / 9.0));
    let set = &settings.keypoints;
    let results = found_poses(&people, &sure.poses, &ImageIds::new(&people, &[]), set, set);
    let zeros = results
        .iter()
        .flat_map(|r| &r.keypoints)
        .filter(|k| **k == [0.0; 3]);
    assert_eq!(zeros.count(), 4);
}

/// OKS of poses that are all a known distance off, through the whole way: network, results,
/// evaluation; and the same from the file.
#[test]
fn results_give_the_figures_that_the_network_gave() {
    let folder = tempfile::tempdir().unwrap();
    let mut people = people(folder.path(), 8);
    people[2].keypoints[0].x += 30.0;
    people[5].keypoints[1] = LabelledKeypoint::MISSING;
    let settings = EvalSettings::for_model(predictor().spec());
    let found = evaluate(&people, &settings, vec![predictor()], |_| ()).unwrap();
    let measures = Measures {
        pck: Some(PckRule::BoxSide { threshold: 0.1 }),
        pckh: Some(PckRule::MPII),
        cells: None,
        oks: Some(Sigmas::Uniform),
        as_far_as_possible: false,
    };
    let truth = CocoTruth::read(&[]).unwrap().with_people(&people);
    let ran = measure(&people, &found.poses, &settings, &measures, &truth).unwrap();
    let oks = ran.oks.as_ref().unwrap();
    assert_eq!((oks.coco.people, oks.coco.poses), (8, 8));
    assert_eq!((oks.joints[0].counted, oks.joints[1].counted), (8, 7));
    assert!(oks.joints[2].similarity > Some(0.999));
    // The label that was moved by 30 px: everything else of this joint is near 1.
    let area = 0.53 * f64::from(people[2].rect.width * people[2].rect.height);
    let moved = (-900.0 / (2.0 * area * 0.125 * 0.125)).exp();
    let similarity = oks.joints[0].similarity.unwrap();
    assert!(
        (similarity - (7.0 + moved) / 8.0).abs() < 0.01,
        "{similarity}"
    );

    let set = &settings.keypoints;
    let path = folder.path().join("results.json");
    let results = found_poses(&people, &found.poses, truth.image_ids(), set, set);
    std::fs::write(&path, results_json(&results)).unwrap();
    let read = read_results(&path).unwrap();
    let scored = measure_predictions(&people, &read, &settings, &measures, &truth, false).unwrap();
    assert_eq!(scored, ran);
    // Without our own addition, by their distance.
    let mut anonymous = read.clone();
    anonymous.iter_mut().for_each(|pose| pose.person = None);
    let scored =
        measure_predictions(&people, &anonymous, &settings, &measures, &truth, false).unwrap();
    assert_eq!(scored.pck, ran.pck);
    assert_eq!(
        scored.oks.as_ref().unwrap().coco,
        ran.oks.as_ref().unwrap().coco
    );
    assert_eq!(scored.oks.unwrap().mean_oks, None);

    let chart = chart_of(&ran);
    assert_eq!(chart.panels.len(), 4);
    let labels: Vec<&str> = chart.panels[0]
        .bars
        .iter()
        .map(|b| b.label.as_str())
        .collect();
    assert_eq!(labels, [NAMES[0], NAMES[1], NAMES[2], "mean"]);
}

#[test]
fn poses_go_to_the_nearest_people() {
    let folder = tempfile::tempdir().unwrap();
    let mut people = people(folder.path(), 3);
    // Two people in one photo, and one for whom nobody found anything.
    people[1].image = people[0].image.clone();
    people[1].keypoints.iter_mut().for_each(|k| k.x += 200.0);
    people[1].rect.x += 200.0;
    let truth = CocoTruth::read(&[]).unwrap().with_people(&people);
    let photo = truth.image_ids().get(&people[0].image).unwrap();
    let pose = |shift: f32, score: f64| FoundPose {
        image_id: photo,
        category_id: 1,
        keypoints: people[0]
            .keypoints
            .iter()
            .map(|k| [f64::from(k.x + shift), f64::from(k.y), 1.0])
            .collect(),
        score,
        bbox: None,
        person: None,
    };
    let found = [pose(203.0, 0.9), pose(160.0, 0.8), pose(-4.0, 0.1)];
    let poses = match_predictions(&people, &found, &truth, &[0.1; 3]);
    let first = |index: usize| poses[index].as_ref().unwrap().keypoints[0];
    assert_eq!(first(0).x, people[0].keypoints[0].x - 4.0);
    assert_eq!(first(1).x, people[0].keypoints[0].x + 203.0);
    assert!(first(2).x.is_nan());
    // Results of other keypoints are refused.
    let settings = EvalSettings::for_predictions(pose::KeypointSet::coco());
    let said = measure_predictions(
        &people,
        &found,
        &settings,
        &Measures::default(),
        &truth,
        false,
    );
    let said = said.unwrap_err().to_string();
    assert!(
        said.contains("3 keypoints") && said.contains("--keypoints"),
        "{said}"
    );
}

#[test]
fn the_worst_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut people = people(folder.path(), 4);
    // Wrong: of person 1 one joint, of 2 two joints, of 3 one joint that is farther away.
    people[1].keypoints[2].x += 30.0;
    people[2].keypoints[2].x += 30.0;
    people[2].keypoints[0].y += 40.0;
    people[3].keypoints[2].x += 60.0;
    let settings = EvalSettings::for_model(predictor().spec());
    let found = evaluate(&people, &settings, vec![predictor()], |_| ()).unwrap();
    let cases = worst_cases(&people, &found.poses, &settings).unwrap();
    let order: Vec<(usize, usize)> = cases.iter().map(|c| (c.person, c.right)).collect();
    assert_eq!(order, [(2, 1), (3, 2), (1, 2), (0, 3)]);
    assert!(cases.iter().all(|case| case.counted == 3));

    // The label of a wrong joint is white, and a yellow line leads from it to where it was found,
    // 40 pixels above.
    let (person, pose) = (&people[2], found.poses[2].as_ref().unwrap());
    let photo = load_photo(&person.image).unwrap();
    let size = Size::square(256);
    let picture = draw_case(&photo, person, pose, &settings, size).unwrap();
    let margin = 1.1 * settings.crop_margin;
    let to_picture = Crop::around(person.crop_rect(), margin, size).to_input(size);
    let at = |x: f32, y: f32| {
        let at = to_picture.apply(Point::new(x, y));
        picture.get_pixel(at.x as u32, at.y as u32).0
    };
    let label = person.keypoints[0];
    let white = at(label.x - 1.0, label.y + 1.0);
    assert!(white.iter().all(|v| *v > 230), "{white:?}");
    let [r, g, b] = at(label.x, label.y - 20.0);
    assert!(r > 180 && g > 150 && b < 110, "{:?}", [r, g, b]);
}
