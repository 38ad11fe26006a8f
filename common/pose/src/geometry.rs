//! Points, rectangles and affine maps in continuous image coordinates.

use serde::{Deserialize, Serialize};

/// A point in continuous image coordinates, in pixels; x to the right, y down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Pixels from the left edge.
    pub x: f32,
    /// Pixels from the top edge.
    pub y: f32,
}

impl Point {
    /// The point (x, y).
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// Euclidean distance to `other`, in pixels.
    pub fn distance(self, other: Point) -> f32 {
        libm::hypotf(self.x - other.x, self.y - other.y)
    }
}

/// An axis-parallel rectangle: left edge, top edge, width and height in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width, not negative.
    pub width: f32,
    /// Height, not negative.
    pub height: f32,
}

impl Rect {
    /// The rectangle with this left and top edge, width and height.
    pub const fn new(x: f32, y: f32, width: f32, height: f32) -> Self {
        Self {
            x,
            y,
            width,
            height,
        }
    }

    /// The rectangle of this size around `center`.
    pub fn around(center: Point, width: f32, height: f32) -> Self {
        Self::new(
            center.x - width * 0.5,
            center.y - height * 0.5,
            width,
            height,
        )
    }

    /// The smallest rectangle that holds all points; `None` when there are none.
    /// Points with a coordinate that is not finite are left out.
    pub fn from_points(points: impl IntoIterator<Item = Point>) -> Option<Self> {
        let mut bounds: Option<(Point, Point)> = None;
        for p in points {
            if !(p.x.is_finite() && p.y.is_finite()) {
                continue;
            }
            let (low, high) = bounds.get_or_insert((p, p));
            *low = Point::new(low.x.min(p.x), low.y.min(p.y));
            *high = Point::new(high.x.max(p.x), high.y.max(p.y));
        }
        bounds.map(|(low, high)| Self::new(low.x, low.y, high.x - low.x, high.y - low.y))
    }

    /// The point in the middle.
    pub fn center(&self) -> Point {
        Point::new(self.x + self.width * 0.5, self.y + self.height * 0.5)
    }

    /// The smallest rectangle that holds both.
    pub fn union(&self, other: &Rect) -> Rect {
        let x = self.x.min(other.x);
        let y = self.y.min(other.y);
        let right = (self.x + self.width).max(other.x + other.width);
        let bottom = (self.y + self.height).max(other.y + other.height);
        Rect::new(x, y, right - x, bottom - y)
    }

    /// The rectangle with the same centre and `factor` times the sides.
    pub fn scaled(&self, factor: f32) -> Rect {
        Rect::around(self.center(), self.width * factor, self.height * factor)
    }

    /// Whether the point lies inside; the left and top edges belong to it, the others do not.
    pub fn contains(&self, p: Point) -> bool {
        p.x >= self.x && p.y >= self.y && p.x < self.x + self.width && p.y < self.y + self.height
    }
}

/// An affine map: `x' = m[0]·x + m[1]·y + m[2]`, `y' = m[3]·x + m[4]·y + m[5]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    /// The two rows of the 2×3 matrix, one after the other.
    pub m: [f32; 6],
}

impl Default for Affine {
    fn default() -> Self {
        Self::identity()
    }
}

impl Affine {
    /// The map that leaves every point where it is.
    pub const fn identity() -> Self {
        Self::scale_xy(1.0, 1.0)
    }

    /// Moves every point by (x, y).
    pub const fn translation(x: f32, y: f32) -> Self {
        Self {
            m: [1.0, 0.0, x, 0.0, 1.0, y],
        }
    }

    /// Multiplies both coordinates by `factor`.
    pub const fn scale(factor: f32) -> Self {
        Self::scale_xy(factor, factor)
    }

    /// Multiplies x by one factor and y by another.
    pub const fn scale_xy(x: f32, y: f32) -> Self {
        Self {
            m: [x, 0.0, 0.0, 0.0, y, 0.0],
        }
    }

    /// Turns about the origin by `radians`, clockwise as seen on the screen (y points down): a
    /// quarter turn maps (1, 0) to (0, 1).
    pub fn rotation(radians: f32) -> Self {
        let (sin, cos) = libm::sincosf(radians);
        Self {
            m: [cos, -sin, 0.0, sin, cos, 0.0],
        }
    }

    /// The map that does `self` first and `next` after it.
    pub fn then(&self, next: &Affine) -> Affine {
        let (a, b) = (self.m.map(f64::from), next.m.map(f64::from));
        // In f64, because chains of these carry large offsets that cancel.
        Affine {
            m: [
                b[0] * a[0] + b[1] * a[3],
                b[0] * a[1] + b[1] * a[4],
                b[0] * a[2] + b[1] * a[5] + b[2],
                b[3] * a[0] + b[4] * a[3],
                b[3] * a[1] + b[4] * a[4],
                b[3] * a[2] + b[4] * a[5] + b[5],
            ]
            .map(|v| v as f32),
        }
    }

    /// The map that undoes this one; `None` when it flattens the plane or is not finite.
    pub fn inverse(&self) -> Option<Affine> {
        let [a, b, c, d, e, f] = self.m.map(f64::from);
        let det = a * e - b * d;
        if !det.is_finite() || det == 0.0 {
            return None;
        }
        let m = [
            e / det,
            -b / det,
            (b * f - c * e) / det,
            -d / det,
            a / det,
            (c * d - a * f) / det,
        ]
        .map(|v| v as f32);
        m.iter().all(|v| v.is_finite()).then_some(Affine { m })
    }

    /// Where the map takes `p`.
    pub fn apply(&self, p: Point) -> Point {
        let m = &self.m;
        Point::new(
            m[0] * p.x + m[1] * p.y + m[2],
            m[3] * p.x + m[4] * p.y + m[5],
        )
    }

    /// By how much lengths grow, on average over directions: √|det|.
    pub fn scale_factor(&self) -> f32 {
        let m = &self.m;
        libm::sqrtf(libm::fabsf(m[0] * m[4] - m[1] * m[3]))
    }
}
