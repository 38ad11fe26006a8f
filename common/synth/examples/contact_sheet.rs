//! Draws the scenes of consecutive seeds onto one sheet, with a cross at every keypoint: green is
//! visible, red is hidden.
//!
//! `cargo run --release -p synth --example contact_sheet -- OUT.png [FIRST_SEED [COUNT [SIZE [BODY]]]]`,
//! where BODY is MakeHuman's data folder; without it the built-in figure poses.

use image::{Rgb, RgbImage, imageops};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use synth::{Body, BuiltIn, MakeHuman, SceneOptions, Visibility, render};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let out = args
        .first()
        .ok_or("expected a file to write, such as sheet.png")?;
    let number = |k: usize, otherwise: u64| -> Result<u64, Box<dyn Error>> {
        let parse = |text: &String| {
            let wrong = |_| format!("expected a whole number, found `{text}`");
            text.parse().map_err(wrong)
        };
        Ok(args.get(k).map_or(Ok(otherwise), parse)?)
    };
    let (first, count) = (number(1, 0)?, number(2, 12)?.clamp(1, 400) as u32);
    let size = number(3, 256)?.clamp(16, 2048) as u32;
    let body: Box<dyn Body> = match args.get(4) {
        Some(dir) => Box::new(MakeHuman::load(Path::new(dir))?),
        None => Box::new(BuiltIn),
    };
    let options = SceneOptions {
        width: size as usize,
        height: size as usize,
        ..SceneOptions::default()
    };
    let columns = count.min(6);
    let mut sheet = RgbImage::new(columns * size, count.div_ceil(columns) * size);
    for k in 0..count {
        let sample = render(body.as_ref(), first + u64::from(k), &options);
        let mut picture = sample.image;
        for point in sample.keypoints.iter().flatten() {
            let color = match point.visibility {
                Visibility::Outside => continue,
                Visibility::Occluded => Rgb([255, 0, 0]),
                Visibility::Visible => Rgb([0, 255, 0]),
            };
            for d in -2i64..=2 {
                for (dx, dy) in [(d, 0), (0, d)] {
                    let (x, y) = (point.x as i64 + dx, point.y as i64 + dy);
                    let edge = i64::from(size);
                    if (0..edge).contains(&x) && (0..edge).contains(&y) {
                        picture.put_pixel(x as u32, y as u32, color);
                    }
                }
            }
        }
        let (x, y) = (k % columns * size, k / columns * size);
        imageops::replace(&mut sheet, &picture, x.into(), y.into());
    }
    sheet.save(out)?;
    Ok(())
}
