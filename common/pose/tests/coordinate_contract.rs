//! The design's coordinate contract: a point of a photo goes through a crop, a perfect heatmap and
//! the decoder back to the same place, without bias.

#![allow(clippy::unwrap_used)]

use pose::{Crop, Decoder, Decoding, Heatmaps, Layout, Point, Pose, Size, decode, gaussian_target};

/// SplitMix64 (Steele et al. 2014), to be the same on every machine.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn crop(&mut self) -> Crop {
        let side = self.range(40.0, 2000.0) as f32;
        Crop {
            center: Point::new(
                self.range(0.0, 1920.0) as f32,
                self.range(0.0, 1080.0) as f32,
            ),
            width: side,
            height: side,
            rotation: self.range(-3.2, 3.2) as f32,
            flip: self.unit() < 0.5,
        }
    }
}

/// Mean and largest error of a decoding, in cells.
#[derive(Debug, Default)]
struct Errors {
    count: usize,
    sum: [f64; 2],
    largest: f64,
}

impl Errors {
    fn add(&mut self, found: Point, truth: Point) {
        let d = [f64::from(found.x - truth.x), f64::from(found.y - truth.y)];
        self.count += 1;
        self.sum[0] += d[0];
        self.sum[1] += d[1];
        self.largest = self.largest.max(d[0].hypot(d[1]));
    }

    fn bias(&self) -> [f64; 2] {
        self.sum.map(|s| s / self.count as f64)
    }
}

/// Photo point → crop → target → decode → photo, for cells at least `margin` from the map's edge.
/// Errors are measured in the photo and given in heatmap cells, along the photo's axes and, as a
/// bias of the cells would turn with the crop, along the map's.
fn round_trips(decoding: Decoding, sigma: f64, margin: f64, seed: u64) -> [Errors; 2] {
    let mut random = Random(seed);
    let (input, cells, stride) = (Size::square(192), 48usize, 4.0f32);
    let mut map = vec![0.0; cells * cells];
    let mut decoder = Decoder::new(decoding);
    let mut pose = Pose::default();
    let mut errors = [Errors::default(), Errors::default()];
    for _ in 0..20_000 {
        let crop = random.crop();
        let high = cells as f64 - margin;
        let cell = Point::new(
            random.range(margin, high) as f32,
            random.range(margin, high) as f32,
        );
        let cells_to_frame = crop.cells_to_frame(input, stride);
        let truth = cells_to_frame.apply(cell);
        // From here on only the photo's point is known.
        let in_input = crop.to_input(input).apply(truth);
        let center = Point::new(in_input.x / stride, in_input.y / stride);
        gaussian_target(&mut map, cells, cells, center, sigma as f32);
        let maps = Heatmaps::new(&map, 1, cells, cells, Layout::Nchw).unwrap();
        decoder.decode_into(&maps, &cells_to_frame, &mut pose);
        let found = Point::new(pose.keypoints[0].x, pose.keypoints[0].y);
        let cell_size = cells_to_frame.scale_factor();
        let scaled = |p: Point| Point::new(p.x / cell_size, p.y / cell_size);
        errors[0].add(scaled(found), scaled(truth));
        let back = cells_to_frame.inverse().unwrap();
        errors[1].add(back.apply(found), back.apply(truth));
    }
    errors
}

#[test]
fn dark_is_exact_two_cells_inside() {
    for (seed, sigma) in [(1, 1.0), (2, 1.5), (3, 2.0), (4, 2.5)] {
        for errors in round_trips(Decoding::Dark, sigma, 2.0, seed) {
            let [x, y] = errors.bias();
            println!(
                "sigma {sigma}: bias {x:.5} {y:.5}, largest {:.4}",
                errors.largest
            );
            assert!(x.abs() < 0.02 && y.abs() < 0.02, "bias {x} {y}");
            assert!(errors.largest < 0.1, "largest error {}", errors.largest);
        }
    }
}

/// In the outermost cells a position can only be told to a quarter of a cell along the border, and
/// to half a cell across it.
#[test]
fn dark_at_the_border_is_good_to_the_cell() {
    for (seed, sigma) in [(5, 1.0), (6, 2.0)] {
        for errors in round_trips(Decoding::Dark, sigma, 0.0, seed) {
            let [x, y] = errors.bias();
            println!(
                "sigma {sigma}: bias {x:.5} {y:.5}, largest {:.4}",
                errors.largest
            );
            assert!(x.abs() < 0.02 && y.abs() < 0.02, "bias {x} {y}");
            assert!(
                errors.largest < 0.5f64.hypot(0.5) + 1e-3,
                "{}",
                errors.largest
            );
        }
    }
}

/// Rounding errors of the two simpler decodings: uniform within the cell, without bias.
#[test]
fn argmax_and_quarter_offset_have_no_bias() {
    for (decoding, largest) in [(Decoding::Argmax, 0.5), (Decoding::QuarterOffset, 0.25)] {
        for errors in round_trips(decoding, 1.5, 2.0, 7) {
            let [x, y] = errors.bias();
            assert!(
                x.abs() < 0.02 && y.abs() < 0.02,
                "{decoding:?}: bias {x} {y}"
            );
            let bound = f64::hypot(largest, largest) + 0.01;
            assert!(errors.largest < bound, "{decoding:?}: {}", errors.largest);
            assert!(
                errors.largest > 0.8 * bound,
                "{decoding:?} is better than it can be"
            );
        }
    }
}

#[test]
fn a_target_is_the_closed_form_and_reaches_in_from_outside() {
    let (h, w, sigma) = (9, 12, 1.3f32);
    for center in [
        Point::new(4.2, 5.9),
        Point::new(-0.7, 3.0),
        Point::new(12.0, 9.6),
    ] {
        let mut map = vec![7.0; h * w];
        gaussian_target(&mut map, h, w, center, sigma);
        for y in 0..h {
            for x in 0..w {
                let (dx, dy) = (x as f32 + 0.5 - center.x, y as f32 + 0.5 - center.y);
                let expected = (-(dx * dx + dy * dy) / (2.0 * sigma * sigma)).exp();
                let found = map[y * w + x];
                assert!(
                    (found - expected).abs() < 1e-6,
                    "{center:?} {x} {y}: {found} {expected}"
                );
            }
        }
        assert!(map.iter().any(|&v| v > 0.5));
    }
}

/// The same picture of the maps in both layouts gives the same pose.
#[test]
fn layouts_agree() {
    let (k, h, w) = (5, 13, 21);
    let mut random = Random(11);
    let mut nchw = vec![0.0; k * h * w];
    for map in nchw.chunks_exact_mut(h * w) {
        let at = Point::new(
            random.range(0.0, w as f64) as f32,
            random.range(0.0, h as f64) as f32,
        );
        gaussian_target(map, h, w, at, 1.5);
    }
    let mut nhwc = vec![0.0; k * h * w];
    for (i, value) in nchw.iter().enumerate() {
        let (keypoint, cell) = (i / (h * w), i % (h * w));
        nhwc[cell * k + keypoint] = *value;
    }
    for decoding in [Decoding::Argmax, Decoding::QuarterOffset, Decoding::Dark] {
        let affine = pose::Affine::scale(3.0);
        let a = Heatmaps::new(&nchw, k, h, w, Layout::Nchw).unwrap();
        let b = Heatmaps::new(&nhwc, k, h, w, Layout::Nhwc).unwrap();
        assert_eq!(decode(&a, decoding, &affine), decode(&b, decoding, &affine));
    }
}
