//! `trainer synth`

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use dataset::{Format, Target};
use pose::Size;
use synth::{
    BackgroundKind, Body, BuiltIn, ClipOptions, DatasetOptions, LightKind, MakeHuman, SceneOptions,
    Stances, Wardrobe, write_dataset,
};

use super::progress::progress;

/// Render annotated pictures of people: as much training data as you like, from nothing.
#[derive(Args)]
#[command(after_help = "\
Examples:
  trainer synth --count 3000 --output people
  trainer train --tiny --mobile --output runs/first \\
      --data 'annotations:people?split=train' --validate 'annotations:people?split=validation'
  trainer synth --count 20 --frames 60 --people 3 --gif --output clips

A more lifelike body, and recorded motions: MakeHuman's, public domain (CC0). Clone
https://github.com/makehumancommunity/makehuman and give its data folder:
  trainer synth --body makehuman/makehuman/data --count 3000 --output people")]
pub struct SynthArgs {
    /// Folder to write; must not hold a data set already.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// Format: annotations, coco, labelme, yolo, animal-pose, csv or lspet.
    #[arg(long, default_value = "annotations")]
    format: Format,
    /// Number of pictures, or of clips with --frames.
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
    /// Every N-th picture or clip is for validation; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 10)]
    validation_every: usize,
    /// Clips of so many frames instead of single pictures; people keep their track numbers.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    frames: Option<u32>,
    /// Frames of a clip in a second.
    #[arg(long, value_name = "RATE", default_value_t = 25.0, requires = "frames", value_parser = parse_rate)]
    rate: f32,
    /// Also write each clip as an animated GIF.
    #[arg(long, requires = "frames")]
    gif: bool,
    /// The most people in a picture.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=20))]
    people: u8,
    /// Share of pictures with something in front of the person, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = parse_share)]
    occluders: f32,
    /// Share of poses that are taken from recorded motions where the body has any, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = parse_share)]
    recorded: f32,
    /// Poses that are not recorded: any, upright (standing and striding) or standing.
    #[arg(long, default_value = "any", value_parser = parse_stances)]
    poses: Stances,
    /// How far people turn away from the camera at most, in degrees: 180 is any way, with up to 60
    /// the face is in view.
    #[arg(long, value_name = "DEGREES", default_value_t = 180.0, value_parser = parse_turn)]
    turn: f32,
    /// Backgrounds to choose from: room, land, street, paper, clutter [default: all].
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = parse_background)]
    backgrounds: Vec<BackgroundKind>,
    /// Light to choose from: sunny, mild, overcast [default: all].
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = parse_light)]
    lights: Vec<LightKind>,
    /// Clothes: any, plain, sport or long.
    #[arg(long, default_value = "any", value_parser = parse_wardrobe)]
    clothes: Wardrobe,
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

fn parse_share(text: &str) -> Result<f32, String> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("expected a number from 0 to 1, found `{text}`"))
}

fn parse_rate(text: &str) -> Result<f32, String> {
    let rate = text
        .parse()
        .ok()
        .filter(|rate| (0.5..=240.0).contains(rate));
    rate.ok_or_else(|| format!("expected a number from 0.5 to 240, found `{text}`"))
}

/// The thing of this name among all.
fn choose<T: Copy>(all: &[(&'static str, T)], text: &str) -> Result<T, String> {
    let named = all.iter().find(|(name, _)| *name == text);
    named.map(|&(_, thing)| thing).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        format!("unknown kind `{text}`; there are {}", names.join(", "))
    })
}

fn parse_background(text: &str) -> Result<BackgroundKind, String> {
    choose(&BackgroundKind::ALL, text)
}

fn parse_light(text: &str) -> Result<LightKind, String> {
    choose(&LightKind::ALL, text)
}

fn parse_wardrobe(text: &str) -> Result<Wardrobe, String> {
    choose(&Wardrobe::ALL, text)
}

fn parse_stances(text: &str) -> Result<Stances, String> {
    choose(&Stances::ALL, text)
}

fn parse_turn(text: &str) -> Result<f32, String> {
    let turn = text
        .parse()
        .ok()
        .filter(|turn| (0.0..=180.0).contains(turn));
    turn.ok_or_else(|| format!("expected degrees from 0 to 180, found `{text}`"))
}

/// Renders as the arguments say.
pub fn run(args: SynthArgs) -> anyhow::Result<()> {
    let body: Box<dyn Body> = match &args.body {
        Some(folder) => Box::new(MakeHuman::load(folder).context("--body")?),
        None => Box::new(BuiltIn),
    };
    let threads = args.threads.map_or_else(
        || std::thread::available_parallelism().map_or(1, NonZero::get),
        NonZero::get,
    );
    let target = Target {
        format: args.format,
        root: args.output,
    };
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
            stances: args.poses,
            turn: args.turn.to_radians(),
            people: args.people.into(),
            backgrounds: args.backgrounds,
            lights: args.lights,
            wardrobe: args.clothes,
        },
        clips: args.frames.map(|frames| ClipOptions {
            frames: frames as usize,
            rate: args.rate,
            gif: args.gif,
        }),
    };
    let bar = progress(options.pictures() as u64, "pictures");
    let start = Instant::now();
    let report = write_dataset(body.as_ref(), &target, &options, &|_| bar.inc(1))?;
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();
    if args.json {
        let report = serde_json::json!({
            "target": target.to_string(),
            "pictures": options.pictures(),
            "people": report.people,
            "lost": report.lost,
            "seconds": seconds,
        });
        println!("{report}");
    } else {
        println!(
            "{target}: {} people in {} pictures, {seconds:.1} s ({:.0} a second on {threads} threads)",
            report.people,
            options.pictures(),
            options.pictures() as f64 / seconds.max(1e-9),
        );
        for lost in &report.lost {
            println!("{} does not hold {lost}", target.format);
        }
    }
    Ok(())
}
