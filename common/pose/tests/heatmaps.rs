//! Decoding of maps that are no perfect Gaussians, and flip merging.

#![allow(clippy::unwrap_used)]

use pose::{
    Affine, Decoding, FlipAxis, HeatmapError, Heatmaps, Keypoint, KeypointSet, Layout, Point, Pose,
    decode, gaussian_target, merge_flipped,
};

const ALL: [Decoding; 3] = [Decoding::Argmax, Decoding::QuarterOffset, Decoding::Dark];

fn decode_one(map: &[f32], height: usize, width: usize, decoding: Decoding) -> Keypoint {
    let maps = Heatmaps::new(map, 1, height, width, Layout::Nchw).unwrap();
    decode(&maps, decoding, &Affine::identity()).keypoints[0]
}

#[test]
fn each_decoding_does_what_it_says() {
    // A peak at cell (2, 1), higher on its right and above.
    let mut map = vec![0.0; 5 * 6];
    for (x, y, value) in [
        (2, 1, 0.9),
        (3, 1, 0.5),
        (1, 1, 0.3),
        (2, 0, 0.4),
        (2, 2, 0.2),
    ] {
        map[y * 6 + x] = value;
    }
    let at = |decoding| {
        let k = decode_one(&map, 5, 6, decoding);
        assert_eq!(k.confidence, 0.9);
        (k.x, k.y)
    };
    assert_eq!(at(Decoding::Argmax), (2.5, 1.5));
    assert_eq!(at(Decoding::QuarterOffset), (2.75, 1.25));
    // One cell from the border nothing is smoothed. Corners are raised to a thousandth of the
    // peak and cancel; the axes are separate parabolas through the logarithms.
    let step = |low: f32, high: f32| {
        let (low, high, peak) = (low.ln(), high.ln(), 0.9f32.ln());
        -0.5 * (high - low) / (high + low - 2.0 * peak)
    };
    let (x, y) = at(Decoding::Dark);
    assert!((x - 2.5 - step(0.3, 0.5)).abs() < 1e-4, "{x}");
    assert!((y - 1.5 - step(0.4, 0.2)).abs() < 1e-4, "{y}");
}

/// Negative values around the peak, as a linear output has them, and peaks above 1.
#[test]
fn linear_outputs_decode_to_confidences_within_0_and_1() {
    let mut map = vec![-0.3; 9 * 9];
    map[4 * 9 + 4] = 1.7;
    for decoding in ALL {
        let k = decode_one(&map, 9, 9, decoding);
        assert_eq!((k.x, k.y, k.confidence), (4.5, 4.5, 1.0));
        let low: Vec<f32> = map.iter().map(|v| v - 5.0).collect();
        let k = decode_one(&low, 9, 9, decoding);
        assert_eq!((k.x, k.y, k.confidence), (4.5, 4.5, 0.0));
    }
}

/// An int8 network's output has plateaus: the peak is in their middle, not at their first cell.
#[test]
fn dark_centres_a_plateau() {
    let mut map = vec![0.0; 15 * 15];
    gaussian_target(&mut map, 15, 15, Point::new(8.0, 7.5), 1.5);
    let coarse: Vec<f32> = map.iter().map(|v| (v * 8.0).round() / 8.0).collect();
    assert_eq!(coarse[7 * 15 + 7], coarse[7 * 15 + 8]);
    let k = decode_one(&coarse, 15, 15, Decoding::Dark);
    assert!((k.x - 8.0).abs() < 0.1 && (k.y - 7.5).abs() < 0.1, "{k:?}");
    assert_eq!(decode_one(&coarse, 15, 15, Decoding::Argmax).x, 7.5);
}

/// With noise, smoothing and the parabola are nearer to the truth than a quarter of a cell.
#[test]
fn dark_stands_noise_better_than_the_quarter_offset() {
    let (mut seed, mut errors) = (7u64, [0.0f64; 2]);
    let mut unit = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f32 / (1u64 << 24) as f32
    };
    for _ in 0..2000 {
        let truth = Point::new(5.0 + 22.0 * unit(), 5.0 + 22.0 * unit());
        let mut map = vec![0.0; 32 * 32];
        gaussian_target(&mut map, 32, 32, truth, 1.5);
        map.iter_mut()
            .for_each(|v| *v = 0.6 * *v + 0.08 * (unit() - 0.5));
        for (error, decoding) in errors
            .iter_mut()
            .zip([Decoding::Dark, Decoding::QuarterOffset])
        {
            let k = decode_one(&map, 32, 32, decoding);
            *error += f64::from(Point::new(k.x, k.y).distance(truth)) / 2000.0;
        }
    }
    println!(
        "mean error: Dark {:.3}, quarter offset {:.3} cells",
        errors[0], errors[1]
    );
    assert!(errors[0] < 0.6 * errors[1], "{errors:?}");
}

