//! Lens, sensor and tone curve.

use crate::noise::hash;
use crate::scene::Finish;
use glam::Vec3;

/// Steps of the table of tones, and the brightest radiance in it.
const CURVE: usize = 4096;
const CURVE_END: f32 = 2.0;

/// Exposure, lens and sensor, sRGB.
pub(super) fn develop(
    mut picture: Vec<Vec3>,
    (width, height): (usize, usize),
    finish: &Finish,
) -> image::RgbImage {
    if finish.blur > 0.15 {
        blur(&mut picture, width, height, finish.blur);
    }
    let curve: Vec<f32> = (0..=CURVE)
        .map(|k| srgb(k as f32 * CURVE_END / CURVE as f32))
        .collect();
    let tone = |x: f32| {
        let place = x.clamp(0.0, CURVE_END) * (CURVE as f32 / CURVE_END);
        let k = (place as usize).min(CURVE - 1);
        curve[k] + (curve[k + 1] - curve[k]) * (place - k as f32)
    };
    let mut image = image::RgbImage::new(width as u32, height as u32);
    let (cx, cy) = (width as f32 * 0.5, height as f32 * 0.5);
    for (k, pixel) in image.pixels_mut().enumerate() {
        let (x, y) = ((k % width) as f32, (k / width) as f32);
        let r2 = ((x - cx) * (x - cx) + (y - cy) * (y - cy)) / (cx * cx + cy * cy);
        let factor = finish.exposure * (1.0 - finish.vignette * r2);
        let color = picture[k] * factor;
        for c in 0..3 {
            // Three uniform numbers make a good enough bell (variance 1/3 each).
            let at = |i: u32| hash(x as i32, y as i32, c as i32, finish.grain ^ i);
            let grain = finish.noise * (at(1) + at(2) + at(3));
            let value = 255.0 * tone(color[c]) + grain;
            pixel.0[c] = (value + 0.5).clamp(0.0, 255.0) as u8;
        }
    }
    image
}

/// Linear light to sRGB's 0..1, with a soft shoulder instead of a hard clip (IEC 61966-2-1).
fn srgb(linear: f32) -> f32 {
    let x = linear.max(0.0);
    let x = if x > 0.7 {
        // Continues with slope 1 and approaches 1.
        1.0 - 0.3 * libm::expf(-(x - 0.7) / 0.3)
    } else {
        x
    };
    if x <= 0.003_130_8 {
        12.92 * x
    } else {
        1.055 * libm::powf(x, 1.0 / 2.4) - 0.055
    }
}

/// Gaussian blur, rows then columns.
fn blur(picture: &mut [Vec3], width: usize, height: usize, sigma: f32) {
    let reach = libm::ceilf(3.0 * sigma) as i32;
    let kernel: Vec<f32> = (-reach..=reach)
        .map(|k| libm::expf(-((k * k) as f32) / (2.0 * sigma * sigma)))
        .collect();
    let total: f32 = kernel.iter().sum();
    for (dx, dy) in [(1, 0), (0, 1)] {
        let source = picture.to_vec();
        for y in 0..height {
            for x in 0..width {
                let mut sum = Vec3::ZERO;
                for (i, weight) in kernel.iter().enumerate() {
                    let k = i as i32 - reach;
                    let sx = (x as i32 + k * dx).clamp(0, width as i32 - 1) as usize;
                    let sy = (y as i32 + k * dy).clamp(0, height as i32 - 1) as usize;
                    sum += source[sy * width + sx] * *weight;
                }
                picture[y * width + x] = sum / total;
            }
        }
    }
}
