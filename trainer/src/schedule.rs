//! The learning rate over a training.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A place in a training: `500steps`, `60` (epochs, also `2.5`) or `90%` (of all steps).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Moment {
    /// Optimizer steps from the start.
    Steps(u64),
    /// Passes over the data.
    Epochs(f64),
    /// Percent of all steps.
    Percent(f64),
}

impl Moment {
    /// The step, rounded to the nearest.
    pub fn step(self, span: &Span) -> u64 {
        match self {
            Self::Steps(steps) => steps,
            Self::Epochs(epochs) => (epochs * span.epoch as f64).round() as u64,
            Self::Percent(percent) => (percent / 100.0 * span.total as f64).round() as u64,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(steps) => write!(f, "{steps}steps"),
            Self::Epochs(epochs) => write!(f, "{epochs}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let positive = |number: &str| {
            let number = number.trim().parse::<f64>().ok();
            number.filter(|number| *number >= 0.0 && number.is_finite())
        };
        let moment = if let Some(number) = text.strip_suffix("steps") {
            number.trim().parse().ok().map(Self::Steps)
        } else if let Some(number) = text.strip_suffix('%') {
            positive(number).map(Self::Percent)
        } else {
            positive(text).map(Self::Epochs)
        };
        moment.ok_or_else(|| {
            format!(
                "`{text}`: expected epochs (60), steps (500steps) or a share of all steps (90%)"
            )
        })
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

/// How long a training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// All steps.
    pub total: u64,
    /// Steps of a pass over the data.
    pub epoch: u64,
}

/// How the rate falls from its peak. p goes from 0 at the end of the warm-up to 1 at the end of
/// the training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// Not at all.
    Constant,
    /// Half a cosine down to the floor (Loshchilov & Hutter 2017):
    /// floor + (1 − floor) · (1 + cos πp) / 2.
    #[default]
    Cosine,
    /// By a factor for every so many steps, continuously: factor^(steps / every).
    Exponential {
        /// What is left of the rate after `every`.
        factor: f64,
        /// After how long.
        every: Moment,
    },
    /// floor + (1 − floor) · (1 − p)^power.
    Polynomial {
        /// The exponent; 1 is a straight line.
        power: f64,
    },
    /// By a factor at each of these moments.
    Milestones {
        /// When.
        at: Vec<Moment>,
        /// What is left of the rate after each.
        factor: f64,
    },
    /// Given rates: the first until the first moment, and so on; one rate more than moments.
    Piecewise {
        /// When the next rate begins.
        at: Vec<Moment>,
        /// The rates themselves, the peak has no say.
        rates: Vec<f64>,
    },
}

impl Decay {
    /// What is wrong with the numbers, in words.
    pub fn fault(&self) -> Option<String> {
        let factor_fault = |factor: f64| {
            let fine = factor > 0.0 && factor <= 1.0;
            (!fine).then(|| format!("decay factor {factor}: must be more than 0 and at most 1"))
        };
        match self {
            Self::Constant | Self::Cosine => None,
            Self::Exponential { factor, .. } => factor_fault(*factor),
            Self::Polynomial { power } => (!(*power > 0.0 && power.is_finite()))
                .then(|| format!("power {power}: must be more than 0")),
            Self::Milestones { at, factor } => match at.is_empty() {
                true => Some("no milestone given".to_owned()),
                false => factor_fault(*factor),
            },
            Self::Piecewise { at, rates } => {
                if rates.len() != at.len() + 1 {
                    let (rates, moments) = (rates.len(), at.len());
                    return Some(format!(
                        "{rates} rates for {moments} milestones: there must be one rate more"
                    ));
                }
                let bad = rates.iter().find(|rate| rate.is_nan() || **rate <= 0.0);
                bad.map(|rate| format!("rate {rate}: must be more than 0"))
            }
        }
    }
}

/// Linear warm-up, then a [`Decay`].
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Highest rate.
    pub peak: f64,
    /// Steps until the peak.
    pub warmup: u64,
    /// Last rate of [`Decay::Cosine`] and [`Decay::Polynomial`] as a fraction of the peak.
    pub floor: f64,
    /// The way down.
    pub decay: Decay,
    /// How long the training is.
    pub span: Span,
}

