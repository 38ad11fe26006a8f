//! From heatmaps to a pose.

use crate::geometry::{Affine, Point};
use crate::pose::{Keypoint, Pose};
use crate::subpixel;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The order of a heatmap tensor's axes; the batch axis is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `[keypoints, height, width]`: one whole map after the other.
    Nchw,
    /// `[height, width, keypoints]`: all keypoints of a cell side by side.
    Nhwc,
}

/// How the position is read off a heatmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decoding {
    /// The centre of the cell with the highest value.
    Argmax,
    /// A quarter of a cell from there towards the higher neighbour, on each axis.
    QuarterOffset,
    /// The maximum of the parabola through the logarithm of the smoothed map around that cell
    /// (Zhang et al., "Distribution-Aware Coordinate Representation for Human Pose Estimation",
    /// CVPR 2020, eq. 2–8): exact for a Gaussian.
    ///
    /// The smoothing window shrinks where it would leave the map. In the outermost row or column
    /// there is no neighbour on one side: the axis across the border keeps the cell's centre, the
    /// other gets the quarter offset; so does a peak that is no hill.
    Dark,
}

/// A heatmap tensor that does not have the size it should have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeatmapError {
    /// The number of values is not keypoints × height × width.
    #[error(
        "{what}: expected {keypoints} keypoints × {height} × {width} = {} values, found {found}",
        keypoints.saturating_mul(*height).saturating_mul(*width)
    )]
    Length {
        /// Which tensor.
        what: &'static str,
        /// Maps.
        keypoints: usize,
        /// Rows of a map.
        height: usize,
        /// Cells in a row.
        width: usize,
        /// Values found.
        found: usize,
    },
    /// The mirror permutation does not name every keypoint's partner.
    #[error(
        "mirror permutation: expected {keypoints} indices below {keypoints}, found {found} with the largest {largest}"
    )]
    Permutation {
        /// Keypoints in the maps.
        keypoints: usize,
        /// Indices found.
        found: usize,
        /// The largest of them.
        largest: usize,
    },
}

/// The heatmaps of one picture.
#[derive(Clone, Copy, Debug)]
pub struct Heatmaps<'a> {
    data: &'a [f32],
    keypoints: usize,
    height: usize,
    width: usize,
    layout: Layout,
}

impl<'a> Heatmaps<'a> {
    /// Looks at `data` as `keypoints` maps of `height` × `width` cells.
    ///
    /// # Errors
    /// When the number of values is another, or there is no cell.
    pub fn new(
        data: &'a [f32],
        keypoints: usize,
        height: usize,
        width: usize,
        layout: Layout,
    ) -> Result<Self, HeatmapError> {
        let cells = height.checked_mul(width).filter(|&cells| cells > 0);
        if cells.and_then(|c| c.checked_mul(keypoints)) != Some(data.len()) {
            return Err(HeatmapError::Length {
                what: "heatmaps",
                keypoints,
                height,
                width,
                found: data.len(),
            });
        }
        Ok(Self {
            data,
            keypoints,
            height,
            width,
            layout,
        })
    }

    /// The number of maps.
    pub fn keypoints(&self) -> usize {
        self.keypoints
    }

    /// Rows of a map.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Cells in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The value of one cell; 0 outside.
    pub fn at(&self, keypoint: usize, y: usize, x: usize) -> f32 {
        if keypoint >= self.keypoints || y >= self.height || x >= self.width {
            return 0.0;
        }
        let index = match self.layout {
            Layout::Nchw => (keypoint * self.height + y) * self.width + x,
            Layout::Nhwc => (y * self.width + x) * self.keypoints + keypoint,
        };
        self.data[index]
    }
}

/// The highest value of a map and the index of its cell; the first one of several.
#[derive(Clone, Copy, Debug)]
struct Peak {
    value: f32,
    cell: usize,
}

/// Turns heatmaps into poses, frame after frame without allocating.
#[derive(Clone, Debug)]
pub struct Decoder {
    decoding: Decoding,
    peaks: Vec<Peak>,
}

impl Decoder {
    /// A decoder of this kind.
    pub fn new(decoding: Decoding) -> Self {
        Self {
            decoding,
            peaks: Vec::new(),
        }
    }

