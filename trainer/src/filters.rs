//! Filters over a whole RGB picture: blur, sharpness, adaptive histogram equalization.

use pose::Size;

/// Blurs with a Gaussian of deviation `sigma` pixels, cut at three deviations; the border's
/// pixels go on outside.
pub(crate) fn gaussian_blur(pixels: &mut [u8], size: Size, sigma: f32) {
    let radius = (3.0 * sigma).ceil() as usize;
    let weight = |d: usize| (-0.5 * (d as f32 / sigma).powi(2)).exp();
    let total = 1.0 + 2.0 * (1..=radius).map(weight).sum::<f32>();
    let kernel: Vec<f32> = (0..=radius).map(|d| weight(d) / total).collect();
    let row_len = size.width * 3;
    // Rows first, into f32 with `radius` pixels of border on both sides.
    let mut padded = vec![0.0f32; row_len + 6 * radius];
    let mut rows = vec![0.0f32; pixels.len()];
    for (from, to) in pixels
        .chunks_exact(row_len)
        .zip(rows.chunks_exact_mut(row_len))
    {
        for (x, pixel) in padded.chunks_exact_mut(3).enumerate() {
            let x = x.saturating_sub(radius).min(size.width - 1);
            for (to, from) in pixel.iter_mut().zip(&from[x * 3..]) {
                *to = f32::from(*from);
            }
        }
        let middle = 3 * radius;
        for (to, from) in to.iter_mut().zip(&padded[middle..]) {
            *to = kernel[0] * from;
        }
        for (d, weight) in kernel.iter().enumerate().skip(1) {
            let sides = padded[middle - 3 * d..]
                .iter()
                .zip(&padded[middle + 3 * d..]);
            for (to, (left, right)) in to.iter_mut().zip(sides) {
                *to += weight * (left + right);
            }
        }
    }
    let row = |y: usize| &rows[y * row_len..(y + 1) * row_len];
    let mut sum = vec![0.0f32; row_len];
    for (y, to) in pixels.chunks_exact_mut(row_len).enumerate() {
        for (sum, from) in sum.iter_mut().zip(row(y)) {
            *sum = kernel[0] * from;
        }
        for (d, weight) in kernel.iter().enumerate().skip(1) {
            let (above, below) = (y.saturating_sub(d), (y + d).min(size.height - 1));
            for (sum, (above, below)) in sum.iter_mut().zip(row(above).iter().zip(row(below))) {
                *sum += weight * (above + below);
            }
        }
        for (to, sum) in to.iter_mut().zip(&sum) {
            *to = (sum + 0.5) as u8;
        }
    }
}

/// Moves every pixel away from (factor above 1) or towards (below 1) a smoothed picture: the mean
/// over 3×3 pixels in which the middle one counts five times. Factor 0 is the smoothed picture;
/// the outermost pixels stay. (Pillow's `ImageEnhance.Sharpness`.)
pub(crate) fn sharpen(pixels: &mut [u8], size: Size, factor: f32) {
    let original = pixels.to_vec();
    let row_len = size.width * 3;
    for y in 1..size.height.saturating_sub(1) {
        let row = |y: usize| &original[y * row_len..(y + 1) * row_len];
        let rows = [row(y - 1), row(y), row(y + 1)];
        let to = &mut pixels[y * row_len..(y + 1) * row_len];
        for i in 3..row_len - 3 {
            let middle = u32::from(rows[1][i]);
            let sum: u32 = rows
                .iter()
                .map(|row| u32::from(row[i - 3]) + u32::from(row[i]) + u32::from(row[i + 3]))
                .sum();
            // The smoothed picture is one of whole numbers.
            let smooth = ((sum + 4 * middle) as f32 / 13.0 + 0.5).floor();
            let value = smooth + factor * (middle as f32 - smooth);
            to[i] = value.clamp(0.0, 255.0) as u8;
        }
    }
}

/// Rows and columns of tiles of [`equalize`].
const TILES: usize = 8;
/// A bin of a tile's histogram holds at most so many times the mean bin.
const CLIP: f32 = 2.0;

