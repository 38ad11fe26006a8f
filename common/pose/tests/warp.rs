//! Pixels land where the affine map says, and none is lost when the picture shrinks.

#![allow(clippy::unwrap_used)]

use pose::{Affine, BORDER, Crop, Point, RgbView, Size, WarpError, Warper, warp_rgb};

const W: usize = 97;
const H: usize = 71;

/// A picture without structure, every byte different from its neighbours.
fn noise(width: usize, height: usize) -> Vec<u8> {
    (0..width * height * 3)
        .map(|i| ((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 37) as u8)
        .collect()
}

/// Broad waves in both directions, a different one in each colour.
fn waves(width: usize, height: usize, length: f64) -> Vec<u8> {
    let mut picture = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for k in 0..3 {
                let phase = (x as f64 * 0.8 + y as f64 * 0.6) * std::f64::consts::TAU / length;
                let across = (y as f64 - 0.4 * x as f64) * std::f64::consts::TAU / (1.7 * length);
                let value = 128.0 + 60.0 * (phase + k as f64).sin() + 50.0 * across.cos();
                picture.push(value.round() as u8);
            }
        }
    }
    picture
}

fn warp(pixels: &[u8], size: Size, map: &Affine, out: Size) -> Vec<u8> {
    let mut picture = vec![0; out.width * out.height * 3];
    let view = RgbView::new(pixels, size.width, size.height);
    warp_rgb(&view, map, &mut picture, out, BORDER).unwrap();
    picture
}

/// The definition of `Warper::warp_rgb` without shrinking, in floating point.
fn bilinear(pixels: &[u8], size: Size, at: Point) -> [f64; 3] {
    let (x, y) = (f64::from(at.x) - 0.5, f64::from(at.y) - 0.5);
    let (x0, y0) = (x.floor(), y.floor());
    let pixel = |x: f64, y: f64, k: usize| {
        let inside = x >= 0.0 && y >= 0.0 && x < size.width as f64 && y < size.height as f64;
        let index = || (y as usize * size.width + x as usize) * 3 + k;
        f64::from(if inside { pixels[index()] } else { BORDER[k] })
    };
    let (fx, fy) = (x - x0, y - y0);
    std::array::from_fn(|k| {
        let top = pixel(x0, y0, k) * (1.0 - fx) + pixel(x0 + 1.0, y0, k) * fx;
        let bottom = pixel(x0, y0 + 1.0, k) * (1.0 - fx) + pixel(x0 + 1.0, y0 + 1.0, k) * fx;
        top * (1.0 - fy) + bottom * fy
    })
}

#[test]
fn identity_translation_mirror_and_quarter_turn_copy_exactly() {
    let pixels = noise(W, H);
    let size = Size::new(W, H);
    assert_eq!(warp(&pixels, size, &Affine::identity(), size), pixels);
    let at = |x: usize, y: usize| &pixels[(y * W + x) * 3..][..3];

    let part = warp(
        &pixels,
        size,
        &Affine::translation(10.0, 20.0),
        Size::new(30, 25),
    );
    let mirrored = warp(
        &pixels,
        size,
        &Affine {
            m: [-1.0, 0.0, W as f32, 0.0, 1.0, 0.0],
        },
        size,
    );
    let turn = Affine {
        m: [0.0, 1.0, 0.0, -1.0, 0.0, H as f32],
    };
    let turned = warp(&pixels, size, &turn, Size::new(H, W));
    for y in 0..25 {
        for x in 0..30 {
            assert_eq!(&part[(y * 30 + x) * 3..][..3], at(x + 10, y + 20));
            assert_eq!(&mirrored[(y * W + x) * 3..][..3], at(W - 1 - x, y));
            assert_eq!(&turned[(y * H + x) * 3..][..3], at(y, H - 1 - x));
        }
    }
    // The crop that is the whole frame is the identity, through all its arithmetic.
    let crop = Crop::letterbox(size, size);
    assert_eq!(warp(&pixels, size, &crop.to_frame(size), size), pixels);
}

#[test]
fn agrees_with_the_definition_inside_across_the_edge_and_outside() {
    let pixels = noise(W, H);
    let size = Size::new(W, H);
    let out = Size::new(64, 48);
    for (rotation, side, flip) in [
        (0.3, 90.0, false),
        (-2.0, 120.0, true),
        (0.0, 33.3, true),
        (1.0, 15.0, false),
    ] {
        for center in [
            Point::new(50.2, 33.7),
            Point::new(2.0, 70.0),
            Point::new(300.0, 40.0),
        ] {
            let crop = Crop {
                center,
                width: side,
                height: side * 0.75,
                rotation,
                flip,
            };
            let map = crop.to_frame(out);
            let found = warp(&pixels, size, &map, out);
            for y in 0..out.height {
                for x in 0..out.width {
                    let p = map.apply(Point::new(x as f32 + 0.5, y as f32 + 0.5));
                    let expected = bilinear(&pixels, size, p);
                    for k in 0..3 {
                        let value = f64::from(found[(y * out.width + x) * 3 + k]);
                        // Rounding, and a position that is exact to 1/512 pixel on each axis.
                        let tolerance = 0.5 + 255.0 * 2.0 / 512.0 + 0.1;
                        assert!((value - expected[k]).abs() < tolerance, "{crop:?} {x} {y}");
                    }
                }
            }
        }
    }
}

