//! Finding and following people, with a stand-in for the network that sees what it is told.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{BlobModel, blob_photo};
use edge_runtime::{
    BoxFile, Detector, DetectorSettings, Estimator, EstimatorSettings, FollowSettings, Follower,
    Frame, Looker, ModelOptions, PoseFinder, PoseModel, RuntimeError, TrackedPose, YoloForm,
};
use image::RgbImage;
use onnx_graph::{DataType, GraphBuilder};
use pose::{Crop, Keypoint, KeypointSet, Point, Pose, Rect, RgbView, Size, Smoothing};

/// The people of the scene: middle of the body, and height in pixels.
type Scene = Arc<Mutex<Vec<(f32, f32, f32)>>>;

/// Sees the person nearest to the middle of the crop, the less surely the worse the crop fits.
struct Eye {
    scene: Scene,
    set: KeypointSet,
    crops: Arc<Mutex<Vec<Crop>>>,
}

fn body(x: f32, y: f32, height: f32, confidence: f32) -> Pose {
    let place = |k: usize| {
        let down = [
            0.5, 0.25, 0.02, 0.02, 0.25, 0.5, 0.02, -0.25, -0.3, -0.5, 0.0, -0.1, -0.25,
        ];
        let down = down.get(k).copied().unwrap_or([-0.25, -0.1, 0.0][k % 3]);
        let side = if k < 3 || (10..13).contains(&k) {
            -0.1
        } else {
            0.1
        };
        Keypoint::new(x + side * height, y + down * height, confidence)
    };
    Pose::new((0..16).map(place).collect())
}

impl Looker for Eye {
    fn input_size(&self) -> Size {
        Size::square(192)
    }

    fn keypoints(&self) -> &KeypointSet {
        &self.set
    }

    fn crop_margin(&self) -> f32 {
        1.25
    }

    fn look_at(&mut self, _: &RgbView<'_>, crop: &Crop) -> Result<Pose, RuntimeError> {
        self.crops.lock().unwrap().push(*crop);
        let people = self.scene.lock().unwrap();
        let distance = |p: &(f32, f32, f32)| crop.center.distance(Point::new(p.0, p.1));
        let nearest = people
            .iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)));
        let Some(&(x, y, height)) = nearest else {
            return Ok(body(crop.center.x, crop.center.y, crop.height / 2.0, 0.1));
        };
        let misfit = (crop.height / (1.25 * height)).ln().abs();
        let off = distance(&(x, y, height)) / crop.height;
        let sure = (1.0 - 0.5 * misfit - (off - 0.25).max(0.0) * 2.0).clamp(0.05, 0.95);
        Ok(body(x, y, height, sure))
    }
}

struct Stage {
    scene: Scene,
    crops: Arc<Mutex<Vec<Crop>>>,
    follower: Follower,
    frame: u64,
}

impl Stage {
    fn new(settings: FollowSettings, eyes: usize) -> Stage {
        let (scene, crops) = (Scene::default(), Arc::default());
        let eye = || {
            Box::new(Eye {
                scene: Arc::clone(&scene),
                set: KeypointSet::mpii(),
                crops: Arc::clone(&crops),
            }) as Box<dyn Looker>
        };
        let settings = FollowSettings {
            smoothing: Smoothing::Off,
            ..settings
        };
        let lookers = (0..eyes).map(|_| eye()).collect();
        Stage {
            follower: Follower::new(lookers, settings).unwrap(),
            scene,
            crops,
            frame: 0,
        }
    }

    fn people(&self, people: &[(f32, f32, f32)]) {
        *self.scene.lock().unwrap() = people.to_vec();
    }

    /// One frame of 640 × 480 pixels, 20 a second.
    fn next(&mut self) -> Vec<TrackedPose> {
        let found = self
            .follower
            .find(&frame(self.frame, RgbImage::new(640, 480)))
            .unwrap();
        assert!(self.follower.looks() <= self.follower.most_looks());
        self.frame += 1;
        found
    }
}

fn frame(number: u64, picture: RgbImage) -> Frame {
    Frame {
        picture,
        number,
        time: Duration::from_millis(50 * number),
        taken: Instant::now(),
    }
}

fn ids(found: &[TrackedPose]) -> Vec<u32> {
    found.iter().map(|p| p.id).collect()
}

#[test]
fn a_person_is_found_in_the_first_frame_and_followed_with_one_look_each() {
    let mut stage = Stage::new(FollowSettings::default(), 1);
    stage.people(&[(320.0, 240.0, 300.0)]);
    let found = stage.next();
    assert_eq!(ids(&found), [1]);
    assert_eq!(stage.follower.looks(), 2);
    assert_eq!(
        stage.crops.lock().unwrap()[0],
        Crop::letterbox(Size::new(640, 480), Size::square(192))
    );
    assert!(
        (found[0].crop.width - 375.0).abs() < 5.0,
        "{:?}",
        found[0].crop
    );
    for n in 0..60 {
        stage.people(&[(320.0 + 3.0 * n as f32, 240.0, 300.0)]);
        let found = stage.next();
        assert_eq!(
            (ids(&found).as_slice(), stage.follower.looks()),
            ([1].as_slice(), 1)
        );
        assert!((found[0].pose.keypoints[9].x - (350.0 + 3.0 * n as f32)).abs() < 1e-3);
    }
}

