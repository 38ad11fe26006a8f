//! `trainer train`

use std::path::PathBuf;

use clap::Args;
use hourglass::{Form, HourglassConfig, Loss, Residual};
use pose::{KeypointSet, Size};
use trainer::{
    Augmentation, DataSpec, OptimizerKind, SampleShape, Teaching, TrainDevice, TrainSettings, train,
};

/// Train a network on annotated people.
#[derive(Args)]
#[command(
    after_help = "Example:\n  trainer train --tiny --mobile --input 192x192 \\\n    \
    --data 'lspet:data/lspet' --data 'lsp:data/lsp?split=train#!0/10*2' \\\n    \
    --validate 'lsp:data/lsp?split=train#0/10' --epochs 40 --output runs/tiny"
)]
pub struct TrainArgs {
    /// Annotated people to train on: KIND:PATH[?OPTIONS][#[!]K/N][*REPEAT], where KIND is lsp,
    /// lspet, annotations or coco, #K/N takes every N-th person and *REPEAT takes each several
    /// times an epoch. May be given several times.
    #[arg(long, required = true, value_name = "SPEC")]
    data: Vec<DataSpec>,
    /// Predictions of another network on training photos (CSV with NAME_x, NAME_y, NAME_score and
    /// NAME_flip_px columns): labels that it surely contradicts weigh less, missing ones are taken
    /// over; with `,swaps`, left and right are swapped back where it is sure. May be given for
    /// several data sets.
    #[arg(long, value_name = "DATASET=FILE[,swaps]")]
    teacher: Vec<Teaching>,
    /// Annotated people to choose the best checkpoint by, in the same form.
    #[arg(long, required = true, value_name = "SPEC")]
    validate: Vec<DataSpec>,
    /// Folder for checkpoints and logs.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// Number of hourglasses.
    #[arg(long, default_value_t = 2)]
    stacks: usize,
    /// Depthwise-separable convolutions.
    #[arg(long)]
    mobile: bool,
    /// 128 channels.
    #[arg(long)]
    tiny: bool,
    /// Channels of the hourglasses [default: 256, with --tiny 128].
    #[arg(long, conflicts_with = "tiny")]
    channels: Option<usize>,
    /// End the residual blocks in ReLU, as the earlier projects do.
    #[arg(long)]
    residual_relu: bool,
    /// Train every parameter of the earlier projects' form, also those that folding removes.
    #[arg(long)]
    classic: bool,
    /// Network input, WIDTHxHEIGHT, multiples of 32.
    #[arg(long, default_value = "192x192", value_parser = parse_size)]
    input: Size,
    /// Keypoint set of the heatmaps: mpii, coco, lsp or animal_pose.
    #[arg(long, default_value = "mpii", value_parser = parse_keypoints)]
    keypoints: KeypointSet,
    /// Standard deviation of the target Gaussians in heatmap cells.
    #[arg(long, default_value_t = 1.5)]
    sigma: f32,
    /// Crop side over the longer side of the person's box.
    #[arg(long, default_value_t = 1.25)]
    margin: f32,
    /// How much more a heatmap cell at a keypoint weighs in the loss than one far from all; 0 is
    /// the plain mean squared error.
    #[arg(long, default_value_t = 0.0)]
    foreground: f32,
    /// Samples of a step.
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Passes over the data.
    #[arg(long, default_value_t = 40)]
    epochs: u64,
    /// Optimizer.
    #[arg(long, value_enum, default_value = "adam")]
    optimizer: OptimizerKind,
    /// Weight decay of AdamW.
    #[arg(long, default_value_t = 1e-4)]
    weight_decay: f32,
    /// Peak of the learning rate.
    #[arg(long, default_value_t = 2e-3)]
    learning_rate: f64,
    /// Steps of linear warm-up.
    #[arg(long, default_value_t = 300)]
    warmup: u64,
    /// Last learning rate as a fraction of the peak; a cosine leads there.
    #[arg(long, default_value_t = 0.01)]
    final_rate: f64,
    /// Decay of the weights' moving average; 0 switches it off.
    #[arg(long, default_value_t = 0.999)]
    average: f32,
    /// Standard deviation of the crop's size, in powers of two.
    #[arg(long, default_value_t = Augmentation::default().scale)]
    scale: f32,
    /// Standard deviation of the rotation in degrees.
    #[arg(long, default_value_t = Augmentation::default().rotation)]
    rotation: f32,
    /// Largest relative change of the colours.
    #[arg(long, default_value_t = Augmentation::default().colour)]
    colour: f32,
    /// Largest shift of the crop, as a fraction of its side.
    #[arg(long, default_value_t = Augmentation::default().shift)]
    shift: f32,
    /// Probability of a crop around half the body.
    #[arg(long, default_value_t = Augmentation::default().half_body)]
    half_body: f32,
    /// Probability of a covered rectangle.
    #[arg(long, default_value_t = Augmentation::default().cutout)]
    cutout: f32,
    /// The seed of every random draw.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to train: cpu, flex, wgpu or cuda[:INDEX].
    #[arg(long, default_value = "cpu")]
    device: TrainDevice,
    /// Workers on the CPU [default: all cores].
    #[arg(long)]
    threads: Option<usize>,
    /// Megabytes of decoded photos to keep in memory.
    #[arg(long, default_value_t = 6000)]
    photo_memory: usize,
    /// Steps between two validations [default: an epoch].
    #[arg(long)]
    validate_every: Option<u64>,
    /// Steps after which to end early; the learning rate falls as if the training went on.
    #[arg(long)]
    stop_after: Option<u64>,
    /// Weights to start from: a checkpoint of this trainer.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    weights: Option<PathBuf>,
    /// Continue the training in the output folder.
    #[arg(long)]
    resume: bool,
}

