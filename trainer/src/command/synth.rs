//! `trainer synth`

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use pose::Size;
use synth::{Body, BuiltIn, DatasetOptions, MakeHuman, SceneOptions, write_dataset};

/// Render annotated pictures of people: as much training data as you like, from nothing.
#[derive(Args)]
#[command(
    after_help = "Example:\n  trainer synth --count 3000 --output people\n  \
    trainer train --tiny --mobile --output runs/first \\\n      \
    --data 'annotations:people?split=train' --validate 'annotations:people?split=validation'\n\n\
    A more lifelike body: MakeHuman's, public domain (CC0). Clone \
    https://github.com/makehumancommunity/makehuman and give its data folder: \
    --body makehuman/makehuman/data"
)]
pub struct SynthArgs {
    /// Folder to write; must not hold a data set already.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// Number of pictures.
    #[arg(long, short = 'n', default_value_t = 1000)]
    count: usize,
    /// Size of the pictures in pixels, WIDTHxHEIGHT or one number for both.
    #[arg(long, default_value = "256", value_parser = parse_size)]
    size: Size,
    /// One seed gives one data set, byte for byte, however many threads draw it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// MakeHuman's data folder; without it the simple figure that is built in poses.
    #[arg(long, value_name = "DIR")]
    body: Option<PathBuf>,
    /// Every N-th picture is for validation; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 10)]
    validation_every: usize,
    /// Share of pictures with something in front of the person, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    occluders: f32,
    /// Share of poses that are taken from recorded motions where the body has any, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    recorded: f32,
    /// Samples per pixel and direction: 1 is quick and jagged, 4 is smooth.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    smoothness: u8,
    /// Threads [default: all cores].
    #[arg(long)]
    threads: Option<NonZero<usize>>,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
}

fn parse_size(text: &str) -> Result<Size, String> {
    let wrong = || format!("expected WIDTHxHEIGHT or one number, 16 to 4096, found `{text}`");
    let (width, height) = match text.split_once(['x', 'X']) {
        Some((width, height)) => (width.parse(), height.parse()),
        None => (text.parse(), text.parse()),
    };
    match (width, height) {
        (Ok(width @ 16..=4096), Ok(height @ 16..=4096)) => Ok(Size { width, height }),
        _ => Err(wrong()),
    }
}

/// Renders as the arguments say.
pub fn run(args: SynthArgs) -> anyhow::Result<()> {
    let list = args.output.join("annotations.json");
    anyhow::ensure!(
        !list.exists(),
        "{} exists already; choose another --output",
        list.display()
    );
    let body: Box<dyn Body> = match &args.body {
        Some(folder) => Box::new(MakeHuman::load(folder).context("--body")?),
        None => Box::new(BuiltIn),
    };
    let threads = args.threads.map_or_else(
        || std::thread::available_parallelism().map_or(1, NonZero::get),
        NonZero::get,
    );
    let options = DatasetOptions {
        count: args.count,
        validation_every: args.validation_every,
        seed: args.seed,
        threads,
        scene: SceneOptions {
            width: args.size.width,
            height: args.size.height,
            supersampling: args.smoothness.into(),
            occluders: args.occluders,
            recorded: args.recorded,
        },
    };
    // indicatif draws nothing when standard error is not a terminal.
    let bar = ProgressBar::new(args.count as u64);
    if let Ok(style) =
        ProgressStyle::with_template("{wide_bar} {pos}/{len} pictures  {per_sec}  {eta} left")
    {
        bar.set_style(style);
    }
    let start = Instant::now();
    write_dataset(body.as_ref(), &args.output, &options, &|_| bar.inc(1))?;
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();
    if args.json {
        let report = serde_json::json!({
            "output": args.output, "pictures": args.count, "seconds": seconds,
        });
        println!("{report}");
    } else {
        println!(
            "{}: {} pictures in {seconds:.1} s ({:.0} a second on {threads} threads)",
            args.output.display(),
            args.count,
            args.count as f64 / seconds.max(1e-9),
        );
    }
    Ok(())
}
