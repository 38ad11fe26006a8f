//! Everything in a picture, and how scenes are drawn by lot.

use crate::backdrop::{Backdrop, BackgroundKind};
use crate::body::Body;
use crate::bvh::Clip;
use crate::camera::Camera;
use crate::figure::{Figure, KEYPOINTS};
use crate::light::Light;
use crate::outfit::{Outfit, Wardrobe};
use crate::random::Random;
use crate::random_pose::{Stances, random_pose};
use crate::segment::Pose;
use glam::Vec3;
use std::f32::consts::PI;

/// A person in the scene.
#[derive(Clone, Debug)]
pub struct Person {
    /// Body.
    pub figure: Figure,
    /// Posture.
    pub pose: Pose,
    /// Clothes and colours.
    pub outfit: Outfit,
    /// Where the pelvis stands over the floor, in metres.
    pub at: Vec3,
    /// Turn about the vertical axis in radians; 0 faces +z.
    pub heading: f32,
}

/// A box that may stand in the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// Centre in metres.
    pub center: Vec3,
    /// Half edges in metres.
    pub half: Vec3,
    /// Turn about the vertical axis in radians.
    pub heading: f32,
    /// Linear RGB albedo.
    pub color: Vec3,
}

/// What lens and sensor do to the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finish {
    /// Factor on all radiance.
    pub exposure: f32,
    /// Standard deviation of the sensor's noise, in 8-bit steps.
    pub noise: f32,
    /// Standard deviation of the blur, in pixels.
    pub blur: f32,
    /// Darkening of the corners, 0..1.
    pub vignette: f32,
    /// Seed of the noise.
    pub grain: u32,
}

/// A scene, complete: the same scene always gives the same picture.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Point of view and picture size.
    pub camera: Camera,
    /// Light.
    pub light: Light,
    /// Surroundings.
    pub backdrop: Backdrop,
    /// The people; the first is the one the picture is of.
    pub people: Vec<Person>,
    /// Things in the way.
    pub blocks: Vec<Block>,
    /// Lens and sensor.
    pub finish: Finish,
    /// Samples per pixel and direction: 1 is jagged, 2 good, 4 very good.
    pub supersampling: usize,
    /// Directions of ambient light; more give smoother shadows.
    pub dome: usize,
}

/// How the sun or lamp shines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LightKind {
    /// Strong, with hard shadows.
    Sunny,
    /// Neither strong nor weak.
    Mild,
    /// Hardly at all: light from everywhere.
    Overcast,
}

impl LightKind {
    /// All of them.
    pub const ALL: [(&'static str, LightKind); 3] = [
        ("sunny", LightKind::Sunny),
        ("mild", LightKind::Mild),
        ("overcast", LightKind::Overcast),
    ];
}

/// What to draw by lot.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneOptions {
    /// Picture width in pixels.
    pub width: usize,
    /// Picture height in pixels.
    pub height: usize,
    /// See [`Scene::supersampling`].
    pub supersampling: usize,
    /// Share of pictures with something in front of the person.
    pub occluders: f32,
    /// Share of poses from recorded motions, when the body has any.
    pub recorded: f32,
    /// What the other poses are drawn from.
    pub stances: Stances,
    /// How far people are turned from the camera at most, to either side, in radians.
    pub turn: f32,
    /// The most people in a picture; there is always one.
    pub people: usize,
    /// The backgrounds to choose from; all when empty.
    pub backgrounds: Vec<BackgroundKind>,
    /// The kinds of light to choose from; all when empty.
    pub lights: Vec<LightKind>,
    /// What to choose clothes from.
    pub wardrobe: Wardrobe,
}

impl Default for SceneOptions {
    fn default() -> Self {
        SceneOptions {
            width: 256,
            height: 256,
            supersampling: 2,
            occluders: 0.2,
            recorded: 0.5,
            stances: Stances::Any,
            turn: PI,
            people: 1,
            backgrounds: Vec::new(),
            lights: Vec::new(),
            wardrobe: Wardrobe::Any,
        }
    }
}

