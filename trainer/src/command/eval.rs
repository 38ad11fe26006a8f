//! `trainer eval`

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use dataset::Person;
use edge_runtime::{
    EvalSettings, MeasureArgs, MeasureOutcome, ModelOptions, ModelPredictor, PoseModel,
    RuntimeError, Subject,
};
use indicatif::{ProgressBar, ProgressStyle};
use pose::KeypointSet;
use trainer::{
    Checkpoint, DataSpec, SampleShape, TrainDevice, device_predictor, eval_settings,
    weight_predictors,
};

/// Measure a checkpoint, an exported ONNX file, or a file of results on annotated people.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  trainer eval --weights runs/tiny/best.safetensors --data 'lsp:data/lsp?split=test' \\\n      --metric all --worst 24 --out worst --chart chart.svg\n  trainer eval --predictions results.json --data coco:person_keypoints_val2017.json --metric oks"
)]
pub struct EvalArgs {
    /// Checkpoint or ONNX file.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "predictions",
        conflicts_with = "predictions"
    )]
    weights: Option<PathBuf>,
    /// Annotated people, as for `trainer train`.
    #[arg(long, required = true, value_name = "SPEC")]
    data: Vec<DataSpec>,
    /// Keypoints of the results of --predictions: mpii, coco, lsp or animal_pose [default: by
    /// their number].
    #[arg(long, value_name = "NAME", requires = "predictions")]
    keypoints: Option<String>,
    /// Where a checkpoint runs: cpu, flex, wgpu or cuda[:INDEX]. ONNX files run in the runtime.
    #[arg(long, default_value = "cpu")]
    device: TrainDevice,
    #[command(flatten)]
    measure: MeasureArgs,
}

/// Measures as the arguments say.
pub fn run(args: EvalArgs) -> anyhow::Result<()> {
    args.measure.check()?;
    let outcome = match (&args.measure.predictions, &args.weights) {
        (Some(path), _) => {
            let choice = args.keypoints.as_deref().map(set_of_name).transpose()?;
            let people = |set: &KeypointSet| args.people(set);
            let sources: Vec<_> = args.data.iter().map(DataSpec::source).collect();
            let all = !args.data.iter().any(DataSpec::is_part);
            args.measure
                .score(path, (args.specs(), &sources), choice, all, people)?
        }
        (None, Some(weights)) if weights.extension().is_some_and(|e| e == "onnx") => {
            args.measure_onnx(weights)?
        }
        (None, Some(weights)) => args.measure_checkpoint(weights)?,
        (None, None) => {
            let message = "expected --weights or --predictions";
            return Err(RuntimeError::Usage(message.into()).into());
        }
    };
    for problem in outcome.problems() {
        eprintln!("warning: {problem}");
    }
    outcome.print(&mut io::stdout().lock(), args.measure.json)?;
    outcome.expect_people()?;
    Ok(())
}

fn set_of_name(name: &str) -> Result<KeypointSet, RuntimeError> {
    KeypointSet::builtin(name)
        .ok_or_else(|| RuntimeError::Usage(format!("unknown keypoint set `{name}`")))
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A bar on a terminal, nothing elsewhere.
fn bar(count: usize) -> ProgressBar {
    let bar = ProgressBar::new(count as u64);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta}")
    {
        bar.set_style(style);
    }
    bar.set_message("evaluating");
    bar
}

impl EvalArgs {
    fn specs(&self) -> Vec<String> {
        self.data.iter().map(ToString::to_string).collect()
    }

    fn people(&self, keypoints: &KeypointSet) -> Result<Vec<Person>, RuntimeError> {
        let mut people = Vec::new();
        for spec in &self.data {
            let loaded = spec.load(keypoints, true, |warning| eprintln!("{spec}: {warning}"));
            people.extend(loaded.map_err(|e| RuntimeError::Dataset(e.to_string()))?);
        }
        if people.is_empty() {
            let message = "no person with labels in --data";
            return Err(RuntimeError::Dataset(message.into()));
        }
        Ok(people)
    }

    fn subject<'a>(
        &'a self,
        model: String,
        people: &'a [Person],
        settings: EvalSettings,
    ) -> Subject<'a> {
        Subject {
            model,
            data: self.specs(),
            sources: self.data.iter().map(DataSpec::source).collect(),
            people,
            settings,
        }
    }

    fn measure_onnx(&self, path: &PathBuf) -> anyhow::Result<MeasureOutcome> {
        let predictors = (0..threads())
            .map(|_| ModelPredictor::new(PoseModel::load(path, &ModelOptions::default())?))
            .collect::<Result<Vec<_>, _>>()?;
        let spec = predictors[0].spec();
        let settings = EvalSettings::for_model(spec);
        let model = spec.name.clone();
        let people = self.people(&settings.keypoints)?;
        let subject = self.subject(model, &people, settings);
        let bar = bar(people.len());
        let progress = |n| bar.set_position(n as u64);
        let outcome = self.measure.run(subject, predictors, progress);
        bar.finish_and_clear();
        Ok(outcome?)
    }

    fn measure_checkpoint(&self, path: &Path) -> anyhow::Result<MeasureOutcome> {
        let checkpoint = Checkpoint::load(path)?;
        let info = &checkpoint.info;
        let keypoints = info.keypoints.clone();
        let [height, width] = info.input;
        let shape = SampleShape {
            input: pose::Size { width, height },
            stride: 4,
            sigma: info.sigma,
            margin: info.margin,
        };
        let settings = eval_settings(&shape, &keypoints);
        let people = self.people(&keypoints)?;
        let subject = self.subject(path.display().to_string(), &people, settings.clone());
        let (graph, weights) = (info.network.graph(), &checkpoint.weights);
        let bar = bar(people.len());
        let progress = |n| bar.set_position(n as u64);
        let outcome = match self.device.burn()? {
            None => {
                let predictors = weight_predictors(&graph, weights, &settings, threads());
                self.measure.run(subject, predictors, progress)
            }
            Some(device) => {
                let predictor = device_predictor(&graph, weights, &settings, &device);
                self.measure.run(subject, vec![predictor], progress)
            }
        };
        bar.finish_and_clear();
        Ok(outcome?)
    }
}
