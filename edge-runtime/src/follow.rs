//! Finding and following people through a stream.

mod boxes;
mod detector;
mod looker;
mod search;
mod yolo;

pub use boxes::{BoxFile, BoxSource, PersonBox, load_boxes};
pub use detector::{Detector, DetectorSettings};
pub use looker::Looker;
pub use yolo::{YoloForm, non_maximum_suppression};

use std::collections::VecDeque;
use std::thread;

use pose::{
    Crop, KeypointSet, Pose, Presence, PresenceSettings, Rect, RgbView, Sighting, Size, Smoothing,
    Torso, Tracker, TrackerSettings, box_overlap, sure_box,
};

use crate::error::RuntimeError;
use crate::stream::{Frame, PoseFinder, TrackedPose};
use search::SearchPlan;

/// A first look that is at least this sure is worth a closer one.
const WORTH_A_LOOK: f32 = 0.35;
/// After so many closer looks the search goes on elsewhere.
const MOST_CLOSER: usize = 2;
/// A detector's box leaves some room around the joints already.
const BOX_MARGIN: f32 = 1.1;
/// Boxes that share this much with somebody are of that person.
const SAME_BOX: f32 = 0.3;
/// A crop around somebody who is not seen is this much larger in every second frame.
const WIDER: f32 = 1.5;

/// A part of the frame to look at, and the number of the person whose crop it is.
type View = (Crop, Option<u32>);

/// How people are found and followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FollowSettings {
    /// The most people at a time, at least 1.
    pub people: usize,
    /// The part of every frame to look at, in pixels, with the model's margin around it: one look
    /// a frame, always there, at one person. None follows whoever is found.
    pub region: Option<Rect>,
    /// Smoothing of the poses.
    pub smoothing: Smoothing,
    /// Found, held, lost.
    pub presence: PresenceSettings,
    /// Keypoints of at least this confidence say where the person is, 0..=1.
    pub min_confidence: f32,
    /// Looks a frame that are spent on searching, at least 1. A frame costs at most one look for
    /// each person that is followed, and these.
    pub search_looks: usize,
    /// While somebody is followed and others are wanted, only every so many frames are searched.
    pub search_every: u64,
}

impl Default for FollowSettings {
    fn default() -> FollowSettings {
        FollowSettings {
            people: 1,
            region: None,
            smoothing: Smoothing::default(),
            presence: PresenceSettings::default(),
            min_confidence: 0.2,
            search_looks: 2,
            search_every: 4,
        }
    }
}

/// A [`PoseFinder`] that follows people: one look a frame at the crop of each one's last pose.
///
/// Whoever is missing is searched: the whole picture first, then parts of it, smaller and smaller,
/// a few looks a frame ([`FollowSettings::search_looks`]); where a look shows somebody, closer looks
/// follow. With a [`BoxSource`] the boxes say where to look instead.
///
/// Several [`Looker`]s share a frame's looks, each on a thread of its own.
pub struct Follower {
    lookers: Vec<Box<dyn Looker>>,
    settings: FollowSettings,
    torso: Torso,
    keypoints: KeypointSet,
    input: Size,
    margin: f32,
    tracker: Tracker,
    boxes: Option<Box<dyn BoxSource>>,
    plan: SearchPlan,
    /// Closer looks that did not fit into the last frame, and how many looks were before.
    waiting: VecDeque<(Crop, usize)>,
    frame_size: Option<Size>,
    frames: u64,
    looks: usize,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower")
            .field("settings", &self.settings)
            .field("tracker", &self.tracker)
            .finish_non_exhaustive()
    }
}

impl Follower {
    /// A follower that looks with these, all of the same model.
    ///
    /// # Errors
    /// No looker; settings out of their ranges.
    pub fn new(
        lookers: Vec<Box<dyn Looker>>,
        settings: FollowSettings,
    ) -> Result<Follower, RuntimeError> {
        let usage = |what: &str| Err(RuntimeError::Usage(what.into()));
        let Some(first) = lookers.first() else {
            return usage("following people needs a network: expected at least one, found none");
        };
        if settings.people == 0 || settings.search_looks == 0 {
            return usage("people and looks a frame for searching: expected at least 1, found 0");
        }
        let PresenceSettings { found, lost, .. } = settings.presence;
        // Not-a-number is refused as well.
        if !(0.0 < lost && lost <= found && found <= 1.0) {
            return Err(RuntimeError::Usage(format!(
                "found from confidence {found}, lost below {lost}: expected 0 < lost ≤ found ≤ 1"
            )));
        }
        let (keypoints, input) = (first.keypoints().clone(), first.input_size());
        let margin = first.crop_margin();
        let tracking = TrackerSettings {
            people: if settings.region.is_some() {
                1
            } else {
                settings.people
            },
            presence: settings.presence,
            smoothing: settings.smoothing,
            min_confidence: settings.min_confidence,
            margin,
            ..TrackerSettings::default()
        };
        Ok(Follower {
            torso: Torso::of(&keypoints),
            tracker: Tracker::new(tracking, &keypoints, input),
            keypoints,
            input,
            margin,
            lookers,
            settings,
            boxes: None,
            plan: SearchPlan::default(),
            waiting: VecDeque::new(),
            frame_size: None,
            frames: 0,
            looks: 0,
        })
    }