/// Contrast-limited adaptive histogram equalization (Zuiderveld 1994) of the brightness, as OpenCV
/// does it with clip limit 2 and 8×8 tiles; the colour differences stay. Does nothing unless the
/// picture divides into the tiles.
pub(crate) fn equalize(pixels: &mut [u8], size: Size) {
    let Size { width, height } = size;
    if width == 0 || height == 0 || width % TILES != 0 || height % TILES != 0 {
        return;
    }
    let luma: Vec<u8> = pixels.chunks_exact(3).map(brightness).collect();
    let (tile_width, tile_height) = (width / TILES, height / TILES);
    let mut tables = Vec::with_capacity(TILES * TILES);
    for tile in 0..TILES * TILES {
        let (left, top) = (tile % TILES * tile_width, tile / TILES * tile_height);
        let mut histogram = [0u32; 256];
        for row in luma.chunks_exact(width).skip(top).take(tile_height) {
            for &value in &row[left..left + tile_width] {
                histogram[usize::from(value)] += 1;
            }
        }
        tables.push(lookup_table(histogram, (tile_width * tile_height) as u32));
    }
    // Between the tiles' centres the tables are blended; OpenCV takes a pixel's corner for it.
    let place = |at: usize, tile: usize| {
        let position = at as f32 / tile as f32 - 0.5;
        let low = position.floor();
        let share = position - low;
        let last = (TILES - 1) as f32;
        (low.max(0.0) as usize, (low + 1.0).min(last) as usize, share)
    };
    let columns: Vec<_> = (0..width).map(|x| place(x, tile_width)).collect();
    for (y, (row, luma)) in pixels
        .chunks_exact_mut(width * 3)
        .zip(luma.chunks_exact(width))
        .enumerate()
    {
        let (above, below, down) = place(y, tile_height);
        for ((pixel, &value), &(left, right, across)) in
            row.chunks_exact_mut(3).zip(luma).zip(&columns)
        {
            let at = |row: usize, column: usize| {
                f32::from(tables[row * TILES + column][usize::from(value)])
            };
            let upper = at(above, left) * (1.0 - across) + at(above, right) * across;
            let lower = at(below, left) * (1.0 - across) + at(below, right) * across;
            let equalized = (upper * (1.0 - down) + lower * down).round();
            let difference = equalized as i32 - i32::from(value);
            for channel in pixel {
                *channel = (i32::from(*channel) + difference).clamp(0, 255) as u8;
            }
        }
    }
}

/// ITU-R BT.601, rounded.
fn brightness(pixel: &[u8]) -> u8 {
    let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
    (0.299 * r + 0.587 * g + 0.114 * b + 0.5) as u8
}

