//! Bar charts of a few figures, as SVG or as a picture.

use std::fmt::Write;
use std::path::Path;

use embedded_graphics::Drawable;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::{FONT_7X13, FONT_7X13_BOLD};
use embedded_graphics::pixelcolor::{Rgb888, WebColors};
use embedded_graphics::primitives::{Primitive, PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Baseline, Text};
use image::RgbImage;
use onnx_graph::write_atomically;

use crate::canvas::Canvas;
use crate::error::RuntimeError;
use crate::output::save_picture;

/// A horizontal bar with its name and figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// The name, left of the bar.
    pub label: String,
    /// Its length, from 0 to the panel's `full`; none for a name without a bar.
    pub value: Option<f64>,
    /// The figure, right of the bar.
    pub text: String,
    /// Whether it stands out, a mean for example.
    pub strong: bool,
}

/// Bars under one title.
#[derive(Clone, Debug, PartialEq)]
pub struct BarPanel {
    /// The title.
    pub title: String,
    /// The value of a bar across the whole panel.
    pub full: f64,
    /// The bars, from top to bottom.
    pub bars: Vec<Bar>,
}

/// Panels side by side.
///
/// ```
/// use edge_runtime::{Bar, BarChart, BarPanel};
/// let bar = Bar { label: "wrist".into(), value: Some(40.0), text: "40.0".into(), strong: false };
/// let panel = BarPanel { title: "PCK".into(), full: 100.0, bars: vec![bar] };
/// let chart = BarChart { panels: vec![panel] };
/// assert!(chart.to_svg().contains(">wrist</text>"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BarChart {
    /// The panels, from left to right.
    pub panels: Vec<BarPanel>,
}

/// Around a panel, in pixels.
const MARGIN: i32 = 16;
/// The title's height.
const TITLE: i32 = 26;
/// From one bar to the next.
const STEP: i32 = 19;
/// A bar's thickness.
const THICK: i32 = 13;
/// Room for the names.
const LABELS: i32 = 126;
/// A full bar's length.
const LENGTH: i32 = 260;
/// Room for the figures.
const FIGURES: i32 = 50;
/// Width of a letter.
const LETTER: i32 = 7;
/// Lines across the bars, from 0 to the end.
const MARKS: i32 = 5;

/// What a chart is made of.
enum Shape {
    /// Left, top, width, height.
    Box([i32; 4], Ink),
    /// The left end of the text, its vertical middle, the text.
    Text(i32, i32, String, bool),
}

#[derive(Clone, Copy)]
enum Ink {
    Ground,
    Bar,
    Strong,
    Line,
}

impl Ink {
    fn color(self) -> Rgb888 {
        match self {
            Ink::Ground => Rgb888::CSS_WHITE,
            Ink::Bar => Rgb888::new(0x5b, 0x8f, 0xd6),
            Ink::Strong => Rgb888::new(0xd9, 0x7b, 0x29),
            Ink::Line => Rgb888::new(0xdd, 0xdd, 0xdd),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Ink::Ground => "#ffffff",
            Ink::Bar => "#5b8fd6",
            Ink::Strong => "#d97b29",
            Ink::Line => "#dddddd",
        }
    }
}

impl BarChart {
    fn layout(&self) -> (i32, i32, Vec<Shape>) {
        let panel_width = LABELS + LENGTH + FIGURES;
        let count = self.panels.len().max(1) as i32;
        let most = self.panels.iter().map(|panel| panel.bars.len()).max();
        let width = count * (panel_width + MARGIN) + MARGIN;
        let height = 2 * MARGIN + TITLE + most.unwrap_or(0) as i32 * STEP;
        let mut shapes = vec![Shape::Box([0, 0, width, height], Ink::Ground)];
        for (index, panel) in self.panels.iter().enumerate() {
            let left = MARGIN + index as i32 * (panel_width + MARGIN);
            let zero = left + LABELS;
            let title = cut(&panel.title, panel_width);
            shapes.push(Shape::Text(left, MARGIN + TITLE / 2 - 4, title, true));
            let top = MARGIN + TITLE;
            let bottom = panel.bars.len() as i32 * STEP;
            for mark in 0..=MARKS {
                let x = zero + mark * LENGTH / MARKS;
                shapes.push(Shape::Box([x, top, 1, bottom], Ink::Line));
            }
            for (row, bar) in panel.bars.iter().enumerate() {
                let y = top + row as i32 * STEP + (STEP - THICK) / 2;
                let middle = y + THICK / 2;
                let label = cut(&bar.label, LABELS - 8);
                let start = zero - 8 - letters(&label) * LETTER;
                shapes.push(Shape::Text(start, middle, label, bar.strong));
                let Some(value) = bar.value.filter(|value| value.is_finite()) else {
                    continue;
                };
                let part = (value / panel.full).clamp(0.0, 1.0);
                let length = (part * f64::from(LENGTH)).round() as i32;
                let ink = if bar.strong { Ink::Strong } else { Ink::Bar };
                shapes.push(Shape::Box([zero, y, length, THICK], ink));
                let end = zero + length + 6;
                shapes.push(Shape::Text(end, middle, bar.text.clone(), bar.strong));
            }
        }
        (width, height, shapes)
    }

