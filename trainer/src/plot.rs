//! Training curves as SVG.

use std::path::{Path, PathBuf};

use plotters::prelude::*;

use crate::error::TrainError;

/// One row of `log.csv`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    samples: f64,
    loss: f64,
    pck: f64,
}

/// Reads a training's `log.csv`.
fn read(path: &Path) -> Result<Vec<Row>, TrainError> {
    let text = std::fs::read_to_string(path).map_err(|source| TrainError::Io {
        path: path.to_owned(),
        source,
    })?;
    let fail = |line: usize, reason: &str| TrainError::Checkpoint {
        path: path.to_owned(),
        reason: format!("line {}: {reason}", line + 1),
    };
    let mut lines = text.lines().enumerate();
    let columns: Vec<&str> = lines.next().unwrap_or_default().1.split(',').collect();
    let column = |name: &str| {
        let position = columns.iter().position(|column| *column == name);
        position.ok_or_else(|| fail(0, &format!("no column `{name}`; is this a log.csv?")))
    };
    let [samples, loss, pck] = [column("samples")?, column("loss")?, column("pck")?];
    lines
        .map(|(line, text)| {
            let fields: Vec<&str> = text.split(',').collect();
            let number = |index: usize| {
                let field = fields.get(index).and_then(|field| field.parse().ok());
                field
                    .ok_or_else(|| fail(line, &format!("column `{}` is no number", columns[index])))
            };
            Ok(Row {
                samples: number(samples)?,
                loss: number(loss)?,
                pck: number(pck)?,
            })
        })
        .collect()
}

/// Draws loss and validation PCK of one or several trainings over the samples seen, as an SVG of
/// 900×420. Trainings that follow one another (each starting from the last one's weights) make one
/// curve.
///
/// # Errors
/// When a log cannot be read or the picture cannot be written.
pub fn plot(logs: &[PathBuf], output: &Path) -> Result<(), TrainError> {
    let runs = logs
        .iter()
        .map(|log| read(log))
        .collect::<Result<Vec<_>, _>>()?;
    let rows = || runs.iter().flatten();
    let samples = rows().map(|row| row.samples).fold(1.0, f64::max);
    let (low, high) = rows()
        .filter(|row| row.loss > 0.0)
        .fold((f64::MAX, f64::MIN), |(low, high), row| {
            (low.min(row.loss), high.max(row.loss))
        });
    if high < low {
        return Err(TrainError::Setting(
            "the logs hold no rows to plot".to_owned(),
        ));
    }
    let mut svg = String::new();
    draw(&mut svg, &runs, samples, (low, high))
        .map_err(|error| TrainError::Setting(format!("cannot draw the curves: {error}")))?;
    onnx_graph::write_atomically(output, svg.as_bytes()).map_err(|source| TrainError::Io {
        path: output.to_owned(),
        source,
    })
}

fn draw(
    svg: &mut String,
    runs: &[Vec<Row>],
    samples: f64,
    (low, high): (f64, f64),
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, (900, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let thousands = |value: &f64| format!("{:.0}k", value / 1000.0);
    let panels = root.split_evenly((1, 2));
    let mut pck = ChartBuilder::on(&panels[0])
        .caption("validation PCK@0.2 (%)", ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..samples, 0.0..100.0)?;
    pck.configure_mesh()
        .x_desc("samples")
        .max_light_lines(0)
        .x_label_formatter(&thousands)
        .draw()?;
    let mut loss = ChartBuilder::on(&panels[1])
        .caption("training loss", ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..samples, (low * 0.9..high * 1.1).log_scale())?;
    loss.configure_mesh()
        .x_desc("samples")
        .max_light_lines(0)
        .x_label_formatter(&thousands)
        .y_label_formatter(&|value| format!("{value:.4}"))
        .draw()?;
    for (index, rows) in runs.iter().enumerate() {
        let style = Palette99::pick(index).stroke_width(2);
        let points = rows.iter().map(|row| (row.samples, row.pck));
        pck.draw_series(LineSeries::new(points, style))?;
        let points = rows.iter().map(|row| (row.samples, row.loss));
        loss.draw_series(LineSeries::new(points, style))?;
    }
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_every_run_and_names_a_bad_line() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.csv");
        let svg = folder.path().join("curve.svg");
        let head = "epoch,step,samples,learning_rate,loss,pck,best,samples_per_second\n";
        let rows = "1,10,320,1e-3,0.5,20,20,9\n2,20,640,1e-3,0.25,40,40,9\n";
        std::fs::write(&log, format!("{head}{rows}")).unwrap();
        plot(&[log.clone(), log.clone()], &svg).unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        // Two runs, each a line in both panels.
        assert_eq!(text.matches("stroke-width=\"2\"").count(), 4);
        std::fs::write(&log, format!("{head}1,10,many,1e-3,0.5,20,20,9\n")).unwrap();
        let error = plot(&[log], &svg).unwrap_err().to_string();
        assert!(
            error.contains("line 2") && error.contains("samples"),
            "{error}"
        );
    }
}
