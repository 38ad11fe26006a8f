//! From photo to pose with a network whose answer is known in closed form.

#![allow(clippy::unwrap_used)]

mod common;

use common::{BlobModel, blob_photo};
use edge_runtime::{Estimate, Estimator, EstimatorSettings, ModelOptions, PoseModel};
use image::RgbImage;
use onnx_graph::{ColorOrder, InputType, TensorLayout};
use pose::{Point, Rect, RgbView, Size};

const CENTERS: [Point; 3] = [
    Point::new(131.3, 90.6),
    Point::new(203.8, 171.2),
    Point::new(248.1, 122.4),
];

fn photo() -> RgbImage {
    blob_photo(400, 300, CENTERS, 14.0)
}

fn estimator(model: &BlobModel, settings: EstimatorSettings) -> Estimator {
    let bytes = model.build().to_bytes();
    let model = PoseModel::from_bytes(&bytes, "blobs", &ModelOptions::default()).unwrap();
    Estimator::new(model, settings).unwrap()
}

fn estimate(
    model: &BlobModel,
    settings: EstimatorSettings,
    photo: &RgbImage,
    region: Option<Rect>,
) -> Estimate {
    let view = RgbView::new(
        photo.as_raw(),
        photo.width() as usize,
        photo.height() as usize,
    );
    estimator(model, settings).estimate(&view, region).unwrap()
}

/// Largest distance from a blob's centre, in heatmap cells of the crop that the pose came from.
fn error_in_cells(found: &Estimate, model: &BlobModel) -> f32 {
    let cell = found.crop.width / (model.size.width / model.stride) as f32;
    found
        .pose
        .keypoints
        .iter()
        .zip(CENTERS)
        .map(|(k, c)| Point::new(k.x, k.y).distance(c) / cell)
        .fold(0.0, f32::max)
}

#[test]
fn the_blobs_are_found_through_letterbox_and_crop() {
    let model = BlobModel::default();
    for passes in 1..=3 {
        let settings = EstimatorSettings {
            passes,
            ..EstimatorSettings::default()
        };
        let found = estimate(&model, settings, &photo(), None);
        let error = error_in_cells(&found, &model);
        assert!(error < 0.1, "{passes} passes: {error} cells");
        // The letterbox shows 450 × 300 pixels, the crop 1.5 × the blobs' box of about 117 × 81.
        let expected = if passes == 1 { 450.0 } else { 117.0 * 1.5 };
        assert!(
            (found.crop.width / expected - 1.0).abs() < 0.05,
            "{:?}",
            found.crop
        );
        assert!(found.pose.confidence > 0.5, "{:?}", found.pose);
        assert!(found.timings.inference.as_nanos() > 0);
    }
}

#[test]
fn every_kind_of_input_gives_the_same_pose() {
    let plain = estimate(
        &BlobModel::default(),
        EstimatorSettings::default(),
        &photo(),
        None,
    );
    let base = BlobModel::default;
    let variants = [
        BlobModel {
            layout: TensorLayout::Nhwc,
            ..base()
        },
        BlobModel {
            color: ColorOrder::Bgr,
            ..base()
        },
        BlobModel {
            dtype: InputType::Uint8,
            ..base()
        },
        BlobModel {
            dtype: InputType::Uint8,
            layout: TensorLayout::Nhwc,
            color: ColorOrder::Bgr,
            ..base()
        },
        BlobModel {
            batch: "batch".into(),
            ..base()
        },
        BlobModel {
            batch: "N".into(),
            layout: TensorLayout::Nhwc,
            ..base()
        },
        BlobModel {
            mean: [0.0; 3],
            std: [255.0; 3],
            ..base()
        },
    ];
    for model in variants {
        let found = estimate(&model, EstimatorSettings::default(), &photo(), None);
        for (a, b) in found.pose.keypoints.iter().zip(&plain.pose.keypoints) {
            assert!(
                (a.x - b.x).abs() < 0.01 && (a.y - b.y).abs() < 0.01,
                "{model:?}"
            );
            assert!((a.confidence - b.confidence).abs() < 1e-4, "{model:?}");
        }
    }
}

