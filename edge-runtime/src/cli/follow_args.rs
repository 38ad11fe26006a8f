//! How people are found and followed in a stream.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use edge_runtime::{
    Detector, DetectorSettings, Estimator, EstimatorFinder, EstimatorSettings, FollowSettings,
    Follower, Looker, PoseFinder, load_boxes,
};
use pose::{KeypointSet, Rect, Smoothing};

use super::model_args::ModelArgs;

/// The options of streams that say who is found.
#[derive(Debug, Args)]
#[command(next_help_heading = "Following people")]
pub struct FollowArgs {
    /// The most people at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=20))]
    people: u8,
    /// How much poses are smoothed over time
    #[arg(long, value_name = "HOW", default_value = "light")]
    smooth: SmoothValue,
    /// Where people are in each frame, from a file or, with -, standard input: a line
    /// {"frame": 0, "boxes": [[x, y, width, height, score]]} or frame,x,y,width,height,score
    #[arg(long, value_name = "FILE", conflicts_with = "detector")]
    boxes: Option<PathBuf>,
    /// ONNX file of the YOLO family that says where people are
    #[arg(long, value_name = "FILE")]
    detector: Option<PathBuf>,
    /// Look at every frame as if there had been none before
    #[arg(long, conflicts_with_all = ["people", "smooth", "boxes", "detector"])]
    no_follow: bool,
}

/// How much poses are smoothed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SmoothValue {
    /// Not at all.
    Off,
    /// A little: hardly any lag.
    Light,
    /// A steady skeleton that lags a little.
    Strong,
}

/// What other options say about looking.
#[derive(Clone, Copy, Debug)]
pub struct Looking<'a> {
    pub model: &'a ModelArgs,
    pub settings: EstimatorSettings,
    pub region: Option<Rect>,
    pub min_confidence: f32,
}

impl FollowArgs {
    /// What finds people in frames, and the keypoints that it finds.
    pub fn finder(&self, look: Looking<'_>) -> anyhow::Result<(Box<dyn PoseFinder>, KeypointSet)> {
        let first = Estimator::new(look.model.load()?, look.settings)?;
        let set = first.spec().keypoints.clone();
        if self.no_follow {
            let finder = EstimatorFinder::new(first, look.region, look.min_confidence);
            return Ok((Box::new(finder), set));
        }
        // Several people are looked at side by side, as far as there are cores.
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let side_by_side = (cores / usize::from(look.model.threads)).max(1);
        let mut lookers: Vec<Box<dyn Looker>> = vec![Box::new(first)];
        for _ in 1..usize::from(self.people).min(side_by_side) {
            let next = Estimator::new(look.model.load()?, look.settings)?;
            lookers.push(Box::new(next));
        }
        let settings = FollowSettings {
            people: self.people.into(),
            region: look.region,
            smoothing: match self.smooth {
                SmoothValue::Off => Smoothing::Off,
                SmoothValue::Light => Smoothing::Light,
                SmoothValue::Strong => Smoothing::Strong,
            },
            min_confidence: look.min_confidence,
            ..FollowSettings::default()
        };
        let mut follower = Follower::new(lookers, settings)?;
        if let Some(path) = &self.boxes {
            follower = follower.with_boxes(Box::new(load_boxes(path)?));
        } else if let Some(path) = &self.detector {
            let settings = DetectorSettings {
                threads: usize::from(look.model.threads),
                ..DetectorSettings::default()
            };
            follower = follower.with_boxes(Box::new(Detector::load(path, settings)?));
        }
        Ok((Box::new(follower), set))
    }
}