/// The centre of brightness of a spot of light goes where the map says.
#[test]
fn a_bright_spot_lands_where_the_map_says() {
    let (width, height) = (400, 300);
    let mut seed = 1u64;
    let mut unit = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f32 / (1u64 << 24) as f32
    };
    let (mut bias, mut count) = ([0.0f64; 2], 0);
    let mut warper = Warper::new();
    for _ in 0..300 {
        let spot = Point::new(150.0 + 100.0 * unit(), 100.0 + 100.0 * unit());
        let side = 60.0 + 600.0 * unit();
        let input = Size::square(96);
        let shrink = side / 96.0;
        // Broad enough to be seen in the output.
        let radius = 2.5 * shrink.max(1.0);
        let mut pixels = vec![0u8; width * height * 3];
        for y in 0..height {
            for x in 0..width {
                let p = Point::new(x as f32 + 0.5, y as f32 + 0.5);
                let d = p.distance(spot) / radius;
                let value = (250.0 * (-0.5 * d * d).exp()).round() as u8;
                pixels[(y * width + x) * 3..][..3].fill(value);
            }
        }
        let crop = Crop {
            center: Point::new(
                spot.x + (unit() - 0.5) * 0.5 * side,
                spot.y + (unit() - 0.5) * 0.5 * side,
            ),
            width: side,
            height: side,
            rotation: 6.3 * unit(),
            flip: unit() < 0.5,
        };
        let mut out = vec![0; 96 * 96 * 3];
        let view = RgbView::new(&pixels, width, height);
        warper
            .warp_rgb(&view, &crop.to_frame(input), &mut out, input, [0; 3])
            .unwrap();
        let expected = crop.to_input(input).apply(spot);
        let (mut sum, mut x_sum, mut y_sum) = (0.0, 0.0, 0.0);
        for (i, pixel) in out.chunks_exact(3).enumerate() {
            let value = f64::from(pixel[0]);
            sum += value;
            x_sum += value * ((i % 96) as f64 + 0.5);
            y_sum += value * ((i / 96) as f64 + 0.5);
        }
        // Part of the spot may lie outside the view: then its centre says nothing.
        let margin = 4.0 * radius / shrink;
        if expected.x < margin
            || expected.y < margin
            || expected.x > 96.0 - margin
            || expected.y > 96.0 - margin
        {
            continue;
        }
        let error = [
            x_sum / sum - f64::from(expected.x),
            y_sum / sum - f64::from(expected.y),
        ];
        assert!(error[0].hypot(error[1]) < 0.1, "{crop:?}: {error:?}");
        bias[0] += error[0];
        bias[1] += error[1];
        count += 1;
    }
    assert!(count > 100, "{count} spots");
    let bias = bias.map(|b| b / f64::from(count));
    println!("{count} spots, bias {bias:?} pixels");
    assert!(bias[0].abs() < 0.02 && bias[1].abs() < 0.02, "{bias:?}");
}

/// The mean over the output pixel's footprint, by 16 × 16 samples of the frame's pixels.
fn supersample(pixels: &[u8], size: Size, map: &Affine, x: usize, y: usize) -> [f64; 3] {
    let mut sum = [0.0; 3];
    for j in 0..16 {
        for i in 0..16 {
            let p = map.apply(Point::new(
                x as f32 + (i as f32 + 0.5) / 16.0,
                y as f32 + (j as f32 + 0.5) / 16.0,
            ));
            let inside =
                p.x >= 0.0 && p.y >= 0.0 && p.x < size.width as f32 && p.y < size.height as f32;
            for k in 0..3 {
                let value = if inside {
                    pixels[(p.y as usize * size.width + p.x as usize) * 3 + k]
                } else {
                    BORDER[k]
                };
                sum[k] += f64::from(value) / 256.0;
            }
        }
    }
    sum
}