impl Schedule {
    /// The rate of step `step`, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        let full = self.decayed(step.saturating_sub(self.warmup), step);
        if step < self.warmup {
            return full * (step + 1) as f64 / self.warmup as f64;
        }
        full
    }

    /// The rate without warm-up, `after` steps after its end.
    fn decayed(&self, after: u64, step: u64) -> f64 {
        let span = self.span.total.saturating_sub(self.warmup).max(1) as f64;
        let progress = (after as f64 / span).min(1.0);
        let passed = |at: &[Moment]| at.iter().filter(|m| m.step(&self.span) <= step).count();
        let floor = self.floor;
        match &self.decay {
            Decay::Constant => self.peak,
            Decay::Cosine => {
                let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
                self.peak * (floor + (1.0 - floor) * cosine)
            }
            Decay::Exponential { factor, every } => {
                let every = every.step(&self.span).max(1) as f64;
                self.peak * factor.powf(after as f64 / every)
            }
            Decay::Polynomial { power } => {
                self.peak * (floor + (1.0 - floor) * (1.0 - progress).powf(*power))
            }
            Decay::Milestones { at, factor } => self.peak * factor.powi(passed(at) as i32),
            Decay::Piecewise { at, rates } => {
                let last = rates.len().saturating_sub(1);
                rates
                    .get(passed(at).min(last))
                    .copied()
                    .unwrap_or(self.peak)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(decay: Decay, warmup: u64, floor: f64) -> Schedule {
        Schedule {
            peak: 2.0,
            warmup,
            floor,
            decay,
            span: Span {
                total: 110,
                epoch: 11,
            },
        }
    }

    fn check(schedule: &Schedule, expected: &[(u64, f64)]) {
        for &(step, rate) in expected {
            let found = schedule.rate(step);
            assert!(
                (found - rate).abs() < 1e-12,
                "{schedule:?} step {step}: {found} instead of {rate}"
            );
        }
    }

    #[test]
    fn the_cosine_rises_to_the_peak_and_falls_to_the_floor() {
        let cosine = schedule(Decay::Cosine, 10, 0.1);
        check(
            &cosine,
            &[
                (0, 0.2),
                (9, 2.0),
                (10, 2.0),
                (60, 1.1),
                (110, 0.2),
                (10_000, 0.2),
            ],
        );
        // A third of the way: (1 + cos 60°) / 2 = 3/4.
        let third = Schedule {
            span: Span {
                total: 160,
                epoch: 16,
            },
            ..cosine
        };
        check(&third, &[(60, 2.0 * (0.1 + 0.9 * 0.75))]);
    }

    #[test]
    fn constant_and_polynomial_are_what_they_say() {
        check(
            &schedule(Decay::Constant, 4, 0.1),
            &[(0, 0.5), (2, 1.5), (3, 2.0), (4, 2.0), (500, 2.0)],
        );
        // The earlier projects' line to a hundredth, and the parabola.
        check(
            &schedule(Decay::Polynomial { power: 1.0 }, 10, 0.01),
            &[(10, 2.0), (35, 1.505), (60, 1.01), (110, 0.02), (120, 0.02)],
        );
        check(
            &schedule(Decay::Polynomial { power: 2.0 }, 10, 0.0),
            &[(10, 2.0), (60, 0.5), (85, 0.125), (110, 0.0)],
        );
    }

    #[test]
    fn the_exponential_halves_at_its_pace() {
        let decay = |every: &str| Decay::Exponential {
            factor: 0.5,
            every: every.parse().unwrap(),
        };
        let halves = [(10, 2.0), (21, 1.0), (32, 0.5), (43, 0.25)];
        check(&schedule(decay("1"), 10, 0.0), &halves);
        check(&schedule(decay("11steps"), 10, 0.0), &halves);
        check(&schedule(decay("10%"), 10, 0.0), &halves);
        let root = schedule(decay("22steps"), 10, 0.0);
        check(&root, &[(21, 2.0 / 2f64.sqrt())]);
    }

    #[test]
    fn milestones_and_given_rates_change_at_their_steps() {
        let at = |list: &[&str]| list.iter().map(|m| m.parse().unwrap()).collect();
        // Epochs 6 and 9 of 11 steps.
        let milestones = Decay::Milestones {
            at: at(&["6", "9"]),
            factor: 0.1,
        };
        let expected = [(0, 2.0), (65, 2.0), (66, 0.2), (98, 0.2), (99, 0.02)];
        check(&schedule(milestones, 0, 0.0), &expected);
        // The piecewise rates of the earlier projects.
        let piecewise = Decay::Piecewise {
            at: at(&["50steps", "90%", "100%"]),
            rates: vec![1e-3, 5e-4, 5e-5, 5e-6],
        };
        let expected = [
            (0, 1e-3),
            (49, 1e-3),
            (50, 5e-4),
            (98, 5e-4),
            (99, 5e-5),
            (110, 5e-6),
        ];
        check(&schedule(piecewise.clone(), 0, 0.0), &expected);
        check(&schedule(piecewise, 4, 0.0), &[(1, 5e-4), (4, 1e-3)]);
    }

    #[test]
    fn moments_are_read_as_they_are_written() {
        for text in ["60", "2.5", "500steps", "90%", "12.5%"] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.to_string(), text);
            let json = serde_json::to_string(&moment).unwrap();
            assert_eq!(serde_json::from_str::<Moment>(&json).unwrap(), moment);
        }
        for text in ["", "-1", "nan", "1.5steps", "x%"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        let bad = [
            Decay::Polynomial { power: 0.0 },
            Decay::Milestones {
                at: vec![],
                factor: 0.1,
            },
            Decay::Milestones {
                at: vec![Moment::Epochs(3.0)],
                factor: 0.0,
            },
            Decay::Exponential {
                factor: 1.5,
                every: Moment::Epochs(1.0),
            },
            Decay::Piecewise {
                at: vec![Moment::Epochs(3.0)],
                rates: vec![0.1],
            },
            Decay::Piecewise {
                at: vec![],
                rates: vec![f64::NAN],
            },
        ];
        for decay in bad {
            assert!(decay.fault().is_some(), "{decay:?}");
        }
        assert_eq!(Decay::default().fault(), None);
    }
}
