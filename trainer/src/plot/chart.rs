//! The panels of a picture.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::smooth::{smoothed, thinned};
use super::{FONT, PlotOptions, failed};
use crate::curves::{Axis, Curves, Quantity};
use crate::error::TrainError;

/// Colours of the runs: Okabe and Ito's, told apart with every kind of colour vision.
pub const COLOURS: [(u8, u8, u8); 7] = [
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (90, 90, 90),
];
/// Most points of a curve; more would not be seen.
const POINTS: usize = 1500;

/// One panel: a quantity, and a curve for each run that has it.
pub struct Panel {
    quantity: Quantity,
    lines: Vec<Line>,
    x: Range<f64>,
    y: Range<f64>,
    /// Equal factors are equally far apart, rather than equal differences.
    logarithmic: bool,
}

struct Line {
    run: usize,
    /// Of the validation set in a panel of training losses.
    dashed: bool,
    /// The values as they are, when they are drawn smoothed.
    raw: Option<Vec<(f64, f64)>>,
    points: Vec<(f64, f64)>,
}

/// The panels that the runs have curves for.
pub fn panels(runs: &[Curves], axis: Axis, smoothing: f64) -> Vec<Panel> {
    [Quantity::Pck, Quantity::Loss, Quantity::LearningRate]
        .into_iter()
        .filter_map(|quantity| panel(runs, quantity, axis, smoothing))
        .collect()
}

fn panel(runs: &[Curves], quantity: Quantity, axis: Axis, smoothing: f64) -> Option<Panel> {
    let positive = quantity != Quantity::Pck;
    let mut lines = Vec::new();
    for (run, curves) in runs.iter().enumerate() {
        let validation = (quantity == Quantity::Loss).then_some(Quantity::ValidationLoss);
        for shown in [Some(quantity), validation].into_iter().flatten() {
            let curve = curves.curves.get(&shown).map_or(&[][..], Vec::as_slice);
            let points: Vec<(f64, f64)> = curve
                .iter()
                .filter_map(|point| Some((point.at(axis)?, point.value)))
                .filter(|(_, value)| !positive || *value > 0.0)
                .collect();
            if points.is_empty() {
                continue;
            }
            let smooth = smoothing > 0.0 && quantity != Quantity::LearningRate;
            lines.push(Line {
                run,
                dashed: shown == Quantity::ValidationLoss,
                raw: smooth.then(|| thinned(&points, POINTS)),
                points: match smooth {
                    true => thinned(&smoothed(&points, smoothing), POINTS),
                    false => thinned(&points, POINTS),
                },
            });
        }
    }
    let all = || {
        let lines = lines.iter();
        lines.flat_map(|line| line.raw.iter().flatten().chain(&line.points))
    };
    let x = all().fold((f64::MAX, f64::MIN), |(a, b), p| (a.min(p.0), b.max(p.0)));
    let y = all().fold((f64::MAX, f64::MIN), |(a, b), p| (a.min(p.1), b.max(p.1)));
    if x.1 < x.0 {
        return None;
    }
    let (low, high) = y;
    // Few values that differ little have no round logarithms between them.
    let logarithmic = match quantity {
        Quantity::Pck => false,
        Quantity::LearningRate => high > 1000.0 * low,
        Quantity::Loss | Quantity::ValidationLoss => high > 10.0 * low,
    };
    Some(Panel {
        quantity,
        lines,
        x: 0.0..x.1.max(1e-9),
        y: match quantity {
            Quantity::Pck => tens(low, high),
            _ if logarithmic => low / 1.15..high * 1.15,
            _ => 0.0..high * 1.05,
        },
        logarithmic,
    })
}

/// The range of percentages between round tens that holds all of these.
fn tens(low: f64, high: f64) -> Range<f64> {
    let high = (10.0 * (high / 10.0).ceil()).clamp(20.0, 100.0);
    let low = (10.0 * (low / 10.0).floor()).clamp(0.0, high - 20.0);
    low..high
}

/// Draws everything, `scale` times larger than it will be seen.
pub fn draw<B: DrawingBackend>(
    root: &DrawingArea<B, Shift>,
    panels: &[Panel],
    runs: &[Curves],
    axis: Axis,
    options: &PlotOptions,
    scale: u32,
) -> Result<(), TrainError> {
    let s = |pixels: u32| pixels * scale;
    root.fill(&WHITE).map_err(failed)?;
    let mut area = root.clone();
    if let Some(title) = &options.title {
        area = area.titled(title, (FONT, s(18))).map_err(failed)?;
    }
    let (width, height) = area.dim_in_pixel();
    let legend = Legend::new(runs, width, s(13), scale);
    let (charts, below) = area.split_vertically(height.saturating_sub(legend.height()));
    for (panel, area) in panels
        .iter()
        .zip(charts.split_evenly((1, panels.len().max(1))))
    {
        match panel.logarithmic {
            true => panel.draw(&area, panel.y.clone().log_scale(), axis, scale),
            false => panel.draw(&area, panel.y.clone(), axis, scale),
        }?;
    }
    legend.draw(&below, scale)?;
    root.present().map_err(failed)
}