    /// The same, with boxes of people from elsewhere in the place of searching.
    #[must_use]
    pub fn with_boxes(mut self, boxes: Box<dyn BoxSource>) -> Follower {
        self.boxes = Some(boxes);
        self
    }

    /// The keypoints of the poses.
    pub fn keypoints(&self) -> &KeypointSet {
        &self.keypoints
    }

    /// How many looks the last frame took.
    pub fn looks(&self) -> usize {
        self.looks
    }

    /// The most looks that a frame takes.
    pub fn most_looks(&self) -> usize {
        match self.settings.region {
            Some(_) => 1,
            None => self.settings.people + self.settings.search_looks,
        }
    }

    /// Forgets everybody, at a cut for example.
    pub fn reset(&mut self) {
        self.tracker.reset();
        self.plan = SearchPlan::default();
        self.waiting.clear();
    }

    /// Where those who are followed are to be looked for.
    fn followed(&self) -> Vec<View> {
        let crop = |track: &pose::Track| {
            let unseen = matches!(track.presence, Presence::Held { .. });
            let wider = unseen && self.frames % 2 == 1;
            let factor = if wider { WIDER } else { 1.0 };
            Crop {
                width: track.next_crop.width * factor,
                height: track.next_crop.height * factor,
                ..track.next_crop
            }
        };
        let people = self.tracker.people();
        people.map(|t| (crop(t), Some(t.id))).collect()
    }

