//! Scenes whose people move: the frames of a clip.

use crate::body::Body;
use crate::bvh::Clip;
use crate::outfit::Outfit;
use crate::random::Random;
use crate::random_pose::random_pose;
use crate::scene::{Person, Scene, SceneOptions, Surroundings, place_beside, random_heading};
use crate::segment::{Pose, SEGMENTS};
use glam::Vec3;

/// Seconds of motion that are drawn by lot at most; it turns back there.
const LONGEST: f32 = 20.0;

/// A scene in motion: people, clothes, light, surroundings and camera stay, poses change.
pub struct MovingScene<'a> {
    scene: Scene,
    motions: Vec<Motion<'a>>,
    /// How the camera sways: metres to the sides and up, and radians a second.
    sway: (Vec3, f32),
}

/// How one person moves.
struct Motion<'a> {
    course: Course<'a>,
    /// Metres a second over the floor.
    drift: Vec3,
    /// Radians a second.
    turning: f32,
}

enum Course<'a> {
    Recorded {
        clip: &'a Clip,
        /// Second of the recording that is shown first.
        start: f32,
        mirrored: bool,
    },
    /// From pose to pose: when each is reached, in seconds.
    Poses(Vec<(f32, Pose)>),
}

/// Time that runs forth and back between 0 and `length`.
fn back_and_forth(seconds: f32, length: f32) -> f32 {
    if length <= 0.0 {
        return 0.0;
    }
    let phase = seconds.rem_euclid(2.0 * length);
    phase.min(2.0 * length - phase)
}

/// Between two poses; `share` 0 is the first.
fn between(a: &Pose, b: &Pose, share: f32) -> Pose {
    let mut pose = a.clone();
    for k in 0..SEGMENTS {
        pose.turns[k] = a.turns[k].slerp(b.turns[k], share).normalize();
    }
    pose.lift = a.lift + (b.lift - a.lift) * share;
    pose
}

impl<'a> Motion<'a> {
    fn random(body: &'a dyn Body, options: &SceneOptions, random: &mut Random) -> Motion<'a> {
        let clips: Vec<&Clip> = body.clips().iter().filter(|c| c.frames() > 1).collect();
        let course = if !clips.is_empty() && random.chance(options.recorded) {
            let clip = clips[random.index(clips.len())];
            let length = clip.frames() as f32 * clip.frame_seconds();
            Course::Recorded {
                clip,
                start: random.range(0.0, length),
                mirrored: random.chance(0.5),
            }
        } else {
            let (mut poses, mut time) = (Vec::new(), 0.0);
            while time < LONGEST {
                poses.push((time, random_pose(options.stances, random)));
                time += random.range(0.5, 1.4);
            }
            Course::Poses(poses)
        };
        Motion {
            course,
            drift: Vec3::new(0.15 * random.bell(), 0.0, 0.15 * random.bell()),
            turning: 0.25 * random.bell(),
        }
    }

    fn pose(&self, seconds: f32) -> Pose {
        match &self.course {
            Course::Recorded {
                clip,
                start,
                mirrored,
            } => {
                let step = clip.frame_seconds().max(1e-3);
                let last = (clip.frames() - 1) as f32;
                let frame = back_and_forth(start + seconds, last * step) / step;
                let (low, share) = (frame.floor(), frame - frame.floor());
                let next = (low + 1.0).min(last);
                let pose = between(&clip.pose(low as usize), &clip.pose(next as usize), share);
                if *mirrored { pose.mirrored() } else { pose }
            }
            Course::Poses(poses) => {
                let end = poses.last().map_or(0.0, |(time, _)| *time);
                let time = back_and_forth(seconds, end);
                let next = poses.partition_point(|(at, _)| *at <= time);
                match (poses.get(next.wrapping_sub(1)), poses.get(next)) {
                    (Some((a, from)), Some((b, to))) => {
                        // Slow at the poses, quick between them.
                        let share = crate::noise::smoothstep(*a, *b, time);
                        between(from, to, share)
                    }
                    (Some((_, pose)), None) | (None, Some((_, pose))) => pose.clone(),
                    (None, None) => Pose::default(),
                }
            }
        }
    }

    /// The person after some seconds.
    fn moved(&self, person: &Person, seconds: f32) -> Person {
        let wander = back_and_forth(seconds, 4.0);
        Person {
            pose: self.pose(seconds),
            at: person.at + self.drift * wander,
            heading: person.heading + self.turning * wander,
            ..person.clone()
        }
    }
}

impl<'a> MovingScene<'a> {
    /// The moving scene of a seed; the camera has the first person in view for `seconds`. The same
    /// seed, body and options give the same scene.
    pub fn random(
        body: &'a dyn Body,
        seed: u64,
        options: &SceneOptions,
        seconds: f32,
    ) -> MovingScene<'a> {
        let mut random = Random::new(seed);
        let mut cast = random.fork();
        let others = if options.people > 1 {
            cast.index(options.people)
        } else {
            0
        };
        let (mut people, mut motions): (Vec<Person>, Vec<Motion<'a>>) = Default::default();
        for k in 0..=others {
            let motion = Motion::random(body, options, &mut cast.fork());
            let mut outfit = Outfit::random(&mut cast.fork());
            options.wardrobe.dress(&mut outfit, &mut cast.fork());
            let person = Person {
                figure: body.figure(&mut cast.fork()),
                pose: motion.pose(0.0),
                outfit,
                at: if k == 0 {
                    Vec3::ZERO
                } else {
                    place_beside(&people, &mut cast)
                },
                heading: random_heading(options.turn, &mut cast),
            };
            people.push(person);
            motions.push(motion);
        }
        let surroundings = Surroundings::new(&mut random, options);
        let mut points = Vec::new();
        if let (Some(first), Some(motion)) = (people.first(), motions.first()) {
            for k in 0..=6 {
                let time = seconds * k as f32 / 6.0;
                points.extend(motion.moved(first, time).placed());
            }
        }
        let sway = Vec3::new(0.03 * random.bell(), 0.015 * random.bell(), 0.0);
        MovingScene {
            scene: surroundings.around(people, &points, options),
            motions,
            sway: (sway, random.range(0.5, 2.0)),
        }
    }

