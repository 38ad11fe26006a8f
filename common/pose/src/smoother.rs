//! Poses of one person, smoothed over time.

use crate::body::{Torso, is_sure};
use crate::geometry::Point;
use crate::keypoint_set::KeypointSet;
use crate::one_euro::{OneEuro, OneEuroSettings, smoothing_share};
use crate::pose::{Keypoint, Pose};
use alloc::vec::Vec;

/// How strongly poses are smoothed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Smoothing {
    /// Not at all: poses come back as they are.
    Off,
    /// Little lag; fast sports.
    #[default]
    Light,
    /// A steady skeleton; slow exercises.
    Strong,
    /// Settings of the caller's own, speeds in body sizes a second.
    Custom(OneEuroSettings),
}

impl Smoothing {
    /// The filter's settings, speeds in body sizes a second; none for [`Smoothing::Off`].
    pub fn settings(self) -> Option<OneEuroSettings> {
        let (min_cutoff, beta) = match self {
            Smoothing::Off => return None,
            Smoothing::Light => (1.5, 6.0),
            Smoothing::Strong => (0.5, 2.0),
            Smoothing::Custom(settings) => return Some(settings),
        };
        Some(OneEuroSettings {
            min_cutoff,
            beta,
            derivative_cutoff: 1.0,
        })
    }
}

/// Keypoints of at least this confidence are measurements; others are held.
const MEASURED: f32 = 0.2;
/// For so long, in seconds, a keypoint that cannot be seen is held.
const HOLD: f32 = 0.4;
/// After so long without a frame, in seconds, everything starts anew.
const LONGEST_GAP: f32 = 0.5;
/// Cutoff of the body size's low-pass filter, in hertz.
const SIZE_CUTOFF: f32 = 0.5;

/// Smooths the poses of one person, each keypoint with a [`OneEuro`] filter in units of the body's
/// size, so that the same settings do for people near and far.
///
/// A keypoint that loses its confidence (below 0.2) is held for 0.4 s where it was on the body,
/// its confidence falling to 0; after that comes what the network says. A gap of more than 0.5 s
/// between frames, or time that runs backwards, starts anew.
#[derive(Clone, Debug)]
pub struct PoseSmoother {
    settings: Option<OneEuroSettings>,
    torso: Torso,
    channels: Vec<Channel>,
    size: Option<f32>,
    time: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Channel {
    filter: OneEuro,
    /// Of the last measurement.
    confidence: f32,
    /// Seconds since the last measurement.
    unseen: f32,
}

impl PoseSmoother {
    /// A smoother for poses of this keypoint set.
    pub fn new(smoothing: Smoothing, set: &KeypointSet) -> PoseSmoother {
        PoseSmoother {
            settings: smoothing.settings(),
            torso: Torso::of(set),
            channels: Vec::new(),
            size: None,
            time: None,
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.channels.clear();
        self.size = None;
        self.time = None;
    }

    /// The body's size that speeds are measured by, in pixels, itself smoothed; none before the
    /// first pose that has one.
    pub fn body_size(&self) -> Option<f32> {
        self.size
    }

    /// The smoothed pose at `time`, in seconds by any clock.
    pub fn update(&mut self, raw: &Pose, time: f64) -> Pose {
        let Some(settings) = self.settings else {
            return raw.clone();
        };
        let gap = self.time.map(|last| (time - last) as f32);
        if gap == Some(0.0) {
            return self.current(raw);
        }
        let goes_on = gap.is_some_and(|gap| gap > 0.0 && gap <= LONGEST_GAP);
        if !goes_on || self.channels.len() != raw.keypoints.len() {
            self.reset();
            self.channels
                .resize(raw.keypoints.len(), Channel::default());
        }
        self.time = Some(time);
        let seconds = gap.filter(|_| goes_on).unwrap_or(0.0);
        self.update_size(raw, seconds);
        let Some(size) = self.size else {
            return raw.clone();
        };
        let drift = self.drift(raw);
        let keypoints = raw
            .keypoints
            .iter()
            .zip(&mut self.channels)
            .map(|(k, channel)| channel.update(k, seconds, size, drift, &settings));
        Pose::new(keypoints.collect())
    }

    /// What the filters say, where no time has passed.
    fn current(&self, raw: &Pose) -> Pose {
        let Some(size) = self.size else {
            return raw.clone();
        };
        let keypoints = raw.keypoints.iter().zip(&self.channels);
        let keypoints = keypoints.map(|(k, channel)| match channel.filter.value() {
            Some(at) => Keypoint::new(at.x * size, at.y * size, k.confidence),
            None => *k,
        });
        Pose::new(keypoints.collect())
    }

    fn update_size(&mut self, raw: &Pose, seconds: f32) {
        let Some(measured) = self.torso.body_size(raw, MEASURED) else {
            return;
        };
        let size = match self.size {
            Some(last) if seconds > 0.0 => {
                last + (measured - last) * smoothing_share(SIZE_CUTOFF, seconds)
            }
            Some(last) => last,
            None => measured,
        };
        // The filters hold positions in units of the size: they must not move when it changes.
        if let Some(last) = self.size {
            for channel in &mut self.channels {
                channel.filter.rescale(last / size);
            }
        }
        self.size = Some(size);
    }

    /// By how much the body as a whole moved since the last frame, in pixels: the mean over the
    /// keypoints that are seen.
    fn drift(&self, raw: &Pose) -> Point {
        let (mut x, mut y, mut count) = (0.0, 0.0, 0.0f32);
        let size = self.size.unwrap_or(1.0);
        for (k, channel) in raw.keypoints.iter().zip(&self.channels) {
            if let (true, Some(last)) = (is_sure(k, MEASURED), channel.filter.raw())
                && channel.unseen == 0.0
            {
                x += k.x - last.x * size;
                y += k.y - last.y * size;
                count += 1.0;
            }
        }
        Point::new(x / count.max(1.0), y / count.max(1.0))
    }
}

impl Channel {
    fn update(
        &mut self,
        raw: &Keypoint,
        seconds: f32,
        size: f32,
        drift: Point,
        settings: &OneEuroSettings,
    ) -> Keypoint {
        if is_sure(raw, MEASURED) {
            self.confidence = raw.confidence;
            self.unseen = 0.0;
            let at = Point::new(raw.x / size, raw.y / size);
            let at = self.filter.update(at, seconds, settings);
            return Keypoint::new(at.x * size, at.y * size, raw.confidence);
        }
        self.unseen += seconds;
        self.filter.shift(drift.x / size, drift.y / size);
        let left = 1.0 - self.unseen / HOLD;
        match self.filter.value() {
            Some(at) if left > 0.0 => {
                let confidence = (self.confidence * left).max(raw.confidence);
                Keypoint::new(at.x * size, at.y * size, confidence)
            }
            _ => {
                self.filter.reset();
                *raw
            }
        }
    }
}