#[test]
fn no_input_makes_decoding_fail() {
    let nan = f32::NAN;
    let maps: [(usize, usize, Vec<f32>); 7] = [
        (1, 1, vec![0.5]),
        (1, 4, vec![0.0, 1.0, 0.5, 0.0]),
        (2, 2, vec![0.0; 4]),
        (3, 3, vec![nan; 9]),
        (3, 3, vec![nan, nan, nan, nan, 1.0, nan, nan, nan, nan]),
        (5, 5, vec![f32::INFINITY; 25]),
        (7, 7, vec![f32::NEG_INFINITY; 49]),
    ];
    for (height, width, map) in &maps {
        for decoding in ALL {
            let k = decode_one(map, *height, *width, decoding);
            assert!((0.0..=1.0).contains(&k.confidence));
            assert!(
                k.x >= 0.0 && k.x <= *width as f32 && k.y >= 0.0 && k.y <= *height as f32,
                "{k:?}"
            );
        }
    }
    let empty = Heatmaps::new(&[], 0, 3, 3, Layout::Nhwc).unwrap();
    assert_eq!(
        decode(&empty, Decoding::Dark, &Affine::identity()),
        Pose::default()
    );
}

#[test]
fn wrong_lengths_are_errors() {
    let found = Heatmaps::new(&[0.0; 10], 2, 2, 3, Layout::Nchw).unwrap_err();
    assert_eq!(
        found.to_string(),
        "heatmaps: expected 2 keypoints × 2 × 3 = 12 values, found 10"
    );
    assert!(Heatmaps::new(&[], 5, 0, 7, Layout::Nchw).is_err());
    assert!(Heatmaps::new(&[0.0; 4], usize::MAX, usize::MAX, 4, Layout::Nchw).is_err());
    let mut maps = [0.0; 4];
    let error = merge_flipped(&mut maps, &[0.0; 3], 1, 2, 2, &[0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "mirrored maps: expected 1 keypoints × 2 × 2 = 4 values, found 3"
    );
    let error = merge_flipped(&mut maps, &[0.0; 4], 2, 1, 2, &[1, 2]);
    assert_eq!(
        error,
        Err(HeatmapError::Permutation {
            keypoints: 2,
            found: 2,
            largest: 2
        })
    );
}

/// The maps of a mirrored picture, merged, are those of the picture.
#[test]
fn flip_merging_undoes_the_mirror() {
    let set = KeypointSet::lsp();
    let permutation = set.mirror_permutation(FlipAxis::Horizontal);
    let (h, w) = (11, 17);
    let place = |k: usize| Point::new(1.0 + k as f32, 2.0 + 0.5 * k as f32);
    let (mut maps, mut mirrored) = (vec![0.0; 14 * h * w], vec![0.0; 14 * h * w]);
    for (k, &partner) in permutation.iter().enumerate() {
        let cells = k * h * w..(k + 1) * h * w;
        gaussian_target(&mut maps[cells.clone()], h, w, place(k), 1.5);
        // In the mirrored picture what looks like a left wrist is the right one.
        let partner = place(partner);
        gaussian_target(
            &mut mirrored[cells],
            h,
            w,
            Point::new(w as f32 - partner.x, partner.y),
            1.5,
        );
    }
    let expected = maps.clone();
    merge_flipped(&mut maps, &mirrored, 14, h, w, &permutation).unwrap();
    assert!(
        maps.iter()
            .zip(&expected)
            .all(|(a, b)| (a - b).abs() < 1e-6)
    );
}

#[test]
fn a_pose_is_as_sure_as_its_keypoints_are_on_average() {
    let pose = Pose::new(vec![
        Keypoint::new(1.0, 2.0, 1.5),
        Keypoint::new(3.0, 4.0, f32::NAN),
        Keypoint::new(0.0, 0.0, 0.5),
    ]);
    assert_eq!(pose.confidence, 0.5);
    assert_eq!(Pose::new(Vec::new()).confidence, 0.0);
}