#[test]
fn small_people_are_found_by_searching_within_the_stated_looks() {
    for (x, y, height) in [
        (80.0, 100.0, 60.0),
        (600.0, 400.0, 70.0),
        (320.0, 60.0, 90.0),
    ] {
        let mut stage = Stage::new(FollowSettings::default(), 1);
        stage.people(&[(x, y, height)]);
        let frames = (0..60).find(|_| !stage.next().is_empty());
        assert!(
            frames.is_some_and(|n| n < 40),
            "{x} {y} {height}: {frames:?}"
        );
        assert_eq!(ids(&stage.next()), [1]);
    }
}

#[test]
fn an_empty_scene_shows_nobody_and_a_person_who_leaves_is_lost() {
    let mut stage = Stage::new(FollowSettings::default(), 1);
    for _ in 0..30 {
        assert!(stage.next().is_empty());
    }
    stage.people(&[(320.0, 240.0, 300.0)]);
    assert!((0..20).any(|_| ids(&stage.next()) == [1]));
    let last = stage.next()[0].pose.clone();
    stage.people(&[]);
    // Held for half a second, with falling confidence, where the person was.
    let mut confidence = 1.0;
    for _ in 0..9 {
        let found = stage.next();
        assert_eq!(ids(&found), [1]);
        assert_eq!(found[0].pose.keypoints[9].x, last.keypoints[9].x);
        assert!(found[0].pose.confidence < confidence);
        confidence = found[0].pose.confidence;
    }
    stage.next();
    stage.next();
    for _ in 0..30 {
        assert!(stage.next().is_empty());
    }
    // Somebody else, elsewhere and much later.
    stage.people(&[(120.0, 260.0, 280.0)]);
    assert!((0..40).any(|_| ids(&stage.next()) == [2]));
}

#[test]
fn several_people_are_found_and_keep_their_numbers_on_several_threads() {
    for eyes in [1, 3] {
        let settings = FollowSettings {
            people: 3,
            ..FollowSettings::default()
        };
        let mut stage = Stage::new(settings, eyes);
        let people = [
            (120.0, 240.0, 260.0),
            (330.0, 250.0, 250.0),
            (540.0, 240.0, 240.0),
        ];
        stage.people(&people);
        let found = (0..120)
            .map(|_| stage.next())
            .find(|found| found.len() == 3);
        let first = found.expect("three people");
        for n in 0..40 {
            let shift = 2.0 * n as f32;
            stage.people(&people.map(|(x, y, height)| (x + shift, y, height)));
            let found = stage.next();
            assert_eq!(ids(&found), [1, 2, 3]);
            for (now, before) in found.iter().zip(&first) {
                let moved = now.pose.keypoints[9].x - before.pose.keypoints[9].x;
                assert!((moved - shift).abs() < 1.0, "{n}: {moved}");
            }
        }
    }
}

#[test]
fn a_region_is_looked_at_alone() {
    let settings = FollowSettings {
        region: Some(Rect::new(200.0, 100.0, 100.0, 240.0)),
        people: 4,
        ..FollowSettings::default()
    };
    let mut stage = Stage::new(settings, 1);
    stage.people(&[(250.0, 220.0, 240.0)]);
    for _ in 0..5 {
        assert_eq!(ids(&stage.next()), [1]);
    }
    let crops = stage.crops.lock().unwrap();
    assert_eq!(crops.len(), 5);
    assert!(
        crops
            .iter()
            .all(|c| (c.center, c.width) == (Point::new(250.0, 220.0), 300.0))
    );
}

