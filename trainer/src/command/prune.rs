//! `trainer prune`

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser};
use dataset::Person;
use hourglass::{Budget, Loss, PruneSettings};
use pose::{KeypointSet, Size};
use serde::Serialize;
use trainer::{
    Augmentation, Calibration, Checkpoint, CheckpointInfo, Criterion, DataSpec, NetworkSize,
    PruneOptions, SampleShape, eval_settings, evaluate_weights, prune_checkpoint,
};

use super::train::{self, TrainArgs};

/// Take the least important channels out of a trained network, and train on from there.
///
/// What follows `--` are options of `trainer train`: the pruned network is then trained with them.
/// Weights, data sets, keypoints and the samples' shape are filled in where they are not given.
#[derive(Args)]
#[command(
    after_help = "Example:\n  trainer prune --weights runs/mobile/best.safetensors --macs 0.5 \
    --output pruned.safetensors \\\n    \
    --data 'lsp:data/lsp?split=train#!0/10' --validate 'lsp:data/lsp?split=train#0/10' \\\n    \
    -- --output runs/pruned --epochs 10 --learning-rate 5e-4"
)]
pub struct PruneArgs {
    /// Checkpoint to prune.
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Checkpoint to write.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Share of the multiply-adds that stays, for example 0.5.
    #[arg(long, value_name = "SHARE", conflicts_with = "params")]
    macs: Option<f64>,
    /// Share of the parameters that stays.
    #[arg(long, value_name = "SHARE")]
    params: Option<f64>,
    /// Hourglasses that stay, from the first on [default: all].
    #[arg(long)]
    stacks: Option<usize>,
    /// What decides which channels go.
    #[arg(long, value_enum, default_value = "taylor")]
    criterion: Criterion,
    /// Widths are multiples of this.
    #[arg(long, default_value_t = 8)]
    multiple: usize,
    /// The least width.
    #[arg(long, default_value_t = 16)]
    least: usize,
    /// Leave the residual stream and the front as they are.
    #[arg(long)]
    keep_stream: bool,
    /// Rounds in which channels are measured anew and some go.
    #[arg(long, default_value_t = 4)]
    rounds: u32,
    /// Take what matters least per channel, not per saved multiply-add or parameter; the bn-scale
    /// criterion always does.
    #[arg(long)]
    per_channel: bool,
    /// Annotated people to measure channels on, as for `trainer train`; their training labels.
    #[arg(long, value_name = "SPEC")]
    data: Vec<DataSpec>,
    /// Number of samples to measure channels on in each round.
    #[arg(long, default_value_t = 256)]
    samples: usize,
    /// Annotated people to measure accuracy on, before and after.
    #[arg(long, value_name = "SPEC")]
    validate: Vec<DataSpec>,
    /// The seed of every random draw.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Workers [default: all cores].
    #[arg(long)]
    threads: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Options of `trainer train`.
    #[arg(last = true, value_name = "TRAIN OPTIONS")]
    train: Vec<OsString>,
}

/// Size and accuracy of one of the two networks.
#[derive(Serialize)]
struct Side {
    #[serde(flatten)]
    size: NetworkSize,
    /// PCK@0.2 of the validation people, percent.
    pck: Option<f32>,
}