impl Scene {
    /// The scene of a seed. The same seed, body and options give the same scene.
    pub fn random(body: &dyn Body, seed: u64, options: &SceneOptions) -> Scene {
        let mut random = Random::new(seed);
        let dressed = |random: &mut Random| {
            let mut person = Person::random(body, options, random);
            options.wardrobe.dress(&mut person.outfit, random);
            person
        };
        let mut people = vec![dressed(&mut random.fork())];
        let surroundings = Surroundings::new(&mut random, options);
        if options.people > 1 {
            let mut crowd = random.fork();
            for _ in 0..crowd.index(options.people) {
                let mut person = dressed(&mut crowd.fork());
                person.at = place_beside(&people, &mut crowd);
                people.push(person);
            }
        }
        let points: Vec<Vec3> = people[0].placed().to_vec();
        surroundings.around(people, &points, options)
    }
}

/// What is drawn by lot for a scene besides its people, each from a stream of its own.
pub(crate) struct Surroundings {
    backdrop: Backdrop,
    view: Random,
    mood: Random,
}

impl Surroundings {
    pub(crate) fn new(random: &mut Random, options: &SceneOptions) -> Surroundings {
        Surroundings {
            backdrop: Backdrop::random_of(&options.backgrounds, &mut random.fork()),
            view: random.fork(),
            mood: random.fork(),
        }
    }

    /// The scene of these people, with a camera that has `points` well in view.
    pub(crate) fn around(
        mut self,
        people: Vec<Person>,
        points: &[Vec3],
        options: &SceneOptions,
    ) -> Scene {
        let (camera, eye_distance) = aim(points, options, &mut self.view);
        let toward = Vec3::new(camera.eye.x, 0.0, camera.eye.z).normalize_or(Vec3::Z);
        let mut blocks = Vec::new();
        if self.view.chance(options.occluders) {
            blocks.push(occluder(toward, eye_distance, &mut self.view));
        }
        let mood = &mut self.mood;
        Scene {
            camera,
            light: Light::random_of(&options.lights, toward, mood),
            backdrop: self.backdrop,
            people,
            blocks,
            finish: Finish {
                exposure: mood.range(0.75, 1.3),
                noise: mood.range(0.0, 1.0) * mood.range(0.0, 6.0),
                blur: mood.range(0.0, 0.9) * mood.range(0.0, 1.0),
                vignette: mood.range(0.0, 0.3),
                grain: mood.range(0.0, 1.0e6) as u32,
            },
            supersampling: options.supersampling,
            dome: 16,
        }
    }
}

/// A place for one more person, mostly behind the first, not where somebody stands.
pub(crate) fn place_beside(people: &[Person], random: &mut Random) -> Vec3 {
    let mut place = Vec3::ZERO;
    for _ in 0..20 {
        let side = if random.chance(0.5) { 1.0 } else { -1.0 };
        place = Vec3::new(side * random.range(0.4, 2.4), 0.0, random.range(-3.0, 0.4));
        if people.iter().all(|p| (p.at - place).length() > 0.7) {
            break;
        }
    }
    place
}

impl Person {
    /// A person of random shape, pose and clothes at the origin.
    pub fn random(body: &dyn Body, options: &SceneOptions, random: &mut Random) -> Person {
        let figure = body.figure(&mut random.fork());
        let outfit = Outfit::random(&mut random.fork());
        let clips = body.clips();
        let mut motion = random.fork();
        let pose = if !clips.is_empty() && motion.chance(options.recorded) {
            let pose = recorded_pose(clips, &mut motion);
            if motion.chance(0.5) {
                pose.mirrored()
            } else {
                pose
            }
        } else {
            random_pose(options.stances, &mut motion)
        };
        Person {
            figure,
            pose,
            outfit,
            at: Vec3::ZERO,
            heading: random_heading(options.turn, &mut motion),
        }
    }

    /// The keypoints in the scene, in metres.
    pub fn placed(&self) -> [Vec3; KEYPOINTS] {
        let turn = glam::Quat::from_rotation_y(self.heading);
        let posed = self.figure.posed(&self.pose);
        posed.keypoints.map(|p| turn * p + self.at)
    }
}

/// Mostly towards the camera, which looks along −z, and at most `turn` radians away from it.
pub(crate) fn random_heading(turn: f32, random: &mut Random) -> f32 {
    if random.chance(0.6) {
        (0.7 * random.bell()).clamp(-turn, turn)
    } else {
        random.range(-turn, turn)
    }
}

