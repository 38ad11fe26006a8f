//! How long the work around the network takes on one core:
//! `cargo run --release -p pose --example speed`

use pose::{
    Affine, BORDER, Crop, Decoder, Decoding, Heatmaps, Layout, Point, Pose, RgbView, Size, Warper,
    gaussian_target,
};
use std::hint::black_box;
use std::time::Instant;

/// Prints the median time of many runs of `work`.
fn measure(what: &str, mut work: impl FnMut()) {
    let mut times: Vec<f64> = (0..200)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what:<50} {:>8.0} µs", times[times.len() / 2]);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let frame = Size::new(640, 480);
    let input = Size::square(192);
    let pixels: Vec<u8> = (0..frame.width * frame.height * 3)
        .map(|i| (i * 31 % 251) as u8)
        .collect();
    let view = RgbView::new(&pixels, frame.width, frame.height);
    let mut out = vec![0; input.width * input.height * 3];
    let mut warper = Warper::new();
    let upright = |side| Crop::square(Point::new(320.0, 240.0), side);
    let crops = [
        (
            "warp, whole 640×480 to 192×192",
            Crop::letterbox(frame, input),
        ),
        ("warp, 300 px to 192×192", upright(300.0)),
        (
            "warp, 300 px turned by 20°",
            Crop {
                rotation: 0.35,
                ..upright(300.0)
            },
        ),
        (
            "warp, 450 px turned by 20°, mirrored",
            Crop {
                rotation: 0.35,
                flip: true,
                ..upright(450.0)
            },
        ),
    ];
    for (what, crop) in crops {
        let to_frame = crop.to_frame(input);
        warper.warp_rgb(&view, &to_frame, &mut out, input, BORDER)?;
        measure(what, || {
            let done = warper.warp_rgb(&view, black_box(&to_frame), &mut out, input, BORDER);
            black_box(done.is_ok());
        });
    }
    let mut maps = vec![0.0; 16 * 48 * 48];
    for (k, map) in maps.chunks_exact_mut(48 * 48).enumerate() {
        gaussian_target(map, 48, 48, Point::new(5.3 + 2.5 * k as f32, 40.2), 1.5);
    }
    for (what, layout) in [("NCHW", Layout::Nchw), ("NHWC", Layout::Nhwc)] {
        let maps = Heatmaps::new(&maps, 16, 48, 48, layout)?;
        let mut decoder = Decoder::new(Decoding::Dark);
        let mut pose = Pose::default();
        measure(
            &format!("decode (Dark) of 16 maps of 48×48, {what}"),
            || {
                decoder.decode_into(black_box(&maps), &Affine::identity(), &mut pose);
            },
        );
    }
    measure("16 targets of 48×48", || {
        for map in maps.chunks_exact_mut(48 * 48) {
            gaussian_target(map, 48, 48, black_box(Point::new(20.3, 17.8)), 1.5);
        }
    });
    Ok(())
}