    /// The scene after some seconds.
    pub fn at(&self, seconds: f32) -> Scene {
        let mut scene = self.scene.clone();
        for (person, motion) in scene.people.iter_mut().zip(&self.motions) {
            *person = motion.moved(person, seconds);
        }
        let (sway, rate) = self.sway;
        scene.camera.eye += sway * libm::sinf(rate * seconds);
        // Every frame has grain of its own.
        let frame = (seconds * 1000.0) as u32;
        scene.finish.grain = scene.finish.grain.wrapping_add(frame.wrapping_mul(7919));
        scene
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::BuiltIn;
    use crate::sample::Visibility;

    #[test]
    fn time_runs_forth_and_back() {
        for (seconds, expected) in [(0.0, 0.0), (1.5, 1.5), (2.5, 1.5), (4.0, 0.0), (5.0, 1.0)] {
            assert!((back_and_forth(seconds, 2.0) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn people_move_steadily_and_stay_themselves() {
        let options = SceneOptions {
            width: 64,
            height: 64,
            people: 3,
            ..SceneOptions::default()
        };
        let moving = MovingScene::random(&BuiltIn, 11, &options, 2.0);
        let frames: Vec<Scene> = (0..50).map(|k| moving.at(k as f32 / 25.0)).collect();
        let mut way = 0.0;
        for pair in frames.windows(2) {
            assert_eq!(pair[0].people.len(), pair[1].people.len());
            for (before, after) in pair[0].people.iter().zip(&pair[1].people) {
                assert_eq!(before.outfit, after.outfit);
                for (a, b) in before.placed().iter().zip(after.placed()) {
                    let step = (b - *a).length();
                    way += step;
                    // 25 frames a second: 0.3 m are 7.5 m/s, faster than any hand here.
                    assert!(step < 0.3, "{step}");
                }
            }
        }
        assert!(way > 1.0, "{way}");
        // The first person stays in view.
        for scene in frames.iter().step_by(10) {
            let points = scene.paint().keypoints[0];
            let seen = points
                .iter()
                .filter(|p| p.visibility != Visibility::Outside);
            assert!(seen.count() >= 10);
        }
    }
}
