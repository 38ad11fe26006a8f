//! People from frame to frame.

use crate::body::Torso;
use crate::crop::{Crop, Size};
use crate::follow_crop::FollowCrop;
use crate::keypoint_set::KeypointSet;
use crate::pose::Pose;
use crate::presence::{Presence, PresenceSettings};
use crate::similarity::pose_similarity;
use crate::smoother::{PoseSmoother, Smoothing};
use alloc::vec::Vec;

/// Standard deviation of OKS between frames, for every keypoint: wide enough for a body in motion.
const SIGMA: f32 = 0.1;
/// A body's area in units of its squared size.
const AREA: f32 = 0.3;
/// Least similarity of a pose and the track that it continues.
const SAME_TRACK: f32 = 0.2;
/// What it adds to the similarity that a pose was found in the track's own crop.
const OWN_CROP: f32 = 0.25;
/// Poses of one frame that are more alike than this are of one person.
const SAME_PERSON: f32 = 0.45;
/// Less alike than this, a pose is a leap, and has to be as sure as a newly found person.
const LEAP: f32 = 0.03;

/// How a [`Tracker`] works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackerSettings {
    /// The most people at a time.
    pub people: usize,
    /// Found, held, lost.
    pub presence: PresenceSettings,
    /// Smoothing of the poses.
    pub smoothing: Smoothing,
    /// Keypoints of at least this confidence count, 0..=1.
    pub min_confidence: f32,
    /// Side of a crop as a multiple of the box of the joints.
    pub margin: f32,
    /// For so long, in seconds, somebody who is lost gets the old number back when found about
    /// where he was.
    pub remember: f32,
}

impl Default for TrackerSettings {
    fn default() -> Self {
        TrackerSettings {
            people: 1,
            presence: PresenceSettings::default(),
            smoothing: Smoothing::default(),
            min_confidence: 0.2,
            margin: 1.25,
            remember: 2.0,
        }
    }
}

/// A pose that was found in a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// The pose, in the frame's coordinates.
    pub pose: Pose,
    /// Where it was looked for.
    pub crop: Crop,
    /// Whose crop that is; none for a search.
    pub track: Option<u32>,
}

/// One person over time.
#[derive(Clone, Debug)]
pub struct Track {
    /// The same number for the same person, from 1.
    pub id: u32,
    /// Whether the person is there.
    pub presence: Presence,
    /// The last pose, as the network found it.
    pub raw: Pose,
    /// The pose to show: smoothed; while the person is held, the last one with falling confidence.
    pub shown: Pose,
    /// Where `raw` was found.
    pub seen_in: Crop,
    /// The part of the next frame to look at.
    pub next_crop: Crop,
    follow: FollowCrop,
    smoother: PoseSmoother,
    /// The shown pose when the person was last seen.
    last_shown: Pose,
    size: f32,
    seen_at: f64,
}

impl Track {
    /// Whether the person counts as there.
    pub fn is_there(&self) -> bool {
        self.presence != Presence::Lost
    }
}

/// Follows people: gives poses of one frame the numbers of the people that they continue, smooths
/// them, and says where to look in the next frame.
///
/// Poses that are nearly the same are one person. The others go to the tracks by similarity (OKS),
/// the most alike first; a pose found in a track's own crop has an advantage. What is left, and is
/// sure enough, is a new person.
#[derive(Clone, Debug)]
pub struct Tracker {
    settings: TrackerSettings,
    keypoints: KeypointSet,
    torso: Torso,
    input: Size,
    tracks: Vec<Track>,
    last_id: u32,
    time: Option<f64>,
}

impl Tracker {
    /// For poses of this keypoint set, from a network with this input.
    pub fn new(settings: TrackerSettings, keypoints: &KeypointSet, input: Size) -> Tracker {
        Tracker {
            settings,
            torso: Torso::of(keypoints),
            keypoints: keypoints.clone(),
            input,
            tracks: Vec::new(),
            last_id: 0,
            time: None,
        }
    }

    /// The people that are there, in the order of their numbers.
    pub fn people(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(|t| t.is_there())
    }

    /// How similar this pose is to the person of a track, 0..=1.
    pub fn similarity(&self, track: &Track, pose: &Pose) -> f32 {
        self.alike(&track.raw, pose, track.size)
    }

    /// How the tracker works.
    pub fn settings(&self) -> &TrackerSettings {
        &self.settings
    }

    /// Forgets everybody; numbers go on.
    pub fn reset(&mut self) {
        self.tracks.clear();
        self.time = None;
    }

    /// Takes in what was found in a frame of this size, at `time` in seconds by any clock.
    pub fn update(&mut self, sightings: Vec<Sighting>, frame: Size, time: f64) {
        let seconds = self.time.map_or(0.0, |last| (time - last).max(0.0)) as f32;
        self.time = Some(time);
        let mut sightings = self.distinct(sightings);
        let pairs = self.matches(&sightings);
        let mut taken = Vec::new();
        for k in 0..self.tracks.len() {
            let found = pairs.iter().find(|pair| pair.0 == k);
            let sighting = found.and_then(|&(_, s)| sightings.get(s));
            if let Some(&(_, s)) = found {
                taken.push(s);
            }
            self.advance(k, sighting, frame, time, seconds);
        }
        let remember = f64::from(self.settings.remember);
        self.tracks
            .retain(|t| t.is_there() || time - t.seen_at <= remember);
        let mut index = 0;
        sightings.retain(|_| {
            index += 1;
            !taken.contains(&(index - 1))
        });
        for sighting in sightings {
            if self.people().count() >= self.settings.people {
                break;
            }
            if self.torso.sureness(&sighting.pose) >= self.settings.presence.found {
                self.begin(sighting, frame, time);
            }
        }
    }

