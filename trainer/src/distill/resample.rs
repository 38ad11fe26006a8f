//! Maps at another size.

/// Channels-last maps at another size, bilinear between the centres of cells.
pub(super) fn resample(
    maps: &[f32],
    (height, width): (usize, usize),
    (to_height, to_width): (usize, usize),
    channels: usize,
) -> Vec<f32> {
    if (height, width) == (to_height, to_width) {
        return maps.to_vec();
    }
    // Per row or column of the result: the two of the source, and the share of the second.
    let taps = |from: usize, to: usize| -> Vec<(usize, usize, f32)> {
        (0..to)
            .map(|i| {
                let at = (i as f32 + 0.5) * from as f32 / to as f32 - 0.5;
                let at = at.clamp(0.0, (from - 1) as f32);
                let first = at as usize;
                (first, (first + 1).min(from - 1), at - first as f32)
            })
            .collect()
    };
    let (rows, columns) = (taps(height, to_height), taps(width, to_width));
    let per_picture = height * width * channels;
    let mut result = Vec::with_capacity(maps.len() / per_picture * to_height * to_width * channels);
    for picture in maps.chunks_exact(per_picture) {
        let cell = |row: usize, column: usize| {
            let start = (row * width + column) * channels;
            &picture[start..start + channels]
        };
        for &(top, bottom, v) in &rows {
            for &(left, right, h) in &columns {
                let (a, b) = (cell(top, left), cell(top, right));
                let (c, d) = (cell(bottom, left), cell(bottom, right));
                result.extend((0..channels).map(|k| {
                    let upper = a[k] + h * (b[k] - a[k]);
                    let lower = c[k] + h * (d[k] - c[k]);
                    upper + v * (lower - upper)
                }));
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bilinear means: planes stay planes, away from the border where the outermost cells go on.
    #[test]
    fn resizing_keeps_planes() {
        let plane = |height: usize, width: usize| -> Vec<f32> {
            (0..height * width)
                .flat_map(|i| {
                    // Continuous coordinates in units of the whole map.
                    let y = ((i / width) as f32 + 0.5) / height as f32;
                    let x = ((i % width) as f32 + 0.5) / width as f32;
                    [2.0 * x - y, 3.0 * y]
                })
                .collect()
        };
        for (from, to) in [((12, 16), (9, 12)), ((9, 12), (12, 16)), ((8, 8), (16, 16))] {
            let found = resample(&plane(from.0, from.1), from, to, 2);
            let expected = plane(to.0, to.1);
            assert_eq!(found.len(), expected.len());
            for (cell, (f, e)) in found
                .chunks_exact(2)
                .zip(expected.chunks_exact(2))
                .enumerate()
            {
                let (row, column) = (cell / to.1, cell % to.1);
                if row > 0 && row + 1 < to.0 && column > 0 && column + 1 < to.1 {
                    let worst = (f[0] - e[0]).abs().max((f[1] - e[1]).abs());
                    assert!(worst < 1e-5, "{from:?} {to:?} {row} {column}");
                }
            }
        }
    }
}