/// Prunes as the arguments say.
pub fn run(args: PruneArgs) -> anyhow::Result<ExitCode> {
    let checkpoint = Checkpoint::load(&args.weights)?;
    let info = &checkpoint.info;
    // First of all, so that a wrong option is found before the work.
    let train = (!args.train.is_empty()).then(|| train_args(&args, info));
    let keypoints = info.keypoints.clone();
    let threads = args
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let budget = match (args.macs, args.params) {
        (Some(share), _) => Some(Budget::Macs(share)),
        (_, Some(share)) => Some(Budget::Parameters(share)),
        (None, None) => None,
    };
    anyhow::ensure!(
        budget.is_some() || args.stacks.is_some(),
        "nothing to prune: give --macs, --params or --stacks"
    );
    let calibration = match args.data.is_empty() {
        true => None,
        false => Some(Calibration {
            people: load(&args.data, &keypoints, "--data")?,
            keypoints: keypoints.clone(),
            samples: args.samples,
            batch: 8,
            augmentation: Augmentation::default(),
            loss: Loss::default(),
            seed: args.seed,
            threads,
        }),
    };
    let options = PruneOptions {
        criterion: args.criterion,
        stacks: args.stacks,
        channels: budget.map(|budget| PruneSettings {
            budget,
            multiple: args.multiple,
            least: args.least,
            stream: !args.keep_stream,
            per_cost: args.criterion == Criterion::Taylor && !args.per_channel,
        }),
        rounds: args.rounds,
    };
    let validation = match args.validate.is_empty() {
        true => Vec::new(),
        false => load(&args.validate, &keypoints, "--validate")?,
    };
    let side = |checkpoint: &Checkpoint| -> anyhow::Result<Side> {
        let pck = match validation.is_empty() {
            true => None,
            false => measure(checkpoint, &keypoints, &validation, threads)?,
        };
        Ok(Side {
            size: NetworkSize::of(checkpoint),
            pck,
        })
    };
    let before = side(&checkpoint)?;
    let pruned = prune_checkpoint(&checkpoint, &options, calibration.as_ref())?;
    let after = side(&pruned)?;
    pruned.save(&args.output)?;
    report(&args, &before, &after)?;
    match train {
        Some(args) => train::run(args, None),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn load(specs: &[DataSpec], keypoints: &KeypointSet, option: &str) -> anyhow::Result<Vec<Person>> {
    let mut people = Vec::new();
    for spec in specs {
        people.extend(spec.load(keypoints, false, |warning| eprintln!("{spec}: {warning}"))?);
    }
    anyhow::ensure!(!people.is_empty(), "no person with labels in {option}");
    Ok(people)
}

fn measure(
    checkpoint: &Checkpoint,
    keypoints: &KeypointSet,
    people: &[Person],
    threads: usize,
) -> anyhow::Result<Option<f32>> {
    let info = &checkpoint.info;
    let [height, width] = info.input;
    let shape = SampleShape {
        input: Size { width, height },
        stride: 4,
        sigma: info.sigma,
        margin: info.margin,
    };
    let graph = info.network.graph();
    let settings = eval_settings(&shape, keypoints);
    let weights = &checkpoint.weights;
    let report = evaluate_weights(&graph, weights, people, &settings, threads, |_| ())?;
    Ok(report.mean.map(|mean| mean as f32))
}

fn report(args: &PruneArgs, before: &Side, after: &Side) -> anyhow::Result<()> {
    if args.json {
        let report = serde_json::json!({
            "output": args.output,
            "before": before,
            "after": after,
        });
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    for (what, side) in [("before", before), ("after", after)] {
        let pck = side
            .pck
            .map_or(String::new(), |pck| format!(", PCK@0.2 {pck:.2}"));
        println!(
            "{what:<6} {}: {} parameters, {:.1} million multiply-adds{pck}",
            side.size.model,
            side.size.parameters,
            side.size.macs as f64 / 1e6,
        );
    }
    println!(
        "{}: {:.1} % of the parameters, {:.1} % of the multiply-adds",
        args.output.display(),
        100.0 * after.size.parameters as f64 / before.size.parameters as f64,
        100.0 * after.size.macs as f64 / before.size.macs as f64
    );
    Ok(())
}

/// What follows `--`, with what the checkpoint and the other options say filled in. Ends the program
/// with a message on wrong options.
fn train_args(args: &PruneArgs, info: &CheckpointInfo) -> TrainArgs {
    #[derive(Parser)]
    #[command(name = "trainer prune … --")]
    struct Train {
        #[command(flatten)]
        train: TrainArgs,
    }
    let given = |option: &str| {
        args.train.iter().any(|arg| {
            let arg = arg.to_string_lossy();
            arg == option || arg.starts_with(&format!("{option}="))
        })
    };
    let [height, width] = info.input;
    let mut list: Vec<OsString> = vec!["trainer".into(), "--weights".into()];
    list.push(args.output.clone().into());
    for (option, specs) in [("--data", &args.data), ("--validate", &args.validate)] {
        if !given(option) {
            for spec in specs {
                list.extend([option.into(), spec.to_string().into()]);
            }
        }
    }
    for (option, value) in [
        ("--input", format!("{width}x{height}")),
        ("--sigma", info.sigma.to_string()),
        ("--margin", info.margin.to_string()),
    ] {
        if !given(option) {
            list.extend([option.into(), value.into()]);
        }
    }
    list.extend(args.train.iter().cloned());
    let mut train = Train::parse_from(list).train;
    if !given("--keypoints") {
        train.options.data.keypoints = info.keypoints.clone();
    }
    train
}