/// A frame of one of the clips; clips of a single frame come up less often than long ones.
fn recorded_pose(clips: &[Clip], random: &mut Random) -> Pose {
    let weight = |clip: &Clip| libm::sqrtf(clip.frames() as f32);
    let mut left = random.range(0.0, clips.iter().map(weight).sum());
    for clip in clips {
        left -= weight(clip);
        if left < 0.0 {
            return clip.pose(random.index(clip.frames()));
        }
    }
    Pose::default()
}

/// A camera that has the keypoints well in view; also its distance.
fn aim(points: &[Vec3], options: &SceneOptions, random: &mut Random) -> (Camera, f32) {
    let (mut low, mut high) = (Vec3::splat(f32::INFINITY), Vec3::splat(f32::NEG_INFINITY));
    for &p in points {
        low = low.min(p);
        high = high.max(p);
    }
    let center = (low + high) * 0.5;
    let radius = (high - low).length() * 0.5 + 0.1;
    let yaw = 0.35 * random.bell();
    let pitch = random.range(-0.12, 0.3) + 0.08 * random.bell();
    let distance = radius * random.range(3.0, 8.0);
    let direction = Vec3::new(
        libm::sinf(yaw) * libm::cosf(pitch),
        libm::sinf(pitch),
        libm::cosf(yaw) * libm::cosf(pitch),
    );
    let mut eye = center + direction * distance;
    eye.y = eye.y.max(0.12);
    // The person's sphere fills this share of the shorter side.
    let fill = random.range(0.65, 1.15);
    let side = options.width.min(options.height) as f32;
    let focal = fill * side * 0.5 * distance / radius;
    let off = radius * 0.25;
    let target = center + Vec3::new(off * random.bell(), 0.6 * off * random.bell(), 0.0) * 0.5;
    let roll = 0.05 * random.bell();
    let up = Vec3::new(libm::sinf(roll), libm::cosf(roll), 0.0);
    let camera = Camera::look_at(eye, target, up, focal, (options.width, options.height));
    (camera, distance)
}

/// A box between camera and person that hides a part of the legs or of one side.
fn occluder(toward: Vec3, distance: f32, random: &mut Random) -> Block {
    let half = Vec3::new(
        random.range(0.08, 0.5),
        random.range(0.15, 0.45),
        random.range(0.05, 0.3),
    );
    let side = Vec3::new(toward.z, 0.0, -toward.x) * random.range(-0.6, 0.6);
    let center = toward * (0.25 * distance).clamp(0.7, 1.4) + side + Vec3::Y * half.y;
    let mut channel = || random.range(0.03, 0.7);
    let color = Vec3::new(channel(), channel(), channel());
    Block {
        center,
        half,
        heading: random.range(0.0, 1.6),
        color,
    }
}

impl Light {
    /// Light of one of these kinds, of any when there are none.
    pub(crate) fn random_of(kinds: &[LightKind], toward: Vec3, random: &mut Random) -> Light {
        let mut light = Light::random(toward, random);
        // Every kind comes up at least once in five times.
        for _ in 0..200 {
            if kinds.is_empty() || kinds.contains(&light.kind()) {
                break;
            }
            light = Light::random(toward, random);
        }
        light
    }

    fn kind(&self) -> LightKind {
        match self.sun_color.y {
            ..0.4 => LightKind::Overcast,
            ..0.9 => LightKind::Mild,
            _ => LightKind::Sunny,
        }
    }

    /// Daylight, an overcast sky or lamps, from anywhere above; `toward` points to the camera.
    pub fn random(toward: Vec3, random: &mut Random) -> Light {
        let angle = random.range(-2.6, 2.6);
        let height = random.range(0.35, 1.35);
        let flat = glam::Quat::from_rotation_y(angle) * toward;
        let sun = (flat * libm::cosf(height) + Vec3::Y * libm::sinf(height)).normalize();
        let warm = random.range(-0.15, 0.3);
        let tint = Vec3::new(1.0 + warm, 1.0, 1.0 - warm);
        let strength = random.range(0.1, 1.5);
        let dome = random.range(0.45, 0.95);
        let cool = Vec3::new(0.93, 1.0, 1.08);
        Light {
            sun,
            sun_color: tint * strength,
            sky: cool * dome * random.range(0.8, 1.3),
            horizon: Vec3::splat(dome * random.range(0.6, 1.1)),
            ground: Vec3::splat(dome * random.range(0.15, 0.5)),
        }
    }
}
