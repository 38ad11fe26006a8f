//! One annotated person as a picture.

use dataset::{LabelledKeypoint, Person, Split, Suspicion, Visibility};
use edge_runtime::{Brush, Canvas, SkeletonStyle, draw_skeleton, in_one_color};
use embedded_graphics::Drawable;
use embedded_graphics::geometry::Point as Pixel;
use embedded_graphics::mono_font::ascii::{FONT_6X10, FONT_7X13};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::text::{Baseline, Text};
use image::{RgbImage, imageops};
use pose::{
    Affine, BORDER, Crop, Keypoint, KeypointSet, Point, Pose, Rect, Rgb, RgbView, Size, warp_rgb,
};

use super::Look;
use crate::error::TrainError;

/// What there is to draw.
pub(super) struct Scene<'a> {
    pub(super) photo: &'a RgbImage,
    pub(super) person: &'a Person,
    /// The head's box.
    pub(super) head: Option<Rect>,
    /// Other people in the photo.
    pub(super) others: Vec<&'a Person>,
    pub(super) set: &'a KeypointSet,
    pub(super) suspicions: Vec<Suspicion>,
}

/// Width of the column of text.
const COLUMN: usize = 300;
/// Around the person, when seen from close by.
const CLOSE: f32 = 1.6;
/// On sheets.
const TILE: f32 = 1.4;
/// Ground of the page.
const GROUND: image::Rgb<u8> = image::Rgb([32, 32, 36]);

const BOX: Rgb = Rgb::new(0, 220, 220);
const CENTER: Rgb = Rgb::new(255, 60, 60);
const MEAN: Rgb = Rgb::new(60, 230, 60);
const HEAD: Rgb = Rgb::new(255, 170, 0);
const OTHER: Rgb = Rgb::new(255, 255, 255);
const SUSPECT: Rgb = Rgb::new(255, 240, 0);
const HIDDEN: Rgb = Rgb::new(20, 20, 20);

/// The photo on the left, text on the right. `place` is the person's place and how many there are.
pub(super) fn page(
    scene: &Scene<'_>,
    look: Look,
    size: Size,
    place: (usize, usize),
) -> Result<RgbImage, TrainError> {
    let area = Size::new(
        size.width.saturating_sub(COLUMN).max(64),
        size.height.max(64),
    );
    let photo = Size::new(scene.photo.width() as usize, scene.photo.height() as usize);
    let crop = if look.close {
        Crop::around(scene.person.crop_rect(), CLOSE, area)
    } else {
        Crop::letterbox(photo, area)
    };
    let view = draw(scene, &crop, area, look)?;
    let (width, height) = ((area.width + COLUMN) as u32, area.height as u32);
    let mut page = RgbImage::from_pixel(width, height, GROUND);
    imageops::replace(&mut page, &view, 0, 0);
    let mut canvas = Canvas::new(&mut page);
    let left = area.width as i32 + 12;
    let mut y = 10;
    for line in lines(scene, place) {
        let color = match line.kind {
            LineKind::Plain => Rgb888::new(220, 220, 220),
            LineKind::Warning => Rgb888::new(255, 240, 0),
            LineKind::Key(color) => Rgb888::new(color.r, color.g, color.b),
        };
        for part in wrapped(&line.text, (COLUMN - 18) / 7) {
            write(&mut canvas, &part, Pixel::new(left, y), &FONT_7X13, color);
            y += 15;
        }
        y += if line.text.is_empty() { 4 } else { 1 };
    }
    Ok(page)
}

/// The person and what surrounds them.
pub(super) fn tile(scene: &Scene<'_>, look: Look, size: Size) -> Result<RgbImage, TrainError> {
    let person = scene.person;
    let rect = person
        .rect
        .union(&person.joints_rect().unwrap_or(person.rect));
    let whole = Crop::around(rect, 1.1, size);
    let close = Crop::around(scene.person.crop_rect(), TILE, size);
    // The person's box is often much larger than the person, and a joint may be anywhere: not
    // everything of them must be seen.
    let crop = if look.close || whole.width > 1.5 * close.width {
        close
    } else {
        whole
    };
    draw(scene, &crop, size, look)
}