    /// The sightings, surest first, without those of one person twice.
    fn distinct(&self, mut sightings: Vec<Sighting>) -> Vec<Sighting> {
        let sure = |s: &Sighting| self.torso.sureness(&s.pose);
        sightings.sort_by(|a, b| sure(b).total_cmp(&sure(a)));
        let mut kept: Vec<Sighting> = Vec::new();
        for sighting in sightings {
            let Some(size) = self.size(&sighting.pose) else {
                continue;
            };
            let again = kept
                .iter()
                .any(|k| self.alike(&k.pose, &sighting.pose, size) > SAME_PERSON);
            if !again {
                kept.push(sighting);
            }
        }
        kept
    }

    /// Which track goes on with which sighting: greedily, the most alike first.
    fn matches(&self, sightings: &[Sighting]) -> Vec<(usize, usize)> {
        let mut candidates = Vec::new();
        for (k, track) in self.tracks.iter().enumerate() {
            for (s, sighting) in sightings.iter().enumerate() {
                let own = sighting.track == Some(track.id);
                let alike = self.similarity(track, &sighting.pose);
                let worth = alike + if own { OWN_CROP } else { 0.0 };
                if worth >= SAME_TRACK {
                    candidates.push((worth, k, s));
                }
            }
        }
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (_, k, s) in candidates {
            if pairs
                .iter()
                .all(|&(track, sighting)| track != k && sighting != s)
            {
                pairs.push((k, s));
            }
        }
        pairs
    }

    /// Brings a track up to date.
    fn advance(
        &mut self,
        index: usize,
        sighting: Option<&Sighting>,
        frame: Size,
        time: f64,
        seconds: f32,
    ) {
        let presence = &self.settings.presence;
        let size = sighting.and_then(|s| self.size(&s.pose));
        let sure = sighting.map(|s| {
            let sure = self.torso.sureness(&s.pose);
            let leaps = self
                .tracks
                .get(index)
                .is_some_and(|t| self.similarity(t, &s.pose) < LEAP);
            if leaps && sure < presence.found {
                0.0
            } else {
                sure
            }
        });
        let Some(track) = self.tracks.get_mut(index) else {
            return;
        };
        let was_there = track.is_there();
        track.presence = track.presence.next(sure, seconds, presence);
        match (track.presence, sighting, size) {
            (Presence::Found, Some(sighting), Some(size)) => {
                if !was_there {
                    track.smoother.reset();
                    track.follow.reset();
                }
                let since = (time - track.seen_at).max(0.0) as f32;
                track.shown = track.smoother.update(&sighting.pose, time);
                track.last_shown = track.shown.clone();
                track.raw = sighting.pose.clone();
                track.seen_in = sighting.crop;
                track.seen_at = time;
                track.size = size;
                if let Some(crop) = track.follow.update(&track.raw, frame, since) {
                    track.next_crop = crop;
                }
            }
            (Presence::Held { seconds }, _, _) => {
                // Falls to 0 when the time is over.
                let left = 1.0 - seconds / presence.hold.max(f32::MIN_POSITIVE);
                track.shown = track.last_shown.clone();
                for k in &mut track.shown.keypoints {
                    k.confidence *= left.clamp(0.0, 1.0);
                }
                track.shown.update_confidence();
            }
            _ => track.presence = Presence::Lost,
        }
    }

    fn begin(&mut self, sighting: Sighting, frame: Size, time: f64) {
        let Some(size) = self.size(&sighting.pose) else {
            return;
        };
        let settings = &self.settings;
        let mut follow = FollowCrop::new(
            self.torso,
            settings.margin,
            settings.min_confidence,
            self.input,
        );
        let next_crop = follow.update(&sighting.pose, frame, 0.0);
        let mut smoother = PoseSmoother::new(settings.smoothing, &self.keypoints);
        let shown = smoother.update(&sighting.pose, time);
        self.last_id = self.last_id.wrapping_add(1);
        self.tracks.push(Track {
            id: self.last_id,
            presence: Presence::Found,
            last_shown: shown.clone(),
            shown,
            raw: sighting.pose,
            seen_in: sighting.crop,
            next_crop: next_crop.unwrap_or(sighting.crop),
            follow,
            smoother,
            size,
            seen_at: time,
        });
    }

    fn size(&self, pose: &Pose) -> Option<f32> {
        self.torso.body_size(pose, self.settings.min_confidence)
    }

    fn alike(&self, a: &Pose, b: &Pose, size: f32) -> f32 {
        let area = AREA * size * size;
        let least = a.keypoints.len().min(3);
        pose_similarity(a, b, area, SIGMA, self.settings.min_confidence, least).unwrap_or(0.0)
    }
}