impl Panel {
    fn caption(&self) -> &'static str {
        let dashed = self.lines.iter().any(|line| line.dashed);
        match self.quantity {
            Quantity::Pck => "validation PCK (%)",
            Quantity::Loss if dashed => "loss (validation dashed)",
            Quantity::Loss | Quantity::ValidationLoss => "training loss",
            Quantity::LearningRate => "learning rate",
        }
    }

    fn draw<B, Y>(
        &self,
        area: &DrawingArea<B, Shift>,
        y: Y,
        axis: Axis,
        scale: u32,
    ) -> Result<(), TrainError>
    where
        B: DrawingBackend,
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64> + Ranged<ValueType = f64>,
    {
        let s = |pixels: u32| pixels * scale;
        let mut chart = ChartBuilder::on(area)
            .caption(self.caption(), (FONT, s(15)))
            .margin(s(10))
            .x_label_area_size(s(38))
            .y_label_area_size(s(52))
            .build_cartesian_2d(self.x.clone(), y)
            .map_err(failed)?;
        let fine = self.quantity == Quantity::Pck;
        chart
            .configure_mesh()
            .x_desc(axis.to_string())
            .x_labels(5)
            .max_light_lines(0)
            .bold_line_style(RGBColor(225, 225, 225).stroke_width(scale))
            .axis_style(RGBColor(90, 90, 90).stroke_width(scale))
            .label_style((FONT, s(12)))
            .axis_desc_style((FONT, s(12)))
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| {
                if fine {
                    format!("{value:.0}")
                } else {
                    small(*value)
                }
            })
            .draw()
            .map_err(failed)?;
        for line in &self.lines {
            let (r, g, b) = COLOURS[line.run % COLOURS.len()];
            let colour = RGBColor(r, g, b);
            if let Some(raw) = &line.raw {
                let faint = colour.mix(0.25).stroke_width(scale);
                let series = LineSeries::new(raw.iter().copied(), faint);
                chart.draw_series(series).map_err(failed)?;
            }
            let style = colour.stroke_width(s(2));
            let points = line.points.iter().copied();
            if line.points.len() == 1 {
                let dot = points.map(|point| Circle::new(point, s(3), colour.filled()));
                chart.draw_series(dot).map_err(failed)?;
            } else if line.dashed {
                let series = DashedLineSeries::new(points, s(6), s(4), style);
                chart.draw_series(series).map_err(failed)?;
            } else {
                let series = LineSeries::new(points, style);
                chart.draw_series(series).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// The runs' names with their colours, in as many rows as they need.
struct Legend<'a> {
    /// `(x, row, run, name)`
    entries: Vec<(i32, i32, usize, &'a str)>,
    rows: i32,
    row_height: i32,
    size: u32,
}

impl<'a> Legend<'a> {
    fn new(runs: &'a [Curves], width: u32, size: u32, scale: u32) -> Self {
        let margin = 20 * scale as i32;
        let (mut x, mut row) = (margin, 0);
        let mut entries = Vec::new();
        for (run, curves) in runs.iter().enumerate() {
            let letters = curves.label.chars().count() as i32;
            // Sans-serif letters are about 0.6 of their size wide.
            let needed = 44 * scale as i32 + letters * size as i32 * 6 / 10;
            if x + needed > width as i32 - margin && x > margin {
                (x, row) = (margin, row + 1);
            }
            entries.push((x, row, run, curves.label.as_str()));
            x += needed;
        }
        Self {
            entries,
            rows: row + 1,
            row_height: 20 * scale as i32,
            size,
        }
    }

    fn height(&self) -> u32 {
        self.rows.unsigned_abs() * self.row_height.unsigned_abs() + self.size / 2
    }

    fn draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        scale: u32,
    ) -> Result<(), TrainError> {
        let unit = scale as i32;
        for &(x, row, run, name) in &self.entries {
            let (r, g, b) = COLOURS[run % COLOURS.len()];
            let y = row * self.row_height + self.row_height / 2;
            let stroke = RGBColor(r, g, b).stroke_width(2 * scale);
            let swatch = PathElement::new(vec![(x, y), (x + 22 * unit, y)], stroke);
            area.draw(&swatch).map_err(failed)?;
            let style = TextStyle::from((FONT, self.size).into_font())
                .pos(Pos::new(HPos::Left, VPos::Center));
            let text = Text::new(name.to_owned(), (x + 28 * unit, y), style);
            area.draw(&text).map_err(failed)?;
        }
        Ok(())
    }
}

/// A count in few letters.
fn short(value: f64) -> String {
    let (value, unit) = match value.abs() {
        v if v >= 1e6 => (value / 1e6, "M"),
        v if v >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{value:.1}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A small number in few letters.
fn small(value: f64) -> String {
    if value == 0.0 || (0.01..1000.0).contains(&value.abs()) {
        let text = format!("{value:.3}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let text = format!("{value:.1e}");
    text.replacen(".0e", "e", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_lie_between_tens() {
        assert_eq!(tens(23.0, 61.0), 20.0..70.0);
        assert_eq!(tens(0.0, 3.0), 0.0..20.0);
        assert_eq!(tens(99.0, 100.0), 80.0..100.0);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (2.5, "2.5"),
            (9000.0, "9000"),
            (12_500.0, "12.5k"),
            (3e6, "3M"),
        ] {
            assert_eq!(short(value), text);
        }
        for (value, text) in [
            (0.0, "0"),
            (0.5, "0.5"),
            (0.001, "1e-3"),
            (0.00025, "2.5e-4"),
            (12.0, "12"),
        ] {
            assert_eq!(small(value), text);
        }
    }
}
