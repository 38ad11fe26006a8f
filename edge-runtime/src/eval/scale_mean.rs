//! The multi-scale test: heatmaps of crops of several sizes around one centre, brought together.

use pose::Size;

/// Mean of the heatmaps of crops that are `scale` times as large as the one that is asked about.
///
/// ```text
/// for each scale, and each cell (x, y) of the map, with centre c = (x, y) + 0.5:
///     p = middle + (c - middle) / scale          # the same place in the scaled crop's map
///     if p lies in that map: sum[x, y] += bilinear(map, p); seen[x, y] += 1
/// mean = sum / seen
/// ```
///
/// A crop that is smaller than the one asked about says nothing about the cells around it.
#[derive(Debug)]
pub(super) struct ScaleMean {
    size: Size,
    /// `[keypoints, rows, columns]`
    sum: Vec<f32>,
    /// `[rows, columns]`
    seen: Vec<f32>,
}

impl ScaleMean {
    pub(super) fn new(size: Size) -> ScaleMean {
        ScaleMean {
            size,
            sum: Vec::new(),
            seen: vec![0.0; size.width * size.height],
        }
    }

    /// Starts anew with maps of this many keypoints.
    pub(super) fn clear(&mut self, keypoints: usize) {
        self.sum.clear();
        self.sum.resize(keypoints * self.seen.len(), 0.0);
        self.seen.fill(0.0);
    }

    /// Adds the heatmaps `[keypoints, rows, columns]` of a crop `scale` times as large.
    pub(super) fn add(&mut self, maps: &[f32], scale: f32) {
        let columns = taps(self.size.width, scale);
        let rows = taps(self.size.height, scale);
        let width = self.size.width;
        let cells = self.seen.len();
        for (y, row) in rows.iter().enumerate() {
            let Some(row) = row else { continue };
            for (x, column) in columns.iter().enumerate() {
                let Some(column) = column else { continue };
                let at = y * width + x;
                self.seen[at] += 1.0;
                let maps = maps.chunks_exact(cells);
                for (sum, map) in self.sum.chunks_exact_mut(cells).zip(maps) {
                    let along = |y: usize| {
                        let row = &map[y * width..(y + 1) * width];
                        row[column.low] + column.part * (row[column.high] - row[column.low])
                    };
                    let (low, high) = (along(row.low), along(row.high));
                    sum[at] += low + row.part * (high - low);
                }
            }
        }
    }

    /// Appends the mean; 0 where no crop reached.
    pub(super) fn write(&self, maps: &mut Vec<f32>) {
        for sum in self.sum.chunks_exact(self.seen.len()) {
            let means = sum.iter().zip(&self.seen);
            maps.extend(means.map(|(sum, seen)| sum / seen.max(1.0)));
        }
    }
}

/// Between which two cells a place lies, and how far from the first to the second.
#[derive(Clone, Copy, Debug)]
struct Tap {
    low: usize,
    high: usize,
    part: f32,
}

/// Where each of `count` cells lies in the map of a crop `scale` times as large; nothing for those
/// outside.
fn taps(count: usize, scale: f32) -> Vec<Option<Tap>> {
    let middle = count as f32 / 2.0;
    let tap = |cell: usize| {
        let place = middle + (cell as f32 + 0.5 - middle) / scale;
        if !(0.0..=count as f32).contains(&place) {
            return None;
        }
        // From the centres of the first and the last cell to the map's edge, their values hold.
        let index = (place - 0.5).clamp(0.0, (count - 1) as f32);
        let low = index.floor() as usize;
        Some(Tap {
            low,
            high: (low + 1).min(count - 1),
            part: index - low as f32,
        })
    };
    (0..count).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pose::{Affine, Decoding, Heatmaps, Layout, Point, decode, gaussian_target};

    const SIZE: Size = Size::square(48);

    /// Heatmaps of one keypoint that lies at `place` of the crop asked about, as crops of these
    /// scales show it.
    fn mean(place: Point, scales: &[f32]) -> Vec<f32> {
        let mut mean = ScaleMean::new(SIZE);
        mean.clear(1);
        for &scale in scales {
            let at = |v: f32| 24.0 + (v - 24.0) / scale;
            let mut map = vec![0.0; 48 * 48];
            gaussian_target(&mut map, 48, 48, Point::new(at(place.x), at(place.y)), 1.5);
            mean.add(&map, scale);
        }
        let mut maps = Vec::new();
        mean.write(&mut maps);
        maps
    }

    #[test]
    fn the_peak_stays_where_it_is() {
        for place in [(20.3, 31.9), (24.0, 24.0), (6.6, 40.2)] {
            let place = Point::new(place.0, place.1);
            let maps = mean(place, &[0.9, 1.0, 1.1, 1.3]);
            let maps = Heatmaps::new(&maps, 1, 48, 48, Layout::Nchw).unwrap();
            let found = decode(&maps, Decoding::Dark, &Affine::identity()).keypoints[0];
            let off = Point::new(found.x, found.y).distance(place);
            assert!(off < 0.05, "{off} cells off at {place:?}");
        }
    }

    #[test]
    fn one_scale_of_1_changes_nothing() {
        let place = Point::new(11.2, 33.3);
        let mut map = vec![0.0; 48 * 48];
        gaussian_target(&mut map, 48, 48, place, 1.5);
        assert_eq!(mean(place, &[1.0]), map);
    }

    /// A joint near the edge that the smaller crop does not show: the others' word counts in full.
    #[test]
    fn a_crop_that_does_not_reach_does_not_vote() {
        let place = Point::new(2.5, 24.0);
        let peak = |scales: &[f32]| mean(place, scales).into_iter().fold(0.0, f32::max);
        assert!((peak(&[0.8, 1.0]) - peak(&[1.0])).abs() < 1e-6);
    }
}
