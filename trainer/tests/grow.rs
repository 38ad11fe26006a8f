//! The shipped network grown in every way, on the sample photo.

use std::path::{Path, PathBuf};

use hourglass::{Engine, HourglassConfig};
use image::imageops::{FilterType, resize};
use trainer::{Checkpoint, GROWTH_TOLERANCE, GrowSettings, MEAN, STD, grow_checkpoint};

fn project() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.parent().expect("the workspace").to_owned()
}

fn photo(height: usize, width: usize) -> Vec<f32> {
    let photo = image::open(project().join("assets/sample.jpg")).expect("the sample photo");
    let small = resize(
        &photo.to_rgb8(),
        width as u32,
        height as u32,
        FilterType::Triangle,
    );
    let bytes = small.as_raw();
    bytes.iter().map(|&v| (f32::from(v) - MEAN) / STD).collect()
}

fn heatmaps(checkpoint: &Checkpoint, size: (usize, usize)) -> Vec<f32> {
    let graph = checkpoint.info.network.graph();
    Engine::new(graph, 1).forward(&checkpoint.weights, &photo(size.0, size.1), size)
}

#[test]
fn grown_from_tiny_all_give_tinys_heatmaps() {
    let tiny = Checkpoint::load(&project().join("models/tiny.safetensors")).unwrap();
    // A size that the network was not trained at, to see that none is special.
    let size = (192, 160);
    let expected = heatmaps(&tiny, size);
    let peak = expected.iter().fold(0.0f32, |m, v| m.max(*v));
    assert!(peak > 0.2, "nobody seen on the sample photo: {peak}");
    let network = &tiny.info.network;
    let keypoints = network.keypoints;
    for larger in [
        HourglassConfig::mobile(keypoints),
        HourglassConfig::full(keypoints),
        HourglassConfig {
            stacks: 3,
            ..network.clone()
        },
    ] {
        let settings = GrowSettings {
            network: larger.clone(),
            noise: 0.5,
            seed: 4,
        };
        let (grown, difference) = grow_checkpoint(&tiny, &settings).unwrap();
        assert!(difference <= GROWTH_TOLERANCE);
        // By way of the file, as a user would go on.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("grown.safetensors");
        grown.save(&file).unwrap();
        let grown = Checkpoint::load(&file).unwrap();
        assert_eq!(grown.info.network, larger);
        let found = heatmaps(&grown, size);
        assert_eq!(found.len(), expected.len());
        let pairs = found.iter().zip(&expected);
        let worst = pairs.fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
        println!("{larger:?}: largest difference {worst:e}");
        assert!(worst < 1e-4, "{larger:?}: {worst}");
    }
}

/// A second growth starts from the first: tiny → mobile → full.
#[test]
fn growth_goes_on_from_growth() {
    let tiny = Checkpoint::load(&project().join("models/tiny.safetensors")).unwrap();
    let keypoints = tiny.info.network.keypoints;
    let settings = |network, seed| GrowSettings {
        network,
        noise: 0.5,
        seed,
    };
    let (mobile, _) =
        grow_checkpoint(&tiny, &settings(HourglassConfig::mobile(keypoints), 1)).unwrap();
    let (full, _) =
        grow_checkpoint(&mobile, &settings(HourglassConfig::full(keypoints), 2)).unwrap();
    let size = (64, 64);
    let (a, b) = (heatmaps(&tiny, size), heatmaps(&full, size));
    let worst = a
        .iter()
        .zip(&b)
        .fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(worst < 1e-4, "{worst}");
}