#[test]
fn boxes_of_a_file_say_where_people_are() {
    let text = "{\"frame\": 2, \"boxes\": [[60, 80, 40, 120, 0.9], [500, 300, 50, 130]]}\n\
                2,505,300,50,130,0.2\n";
    let settings = FollowSettings {
        people: 2,
        ..FollowSettings::default()
    };
    let mut stage = Stage::new(settings, 1);
    let boxes = BoxFile::read(text.as_bytes(), "boxes").unwrap();
    stage.follower = stage.follower.with_boxes(Box::new(boxes));
    stage.people(&[(80.0, 140.0, 120.0), (525.0, 365.0, 130.0)]);
    assert!(stage.next().is_empty() && stage.next().is_empty());
    // Without boxes nobody searches.
    assert!(stage.crops.lock().unwrap().is_empty());
    for _ in 0..5 {
        let found = stage.next();
        assert_eq!(ids(&found), [1, 2]);
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let error = Follower::new(Vec::new(), FollowSettings::default()).unwrap_err();
    assert!(error.to_string().contains("expected at least one"));
    let bad = |settings: FollowSettings| {
        let eye = Eye {
            scene: Scene::default(),
            set: KeypointSet::mpii(),
            crops: Arc::default(),
        };
        Follower::new(vec![Box::new(eye)], settings)
            .unwrap_err()
            .to_string()
    };
    let none = FollowSettings {
        people: 0,
        ..FollowSettings::default()
    };
    assert!(bad(none).contains("at least 1"));
    let mut reversed = FollowSettings::default();
    reversed.presence.found = f32::NAN;
    assert!(bad(reversed).contains("0 < lost ≤ found ≤ 1"));
}

#[test]
fn a_real_network_follows_what_moves() {
    let bytes = BlobModel::default().build().to_bytes();
    let model = PoseModel::from_bytes(&bytes, "blobs", &ModelOptions::default()).unwrap();
    let estimator = Estimator::new(model, EstimatorSettings::default()).unwrap();
    let settings = FollowSettings {
        smoothing: Smoothing::Off,
        ..FollowSettings::default()
    };
    let mut follower = Follower::new(vec![Box::new(estimator)], settings).unwrap();
    for n in 0..12u64 {
        let by = 6.0 * n as f32;
        let centers =
            [(90.0, 90.0), (160.0, 170.0), (200.0, 120.0)].map(|(x, y)| Point::new(x + by, y));
        let found = follower
            .find(&frame(n, blob_photo(400, 300, centers, 14.0)))
            .unwrap();
        assert_eq!(ids(&found), [1], "frame {n}");
        for (k, c) in found[0].pose.keypoints.iter().zip(centers) {
            assert!(
                c.distance(Point::new(k.x, k.y)) < 1.5,
                "frame {n}: {k:?} {c:?}"
            );
        }
    }
}

/// A detector that always sees the same boxes, in a 64 × 64 input.
fn fixed_detector(rows: &[[f32; 6]]) -> Vec<u8> {
    let mut graph = GraphBuilder::new("detector");
    graph.input(
        "images",
        DataType::Float,
        &[1.into(), 3.into(), 64.into(), 64.into()],
    );
    let shape = [1, rows.len(), 6];
    graph.f32("boxes", &shape, rows.as_flattened());
    graph.f32("zero", &[1], &[0.0]);
    graph.node("GlobalAveragePool", &["images"], &["mean"], vec![]);
    graph.node("Mul", &["mean", "zero"], &["nothing"], vec![]);
    let axes = vec![
        onnx_graph::AttributeProto::ints("axes", &[1, 2, 3]),
        onnx_graph::AttributeProto::int("keepdims", 0),
    ];
    graph.node("ReduceMean", &["nothing"], &["none"], axes);
    graph.node("Add", &["boxes", "none"], &["output0"], vec![]);
    graph.output("output0", DataType::Float, &shape.map(Into::into));
    graph.finish().unwrap().to_bytes()
}

#[test]
fn a_detectors_boxes_come_back_in_the_pictures_pixels() {
    let bytes = fixed_detector(&[
        [16.0, 20.0, 32.0, 44.0, 0.8, 0.0],
        [17.0, 20.0, 33.0, 44.0, 0.7, 0.0],
        [40.0, 20.0, 60.0, 44.0, 0.9, 7.0],
        [40.0, 20.0, 60.0, 44.0, 0.1, 0.0],
    ]);
    let mut detector =
        Detector::from_bytes(&bytes, "detector", DetectorSettings::default()).unwrap();
    assert_eq!(detector.form(), YoloForm::EndToEnd);
    // 640 × 320 in 64 × 64: ten times smaller, 16 rows of grey above.
    let picture = RgbImage::new(640, 320);
    let found = detector
        .detect(&RgbView::new(picture.as_raw(), 640, 320))
        .unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let Rect {
        x,
        y,
        width,
        height,
    } = found[0].rect;
    let near = |a: f32, b: f32| (a - b).abs() < 0.01;
    assert!(near(x, 160.0) && near(y, 40.0) && near(width, 160.0) && near(height, 240.0));
}

#[test]
fn a_detector_starts_the_following_and_rests_between() {
    let bytes = fixed_detector(&[[10.0, 20.0, 14.0, 32.0, 0.8, 0.0]; 3]);
    let detector = Detector::from_bytes(&bytes, "detector", DetectorSettings::default()).unwrap();
    let mut stage = Stage::new(FollowSettings::default(), 1);
    stage.follower = stage.follower.with_boxes(Box::new(detector));
    // The box of x 10..14, y 20..32 in 64 × 64 is x 100..140, y 120..240 in 640 × 480.
    stage.people(&[(120.0, 180.0, 110.0)]);
    for _ in 0..20 {
        assert_eq!(ids(&stage.next()), [1]);
        assert!(stage.follower.looks() <= 2);
    }
}

#[test]
fn what_is_no_detector_is_refused_by_name() {
    let bytes = BlobModel::default().build().to_bytes();
    let error = Detector::from_bytes(&bytes, "blobs", DetectorSettings::default()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("blobs is no person detector"), "{message}");
    assert!(
        message.contains("expected [1, 4 + classes, boxes]"),
        "{message}"
    );
    assert!(Detector::from_bytes(&bytes[..40], "cut", DetectorSettings::default()).is_err());
}
