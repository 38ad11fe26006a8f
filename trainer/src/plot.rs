//! Training curves as pictures: SVG, or PNG with the same content.

mod chart;
mod png;
mod smooth;

use std::path::{Path, PathBuf};

use plotters::prelude::*;
use pose::Size;

use crate::curves::{Axis, Curves};
use crate::error::TrainError;

/// How curves are drawn.
#[derive(Clone, Debug)]
pub struct PlotOptions {
    /// Names in the legend, in the order of the trainings; those beyond are called by their
    /// folders.
    pub labels: Vec<String>,
    /// Weight of the past in a moving average, 0 to below 1; 0 draws the values as they are.
    pub smoothing: f64,
    /// What lies along the horizontal axis; by default the first that all trainings know.
    pub axis: Option<Axis>,
    /// Size of the picture; by default what the number of panels needs.
    pub size: Option<Size>,
    /// Title above everything.
    pub title: Option<String>,
}

impl Default for PlotOptions {
    fn default() -> Self {
        Self {
            labels: Vec::new(),
            smoothing: 0.0,
            axis: None,
            size: None,
            title: None,
        }
    }
}

/// What SVG viewers choose a font by; PNG pictures have their own.
const FONT: &str = "sans-serif";

/// Draws accuracy, loss and learning rate of one or several trainings, a panel each, to an SVG or
/// PNG file. Trainings that follow one another (each starting from the last one's weights)
/// continue one another's curves over the samples.
///
/// # Errors
/// When a log cannot be read, the logs share no axis, or the picture cannot be written.
pub fn plot(logs: &[PathBuf], output: &Path, options: &PlotOptions) -> Result<(), TrainError> {
    let mut runs = logs
        .iter()
        .map(|log| Curves::read(log))
        .collect::<Result<Vec<_>, _>>()?;
    name(&mut runs, &options.labels);
    let axis = axis(&runs, options.axis)?;
    if !(0.0..1.0).contains(&options.smoothing) {
        return Err(TrainError::Setting(format!(
            "smoothing {}: expected a number from 0 to below 1",
            options.smoothing
        )));
    }
    let panels = chart::panels(&runs, axis, options.smoothing);
    let size = options.size.map_or_else(
        || (480 * panels.len().max(1) as u32, 420),
        |size| (size.width as u32, size.height as u32),
    );
    let ending = output.extension().and_then(|ending| ending.to_str());
    let bytes = match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("svg") => {
            let mut svg = String::new();
            let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            chart::draw(&root, &panels, &runs, axis, options, 1)?;
            drop(root);
            svg.into_bytes()
        }
        Some("png") => png::draw(size, |root, scale| {
            chart::draw(root, &panels, &runs, axis, options, scale)
        })?,
        _ => {
            return Err(TrainError::Setting(format!(
                "{}: curves are written as .svg or .png",
                output.display()
            )));
        }
    };
    onnx_graph::write_atomically(output, &bytes).map_err(|source| TrainError::Io {
        path: output.to_owned(),
        source,
    })
}

/// Gives the runs the names that were asked for; names that occur twice get numbers.
fn name(runs: &mut [Curves], labels: &[String]) {
    for (run, label) in runs.iter_mut().zip(labels) {
        run.label.clone_from(label);
    }
    for index in 1..runs.len() {
        let (before, rest) = runs.split_at_mut(index);
        let label = rest[0].label.clone();
        let taken = |label: &str| before.iter().any(|run| run.label == label);
        let free = (2..).map(|n| format!("{label} ({n})")).find(|l| !taken(l));
        if let Some(free) = free.filter(|_| taken(&label)) {
            rest[0].label = free;
        }
    }
}

fn axis(runs: &[Curves], wanted: Option<Axis>) -> Result<Axis, TrainError> {
    let mut axes = [Axis::Samples, Axis::Steps, Axis::Epochs]
        .into_iter()
        .filter(|axis| wanted.is_none_or(|wanted| wanted == *axis));
    let shared = axes.find(|axis| runs.iter().all(|run| run.has(*axis)));
    shared.ok_or_else(|| {
        let lacking = |axis: Axis| {
            let lacking = runs.iter().filter(|run| !run.has(axis));
            let paths: Vec<String> = lacking.map(|r| r.path.display().to_string()).collect();
            format!("no {axis} in {}", paths.join(", "))
        };
        let reason = match wanted {
            Some(axis) => lacking(axis),
            None => [Axis::Samples, Axis::Steps, Axis::Epochs]
                .map(lacking)
                .join("; "),
        };
        TrainError::Setting(format!("the logs share no horizontal axis: {reason}"))
    })
}

/// What plotters says when it cannot draw.
fn failed(error: impl std::fmt::Display) -> TrainError {
    TrainError::Setting(format!("cannot draw the curves: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(folder: &Path, name: &str) -> PathBuf {
        let head = "epoch,step,samples,learning_rate,loss,pck,best,samples_per_second\n";
        let rows = "1,10,320,1e-3,0.5,20,20,9\n2,20,640,5e-4,0.25,40,40,9\n";
        let path = folder.join(name);
        std::fs::write(&path, format!("{head}{rows}")).unwrap();
        path
    }

    #[test]
    fn draws_every_run_in_every_panel_of_an_svg() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), "log.csv");
        let svg = folder.path().join("curve.svg");
        let options = PlotOptions {
            labels: vec!["first".into(), "second & last".into()],
            ..PlotOptions::default()
        };
        plot(&[log.clone(), log.clone()], &svg, &options).unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        // Two runs, each a line in three panels and one in the legend.
        assert_eq!(text.matches("stroke-width=\"2\"").count(), 2 * (3 + 1));
        assert!(text.contains("first") && text.contains("second &amp; last"));
        let other = folder.path().join("curve.pdf");
        let error = plot(&[log], &other, &options).unwrap_err().to_string();
        assert!(error.contains(".svg or .png"), "{error}");
    }

    #[test]
    fn a_png_has_the_curves_colours() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), "log.csv");
        let png = folder.path().join("curve.png");
        let options = PlotOptions {
            size: Some(Size::new(600, 300)),
            ..PlotOptions::default()
        };
        plot(&[log], &png, &options).unwrap();
        let picture = image::open(&png).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (600, 300));
        let near = |pixel: &image::Rgb<u8>, (r, g, b): (u8, u8, u8)| {
            let channels = pixel.0.iter().zip([r, g, b]);
            channels.into_iter().all(|(a, b)| a.abs_diff(b) < 24)
        };
        let count = |rgb| picture.pixels().filter(|p| near(p, rgb)).count();
        assert!(count(chart::COLOURS[0]) > 100);
        // Words are black on white.
        assert!(count((0, 0, 0)) > 50 && count((255, 255, 255)) > 100_000);
    }

    #[test]
    fn logs_without_a_common_axis_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), "log.csv");
        let val = folder.path().join("val.txt");
        std::fs::write(&val, "model:a;dataset:b\nEpoch 0:0.5\n").unwrap();
        let svg = folder.path().join("curve.svg");
        // Both know epochs.
        plot(&[log.clone(), val.clone()], &svg, &PlotOptions::default()).unwrap();
        let options = PlotOptions {
            axis: Some(Axis::Steps),
            ..PlotOptions::default()
        };
        let error = plot(&[log, val], &svg, &options).unwrap_err().to_string();
        assert!(
            error.contains("no steps in") && error.contains("val.txt"),
            "{error}"
        );
    }
}