#[test]
fn shrinking_averages_areas() {
    let frame = Size::new(640, 480);
    let out = Size::new(96, 72);
    let upright = |shrink: f32| Crop {
        center: Point::new(300.0, 250.0),
        width: 96.0 * shrink,
        height: 72.0 * shrink,
        rotation: 0.0,
        flip: false,
    };
    for shrink in [2.5f32, 3.33, 4.0, 5.7, 8.0] {
        for (rotation, flip) in [(0.0, false), (0.4, true)] {
            let crop = Crop {
                rotation,
                flip,
                ..upright(shrink)
            };
            let map = crop.to_frame(out);
            // Waves that the output can show, and noise that it cannot.
            let broad = waves(frame.width, frame.height, f64::from(shrink) * 10.0);
            let fine = noise(frame.width, frame.height);
            for (name, pixels, typical, worst) in
                [("waves", &broad, 1.0, 4.0), ("noise", &fine, 10.0, 60.0)]
            {
                let found = warp(pixels, frame, &map, out);
                let (mut sum, mut inside, mut at_edge) = (0.0f64, 0.0f64, 0.0f64);
                for y in 0..out.height {
                    for x in 0..out.width {
                        let expected = supersample(pixels, frame, &map, x, y);
                        let p = map.apply(Point::new(x as f32 + 0.5, y as f32 + 0.5));
                        let to_edge = (p.x.min(frame.width as f32 - p.x))
                            .min(p.y.min(frame.height as f32 - p.y));
                        for k in 0..3 {
                            let value = f64::from(found[(y * out.width + x) * 3 + k]);
                            let d = (value - expected[k]).abs();
                            sum += d;
                            let largest = if to_edge.abs() > 2.0 * shrink {
                                &mut inside
                            } else {
                                &mut at_edge
                            };
                            *largest = largest.max(d);
                        }
                    }
                }
                let mean = sum / (out.width * out.height * 3) as f64;
                println!("{shrink} {rotation} {name}: {mean:.2}, {inside:.1}, edge {at_edge:.1}");
                assert!(
                    mean < typical && inside < worst,
                    "{shrink} {rotation} {name}"
                );
                // The frame's edge is a hard step, blended over a block at most.
                assert!(at_edge < 70.0, "{shrink} {rotation} {name} at the edge");
            }
        }
    }
}

/// One colour stays that colour, whatever the blocks and their divisions.
#[test]
fn shrinking_keeps_a_plain_colour() {
    let size = Size::new(300, 200);
    for color in [[0, 1, 2], [127, 128, 129], [253, 254, 255]] {
        let pixels: Vec<u8> = color.iter().copied().cycle().take(300 * 200 * 3).collect();
        for shrink in [1.0f32, 2.0, 2.2, 5.0, 7.3, 11.0, 19.0] {
            let out = Size::new((200.0 / shrink) as usize, (120.0 / shrink) as usize);
            let map = Affine {
                m: [shrink, 0.0, 40.0, 0.0, shrink, 40.0],
            };
            let found = warp(&pixels, size, &map, out);
            assert!(
                found.chunks_exact(3).all(|p| p == color),
                "{color:?} at {shrink}"
            );
        }
    }
}

#[test]
fn a_row_of_padding_bytes_is_not_seen() {
    let pixels = noise(20, 10);
    let mut padded = Vec::new();
    for row in pixels.chunks_exact(60) {
        padded.extend_from_slice(row);
        padded.extend_from_slice(&[9; 4]);
    }
    padded.truncate(padded.len() - 4);
    let view = RgbView {
        data: &padded,
        width: 20,
        height: 10,
        stride_bytes: 64,
    };
    let mut out = vec![0; 20 * 10 * 3];
    warp_rgb(
        &view,
        &Affine::identity(),
        &mut out,
        Size::new(20, 10),
        BORDER,
    )
    .unwrap();
    assert_eq!(out, pixels);
}

#[test]
fn odd_sizes_and_maps_do_no_harm() {
    let size = Size::square(1);
    let grey = warp(
        &[200, 100, 50],
        size,
        &Affine::translation(5.0, 0.0),
        Size::new(3, 2),
    );
    assert!(grey.chunks_exact(3).all(|p| p == BORDER));
    // A 1×1 photo fills its own pixel.
    assert_eq!(
        warp(&[200, 100, 50], size, &Affine::identity(), size),
        [200, 100, 50]
    );
    let none = warp(&[], Size::new(0, 0), &Affine::identity(), Size::new(2, 2));
    assert!(none.chunks_exact(3).all(|p| p == BORDER));
    assert!(
        warp(
            &noise(8, 8),
            Size::square(8),
            &Affine::identity(),
            Size::new(0, 5)
        )
        .is_empty()
    );
    let frame = noise(50, 40);
    for m in [
        [f32::NAN; 6],
        [f32::INFINITY, 0.0, 0.0, 0.0, 1.0, 0.0],
        [0.0; 6],
        [1e8, 3.0, -1e8, 5.0, 1e8, 7.0],
        [-1e8, 1e8, 1e8, 1e-30, 1e8, -9e8],
        [600.0, 0.0, -3000.0, 0.0, 0.01, 3.0],
    ] {
        warp(&frame, Size::new(50, 40), &Affine { m }, Size::new(31, 17));
    }
}

#[test]
fn wrong_lengths_are_errors() {
    let pixels = vec![0; 29];
    let mut out = vec![0; 12];
    let frame = RgbView::new(&pixels, 5, 2);
    let found = warp_rgb(
        &frame,
        &Affine::identity(),
        &mut out,
        Size::square(2),
        BORDER,
    );
    assert_eq!(
        found.unwrap_err().to_string(),
        "frame: expected 2 rows of 5 × 3 bytes, 15 bytes apart, found 29 bytes"
    );
    let frame = RgbView::new(&pixels, 3, 3);
    let found = warp_rgb(
        &frame,
        &Affine::identity(),
        &mut out,
        Size::square(3),
        BORDER,
    );
    assert_eq!(
        found,
        Err(WarpError::Output {
            width: 3,
            height: 3,
            found: 12
        })
    );
}