pub(super) fn parse_size(text: &str) -> Result<Size, String> {
    let numbers = text
        .split_once(['x', 'X'])
        .and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let (width, height) = numbers.ok_or("expected WIDTHxHEIGHT, for example 192x192")?;
    Ok(Size { width, height })
}

pub(super) fn parse_keypoints(name: &str) -> Result<KeypointSet, String> {
    KeypointSet::builtin(name).ok_or_else(|| {
        format!("no keypoint set `{name}`; there are mpii, coco, lsp and animal_pose")
    })
}

/// Trains as the arguments say.
pub fn run(args: TrainArgs) -> anyhow::Result<()> {
    let threads = args
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let settings = TrainSettings {
        network: HourglassConfig {
            stacks: args.stacks,
            channels: args.channels.unwrap_or(if args.tiny { 128 } else { 256 }),
            mobile: args.mobile,
            keypoints: args.keypoints.len(),
            form: if args.classic {
                Form::Classic
            } else {
                Form::Lean
            },
            residual: if args.residual_relu {
                Residual::Relu
            } else {
                Residual::Linear
            },
        },
        keypoints: args.keypoints,
        data: args.data,
        teachers: args.teacher,
        validation: args.validate,
        shape: SampleShape {
            input: args.input,
            stride: 4,
            sigma: args.sigma,
            margin: args.margin,
        },
        augmentation: Augmentation {
            scale: args.scale,
            rotation: args.rotation,
            colour: args.colour,
            shift: args.shift,
            half_body: args.half_body,
            cutout: args.cutout,
            ..Augmentation::default()
        },
        loss: Loss {
            foreground: args.foreground,
        },
        batch: args.batch,
        epochs: args.epochs,
        optimizer: (args.optimizer, args.weight_decay),
        learning_rate: args.learning_rate,
        warmup: args.warmup,
        final_rate: args.final_rate,
        average: args.average,
        seed: args.seed,
        device: args.device,
        threads,
        photo_memory: args.photo_memory << 20,
        validate_every: args.validate_every,
        stop_after: args.stop_after,
        weights: args.weights,
        resume: args.resume,
        output: args.output,
    };
    let outcome = train(&settings)?;
    println!(
        "best validation PCK@0.2 {:.2} in {}",
        outcome.best,
        outcome.best_path.display()
    );
    Ok(())
}
