//! `edge-runtime bench`

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use edge_runtime::{
    BenchReport, BenchSettings, Estimator, EstimatorSettings, RuntimeError, bench, load_photo,
};
use image::RgbImage;
use pose::{RgbView, Size};

use super::model_args::ModelArgs;
use super::values::SizeValue;

/// What is measured.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  edge-runtime bench --model models/tiny.onnx --runs 200 --threads 2"
)]
pub struct BenchArgs {
    /// Photo to measure with [default: a generated picture]
    photo: Option<PathBuf>,
    /// Size of the generated picture
    #[arg(
        long,
        value_name = "WxH",
        default_value = "640x480",
        conflicts_with = "photo"
    )]
    frame: SizeValue,
    /// Poses that are measured
    #[arg(long, value_name = "N", default_value_t = 100)]
    runs: usize,
    /// Poses before that, not measured
    #[arg(long, value_name = "N", default_value_t = 10)]
    warm_up: usize,
    /// Measure with the mean of picture and mirror image
    #[arg(long)]
    flip_test: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
}

impl BenchArgs {
    pub fn execute(self) -> anyhow::Result<()> {
        if self.runs == 0 {
            return Err(RuntimeError::Usage("--runs 0 measures nothing".into()).into());
        }
        let frame = match &self.photo {
            Some(path) => load_photo(path)?,
            None => generated(self.frame.0),
        };
        let view = RgbView::new(
            frame.as_raw(),
            frame.width() as usize,
            frame.height() as usize,
        );
        let settings = EstimatorSettings {
            passes: 1,
            flip_test: self.flip_test,
            ..EstimatorSettings::default()
        };
        let mut estimator = Estimator::new(self.model.load()?, settings)?;
        let runs = BenchSettings {
            warm_up: self.warm_up,
            runs: self.runs,
        };
        let report = bench(&mut estimator, &view, runs, usize::from(self.model.threads))?;
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        } else {
            print_table(&mut out, &report)?;
        }
        Ok(())
    }
}

/// A picture with structure everywhere, the same on every machine.
fn generated(size: Size) -> RgbImage {
    RgbImage::from_fn(size.width as u32, size.height as u32, |x, y| {
        image::Rgb([(x * 7 + y) as u8, (x ^ y) as u8, (x + y * 5) as u8])
    })
}

fn print_table(out: &mut impl Write, report: &BenchReport) -> io::Result<()> {
    writeln!(
        out,
        "{}  input {}x{}, frame {}x{}, {} threads, {} runs",
        report.model,
        report.input[0],
        report.input[1],
        report.frame[0],
        report.frame[1],
        report.threads,
        report.runs
    )?;
    writeln!(out, "{:<14}{:>10}{:>10}{:>10}", "ms", "min", "p50", "p95")?;
    for (name, times) in [
        ("preprocessing", report.preprocessing),
        ("inference", report.inference),
        ("decoding", report.decoding),
        ("total", report.total),
    ] {
        writeln!(
            out,
            "{name:<14}{:>10.3}{:>10.3}{:>10.3}",
            times.min_ms, times.p50_ms, times.p95_ms
        )?;
    }
    let around = report.preprocessing.p50_ms + report.decoding.p50_ms;
    writeln!(
        out,
        "preprocessing and decoding: {:.1} % of inference",
        100.0 * around / report.inference.p50_ms
    )
}