    /// The chart as SVG.
    pub fn to_svg(&self) -> String {
        let (width, height, shapes) = self.layout();
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"11.6\">\n"
        );
        for shape in shapes {
            // Writing into a string cannot fail.
            let _ = match shape {
                Shape::Box([x, y, width, height], ink) => writeln!(
                    svg,
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{}\"/>",
                    ink.name()
                ),
                Shape::Text(x, y, text, strong) => writeln!(
                    svg,
                    "<text x=\"{x}\" y=\"{}\"{}>{}</text>",
                    y + 4,
                    if strong { " font-weight=\"bold\"" } else { "" },
                    escaped(&text)
                ),
            };
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// The chart as a picture. Letters beyond ASCII become question marks.
    pub fn to_picture(&self) -> RgbImage {
        let (width, height, shapes) = self.layout();
        let mut picture = RgbImage::new(width as u32, height as u32);
        let mut canvas = Canvas::new(&mut picture);
        for shape in shapes {
            // Drawing on a picture cannot fail; the error type is empty.
            let _ = match shape {
                Shape::Box([x, y, width, height], ink) => {
                    let size = Size::new(width.max(0) as u32, height.max(0) as u32);
                    let style = PrimitiveStyle::with_fill(ink.color());
                    let shape = Rectangle::new(Point::new(x, y), size).into_styled(style);
                    shape.draw(&mut canvas)
                }
                Shape::Text(x, y, text, strong) => {
                    let font = if strong { &FONT_7X13_BOLD } else { &FONT_7X13 };
                    let style = MonoTextStyle::new(font, Rgb888::new(0x22, 0x22, 0x22));
                    let text = text.replace('×', "x").replace('–', "-");
                    let text =
                        Text::with_baseline(&text, Point::new(x, y), style, Baseline::Middle);
                    text.draw(&mut canvas).map(|_| ())
                }
            };
        }
        picture
    }

    /// Writes the chart as the path's ending says: `.svg`, `.png` or `.jpg`.
    ///
    /// # Errors
    /// Another ending; a folder that does not exist or cannot be written to.
    pub fn save(&self, path: &Path) -> Result<(), RuntimeError> {
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        match ending.to_str() {
            Some("svg") => {}
            Some("png" | "jpg" | "jpeg") => return save_picture(&self.to_picture(), path),
            _ => {
                return Err(RuntimeError::Usage(format!(
                    "{}: charts are written as .svg, .png or .jpg",
                    path.display()
                )));
            }
        }
        write_atomically(path, self.to_svg().as_bytes()).map_err(|source| RuntimeError::Write {
            path: path.into(),
            source,
        })
    }
}

fn letters(text: &str) -> i32 {
    text.chars().count() as i32
}

/// The text as far as it fits into a width.
fn cut(text: &str, width: i32) -> String {
    text.chars()
        .take((width / LETTER).max(0) as usize)
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> BarChart {
        let bar = |label: &str, value: Option<f64>| Bar {
            label: label.into(),
            value,
            text: value.map_or(String::new(), |v| format!("{v:.1}")),
            strong: label == "mean",
        };
        let bars = vec![
            bar("a & b", Some(50.0)),
            bar("nothing", None),
            bar("mean", Some(100.0)),
        ];
        let panel = |title: &str| BarPanel {
            title: title.into(),
            full: 100.0,
            bars: bars.clone(),
        };
        BarChart {
            panels: vec![panel("one"), panel("two")],
        }
    }

    #[test]
    fn bars_are_as_long_as_their_values_say() {
        let svg = chart().to_svg();
        let bars = |width: &str, ink: Ink| {
            let bar = format!("width=\"{width}\" height=\"13\" fill=\"{}\"", ink.name());
            svg.matches(&bar).count()
        };
        assert_eq!((bars("130", Ink::Bar), bars("260", Ink::Strong)), (2, 2));
        assert!(svg.contains(">a &amp; b</text>") && svg.contains(">50.0</text>"));
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));

        let picture = chart().to_picture();
        // Along the first bar: 130 pixels of its colour, and no more.
        let row = (MARGIN + TITLE + STEP / 2) as u32;
        let of_bar = |x: &u32| picture.get_pixel(*x, row).0 == [0x5b, 0x8f, 0xd6];
        let half = picture.width() / 2;
        assert_eq!((0..half).filter(of_bar).count(), 130);
    }

    #[test]
    fn the_ending_says_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        chart().save(&path("chart.svg")).unwrap();
        chart().save(&path("chart.png")).unwrap();
        let (width, height) = image::open(path("chart.png"))
            .unwrap()
            .into_rgb8()
            .dimensions();
        assert_eq!((width, height), (2 * 452 + 16, 32 + 26 + 3 * 19));
        let wrong = chart().save(&path("chart.pdf")).unwrap_err().to_string();
        assert!(wrong.contains(".svg, .png"), "{wrong}");
    }
}
