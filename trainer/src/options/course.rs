//! What is minimized, and how.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hourglass::{Loss, LossKind};

use crate::error::TrainError;
use crate::keypoint_weights::KeypointWeights;
use crate::optimizer::{OptimizerKind, OptimizerSettings};
use crate::schedule::{Decay, Moment};

/// Loss, optimizer, schedule.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Loss, optimizer, schedule")]
pub struct CourseOptions {
    /// A larger network, checkpoint or ONNX file, whose heatmaps are learnt beside the labels, and
    /// in their place where a keypoint has none. Keypoints are matched by name.
    #[arg(long, value_name = "FILE")]
    pub distill: Option<PathBuf>,
    /// The larger network's share of the loss; the labels' is the rest.
    #[arg(long, default_value_t = 0.5)]
    pub distill_weight: f32,
    /// What is minimized: mse, mae, weighted-mse (root of the mean over the batch),
    /// foreground-mse (cells of the Gaussian count 82 times), smooth-l1, huber or iou.
    #[arg(long, default_value = "mse")]
    pub loss: LossKind,
    /// How much more a heatmap cell at a keypoint weighs in the loss than one far from all; 0
    /// weighs all alike.
    #[arg(long, default_value_t = 0.0)]
    pub foreground: f32,
    /// Where huber and smooth-l1 become straight lines.
    #[arg(long, value_name = "DELTA", default_value_t = 1.0)]
    pub loss_delta: f32,
    /// In the last stack only so many keypoints of each picture count, the hardest; 0 for all.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub hard_keypoints: usize,
    /// Keypoints that count more or less, such as wrist=1.5,ankle=1.5.
    #[arg(
        long,
        value_name = "NAME=FACTOR,...",
        default_value = "",
        hide_default_value = true
    )]
    pub keypoint_weights: KeypointWeights,
    /// Samples of a batch.
    #[arg(long, default_value_t = 32)]
    pub batch: usize,
    /// Batches of a step; their gradients are averaged.
    #[arg(long, value_name = "BATCHES", default_value_t = 1)]
    pub accumulate: usize,
    /// Passes over the data.
    #[arg(long, default_value_t = 40)]
    pub epochs: u64,
    /// Optimizer.
    #[arg(long, value_enum, default_value = "adam")]
    pub optimizer: OptimizerKind,
    /// Weight decay: decoupled in adamw, an L2 penalty in the others [default: 0.0001 in adamw,
    /// else 0].
    #[arg(long)]
    pub weight_decay: Option<f32>,
    /// Momentum of sgd and rmsprop, first beta of adam and adamw [default: 0.9, in rmsprop 0].
    #[arg(long)]
    pub momentum: Option<f32>,
    /// Nesterov's momentum in sgd.
    #[arg(long)]
    pub nesterov: bool,
    /// Share of the mean square that stays: alpha of rmsprop, second beta of adam and adamw
    /// [default: 0.9 in rmsprop, else 0.999].
    #[arg(long)]
    pub smoothing: Option<f32>,
    /// Epsilon beside the root of the mean square.
    #[arg(long, default_value_t = 1e-5)]
    pub epsilon: f32,
    /// Let rmsprop go by the variance instead of the mean square.
    #[arg(long)]
    pub centered: bool,
    /// Shorten gradients that are longer than this, all parameters together.
    #[arg(long, value_name = "LENGTH")]
    pub clip_norm: Option<f32>,
    /// Peak of the learning rate.
    #[arg(long, default_value_t = 2e-3)]
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    #[arg(long, default_value_t = 300)]
    pub warmup: u64,
    /// How the learning rate falls after the warm-up.
    #[arg(long, value_enum, default_value = "cosine")]
    pub schedule: ScheduleKind,
    /// Last learning rate of the cosine or polynomial schedule, as a fraction of the peak.
    #[arg(long, default_value_t = 0.01)]
    pub final_rate: f64,
    /// What is left of the rate after each --decay-every or milestone [default: 0.9 in the
    /// exponential schedule, 0.1 at milestones].
    #[arg(long, value_name = "FACTOR")]
    pub decay_factor: Option<f64>,
    /// Period of the exponential schedule: epochs (2.5), steps (1000steps) or a share of all steps
    /// (10%) [default: 1].
    #[arg(long, value_name = "MOMENT")]
    pub decay_every: Option<Moment>,
    /// Exponent of the polynomial schedule [default: 1].
    #[arg(long, value_name = "EXPONENT")]
    pub decay_power: Option<f64>,
    /// When the milestones and piecewise schedules change the rate, such as 60,90 (epochs) or
    /// 500steps,90%.
    #[arg(long, value_name = "MOMENT,...", value_delimiter = ',')]
    pub milestones: Vec<Moment>,
    /// Rates of the piecewise schedule, one more than milestones [default: 0.001 for 500 steps,
    /// the peak, a tenth of it from 90%].
    #[arg(long, value_name = "RATE,...", value_delimiter = ',')]
    pub rates: Vec<f64>,
    /// Decay of the weights' moving average; 0 switches it off.
    #[arg(long, default_value_t = 0.999)]
    pub average: f32,
    /// The seed of every random draw.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// How the learning rate falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScheduleKind {
    /// Not at all.
    #[value(alias = "none")]
    Constant,
    /// Half a cosine, to the fraction --final-rate.
    Cosine,
    /// By --decay-factor every --decay-every.
    Exponential,
    /// As (1 - progress)^--decay-power, to the fraction --final-rate.
    Polynomial,
    /// By --decay-factor at each of the --milestones.
    Milestones,
    /// The --rates between the --milestones.
    #[value(aliases = ["piecewise-constant", "piecewise_constant"])]
    Piecewise,
}

