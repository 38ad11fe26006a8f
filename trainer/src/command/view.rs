//! `trainer view`

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::Args;
use edge_runtime::{RuntimeError, save_picture};
use pose::{KeypointSet, Size};
use trainer::{
    AugmentationOptions, AugmentedBatches, DataSpec, Gallery, Look, SampleShape, Teaching,
    ViewFilter, browse, browse_augmented, parse_keypoints, parse_size,
};

/// Look at annotated people: in a window, or as a sheet of pictures.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  trainer view --data annotations:people\n  trainer view --data 'lspet:data/lspet' \
                  --filter suspicious --seed 1 --count 40 --out sheet.png\n  trainer view --data 'lsp:data/lsp?split=train' \
                  --augmented --batch 16 --input 192x192 --out batch.png\n\n\
                  Keys: f, right, space next; b, left back; up, down ten at a time; home, end; s next suspicious;\n\
                  n names; z zoom; q, escape quit"
)]
pub struct ViewArgs {
    /// Annotated people, as for `trainer train`. May be given several times.
    #[arg(long, required = true, value_name = "SPEC")]
    data: Vec<DataSpec>,
    /// Keypoints to show: mpii, coco, lsp or animal_pose [default: the data's own].
    #[arg(long, value_parser = parse_keypoints)]
    keypoints: Option<KeypointSet>,
    /// Only people who meet all of these, separated by commas: suspicious, joints<N, joints>N,
    /// people<N, people>N (in the photo), has=JOINT, lacks=JOINT, occluded=JOINT, split=NAME,
    /// id=TEXT.
    #[arg(
        long,
        default_value = "",
        value_name = "TERMS",
        hide_default_value = true
    )]
    filter: ViewFilter,
    /// In random order, of this seed; it is the seed of --augmented, too.
    #[arg(long)]
    seed: Option<u64>,
    /// Write a sheet to this file (.png or .jpg) instead of opening a window.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// People on the sheet.
    #[arg(long, default_value_t = 24)]
    count: usize,
    /// Size of each picture on the sheet.
    #[arg(long, default_value = "320x320", value_parser = parse_size)]
    tile: Size,
    /// Names beside the joints.
    #[arg(long)]
    names: bool,
    /// The person's surroundings alone instead of the whole photo.
    #[arg(long)]
    close: bool,
    /// Show labels after cleaning by another network's predictions, as for `trainer train`.
    #[arg(long, value_name = "DATASET=FILE[,swaps]")]
    teacher: Vec<Teaching>,
    /// Show batches as training gets them, with their target heatmaps.
    #[arg(long)]
    augmented: bool,
    /// Samples of a batch.
    #[arg(long, default_value_t = 16, requires = "augmented")]
    batch: usize,
    /// Size of the crops, WIDTHxHEIGHT.
    #[arg(long, default_value = "256x256", value_parser = parse_size, requires = "augmented")]
    input: Size,
    /// Standard deviation of the target Gaussians in heatmap cells.
    #[arg(long, default_value_t = 1.5, requires = "augmented")]
    sigma: f32,
    /// Crop side over the longer side of the person's box.
    #[arg(long, default_value_t = 1.25, requires = "augmented")]
    margin: f32,
    #[command(flatten)]
    augmentation: AugmentationOptions,
    /// Print a line of JSON for each person, with what is suspicious, instead of pictures.
    #[arg(long, conflicts_with_all = ["out", "augmented"])]
    json: bool,
}

/// Shows as the arguments say.
pub fn run(args: ViewArgs) -> anyhow::Result<()> {
    let usage = |message: String| anyhow::Error::from(RuntimeError::Usage(message));
    if args.count == 0 || args.batch == 0 {
        return Err(usage("--count and --batch: expected at least 1".into()));
    }
    let side = |side: usize| (32..=4096).contains(&side);
    if !(side(args.tile.width) && side(args.tile.height)) {
        return Err(usage("--tile: expected sides of 32 to 4096 pixels".into()));
    }
    if !(args.input.width.is_multiple_of(32) && args.input.height.is_multiple_of(32)) {
        return Err(usage("--input: expected multiples of 32".into()));
    }
    // The files as they are: with the boxes of heads, and the keypoints' own names.
    let mut own = None;
    let mut heads = HashMap::new();
    for spec in &args.data {
        let files = dataset::read(spec.source())?;
        own = own.or(Some(files.keypoints));
        let records = files.records.into_iter();
        heads.extend(records.filter_map(|record| Some((record.person.id, record.head?))));
    }
    let keypoints = args
        .keypoints
        .clone()
        .or(own)
        .unwrap_or_else(KeypointSet::mpii);
    if let Some(joint) = args.filter.unknown_joint(&keypoints) {
        let set = &keypoints.name;
        return Err(usage(format!(
            "--filter: `{set}` has no keypoint `{joint}`"
        )));
    }
    let mut people = Vec::new();
    for spec in &args.data {
        let warn = |warning| eprintln!("{spec}: {warning}");
        people.extend(spec.load(&keypoints, true, warn)?);
    }
    for teaching in &args.teacher {
        if let Some(done) = teaching.apply(&mut people, &keypoints)? {
            eprintln!("{done}");
        }
    }
    let look = Look {
        names: args.names,
        close: args.close,
    };
    let gallery =
        Gallery::new(people, keypoints.clone(), &args.filter, args.seed)?.with_heads(heads);
    if args.json {
        for at in 0..gallery.len() {
            println!("{}", serde_json::to_string(&gallery.record(at))?);
        }
        return Ok(());
    }
    if args.augmented {
        let people = (0..gallery.len()).map(|at| gallery.person(at).clone());
        let shape = SampleShape {
            input: args.input,
            stride: 4,
            sigma: args.sigma,
            margin: args.margin,
        };
        let augmentation = args.augmentation.augmentation(&keypoints);
        let seed = args.seed.unwrap_or(1);
        let people = people.collect();
        let mut batches =
            AugmentedBatches::new(people, keypoints, shape, augmentation, args.batch, seed)?;
        return match &args.out {
            Some(path) => Ok(save(batches.page(0)?, path)?),
            None => window(browse_augmented(&mut batches)),
        };
    }
    match &args.out {
        Some(path) => {
            let warn = |warning| eprintln!("warning: {warning}");
            let sheet = gallery.sheet(args.count, look, args.tile, warn)?;
            save(&sheet, path)?;
            Ok(())
        }
        None => window(browse(&gallery, look, |warning| {
            eprintln!("warning: {warning}")
        })),
    }
}

fn save(picture: &image::RgbImage, path: &Path) -> Result<(), RuntimeError> {
    save_picture(picture, path)?;
    println!("{}", path.display());
    Ok(())
}

/// Who has no screen can have a file.
fn window(shown: Result<(), trainer::TrainError>) -> anyhow::Result<()> {
    use trainer::TrainError;
    shown.map_err(|error| match error {
        TrainError::Runtime(error @ RuntimeError::Window(_)) => {
            anyhow::anyhow!("{error}; --out FILE.png writes the pictures to a file")
        }
        other => other.into(),
    })
}
