//! Skeletons: what to draw, in which order, how thick.
//!
//! The pose becomes limbs and dots here; a [`Brush`] puts them on a picture ([`Canvas`] with smooth
//! edges) or on any embedded-graphics display ([`DisplayBrush`]).
//!
//! [`Canvas`]: crate::Canvas

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Circle, Line, PrimitiveStyle};
use pose::{Bone, Keypoint, KeypointSet, Pose, Rect, Rgb};

/// Something that limbs and dots can be drawn on.
pub trait Brush {
    /// Fills a line with round ends, `width` pixels thick.
    fn limb(&mut self, from: pose::Point, to: pose::Point, width: f32, color: Rgb);
    /// Fills a circle.
    fn dot(&mut self, center: pose::Point, radius: f32, color: Rgb);
}

/// How a skeleton looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkeletonStyle {
    /// Thickness of the limbs in pixels.
    pub limb_width: f32,
    /// Width of the dark rim around limbs and dots, in pixels; 0 for none.
    pub rim: f32,
    /// Radius of the keypoints' circles in pixels; 0 for none.
    pub dot_radius: f32,
    /// Keypoints below this confidence are left out, and the limbs that end at them.
    pub min_confidence: f32,
}

impl SkeletonStyle {
    /// A style for this pose in a picture of `width` × `height` pixels: limbs as thick as a
    /// fiftieth of the body, within what can be seen and what hides nothing.
    pub fn for_pose(pose: &Pose, width: u32, height: u32, min_confidence: f32) -> SkeletonStyle {
        let shorter = width.min(height) as f32;
        let body = visible(pose, min_confidence)
            .map_or(shorter, |r| r.width.hypot(r.height).min(2.0 * shorter));
        let limb_width = (body / 50.0).clamp((shorter / 200.0).max(1.5), (shorter / 50.0).max(2.0));
        SkeletonStyle {
            limb_width,
            rim: (limb_width * 0.25).max(0.8),
            dot_radius: limb_width * 0.8,
            min_confidence,
        }
    }
}

/// The box of the keypoints that are drawn.
fn visible(pose: &Pose, min_confidence: f32) -> Option<Rect> {
    let points = pose
        .keypoints
        .iter()
        .filter(|k| is_drawn(k, min_confidence));
    Rect::from_points(points.map(|k| pose::Point::new(k.x, k.y)))
}

fn is_drawn(keypoint: &Keypoint, min_confidence: f32) -> bool {
    keypoint.confidence >= min_confidence && keypoint.x.is_finite() && keypoint.y.is_finite()
}

/// Draws `pose`: the dark rims of everything first, so that no rim cuts through a limb, then the
/// limbs, then the dots. Bones and keypoints that the pose does not have are passed over.
///
/// ```
/// use edge_runtime::{Canvas, SkeletonStyle, draw_skeleton};
/// use pose::{Keypoint, KeypointSet, Pose};
///
/// let set = KeypointSet::mpii();
/// let pose = Pose::new(vec![Keypoint::new(20.0, 30.0, 0.9); set.len()]);
/// let mut picture = image::RgbImage::new(64, 64);
/// let style = SkeletonStyle::for_pose(&pose, 64, 64, 0.2);
/// draw_skeleton(&mut Canvas::new(&mut picture), &pose, &set, &style);
/// assert_ne!(picture.get_pixel(20, 30).0, [0, 0, 0]);
/// ```
pub fn draw_skeleton(
    brush: &mut impl Brush,
    pose: &Pose,
    set: &KeypointSet,
    style: &SkeletonStyle,
) {
    let drawn = |index: usize| {
        let keypoint = pose.keypoints.get(index)?;
        is_drawn(keypoint, style.min_confidence).then(|| pose::Point::new(keypoint.x, keypoint.y))
    };
    let limbs = || {
        set.skeleton
            .iter()
            .filter_map(|bone| Some((drawn(bone.start)?, drawn(bone.end)?, bone.color)))
    };
    let dots = || {
        (0..pose.keypoints.len()).filter_map(|index| Some((drawn(index)?, dot_color(set, index))))
    };
    if style.rim > 0.0 {
        for (from, to, _) in limbs() {
            brush.limb(from, to, style.limb_width + 2.0 * style.rim, RIM);
        }
        for (center, _) in dots().filter(|_| style.dot_radius > 0.0) {
            brush.dot(center, style.dot_radius + style.rim, RIM);
        }
    }
    for (from, to, color) in limbs() {
        brush.limb(from, to, style.limb_width, legible(color));
    }
    for (center, color) in dots().filter(|_| style.dot_radius > 0.0) {
        brush.dot(center, style.dot_radius, lighter(legible(color), 0.55));
    }
}