fn draw(scene: &Scene<'_>, crop: &Crop, size: Size, look: Look) -> Result<RgbImage, TrainError> {
    let (width, height) = scene.photo.dimensions();
    let view = RgbView::new(scene.photo.as_raw(), width as usize, height as usize);
    let mut picture = RgbImage::new(size.width as u32, size.height as u32);
    warp_rgb(&view, &crop.to_frame(size), &mut picture, size, BORDER).map_err(|source| {
        TrainError::Warp {
            path: scene.person.image.clone(),
            source,
        }
    })?;
    let to_picture = crop.to_input(size);
    let mut canvas = Canvas::new(&mut picture);
    let person = scene.person;

    let white = in_one_color(scene.set, OTHER);
    for other in &scene.others {
        let pose = moved(&other.keypoints, &to_picture);
        let style = style(&pose, size, 0.6);
        draw_skeleton(&mut canvas, &pose, &white, &style);
    }
    rectangle(&mut canvas, person.rect, &to_picture, 1.6, BOX);
    if let Some(head) = scene.head {
        rectangle(&mut canvas, head, &to_picture, 1.6, HEAD);
    }
    let pose = moved(&person.keypoints, &to_picture);
    let style = style(&pose, size, 1.0);
    draw_skeleton(&mut canvas, &pose, scene.set, &style);
    // A hidden joint has a dark heart.
    for (label, at) in person.keypoints.iter().zip(&pose.keypoints) {
        if label.visibility == Visibility::Occluded {
            canvas.dot(Point::new(at.x, at.y), 0.55 * style.dot_radius, HIDDEN);
        }
    }
    for joint in scene.suspicions.iter().flat_map(|s| &s.joints) {
        if let Some(at) = pose.keypoints.get(*joint) {
            let radius = 2.0 * style.dot_radius + 3.0;
            ring(&mut canvas, Point::new(at.x, at.y), radius, SUSPECT);
        }
    }
    let center = to_picture.apply(person.rect.center());
    cross(&mut canvas, center, CENTER);
    if let Some(mean) = mean_of(&person.keypoints) {
        cross(&mut canvas, to_picture.apply(mean), MEAN);
    }
    if look.names {
        for (name, at) in scene.set.keypoints.iter().zip(&pose.keypoints) {
            if at.confidence > 0.0 {
                let place = Pixel::new((at.x + 7.0) as i32, (at.y - 5.0) as i32);
                let dark = Rgb888::new(0, 0, 0);
                write(
                    &mut canvas,
                    name,
                    place + Pixel::new(1, 1),
                    &FONT_6X10,
                    dark,
                );
                let light = Rgb888::new(255, 255, 255);
                write(&mut canvas, name, place, &FONT_6X10, light);
            }
        }
    }
    Ok(picture)
}

fn style(pose: &Pose, size: Size, factor: f32) -> SkeletonStyle {
    let style = SkeletonStyle::for_pose(pose, size.width as u32, size.height as u32, 0.5);
    SkeletonStyle {
        limb_width: factor * style.limb_width,
        dot_radius: factor * style.dot_radius,
        ..style
    }
}

/// Labels as a pose in the picture; what has no label has no confidence.
fn moved(labels: &[LabelledKeypoint], to_picture: &Affine) -> Pose {
    let keypoints = labels.iter().map(|label| {
        let Point { x, y } = to_picture.apply(label.point());
        let confidence = f32::from(u8::from(label.is_labelled()));
        Keypoint { x, y, confidence }
    });
    Pose::new(keypoints.collect())
}

fn mean_of(labels: &[LabelledKeypoint]) -> Option<Point> {
    let labelled: Vec<Point> = labels
        .iter()
        .filter(|label| label.is_labelled())
        .map(LabelledKeypoint::point)
        .collect();
    let count = labelled.len() as f32;
    let sum = labelled.iter().fold(Point::default(), |sum, p| {
        Point::new(sum.x + p.x, sum.y + p.y)
    });
    (count > 0.0).then(|| Point::new(sum.x / count, sum.y / count))
}

fn rectangle(canvas: &mut Canvas<'_>, rect: Rect, map: &Affine, width: f32, color: Rgb) {
    let (right, bottom) = (rect.x + rect.width, rect.y + rect.height);
    let corners = [
        Point::new(rect.x, rect.y),
        Point::new(right, rect.y),
        Point::new(right, bottom),
        Point::new(rect.x, bottom),
    ]
    .map(|corner| map.apply(corner));
    for (index, corner) in corners.iter().enumerate() {
        canvas.limb(*corner, corners[(index + 1) % 4], width, color);
    }
}