    /// The poses in these parts of the picture, the parts shared among the lookers.
    fn look(
        &mut self,
        picture: &RgbView<'_>,
        crops: &[View],
    ) -> Result<Vec<Sighting>, RuntimeError> {
        self.looks += crops.len();
        let share = crops.len().div_ceil(self.lookers.len()).max(1);
        let mut parts: Vec<_> = self.lookers.iter_mut().zip(crops.chunks(share)).collect();
        if let [(looker, crops)] = parts.as_mut_slice() {
            return look_with(looker.as_mut(), picture, crops);
        }
        thread::scope(|scope| {
            let threads: Vec<_> = parts
                .into_iter()
                .map(|(looker, crops)| {
                    scope.spawn(move || look_with(looker.as_mut(), picture, crops))
                })
                .collect();
            let mut found = Vec::new();
            for thread in threads {
                match thread.join() {
                    Ok(sightings) => found.extend(sightings?),
                    // A panic of a thread is this thread's panic.
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(found)
        })
    }

    /// Whether somebody is wanted in this frame besides those who are seen.
    fn is_searching(&self) -> bool {
        let followed = self.tracker.people().count();
        let missing = followed < self.settings.people;
        let unseen = self.tracker.people().any(|t| t.presence != Presence::Found);
        if followed == 0 || unseen || !self.waiting.is_empty() {
            return missing || unseen;
        }
        missing
            && self
                .frames
                .is_multiple_of(self.settings.search_every.max(1))
    }

    /// Looks for people nobody follows yet: closer looks that wait, else the plan's next part.
    fn search(
        &mut self,
        picture: &RgbView<'_>,
        known: &[Sighting],
    ) -> Result<Vec<Sighting>, RuntimeError> {
        let enough = self.settings.presence.found;
        let mut found = Vec::new();
        for _ in 0..self.settings.search_looks {
            let (crop, closer) = match self.waiting.pop_front() {
                Some(waiting) => waiting,
                None => (self.plan.next(picture.size(), self.input), 0),
            };
            for sighting in self.look(picture, &[(crop, None)])? {
                if self.is_known(&sighting.pose, known) {
                    continue;
                }
                let sure = self.torso.sureness(&sighting.pose);
                // What a first look shows is not where it would be followed: a closer one decides.
                if closer < MOST_CLOSER && sure >= WORTH_A_LOOK && (closer == 0 || sure < enough) {
                    let crop = self.closer(&sighting.pose, picture.size());
                    self.waiting.extend(crop.map(|crop| (crop, closer + 1)));
                }
                if closer > 0 && sure >= enough {
                    found.push(sighting);
                }
            }
            if !found.is_empty() {
                self.plan = SearchPlan::default();
                self.waiting.clear();
                break;
            }
        }
        Ok(found)
    }

    /// Where to look closer, after a look that found this.
    fn closer(&self, pose: &Pose, frame: Size) -> Option<Crop> {
        let follow = pose::FollowCrop::new(
            self.torso,
            self.margin,
            self.settings.min_confidence,
            self.input,
        );
        follow.wanted(pose, frame)
    }

    /// Whether somebody is there who is followed already.
    fn is_known(&self, pose: &Pose, known: &[Sighting]) -> bool {
        let minimum = self.settings.min_confidence;
        let Some(rect) = sure_box(pose, minimum) else {
            return true;
        };
        known
            .iter()
            .filter(|s| self.torso.sureness(&s.pose) >= self.settings.presence.lost)
            .filter_map(|s| sure_box(&s.pose, minimum))
            .any(|other| box_overlap(&rect, &other) > SAME_BOX)
    }

    /// Crops of boxes in which nobody is followed yet, the surest first.
    fn boxed(&mut self, frame: &Frame) -> Result<Option<Vec<View>>, RuntimeError> {
        let lost = self.tracker.people().count() < self.settings.people
            || self.tracker.people().any(|t| t.presence != Presence::Found);
        let Some(source) = self.boxes.as_mut() else {
            return Ok(None);
        };
        let mut boxes = source.boxes(frame, lost)?.unwrap_or_default();
        boxes.sort_by(|a, b| b.score.total_cmp(&a.score));
        let minimum = self.settings.min_confidence;
        let taken: Vec<Rect> = self
            .tracker
            .people()
            .filter(|t| t.presence == Presence::Found)
            .filter_map(|t| sure_box(&t.raw, minimum))
            .collect();
        let free = |b: &&PersonBox| taken.iter().all(|t| box_overlap(t, &b.rect) < SAME_BOX);
        let room = self.settings.people.saturating_sub(taken.len());
        let room = room.min(
            self.most_looks()
                .saturating_sub(self.tracker.people().count()),
        );
        let crop = |b: &PersonBox| (Crop::around(b.rect, BOX_MARGIN, self.input), None);
        Ok(Some(
            boxes.iter().filter(free).take(room).map(crop).collect(),
        ))
    }

    fn sightings(
        &mut self,
        frame: &Frame,
        view: &RgbView<'_>,
    ) -> Result<Vec<Sighting>, RuntimeError> {
        if let Some(region) = self.settings.region {
            let id = self.tracker.people().next().map(|t| t.id);
            let crop = Crop::around(region, self.margin, self.input);
            return self.look(view, &[(crop, id)]);
        }
        let mut crops = self.followed();
        if let Some(boxed) = self.boxed(frame)? {
            crops.extend(boxed);
            return self.look(view, &crops);
        }
        let mut found = self.look(view, &crops)?;
        if self.is_searching() {
            let new = self.search(view, &found)?;
            found.extend(new);
        }
        Ok(found)
    }
}

impl PoseFinder for Follower {
    fn find(&mut self, frame: &Frame) -> Result<Vec<TrackedPose>, RuntimeError> {
        let size = frame.size();
        if self.frame_size != Some(size) {
            self.reset();
            self.frame_size = Some(size);
        }
        self.looks = 0;
        let view = RgbView::new(frame.picture.as_raw(), size.width, size.height);
        let sightings = self.sightings(frame, &view)?;
        self.tracker
            .update(sightings, size, frame.time.as_secs_f64());
        self.frames += 1;
        let people = self.tracker.people().map(|track| TrackedPose {
            id: track.id,
            pose: track.shown.clone(),
            crop: track.seen_in,
        });
        Ok(people.collect())
    }
}

fn look_with(
    looker: &mut dyn Looker,
    picture: &RgbView<'_>,
    crops: &[View],
) -> Result<Vec<Sighting>, RuntimeError> {
    let look = |&(crop, track): &View| {
        let pose = looker.look_at(picture, &crop)?;
        Ok(Sighting { pose, crop, track })
    };
    crops.iter().map(look).collect()
}
