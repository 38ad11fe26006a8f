//! `trainer eval`

use std::path::PathBuf;

use clap::Args;
use edge_runtime::{EvalSettings, ModelOptions, ModelPredictor, PoseModel, evaluate};
use pose::KeypointSet;
use trainer::{
    Checkpoint, DataSpec, SampleShape, TrainDevice, eval_settings, evaluate_on_device,
    evaluate_weights,
};

/// Measure a checkpoint, or an exported ONNX file, on annotated people.
#[derive(Args)]
#[command(
    after_help = "Example:\n  trainer eval --weights runs/tiny/best.safetensors --data 'lsp:data/lsp?split=test'"
)]
pub struct EvalArgs {
    /// Checkpoint or ONNX file.
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Annotated people, as for `trainer train`.
    #[arg(long, required = true, value_name = "SPEC")]
    data: Vec<DataSpec>,
    /// Mean of picture and mirror image.
    #[arg(long)]
    flip_test: bool,
    /// Where a checkpoint runs: cpu, flex, wgpu or cuda[:INDEX]. ONNX files run in the runtime.
    #[arg(long, default_value = "cpu")]
    device: TrainDevice,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Measures as the arguments say.
pub fn run(args: EvalArgs) -> anyhow::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let people = |keypoints: &KeypointSet| -> anyhow::Result<Vec<dataset::Person>> {
        let mut people = Vec::new();
        for spec in &args.data {
            people.extend(spec.load(keypoints, true, |warning| eprintln!("{spec}: {warning}"))?);
        }
        anyhow::ensure!(!people.is_empty(), "no person with labels in --data");
        Ok(people)
    };
    let report = if args.weights.extension().is_some_and(|e| e == "onnx") {
        let predictors = (0..threads)
            .map(|_| {
                let model = PoseModel::load(&args.weights, &ModelOptions::default())?;
                ModelPredictor::new(model)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let settings = EvalSettings {
            flip_test: args.flip_test,
            ..EvalSettings::for_model(predictors[0].spec())
        };
        let people = people(&settings.keypoints)?;
        evaluate(&people, &settings, predictors, |_| ())?.report
    } else {
        let checkpoint = Checkpoint::load(&args.weights)?;
        let info = &checkpoint.info;
        let keypoints = KeypointSet::builtin(&info.keypoints)
            .ok_or_else(|| anyhow::anyhow!("unknown keypoint set `{}`", info.keypoints))?;
        let [height, width] = info.input;
        let shape = SampleShape {
            input: pose::Size { width, height },
            stride: 4,
            sigma: info.sigma,
            margin: info.margin,
        };
        let settings = EvalSettings {
            flip_test: args.flip_test,
            ..eval_settings(&shape, &keypoints)
        };
        let people = people(&keypoints)?;
        let (graph, weights) = (info.network.graph(), &checkpoint.weights);
        match args.device.burn()? {
            None => evaluate_weights(&graph, weights, &people, &settings, threads, |_| ())?,
            Some(device) => {
                evaluate_on_device(&graph, weights, &people, &settings, &device, |_| ())?
            }
        }
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}