fn ring(canvas: &mut Canvas<'_>, center: Point, radius: f32, color: Rgb) {
    const SIDES: usize = 20;
    let corner = |index: usize| {
        let (sin, cos) = (index as f32 / SIDES as f32 * std::f32::consts::TAU).sin_cos();
        Point::new(center.x + radius * cos, center.y + radius * sin)
    };
    for index in 0..SIDES {
        canvas.limb(corner(index), corner(index + 1), 1.6, color);
    }
}

fn cross(canvas: &mut Canvas<'_>, center: Point, color: Rgb) {
    const ARM: f32 = 7.0;
    let arms = |width: f32, color: Rgb, canvas: &mut Canvas<'_>| {
        for (dx, dy) in [(ARM, 0.0), (0.0, ARM)] {
            let one = Point::new(center.x - dx, center.y - dy);
            let other = Point::new(center.x + dx, center.y + dy);
            canvas.limb(one, other, width, color);
        }
    };
    arms(4.0, Rgb::new(0, 0, 0), canvas);
    arms(2.2, color, canvas);
}

fn write(canvas: &mut Canvas<'_>, text: &str, at: Pixel, font: &MonoFont<'_>, color: Rgb888) {
    let style = MonoTextStyle::new(font, color);
    // Drawing on a picture cannot fail; the error type is empty.
    let _ = Text::with_baseline(text, at, style, Baseline::Top).draw(canvas);
}

struct Line {
    text: String,
    kind: LineKind,
}

enum LineKind {
    Plain,
    Warning,
    /// Explains a colour.
    Key(Rgb),
}

fn lines(scene: &Scene<'_>, (at, count): (usize, usize)) -> Vec<Line> {
    let person = scene.person;
    let plain = |text: String| Line {
        text,
        kind: LineKind::Plain,
    };
    let key = |text: String, color: Rgb| Line {
        text,
        kind: LineKind::Key(color),
    };
    let name = person.image.file_name().unwrap_or_default();
    let split = match person.split {
        Split::Train => "train",
        Split::Validation => "validate",
        Split::Test => "test",
    };
    let (width, height) = scene.photo.dimensions();
    let rect = person.rect;
    let center = rect.center();
    let mut lines = vec![
        plain(format!("{} of {count}: {}", at + 1, person.id)),
        plain(format!("{} {width}x{height}", name.to_string_lossy())),
        plain(format!("{split} sample")),
        plain(String::new()),
        key(
            format!(
                "box {:.0}, {:.0}, {:.0} x {:.0} (scale {:.2})",
                rect.x,
                rect.y,
                rect.width,
                rect.height,
                rect.width.max(rect.height) / 200.0
            ),
            BOX,
        ),
        key(
            format!("its centre {:.0}, {:.0}", center.x, center.y),
            CENTER,
        ),
    ];
    if let Some(mean) = mean_of(&person.keypoints) {
        lines.push(key(
            format!("mean of joints {:.0}, {:.0}", mean.x, mean.y),
            MEAN,
        ));
    }
    if let Some(head) = person.head_size {
        lines.push(key(format!("head size {head:.0}"), HEAD));
    }
    if let Some(area) = person.area {
        lines.push(plain(format!("area {area:.0}")));
    }
    if !scene.others.is_empty() {
        let text = format!("{} other people (white)", scene.others.len());
        lines.push(key(text, OTHER));
    }
    lines.push(plain(String::new()));
    for suspicion in &scene.suspicions {
        lines.push(Line {
            text: suspicion.to_string(),
            kind: LineKind::Warning,
        });
    }
    if !scene.suspicions.is_empty() {
        lines.push(plain(String::new()));
    }
    let suspect = |joint: usize| scene.suspicions.iter().any(|s| s.joints.contains(&joint));
    for (joint, (name, label)) in scene
        .set
        .keypoints
        .iter()
        .zip(&person.keypoints)
        .enumerate()
    {
        let text = match label.visibility {
            Visibility::Missing => format!("{name:<16} -"),
            Visibility::Occluded => format!("{name:<16} {:.0}, {:.0} hidden", label.x, label.y),
            Visibility::Visible => format!("{name:<16} {:.0}, {:.0}", label.x, label.y),
        };
        let weight = if label.is_labelled() && label.weight != 1.0 {
            format!(" weight {:.2}", label.weight)
        } else {
            String::new()
        };
        lines.push(Line {
            text: text + &weight,
            kind: if suspect(joint) {
                LineKind::Warning
            } else {
                LineKind::Plain
            },
        });
    }
    lines
}

/// The text in lines of at most `letters`, broken at spaces where there are any.
fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= letters {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("  {word}"));
        }
    }
    lines
}