#[test]
fn other_strides_and_square_inputs_work() {
    for (side, stride) in [(64, 2), (128, 8), (96, 4), (64, 4)] {
        let model = BlobModel {
            size: Size::square(side),
            stride,
            columns: stride,
            ..BlobModel::default()
        };
        let found = estimate(&model, EstimatorSettings::default(), &photo(), None);
        let error = error_in_cells(&found, &model);
        assert!(error < 0.15, "{side} / {stride}: {error} cells");
    }
}

#[test]
fn a_region_is_looked_at_with_the_cards_margin() {
    let model = BlobModel::default();
    let region = Rect::new(120.0, 80.0, 140.0, 100.0);
    let settings = EstimatorSettings {
        passes: 1,
        ..EstimatorSettings::default()
    };
    let found = estimate(&model, settings, &photo(), Some(region));
    // 100 × 1.5 high gives 150 × 1.5 = 225 wide; 140 × 1.5 = 210 is less.
    assert_eq!((found.crop.width, found.crop.height), (225.0, 150.0));
    assert_eq!(found.crop.center, Point::new(190.0, 130.0));
    assert!(error_in_cells(&found, &model) < 0.1);
}

#[test]
fn the_flip_test_cancels_a_bias_to_one_side() {
    // This network looks at the left column of each block only: it sees everything 1.5 input pixels
    // too far right. In the mirror image it errs to the other side.
    let model = BlobModel {
        columns: 1,
        ..BlobModel::default()
    };
    let bias = |flip_test: bool| {
        let settings = EstimatorSettings {
            passes: 1,
            flip_test,
            ..EstimatorSettings::default()
        };
        let found = estimate(&model, settings, &photo(), None);
        let pixel = found.crop.width / model.size.width as f32;
        let errors = found.pose.keypoints.iter().zip(CENTERS);
        errors.map(|(k, c)| (k.x - c.x) / pixel).sum::<f32>() / 3.0
    };
    assert!((bias(false) - 1.5).abs() < 0.1, "{}", bias(false));
    assert!(bias(true).abs() < 0.1, "{}", bias(true));
}

#[test]
fn nothing_in_the_photo_gives_an_unsure_pose_of_one_look() {
    let photo = RgbImage::from_pixel(320, 200, image::Rgb([90, 90, 90]));
    let found = estimate(
        &BlobModel::default(),
        EstimatorSettings::default(),
        &photo,
        None,
    );
    assert!(found.pose.confidence < 0.01);
    assert_eq!(found.crop.width, 320.0);
}

#[test]
fn photos_of_one_pixel_and_of_extreme_shape_are_no_trouble() {
    for (width, height) in [(1, 1), (1, 4000), (4000, 1), (3, 2)] {
        let photo = RgbImage::from_pixel(width, height, image::Rgb([200, 30, 60]));
        let found = estimate(
            &BlobModel::default(),
            EstimatorSettings::default(),
            &photo,
            None,
        );
        let finite = |k: &pose::Keypoint| k.x.is_finite() && k.y.is_finite();
        assert!(
            found.pose.keypoints.iter().all(finite),
            "{width}x{height}: {:?}",
            found.pose
        );
    }
}

#[test]
fn two_threads_of_the_engine_give_the_same_pose() {
    let bytes = BlobModel::default().build().to_bytes();
    let found = [1, 2].map(|threads| {
        let options = ModelOptions {
            threads,
            ..ModelOptions::default()
        };
        let model = PoseModel::from_bytes(&bytes, "blobs", &options).unwrap();
        let mut estimator = Estimator::new(model, EstimatorSettings::default()).unwrap();
        let photo = photo();
        let view = RgbView::new(photo.as_raw(), 400, 300);
        estimator.estimate(&view, None).unwrap().pose
    });
    assert_eq!(found[0], found[1]);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let bytes = BlobModel::default().build().to_bytes();
    let load = || PoseModel::from_bytes(&bytes, "blobs", &ModelOptions::default()).unwrap();
    for passes in [0, 4] {
        let settings = EstimatorSettings {
            passes,
            ..EstimatorSettings::default()
        };
        let error = Estimator::new(load(), settings).unwrap_err().to_string();
        assert!(error.contains("expected 1, 2 or 3"), "{error}");
    }
}
