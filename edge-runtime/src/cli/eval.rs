//! `edge-runtime eval`

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dataset::{PckReport, PckRule, Person, Source};
use edge_runtime::{
    ContactSheet, EvalSettings, Evaluation, ModelPredictor, RuntimeError, SheetEntry, evaluate,
    load_photo, save_picture,
};
use pose::{Crop, KeypointSet};
use serde::Serialize;

use super::model_args::ModelArgs;
use super::progress;
use super::values::fraction;

/// What is measured, and on whom.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  edge-runtime eval --model models/tiny.onnx --data 'lsp:data/lsp?split=test' \\\n      --contact-sheet sheet.png --count 24"
)]
pub struct EvalArgs {
    /// Annotated photos: lsp:PATH, lspet:PATH, annotations:PATH or coco:JSON[,IMAGES], each with
    /// ?split=train|validation|test; may be given several times
    #[arg(long, value_name = "KIND:PATH", required = true)]
    data: Vec<Source>,
    /// When a keypoint is right
    #[arg(long, default_value = "pck")]
    metric: Metric,
    /// Largest distance, as a part of the torso (pck) or the head (pckh) [default: 0.2, 0.5]
    #[arg(long, value_name = "PART", value_parser = fraction)]
    threshold: Option<f32>,
    /// Measure with the mean of picture and mirror image
    #[arg(long)]
    flip_test: bool,
    /// Only every N-th person
    #[arg(long, value_name = "N", default_value_t = 1)]
    every: usize,
    /// Models that run side by side, each on one thread
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Write a picture of some people with the skeletons that were found
    #[arg(long, value_name = "FILE")]
    contact_sheet: Option<PathBuf>,
    /// People on the contact sheet
    #[arg(long, value_name = "N", default_value_t = 24)]
    count: usize,
    /// Draw keypoints of at least this confidence
    #[arg(long, value_name = "PART", default_value_t = 0.2, value_parser = fraction)]
    min_confidence: f32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Metric {
    /// Nearer than a part of the torso.
    Pck,
    /// Nearer than a part of the head size.
    Pckh,
    /// Nearer than 3.2 heatmap cells at 256 pixels, as the Keras hourglass projects count.
    Cells,
}

/// The figures as JSON.
#[derive(Serialize)]
struct JsonReport<'a> {
    model: &'a str,
    data: Vec<String>,
    flip_test: bool,
    #[serde(flatten)]
    report: &'a PckReport,
    problems: &'a [String],
}

impl EvalArgs {
    pub fn execute(self) -> anyhow::Result<()> {
        if self.every == 0 || self.count == 0 {
            let message = "--every and --count: expected at least 1";
            return Err(RuntimeError::Usage(message.into()).into());
        }
        let first = ModelPredictor::new(self.model.load()?)?;
        let mut predictors = vec![first];
        for _ in 1..self.workers {
            predictors.push(ModelPredictor::new(self.model.load()?)?);
        }
        let spec = predictors[0].spec().clone();
        let people = self.people(&spec.keypoints)?;
        let settings = EvalSettings {
            flip_test: self.flip_test,
            rule: self.rule(&spec),
            ..EvalSettings::for_model(&spec)
        };

        let bar = progress::bar(people.len(), "evaluating");
        let evaluation = evaluate(&people, &settings, predictors, |n| {
            bar.set_position(n as u64);
        })?;
        bar.finish_and_clear();

        if let Some(path) = &self.contact_sheet {
            let sheet = self.contact_sheet(&people, &evaluation, &settings)?;
            save_picture(&sheet.into_picture(), path)?;
        }
        for problem in &evaluation.problems {
            eprintln!("warning: {problem}");
        }
        self.print(&spec.name, &evaluation)?;
        if evaluation.report.people == 0 {
            let message = "nobody could be judged: see the warnings above";
            return Err(RuntimeError::Dataset(message.into()).into());
        }
        Ok(())
    }

    fn people(&self, set: &KeypointSet) -> anyhow::Result<Vec<Person>> {
        let mut people = Vec::new();
        for source in &self.data {
            let loaded = dataset::load(source, set)?;
            for problem in &loaded.problems {
                eprintln!("warning: {problem}");
            }
            people.extend(loaded.people);
        }
        let people: Vec<Person> = people.into_iter().step_by(self.every).collect();
        if people.is_empty() {
            let names: Vec<String> = self.data.iter().map(ToString::to_string).collect();
            return Err(RuntimeError::Dataset(format!(
                "{}: no person with keypoints that the model knows",
                names.join(", ")
            ))
            .into());
        }
        Ok(people)
    }

    fn rule(&self, spec: &edge_runtime::ModelSpec) -> PckRule {
        match self.metric {
            Metric::Pck => PckRule::Torso {
                threshold: self.threshold.unwrap_or(0.2),
            },
            Metric::Pckh => PckRule::Head {
                threshold: self.threshold.unwrap_or(0.5),
            },
            Metric::Cells => PckRule::HeatmapCells {
                input_width: spec.input.size.width,
                input_height: spec.input.size.height,
            },
        }
    }

    /// People at equal distances through the list.
    fn contact_sheet(
        &self,
        people: &[Person],
        evaluation: &Evaluation,
        settings: &EvalSettings,
    ) -> anyhow::Result<ContactSheet> {
        let found: Vec<_> = people
            .iter()
            .zip(&evaluation.poses)
            .filter_map(|(person, pose)| Some((person, pose.as_ref()?)))
            .collect();
        let count = self.count.min(found.len());
        let mut sheet = ContactSheet::new(count);
        for (person, pose) in (0..count).map(|i| found[i * found.len() / count]) {
            let photo = load_photo(&person.image)?;
            let entry = SheetEntry {
                photo: &photo,
                crop: Crop::around(
                    person.crop_rect(),
                    settings.crop_margin * 1.1,
                    pose::Size::square(1),
                ),
                pose,
                caption: person.id.clone(),
            };
            sheet.add(&entry, &settings.keypoints, self.min_confidence)?;
        }
        Ok(sheet)
    }

    fn print(&self, model: &str, evaluation: &Evaluation) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            let report = JsonReport {
                model,
                data: self.data.iter().map(ToString::to_string).collect(),
                flip_test: self.flip_test,
                report: &evaluation.report,
                problems: &evaluation.problems,
            };
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        } else {
            writeln!(out, "{}", evaluation.report)?;
        }
        if let (Some(path), false) = (&self.contact_sheet, self.json) {
            writeln!(out, "contact sheet: {}", path.display())?;
        }
        Ok(())
    }
}
