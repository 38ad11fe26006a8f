//! Which part of a frame becomes the network's input.

use crate::geometry::{Affine, Point, Rect};
use serde::{Deserialize, Serialize};

/// Width and height in whole pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Size {
    /// The size `width` × `height`.
    pub const fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }

    /// The size `side` × `side`.
    pub const fn square(side: usize) -> Self {
        Self::new(side, side)
    }
}

/// A view of a frame: a rectangle, possibly turned and mirrored, that is stretched over the whole
/// network input. Image and points go through the same map ([`Crop::to_input`]).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crop {
    /// The rectangle's centre in the frame.
    pub center: Point,
    /// Length in frame pixels of the side that becomes the input's width.
    pub width: f32,
    /// Length in frame pixels of the side that becomes the input's height.
    pub height: f32,
    /// By how much the rectangle is turned, in radians, clockwise as seen on the screen. What is
    /// in the frame therefore appears turned counter-clockwise by this angle in the input.
    pub rotation: f32,
    /// Whether the input shows the rectangle's content mirrored left-right.
    pub flip: bool,
}

impl Crop {
    /// A square view with sides parallel to the frame's.
    pub const fn square(center: Point, side: f32) -> Crop {
        Crop {
            center,
            width: side,
            height: side,
            rotation: 0.0,
            flip: false,
        }
    }

    /// The whole frame, centred, with its aspect kept: where the input's aspect differs, the view
    /// reaches over the frame's edges.
    pub fn letterbox(frame: Size, input: Size) -> Crop {
        let whole = Rect::new(0.0, 0.0, frame.width as f32, frame.height as f32);
        Crop::around(whole, 1.0, input)
    }

    /// A view with the input's aspect that holds `rect`'s sides `margin` times (1.25 leaves 12.5 %
    /// of the longer side free on each of its ends). A rectangle without an area gives a view of
    /// one pixel, so that the map can always be inverted.
    pub fn around(rect: Rect, margin: f32, input: Size) -> Crop {
        let (iw, ih) = (input.width.max(1) as f32, input.height.max(1) as f32);
        let scale = (rect.width * margin / iw).max(rect.height * margin / ih);
        let scale = if scale.is_finite() && scale > 0.0 {
            scale
        } else {
            1.0 / iw.max(ih)
        };
        Crop {
            center: rect.center(),
            width: iw * scale,
            height: ih * scale,
            rotation: 0.0,
            flip: false,
        }
    }

    /// The map from the input's continuous coordinates to the frame's.
    pub fn to_frame(&self, input: Size) -> Affine {
        let (iw, ih) = (input.width.max(1) as f32, input.height.max(1) as f32);
        let mirror = if self.flip { -1.0 } else { 1.0 };
        let (sin, cos) = libm::sincos(f64::from(self.rotation));
        let sx = f64::from(mirror * self.width) / f64::from(iw);
        let sy = f64::from(self.height) / f64::from(ih);
        let (hw, hh) = (f64::from(iw) * 0.5, f64::from(ih) * 0.5);
        let (cx, cy) = (f64::from(self.center.x), f64::from(self.center.y));
        let (a, b, d, e) = (cos * sx, -sin * sy, sin * sx, cos * sy);
        Affine {
            m: [a, b, cx - a * hw - b * hh, d, e, cy - d * hw - e * hh].map(|v| v as f32),
        }
    }

    /// The map from the frame's continuous coordinates to the input's. For a crop without an area
    /// there is none; then everything goes to the input's centre.
    pub fn to_input(&self, input: Size) -> Affine {
        self.to_frame(input).inverse().unwrap_or(Affine {
            m: [
                0.0,
                0.0,
                input.width as f32 * 0.5,
                0.0,
                0.0,
                input.height as f32 * 0.5,
            ],
        })
    }

    /// The map from continuous heatmap coordinates (cell i covers `[i, i+1)`) to the frame, for a
    /// network whose heatmaps are `stride` times smaller than its input.
    pub fn cells_to_frame(&self, input: Size, stride: f32) -> Affine {
        Affine::scale(stride).then(&self.to_frame(input))
    }
}