/// The same set with all bones in one colour, to tell skeletons apart.
pub fn in_one_color(set: &KeypointSet, color: Rgb) -> KeypointSet {
    let mut set = set.clone();
    for bone in &mut set.skeleton {
        bone.color = color;
    }
    set
}

/// Colour of the rims: dark, but not a hole in the picture.
const RIM: Rgb = Rgb::new(24, 24, 28);

/// A dot has the colour of the bone that leads to it, else of one that starts at it.
fn dot_color(set: &KeypointSet, index: usize) -> Rgb {
    let bone = |end: fn(&Bone) -> usize| set.skeleton.iter().find(|b| end(b) == index);
    bone(|b| b.end)
        .or_else(|| bone(|b| b.start))
        .map_or(Rgb::new(255, 255, 255), |b| b.color)
}

/// Lightens a colour until it stands out from its rim: skeleton files know pure red, green and blue
/// only, and pure blue is nearly as dark as black.
fn legible(color: Rgb) -> Rgb {
    // Relative luminance with the coefficients of ITU-R BT.709.
    let luminance = |c: Rgb| {
        (0.2126 * f32::from(c.r) + 0.7152 * f32::from(c.g) + 0.0722 * f32::from(c.b)) / 255.0
    };
    const ENOUGH: f32 = 0.34;
    let dark = luminance(color);
    if dark >= ENOUGH {
        return color;
    }
    lighter(color, (ENOUGH - dark) / (1.0 - dark))
}

/// Mixes a colour with white; `amount` 0 leaves it, 1 gives white.
fn lighter(color: Rgb, amount: f32) -> Rgb {
    let mix = |v: u8| (f32::from(v) + (255.0 - f32::from(v)) * amount).round() as u8;
    Rgb::new(mix(color.r), mix(color.g), mix(color.b))
}

/// Draws on an embedded-graphics display, with its primitives, rounded to whole pixels.
///
/// Errors of the display end the drawing silently for the rest of the frame; the first one is kept.
#[derive(Debug)]
pub struct DisplayBrush<'a, D: DrawTarget> {
    display: &'a mut D,
    error: Option<D::Error>,
}

