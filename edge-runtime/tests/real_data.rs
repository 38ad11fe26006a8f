//! The evaluation on real photos and labels: heatmaps that are perfect must give 100 %.
//!
//! Reads the data sets from the folder that the environment variable HOURGLASS_DATA names, and
//! skips where there is none.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use dataset::{PckRule, Source, SourceKind, Split};
use edge_runtime::{EvalSettings, evaluate, predictor_from_fn};
use pose::{Affine, Decoding, KeypointSet, Point, Size, gaussian_target};

#[test]
fn perfect_heatmaps_give_100_percent_on_the_lsp_test_photos() {
    let Some(data) = std::env::var_os("HOURGLASS_DATA").map(PathBuf::from) else {
        eprintln!("skipped: HOURGLASS_DATA names no folder with the data sets");
        return;
    };
    let set = KeypointSet::mpii();
    let source = Source::new(SourceKind::Lsp, data.join("lsp")).only(Split::Test);
    let people: Vec<_> = dataset::load(&source, &set).unwrap().people;
    let people: Vec<_> = people.into_iter().step_by(10).collect();
    assert_eq!(people.len(), 100);
    let (input, maps) = (Size::square(192), Size::square(48));
    let settings = EvalSettings {
        keypoints: set.clone(),
        input,
        maps,
        crop_margin: 1.25,
        decoding: Decoding::Dark,
        flip_test: false,
        scales: vec![1.0],
        min_score: 0.0,
        // A fiftieth of the torso is about a pixel.
        rule: PckRule::Torso { threshold: 0.02 },
    };
    // One predictor with batches of one sees the people in order.
    let mut next = people.iter();
    let perfect = predictor_from_fn(1, |_: &[u8], count, out: &mut Vec<f32>| {
        assert_eq!(count, 1);
        let person = next.next().unwrap();
        let to_cells = settings
            .crop(person)
            .to_input(input)
            .then(&Affine::scale(0.25));
        out.clear();
        out.resize(set.len() * 48 * 48, 0.0);
        for (label, map) in person.keypoints.iter().zip(out.chunks_exact_mut(48 * 48)) {
            if label.is_labelled() {
                gaussian_target(map, 48, 48, to_cells.apply(label.point()), 1.0);
            }
        }
        Ok(())
    });
    let found = evaluate(&people, &settings, vec![perfect], |_| ()).unwrap();
    assert_eq!(found.report.mean, Some(100.0), "{}", found.report);
    assert_eq!(found.report.people, 100);
    let mut worst = 0f32;
    for (person, pose) in people.iter().zip(&found.poses) {
        let cell = settings.crop(person).width / 48.0;
        for (label, k) in person
            .keypoints
            .iter()
            .zip(&pose.as_ref().unwrap().keypoints)
        {
            if label.is_labelled() {
                worst = worst.max(label.point().distance(Point::new(k.x, k.y)) / cell);
            }
        }
    }
    assert!(worst < 0.1, "{worst} cells");
}