impl CourseOptions {
    /// What is minimized.
    pub fn loss(&self) -> Loss {
        Loss {
            kind: self.loss,
            foreground: self.foreground,
            delta: self.loss_delta,
            hard_keypoints: self.hard_keypoints,
        }
    }

    /// How gradients become steps.
    pub fn optimizer(&self) -> OptimizerSettings {
        let usual = OptimizerSettings::new(self.optimizer);
        OptimizerSettings {
            kind: self.optimizer,
            weight_decay: self.weight_decay.unwrap_or(usual.weight_decay),
            momentum: self.momentum.unwrap_or(usual.momentum),
            nesterov: self.nesterov,
            smoothing: self.smoothing.unwrap_or(usual.smoothing),
            epsilon: self.epsilon,
            centered: self.centered,
        }
    }

    /// How the learning rate falls.
    ///
    /// # Errors
    /// [`TrainError::Setting`] for numbers that the schedule has no use for.
    pub fn decay(&self) -> Result<Decay, TrainError> {
        use ScheduleKind::{Exponential, Milestones, Piecewise, Polynomial};
        let kind = self.schedule;
        let uses = [
            (
                "--decay-factor",
                self.decay_factor.is_some(),
                &[Exponential, Milestones][..],
            ),
            ("--decay-every", self.decay_every.is_some(), &[Exponential]),
            ("--decay-power", self.decay_power.is_some(), &[Polynomial]),
            (
                "--milestones",
                !self.milestones.is_empty(),
                &[Milestones, Piecewise],
            ),
            ("--rates", !self.rates.is_empty(), &[Piecewise]),
        ];
        let vain = uses
            .iter()
            .find(|(_, given, kinds)| *given && !kinds.contains(&kind));
        if let Some((option, _, kinds)) = vain {
            let name = |kind: &ScheduleKind| kind.to_possible_value();
            let names: Vec<String> = kinds
                .iter()
                .filter_map(name)
                .map(|value| value.get_name().to_owned())
                .collect();
            return Err(TrainError::Setting(format!(
                "{option} is of the schedules {}; give --schedule",
                names.join(" and ")
            )));
        }
        Ok(match kind {
            ScheduleKind::Constant => Decay::Constant,
            ScheduleKind::Cosine => Decay::Cosine,
            Exponential => Decay::Exponential {
                factor: self.decay_factor.unwrap_or(0.9),
                every: self.decay_every.unwrap_or(Moment::Epochs(1.0)),
            },
            Polynomial => Decay::Polynomial {
                power: self.decay_power.unwrap_or(1.0),
            },
            Milestones => Decay::Milestones {
                at: self.milestones.clone(),
                factor: self.decay_factor.unwrap_or(0.1),
            },
            Piecewise if self.milestones.is_empty() && self.rates.is_empty() => {
                let peak = self.learning_rate;
                Decay::Piecewise {
                    at: vec![Moment::Steps(500), Moment::Percent(90.0)],
                    rates: vec![1e-3, peak, peak / 10.0],
                }
            }
            Piecewise => Decay::Piecewise {
                at: self.milestones.clone(),
                rates: self.rates.clone(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: CourseOptions,
    }

    fn read(line: &str) -> CourseOptions {
        let words = std::iter::once("line").chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().options
    }

    /// The settings of trainings before there were more than these.
    #[test]
    fn without_options_it_is_adam_with_a_cosine() {
        let options = read("");
        assert_eq!(options.loss(), Loss::default());
        let adam = OptimizerSettings::new(OptimizerKind::Adam);
        assert_eq!(options.optimizer(), adam);
        assert_eq!(adam.weight_decay, 0.0);
        assert_eq!(options.decay().unwrap(), Decay::Cosine);
        let adamw = read("--optimizer adamw").optimizer();
        assert_eq!(adamw.weight_decay, 1e-4);
    }

    #[test]
    fn schedules_take_their_numbers() {
        let decay = |line: &str| read(line).decay().unwrap();
        let epochs = |list: &[f64]| list.iter().map(|&e| Moment::Epochs(e)).collect();
        assert_eq!(
            decay("--schedule milestones --milestones 60,90"),
            Decay::Milestones {
                at: epochs(&[60.0, 90.0]),
                factor: 0.1
            }
        );
        assert_eq!(
            decay("--schedule exponential --decay-factor 0.96 --decay-every 1000steps"),
            Decay::Exponential {
                factor: 0.96,
                every: Moment::Steps(1000)
            }
        );
        assert_eq!(decay("--schedule none"), Decay::Constant);
        assert_eq!(
            decay("--schedule piecewise_constant --learning-rate 5e-4"),
            Decay::Piecewise {
                at: vec![Moment::Steps(500), Moment::Percent(90.0)],
                rates: vec![1e-3, 5e-4, 5e-5]
            }
        );
        let error = read("--milestones 3").decay().unwrap_err().to_string();
        assert!(
            error.contains("--milestones") && error.contains("piecewise"),
            "{error}"
        );
    }

    #[test]
    fn losses_and_optimizers_take_their_numbers() {
        let options = read("--loss smooth_l1 --loss-delta 0.5 --hard-keypoints 8 --foreground 2");
        let expected = Loss {
            kind: LossKind::SmoothL1,
            foreground: 2.0,
            delta: 0.5,
            hard_keypoints: 8,
        };
        assert_eq!(options.loss(), expected);
        let sgd = read("--optimizer sgd --nesterov --momentum 0.95 --weight-decay 1e-3");
        let expected = OptimizerSettings {
            nesterov: true,
            momentum: 0.95,
            weight_decay: 1e-3,
            ..OptimizerSettings::new(OptimizerKind::Sgd)
        };
        assert_eq!(sgd.optimizer(), expected);
    }
}