    /// Writes the keypoints of `maps` into `pose`, with as many keypoints as there are maps.
    ///
    /// `cells_to_frame` maps continuous cell coordinates (the centre of cell i is i + 0.5) to the
    /// frame: see [`Crop::cells_to_frame`](crate::Crop::cells_to_frame). Confidences are the
    /// peaks' values, brought into 0..=1.
    pub fn decode_into(&mut self, maps: &Heatmaps<'_>, cells_to_frame: &Affine, pose: &mut Pose) {
        find_peaks(maps, &mut self.peaks);
        pose.keypoints.clear();
        for (keypoint, peak) in self.peaks.iter().enumerate() {
            let (x, y) = (peak.cell % maps.width, peak.cell / maps.width);
            let (dx, dy) = match self.decoding {
                Decoding::Argmax => (0.0, 0.0),
                Decoding::QuarterOffset => subpixel::quarter_offset(maps, keypoint, y, x),
                Decoding::Dark => subpixel::taylor_step(maps, keypoint, y, x),
            };
            let cell = Point::new(x as f32 + 0.5 + dx, y as f32 + 0.5 + dy);
            let at = cells_to_frame.apply(cell);
            pose.keypoints.push(Keypoint::new(at.x, at.y, peak.value));
        }
        pose.update_confidence();
    }
}

/// The pose in `maps`. [`Decoder::decode_into`] says more, and does not allocate.
pub fn decode(maps: &Heatmaps<'_>, decoding: Decoding, cells_to_frame: &Affine) -> Pose {
    let mut pose = Pose::default();
    Decoder::new(decoding).decode_into(maps, cells_to_frame, &mut pose);
    pose
}

/// Finds every map's peak. Cells that are not numbers never win.
fn find_peaks(maps: &Heatmaps<'_>, peaks: &mut Vec<Peak>) {
    peaks.clear();
    match maps.layout {
        Layout::Nchw => {
            peaks.extend(
                maps.data
                    .chunks_exact(maps.height * maps.width)
                    .map(|map| peak_of_map(map, maps.width)),
            );
        }
        Layout::Nhwc => {
            let none = Peak {
                value: f32::NEG_INFINITY,
                cell: 0,
            };
            peaks.resize(maps.keypoints, none);
            if maps.keypoints == 0 {
                return;
            }
            for (cell, values) in maps.data.chunks_exact(maps.keypoints).enumerate() {
                for (peak, &value) in peaks.iter_mut().zip(values) {
                    if value > peak.value {
                        *peak = Peak { value, cell };
                    }
                }
            }
        }
    }
}

/// Looks for the row with the highest value first, eight cells at a time, then for the cell in it.
fn peak_of_map(map: &[f32], width: usize) -> Peak {
    let mut best = f32::NEG_INFINITY;
    let mut best_row = 0;
    for (y, row) in map.chunks_exact(width).enumerate() {
        let mut lanes = [f32::NEG_INFINITY; 8];
        let mut chunks = row.chunks_exact(8);
        for chunk in &mut chunks {
            for (lane, &value) in lanes.iter_mut().zip(chunk) {
                *lane = if value > *lane { value } else { *lane };
            }
        }
        let highest = lanes
            .iter()
            .chain(chunks.remainder())
            .fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
        if highest > best {
            (best, best_row) = (highest, y);
        }
    }
    let start = best_row * width;
    let x = map[start..]
        .iter()
        .position(|&value| value == best)
        .unwrap_or(0);
    Peak {
        value: best,
        cell: start + x,
    }
}

/// Averages the maps of a picture with those of its left-right mirrored copy, in place.
///
/// Both are NCHW with batch 1, `keypoints · height · width` values. Map k of the mirrored copy,
/// mirrored back, belongs to keypoint `permutation[k]`
/// ([`KeypointSet::mirror_permutation`](crate::KeypointSet::mirror_permutation)).
///
/// # Errors
/// When a length is not as said, or the permutation names a keypoint that does not exist.
pub fn merge_flipped(
    maps: &mut [f32],
    mirrored: &[f32],
    keypoints: usize,
    height: usize,
    width: usize,
    permutation: &[usize],
) -> Result<(), HeatmapError> {
    for (what, data) in [("maps", &*maps), ("mirrored maps", mirrored)] {
        Heatmaps::new(data, keypoints, height, width, Layout::Nchw).map_err(|_| {
            HeatmapError::Length {
                what,
                keypoints,
                height,
                width,
                found: data.len(),
            }
        })?;
    }
    let largest = permutation.iter().copied().max().unwrap_or(0);
    if permutation.len() != keypoints || (keypoints > 0 && largest >= keypoints) {
        return Err(HeatmapError::Permutation {
            keypoints,
            found: permutation.len(),
            largest,
        });
    }
    let cells = height * width;
    for (map, &partner) in maps.chunks_exact_mut(cells).zip(permutation) {
        let other = &mirrored[partner * cells..(partner + 1) * cells];
        for (row, other) in map.chunks_exact_mut(width).zip(other.chunks_exact(width)) {
            for (a, b) in row.iter_mut().zip(other.iter().rev()) {
                *a = 0.5 * (*a + b);
            }
        }
    }
    Ok(())
}