/// The equalizing table of one tile: its cumulated histogram, after what is above the limit has
/// been spread over all bins.
fn lookup_table(mut histogram: [u32; 256], area: u32) -> [u8; 256] {
    let limit = ((CLIP * area as f32 / 256.0) as u32).max(1);
    let mut excess = 0;
    for count in &mut histogram {
        excess += count.saturating_sub(limit);
        *count = (*count).min(limit);
    }
    let (each, rest) = (excess / 256, excess % 256);
    histogram.iter_mut().for_each(|count| *count += each);
    if let Some(step) = 256u32.checked_div(rest) {
        let step = step.max(1) as usize;
        for count in histogram.iter_mut().step_by(step).take(rest as usize) {
            *count += 1;
        }
    }
    let scale = 255.0 / area as f32;
    let mut sum = 0;
    histogram.map(|count| {
        sum += count;
        (sum as f32 * scale).round().min(255.0) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(64, 48);

    fn picture(value: impl Fn(usize, usize, usize) -> usize) -> Vec<u8> {
        let mut pixels = Vec::with_capacity(SIZE.width * SIZE.height * 3);
        for y in 0..SIZE.height {
            for x in 0..SIZE.width {
                pixels.extend([0, 1, 2].map(|channel| value(channel, x, y) as u8));
            }
        }
        pixels
    }

    fn pattern() -> Vec<u8> {
        picture(|c, x, y| 40 + (x * 5 + y * 3 + c * 17) % 97 + x * y % 23 * 3)
    }

    const PLACES: [(usize, usize); 10] = [
        (0, 0),
        (1, 1),
        (5, 7),
        (31, 20),
        (32, 24),
        (40, 11),
        (63, 47),
        (62, 3),
        (17, 46),
        (50, 33),
    ];

    fn check(pixels: &[u8], expected: [[u8; 3]; 10], tolerance: u8) {
        for ((x, y), expected) in PLACES.iter().zip(expected) {
            let at = (y * SIZE.width + x) * 3;
            for (found, expected) in pixels[at..at + 3].iter().zip(expected) {
                let difference = found.abs_diff(expected);
                assert!(
                    difference <= tolerance,
                    "({x}, {y}): {found} for {expected}"
                );
            }
        }
    }

    /// Values of OpenCV 5.0's GaussianBlur with a window of three deviations and replicated
    /// border.
    #[test]
    fn blurs_as_opencv_does() {
        let mut pixels = pattern();
        gaussian_blur(&mut pixels, SIZE, 0.6);
        let expected = [
            [41, 58, 75],
            [51, 68, 85],
            [120, 137, 154],
            [108, 125, 142],
            [105, 122, 139],
            [107, 124, 141],
            [149, 166, 89],
            [93, 110, 127],
            [81, 98, 115],
            [139, 156, 160],
        ];
        check(&pixels, expected, 1);
        let mut pixels = pattern();
        gaussian_blur(&mut pixels, SIZE, 1.5);
        let expected = [
            [46, 63, 80],
            [54, 71, 88],
            [119, 136, 150],
            [95, 112, 129],
            [106, 123, 140],
            [114, 131, 147],
            [139, 156, 107],
            [102, 119, 136],
            [97, 114, 131],
            [133, 150, 137],
        ];
        check(&pixels, expected, 1);
    }

    /// Values of Pillow 13.0's ImageEnhance.Sharpness.
    #[test]
    fn sharpens_as_pillow_does() {
        let soft = [
            [40, 57, 74],
            [51, 68, 85],
            [117, 134, 151],
            [106, 123, 140],
            [105, 122, 139],
            [109, 126, 143],
            [159, 176, 96],
            [95, 112, 129],
            [85, 102, 119],
            [138, 155, 157],
        ];
        let sharp = [
            [40, 57, 74],
            [51, 68, 85],
            [127, 144, 161],
            [148, 165, 182],
            [105, 122, 139],
            [67, 84, 101],
            [159, 176, 96],
            [53, 70, 87],
            [53, 70, 87],
            [160, 177, 209],
        ];
        for (factor, expected) in [(0.0, soft), (2.0, sharp)] {
            let mut pixels = pattern();
            sharpen(&mut pixels, SIZE, factor);
            check(&pixels, expected, 0);
        }
    }

    /// Values of OpenCV 5.0's CLAHE with clip limit 2 and 8×8 tiles.
    #[test]
    fn equalizes_as_opencv_does() {
        let mut pixels = picture(|_, x, y| 90 + (x + y) % 40 / 2 + x * y % 7);
        equalize(&mut pixels, SIZE);
        let expected = [90, 101, 105, 126, 137, 130, 133, 143, 136, 109].map(|v| [v; 3]);
        check(&pixels, expected, 0);
    }

    #[test]
    fn equalizing_keeps_colour_differences() {
        let mut pixels = picture(|c, x, y| 80 + c * 10 + (x + 2 * y) % 30);
        let before = pixels.clone();
        equalize(&mut pixels, SIZE);
        assert_ne!(pixels, before);
        for (pixel, before) in pixels.chunks_exact(3).zip(before.chunks_exact(3)) {
            for channel in 1..3 {
                let difference = |p: &[u8]| i32::from(p[channel]) - i32::from(p[0]);
                assert_eq!(difference(pixel), difference(before));
            }
        }
        // A size that does not divide into the tiles is left alone.
        let mut small = before[..30].to_vec();
        equalize(&mut small, Size::new(5, 2));
        assert_eq!(small, before[..30]);
    }
}
