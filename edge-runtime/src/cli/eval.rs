//! `edge-runtime eval`

use std::io;

use clap::Args;
use dataset::{Person, Source};
use edge_runtime::{EvalSettings, MeasureArgs, ModelPredictor, RuntimeError, Subject};
use pose::KeypointSet;

use super::model_args::ModelArgs;
use super::progress;

/// What is measured, and on whom.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  edge-runtime eval --model models/tiny.onnx --data 'lsp:data/lsp?split=test' \\\n      --metric all --worst 24 --out worst --chart chart.svg\n  edge-runtime eval --predictions results.json --data coco:person_keypoints_val2017.json \\\n      --metric oks"
)]
pub struct EvalArgs {
    /// Annotated photos: KIND:PATH[,IMAGES], KIND is lsp, lspet, annotations, coco and others,
    /// each with ?split=train|validation|test; may be given several times
    #[arg(long, value_name = "KIND:PATH", required = true)]
    data: Vec<Source>,
    /// Only every N-th person
    #[arg(long, value_name = "N", default_value_t = 1)]
    every: usize,
    /// Models that run side by side, each on one thread
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    #[command(flatten)]
    measure: MeasureArgs,
    #[command(flatten)]
    model: ModelArgs,
}

impl EvalArgs {
    pub fn execute(self) -> anyhow::Result<()> {
        self.measure.check()?;
        if self.every == 0 {
            return Err(RuntimeError::Usage("--every: expected at least 1".into()).into());
        }
        let data: Vec<String> = self.data.iter().map(ToString::to_string).collect();
        let sources: Vec<&Source> = self.data.iter().collect();
        let outcome = if let Some(path) = &self.measure.predictions {
            let choice = self.model.options().keypoints.resolve(None)?;
            let people = |set: &KeypointSet| self.people(set);
            let all = self.every == 1;
            self.measure
                .score(path, (data, &sources), choice, all, people)?
        } else {
            let mut predictors = vec![ModelPredictor::new(self.model.load()?)?];
            for _ in 1..self.workers {
                predictors.push(ModelPredictor::new(self.model.load()?)?);
            }
            let spec = predictors[0].spec().clone();
            let people = self.people(&spec.keypoints)?;
            let subject = Subject {
                model: spec.name.clone(),
                data,
                sources,
                people: &people,
                settings: EvalSettings::for_model(&spec),
            };
            let bar = progress::bar(people.len(), "evaluating");
            let progress = |n| bar.set_position(n as u64);
            let outcome = self.measure.run(subject, predictors, progress);
            bar.finish_and_clear();
            outcome?
        };
        for problem in outcome.problems() {
            eprintln!("warning: {problem}");
        }
        outcome.print(&mut io::stdout().lock(), self.measure.json)?;
        outcome.expect_people()?;
        Ok(())
    }

    fn people(&self, set: &KeypointSet) -> Result<Vec<Person>, RuntimeError> {
        let mut people = Vec::new();
        for source in &self.data {
            let loaded =
                dataset::load(source, set).map_err(|e| RuntimeError::Dataset(e.to_string()))?;
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
            )));
        }
        Ok(people)
    }
}