impl<'a, D: DrawTarget> DisplayBrush<'a, D> {
    /// A brush for this display.
    pub fn new(display: &'a mut D) -> DisplayBrush<'a, D> {
        DisplayBrush {
            display,
            error: None,
        }
    }

    /// Ends the drawing.
    ///
    /// # Errors
    /// The first error that the display reported.
    pub fn finish(self) -> Result<(), D::Error> {
        self.error.map_or(Ok(()), Err)
    }

    fn draw(&mut self, shape: &impl Drawable<Color = D::Color, Output = ()>) {
        if self.error.is_none() {
            self.error = shape.draw(self.display).err();
        }
    }
}

impl<D> Brush for DisplayBrush<'_, D>
where
    D: DrawTarget,
    D::Color: From<Rgb888>,
{
    fn limb(&mut self, from: pose::Point, to: pose::Point, width: f32, color: Rgb) {
        let style = PrimitiveStyle::with_stroke(display_color(color), whole(width));
        let line = Line::new(pixel_at(from), pixel_at(to));
        self.draw(&line.into_styled(style));
    }

    fn dot(&mut self, center: pose::Point, radius: f32, color: Rgb) {
        // An odd diameter is centred on a pixel.
        let diameter = whole(2.0 * radius) | 1;
        let style = PrimitiveStyle::with_fill(display_color(color));
        self.draw(&Circle::with_center(pixel_at(center), diameter).into_styled(style));
    }
}

fn whole(length: f32) -> u32 {
    length.round().max(1.0) as u32
}

/// The pixel that covers a point: pixel i covers `[i, i+1)`. Points far away stay where their
/// direction is kept and integer arithmetic does not overflow.
fn pixel_at(point: pose::Point) -> Point {
    let at = |v: f32| v.floor().clamp(-8192.0, 8192.0) as i32;
    Point::new(at(point.x), at(point.y))
}

fn display_color<C: From<Rgb888>>(color: Rgb) -> C {
    Rgb888::new(color.r, color.g, color.b).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::mock_display::MockDisplay;

    /// Two keypoints and the green bone between them.
    fn forearm(from: (f32, f32), to: (f32, f32), confidence: f32) -> (Pose, KeypointSet) {
        let pose = Pose::new(vec![
            Keypoint::new(from.0, from.1, 0.9),
            Keypoint::new(to.0, to.1, confidence),
        ]);
        let set = KeypointSet {
            name: "forearm".into(),
            keypoints: vec!["elbow".into(), "wrist".into()],
            flip_pairs: vec![],
            skeleton: vec![Bone {
                start: 0,
                end: 1,
                color: Rgb::new(0, 255, 0),
            }],
        };
        (pose, set)
    }

    fn drawn(pose: &Pose, set: &KeypointSet, style: SkeletonStyle) -> MockDisplay<Rgb888> {
        let mut display = MockDisplay::new();
        display.set_allow_overdraw(true);
        display.set_allow_out_of_bounds_drawing(true);
        let mut brush = DisplayBrush::new(&mut display);
        draw_skeleton(&mut brush, pose, set, &style);
        brush.finish().unwrap();
        display
    }

    const THIN: SkeletonStyle = SkeletonStyle {
        limb_width: 1.0,
        rim: 0.0,
        dot_radius: 0.0,
        min_confidence: 0.5,
    };

    #[test]
    fn a_bone_joins_the_pixels_that_cover_its_keypoints() {
        let (pose, set) = forearm((1.5, 0.5), (5.9, 4.1), 0.9);
        let expected = MockDisplay::from_pattern(&[
            " G      ", "  G     ", "   G    ", "    G   ", "     G  ",
        ]);
        drawn(&pose, &set, THIN).assert_eq(&expected);
    }

    #[test]
    fn dots_lie_over_limbs_and_limbs_over_rims() {
        let (pose, set) = forearm((3.5, 3.5), (9.5, 3.5), 0.9);
        let style = SkeletonStyle {
            limb_width: 1.0,
            rim: 1.0,
            dot_radius: 0.4,
            min_confidence: 0.5,
        };
        let display = drawn(&pose, &set, style);
        let at = |x: i32, y: i32| display.get_pixel(Point::new(x, y));
        let (dark, green) = (Some(Rgb888::new(24, 24, 28)), Some(Rgb888::new(0, 255, 0)));
        assert_eq!((at(6, 2), at(6, 3), at(6, 4)), (dark, green, dark));
        assert_eq!((at(6, 1), at(6, 5)), (None, None));
        let dot = Some(Rgb888::new(140, 255, 140));
        assert_eq!((at(3, 3), at(9, 3)), (dot, dot));
    }

    #[test]
    fn an_unsure_keypoint_takes_its_bones_with_it() {
        let (pose, set) = forearm((1.5, 0.5), (5.9, 4.1), 0.4);
        drawn(&pose, &set, THIN).assert_eq(&MockDisplay::new());
        let (mut pose, set) = forearm((1.5, 0.5), (5.9, 4.1), 0.9);
        pose.keypoints[1].x = f32::NAN;
        drawn(&pose, &set, THIN).assert_eq(&MockDisplay::new());
        // A pose of fewer keypoints than the set: nothing to draw, nothing to trip over.
        pose.keypoints.truncate(1);
        drawn(&pose, &set, THIN).assert_eq(&MockDisplay::new());
    }

    #[test]
    fn limbs_grow_with_the_body_and_stay_within_the_pictures_bounds() {
        let width = |side: f32, picture: u32| {
            let (pose, _) = forearm((0.0, 0.0), (side, 0.0), 0.9);
            SkeletonStyle::for_pose(&pose, picture, picture, 0.5).limb_width
        };
        assert_eq!(width(400.0, 800), 8.0);
        assert_eq!(width(300.0, 800), 6.0);
        assert_eq!(width(10.0, 800), 4.0);
        assert_eq!(width(10_000.0, 800), 16.0);
    }

    #[test]
    fn dark_colours_become_legible_and_bright_ones_stay() {
        assert_eq!(legible(Rgb::new(0, 255, 0)), Rgb::new(0, 255, 0));
        let blue = legible(Rgb::new(0, 0, 255));
        assert!(
            blue.b == 255 && blue.r == blue.g && (60..90).contains(&blue.r),
            "{blue:?}"
        );
    }
}
