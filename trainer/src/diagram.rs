//! Pictures of networks as SVG.

mod layout;

use std::fmt::Write as _;
use std::path::Path;

use crate::error::TrainError;
use crate::summary::{LayerKind, LayerSummary, Summary};
use layout::{Unit, place, units};

/// Width of an operation's rectangle.
const BOX: f64 = 13.0;
/// From one operation of a unit to the next.
const PITCH: f64 = 17.0;
/// Free columns between two units.
const GAP: f64 = 15.0;
/// Height of a line of units.
const LINE: f64 = 62.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 64.0;

/// Draws a network: one row for the front and for each hourglass, in each row one lane for every
/// size of the maps, operations from left to right as rectangles whose colour says the kind and
/// whose height the number of channels. Lines show what reads what; every rectangle says on mouse
/// over what it is.
///
/// # Errors
/// When the picture cannot be written.
pub fn draw_graph(summary: &Summary, output: &Path) -> Result<(), TrainError> {
    if output.extension().is_none_or(|ending| ending != "svg") {
        return Err(TrainError::Setting(format!(
            "{}: the picture of a network is SVG, its file must end in .svg",
            output.display()
        )));
    }
    onnx_graph::write_atomically(output, svg(summary).as_bytes()).map_err(|source| TrainError::Io {
        path: output.to_owned(),
        source,
    })
}

fn color(kind: LayerKind) -> &'static str {
    match kind {
        LayerKind::Input => "#bdbdbd",
        LayerKind::Convolution => "#d95f02",
        LayerKind::Depthwise => "#e6ab02",
        LayerKind::Pointwise => "#1b6ca8",
        LayerKind::Sum => "#4d9221",
        LayerKind::Pool => "#7b3294",
        LayerKind::Upsample => "#c51b7d",
        LayerKind::Other => "#636363",
    }
}

fn kind_name(kind: LayerKind) -> &'static str {
    match kind {
        LayerKind::Input => "picture",
        LayerKind::Convolution => "convolution",
        LayerKind::Depthwise => "depthwise",
        LayerKind::Pointwise => "1×1 convolution",
        LayerKind::Sum => "sum",
        LayerKind::Pool => "pooling",
        LayerKind::Upsample => "enlarging",
        LayerKind::Other => "other",
    }
}

/// Height of a rectangle: 8 for one channel, 5 more for every doubling.
fn height(layer: &LayerSummary) -> f64 {
    let channels = layer.output.first().copied().unwrap_or(1).max(1);
    8.0 + 5.0 * (channels as f64).log2()
}

fn svg(summary: &Summary) -> String {
    let layers = &summary.layers;
    let (mut units, row_names) = units(summary);
    let lanes = place(&mut units, layers, row_names.len());
    // The top of every line of every lane of every row.
    let mut tops: Vec<Vec<f64>> = Vec::new();
    let mut y = TOP;
    for lanes in &lanes {
        let mut row = Vec::new();
        for &(_, lines) in lanes {
            row.push(y);
            y += lines as f64 * LINE;
        }
        tops.push(row);
        y += 26.0;
    }
    let right = units.iter().map(|u| u.x + u.width).fold(600.0, f64::max);
    let (width, height_of_all) = (right + 80.0, y + 10.0);

    let mut centres: Vec<(f64, f64)> = vec![(0.0, 0.0); layers.len()];
    let mut unit_of: Vec<usize> = vec![0; layers.len()];
    for (index, unit) in units.iter().enumerate() {
        let middle = tops[unit.row][unit.lane] + (unit.line as f64 + 0.5) * LINE;
        let mut x = unit.x;
        for &layer in &unit.layers {
            unit_of[layer] = index;
            centres[layer] = (x + BOX / 2.0, middle);
            x += PITCH;
        }
    }

    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = draw(
        &mut text,
        summary,
        &Drawing {
            units: &units,
            unit_of: &unit_of,
            centres: &centres,
            tops: &tops,
            lanes: &lanes,
            rows: &row_names,
            size: (width, height_of_all),
        },
    );
    text
}

struct Drawing<'a> {
    units: &'a [Unit],
    unit_of: &'a [usize],
    centres: &'a [(f64, f64)],
    tops: &'a [Vec<f64>],
    lanes: &'a [Vec<(f64, usize)>],
    rows: &'a [String],
    size: (f64, f64),
}

fn draw(text: &mut String, summary: &Summary, drawing: &Drawing<'_>) -> std::fmt::Result {
    let layers = &summary.layers;
    let (width, height_of_all) = drawing.size;
    writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" \
         height=\"{height_of_all:.0}\" viewBox=\"0 0 {width:.0} {height_of_all:.0}\" \
         font-family=\"sans-serif\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
    )?;
    writeln!(
        text,
        "<text x=\"12\" y=\"22\" font-size=\"15\">{}: {:.2} million parameters, {:.2} billion \
         multiply-adds, receptive field {} pixels</text>",
        escaped(&summary.name),
        summary.parameters as f64 / 1e6,
        summary.macs as f64 / 1e9,
        summary.receptive_field,
    )?;
    legend(text, layers)?;
    for (row, lanes) in drawing.lanes.iter().enumerate() {
        let top = drawing.tops[row].first().copied().unwrap_or(TOP);
        let lines: usize = lanes.iter().map(|(_, lines)| lines).sum();
        writeln!(
            text,
            "<rect x=\"6\" y=\"{top:.0}\" width=\"{:.0}\" height=\"{:.0}\" fill=\"#f6f6f6\" \
             rx=\"4\"/>\n<text x=\"12\" y=\"{:.0}\" font-size=\"12\" font-weight=\"bold\">{}</text>",
            width - 12.0,
            lines as f64 * LINE,
            top + 15.0,
            escaped(&drawing.rows[row]),
        )?;
        for (lane, &(stride, lines)) in lanes.iter().enumerate() {
            writeln!(
                text,
                "<text x=\"12\" y=\"{:.0}\" font-size=\"10\" fill=\"#666\">1/{stride}</text>",
                drawing.tops[row][lane] + lines as f64 * LINE / 2.0 + 10.0,
            )?;
        }
    }
    for (index, layer) in layers.iter().enumerate() {
        for &input in &layer.inputs {
            line(text, drawing, layers, input, index)?;
        }
    }
    for (index, layer) in layers.iter().enumerate() {
        let ((x, y), h) = (drawing.centres[index], height(layer));
        let title = format!(
            "{}\n{}\n{}\n{} parameters, {} multiply-adds, field {}",
            layer.name,
            layer.description,
            layer
                .output
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("×"),
            layer.parameters,
            layer.macs,
            layer.receptive_field
        );
        writeln!(
            text,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{BOX}\" height=\"{h:.1}\" fill=\"{}\" \
             rx=\"2\"><title>{}</title></rect>",
            x - BOX / 2.0,
            y - h / 2.0,
            color(layer.kind),
            escaped(&title),
        )?;
    }
    for unit in drawing.units {
        let prefix = format!("{}_", drawing.rows[unit.row]);
        let name = unit.name.strip_prefix(&prefix).unwrap_or(&unit.name);
        let top = drawing.tops[unit.row][unit.lane] + unit.line as f64 * LINE;
        // A name that is wider than its unit is on mouse over alone.
        if unit.layers.len() > 2 {
            writeln!(
                text,
                "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"7.5\" fill=\"#444\">{}</text>",
                unit.x,
                top + LINE - 3.0,
                escaped(name),
            )?;
        }
    }
    writeln!(text, "</svg>")
}

fn legend(text: &mut String, layers: &[LayerSummary]) -> std::fmt::Result {
    let mut x = 12.0;
    for kind in [
        LayerKind::Input,
        LayerKind::Convolution,
        LayerKind::Depthwise,
        LayerKind::Pointwise,
        LayerKind::Sum,
        LayerKind::Pool,
        LayerKind::Upsample,
        LayerKind::Other,
    ] {
        if !layers.iter().any(|layer| layer.kind == kind) {
            continue;
        }
        let name = kind_name(kind);
        writeln!(
            text,
            "<rect x=\"{x:.0}\" y=\"36\" width=\"{BOX}\" height=\"13\" fill=\"{}\" rx=\"2\"/>\
             <text x=\"{:.0}\" y=\"46\" font-size=\"11\">{name}</text>",
            color(kind),
            x + BOX + 5.0,
        )?;
        x += 40.0 + 6.2 * name.chars().count() as f64;
    }
    writeln!(
        text,
        "<text x=\"{x:.0}\" y=\"46\" font-size=\"11\" fill=\"#666\">taller: more channels; lanes: \
         size of the maps over the picture's</text>"
    )
}

/// The line from an operation to one that reads it.
fn line(
    text: &mut String,
    drawing: &Drawing<'_>,
    layers: &[LayerSummary],
    from: usize,
    to: usize,
) -> std::fmt::Result {
    let (source, target) = (
        &drawing.units[drawing.unit_of[from]],
        &drawing.units[drawing.unit_of[to]],
    );
    let ((x1, y1), (x2, y2)) = (drawing.centres[from], drawing.centres[to]);
    let style = "fill=\"none\" stroke=\"#888\" stroke-width=\"1\"";
    if source.row != target.row {
        // From the end of one row to the start of another: a stub at each end.
        let name = &drawing.rows[source.row];
        return writeln!(
            text,
            "<path d=\"M {x1:.1} {y1:.1} h 26\" {style} stroke-dasharray=\"3 2\"/>\
             <path d=\"M {:.1} {y2:.1} H {x2:.1}\" {style} stroke-dasharray=\"3 2\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"7.5\" fill=\"#666\">{} →</text>",
            (x2 - 30.0).max(30.0),
            (x2 - 32.0).max(30.0),
            y2 - height(&layers[to]) / 2.0 - 3.0,
            escaped(name),
        );
    }
    let (left, right) = (x1 + BOX / 2.0, x2 - BOX / 2.0);
    if (y1 - y2).abs() < 1.0 {
        if right - left < PITCH + GAP {
            return writeln!(
                text,
                "<path d=\"M {left:.1} {y1:.1} H {right:.1}\" {style}/>"
            );
        }
        // Over what stands between.
        let lift = y1 - 30.0 - ((right - left) * 0.02).min(10.0);
        return writeln!(
            text,
            "<path d=\"M {left:.1} {y1:.1} C {:.1} {lift:.1} {:.1} {lift:.1} {right:.1} {y2:.1}\" \
             {style}/>",
            left + 8.0,
            right - 8.0,
        );
    }
    let bend = ((right - left) / 2.0).clamp(6.0, 40.0);
    writeln!(
        text,
        "<path d=\"M {left:.1} {y1:.1} C {:.1} {y1:.1} {:.1} {y2:.1} {right:.1} {y2:.1}\" {style}/>",
        left + bend,
        right - bend,
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
