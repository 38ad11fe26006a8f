//! Measures finding, following and smoothing on rendered clips whose truth is known:
//! `cargo run --release --example follow_clips -- MODEL [CLIPS [FRAMES [SIDE [SEED [BODY]]]]]`,
//! by default 4 clips of 50 frames of 256 × 256 pixels at 25 frames a second from seed 1000. BODY is
//! MakeHuman's data folder; without it the built-in figure moves.
//!
//! The scenes are those of `trainer synth --frames`. For every way to look at the frames it prints
//! the mean error in pixels and in torsos (right hip to left shoulder), PCK@0.2, and the jitter: the
//! root mean square of second differences x(n+1) − 2·x(n) + x(n−1) in pixels, of the positions and
//! of their errors. After that the smoother's lag: behind a ramp, and on the clips' motion, as the
//! delay by which the poses without smoothing come nearest to the smoothed ones.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use edge_runtime::{
    Estimator, EstimatorSettings, FollowSettings, Follower, Frame, Looker, ModelOptions,
    PoseFinder, PoseModel,
};
use pose::{
    Crop, Keypoint, KeypointSet, Point, Pose, PoseSmoother, Rect, RgbView, Smoothing, Torso,
};
use synth::{Body, BuiltIn, MakeHuman, MovingScene, SceneOptions, Visibility, picture_seed};

/// The pose of each frame of a clip, where there is one.
type Poses = Vec<Option<Pose>>;

const RATE: f32 = 25.0;
/// Confidence of truth that is in the picture; other truth has 0.
const SURE: f32 = 1.0;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((model, more)) = arguments.split_first() else {
        return Err("usage: follow_clips MODEL [CLIPS [FRAMES [SIDE [SEED [BODY]]]]]".into());
    };
    let number = |k: usize, otherwise: u64| more.get(k).map_or(Ok(otherwise), |v| v.parse());
    let (clips, frames) = (number(0, 4)?, number(1, 50)?);
    let (side, seed) = (number(2, 256)? as usize, number(3, 1000)?);
    let body: Box<dyn Body> = match more.get(4) {
        Some(folder) => Box::new(MakeHuman::load(Path::new(folder))?),
        None => Box::new(BuiltIn),
    };
    let load = || -> Result<Estimator, Box<dyn Error>> {
        let model = PoseModel::load(model, &ModelOptions::default())?;
        Ok(Estimator::new(model, EstimatorSettings::default())?)
    };
    let mut estimator = load()?;
    let options = SceneOptions {
        width: side,
        height: side,
        occluders: 0.0,
        ..SceneOptions::default()
    };
    let names = [
        "letterboxed",
        "truth's box",
        "followed",
        "+ light",
        "+ strong",
    ];
    let mut rows: Vec<Row> = names.iter().map(|_| Row::default()).collect();
    let (mut truth_row, mut looks) = (Row::default(), 0);
    let mut courses = Vec::new();
    for clip in 0..clips {
        let settings = FollowSettings {
            smoothing: Smoothing::Off,
            ..FollowSettings::default()
        };
        let mut follower = Follower::new(vec![Box::new(load()?) as Box<dyn Looker>], settings)?;
        let scene_seed = picture_seed(seed, clip as usize);
        let scene = MovingScene::random(body.as_ref(), scene_seed, &options, frames as f32 / RATE);
        let (mut truth, mut alone, mut boxed, mut followed) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for n in 0..frames {
            let sample = scene.at(n as f32 / RATE).paint();
            let points = sample.keypoints[0].map(|k| {
                let inside = k.visibility != Visibility::Outside;
                Keypoint::new(k.x, k.y, if inside { SURE } else { 0.0 })
            });
            let pose = Pose::new(points.to_vec());
            let (width, height) = sample.image.dimensions();
            let view = RgbView::new(sample.image.as_raw(), width as usize, height as usize);
            let input = estimator.input_size();
            alone.push(estimator.look_at(&view, &Crop::letterbox(view.size(), input))?);
            let rect = Rect::from_points(points.iter().map(|k| Point::new(k.x, k.y)));
            let crop = Crop::around(rect.unwrap_or_default(), estimator.crop_margin(), input);
            boxed.push(estimator.look_at(&view, &crop)?);
            let frame = Frame {
                picture: sample.image,
                number: n,
                time: Duration::from_secs_f64(n as f64 / f64::from(RATE)),
                taken: Instant::now(),
            };
            let mut found = follower.find(&frame)?;
            looks += follower.looks();
            followed.push(found.pop().map(|person| person.pose));
            truth.push(pose);
        }
        let some = |poses: Vec<Pose>| poses.into_iter().map(Some).collect::<Vec<_>>();
        let light = smoothed(&followed, Smoothing::Light, estimator.keypoints());
        let strong = smoothed(&followed, Smoothing::Strong, estimator.keypoints());
        truth_row.add(&truth, &some(truth.clone()));
        let ways = [
            some(alone),
            some(boxed),
            followed.clone(),
            light.clone(),
            strong.clone(),
        ];
        for (row, poses) in rows.iter_mut().zip(&ways) {
            row.add(&truth, poses);
        }
        courses.push((followed, light, strong));
    }
    println!("{clips} clips of {frames} frames of {side} x {side} at {RATE} a second, seed {seed}");
    println!("way          found  error px  torsos  PCK@0.2  jitter px  of the error");
    for (name, row) in names.iter().zip(&rows) {
        row.print(name);
    }
    println!("the truth's own jitter: {:.2} px", truth_row.jitter.root());
    println!(
        "looks a frame: {:.2}",
        looks as f32 / (clips * frames) as f32
    );
    for smoothing in [Smoothing::Light, Smoothing::Strong] {
        let ramp: Vec<String> = [0.1, 0.3, 1.0, 3.0]
            .into_iter()
            .map(|speed| format!("{:.0} ms at {speed}", 1e3 * ramp_lag(smoothing, speed)))
            .collect();
        let pairs = courses.iter().map(|(raw, light, strong)| match smoothing {
            Smoothing::Light => (raw, light),
            _ => (raw, strong),
        });
        let motion = 1e3 * motion_lag(&pairs.collect::<Vec<_>>());
        println!(
            "{smoothing:?}: {motion:.0} ms on this motion; ramps, body sizes a second: {}",
            ramp.join(", ")
        );
    }
    Ok(())
}

/// A mean square that grows.
#[derive(Default)]
struct MeanSquare {
    sum: f64,
    count: usize,
}

impl MeanSquare {
    fn add(&mut self, square: f32) {
        self.sum += f64::from(square);
        self.count += 1;
    }

    fn root(&self) -> f64 {
        (self.sum / self.count.max(1) as f64).sqrt()
    }
}

/// What is measured of one way.
#[derive(Default)]
struct Row {
    frames: usize,
    found: usize,
    keypoints: usize,
    right: usize,
    pixels: f64,
    torsos: f64,
    jitter: MeanSquare,
    error_jitter: MeanSquare,
}

impl Row {
    fn add(&mut self, truth: &[Pose], found: &[Option<Pose>]) {
        self.frames += truth.len();
        for (pose, found) in truth.iter().zip(found) {
            let Some(found) = found else { continue };
            self.found += 1;
            let torso = distance(&pose.keypoints[2], &pose.keypoints[13]).max(1.0);
            for (t, f) in pose.keypoints.iter().zip(&found.keypoints) {
                if t.confidence > 0.0 {
                    let d = distance(t, f);
                    self.keypoints += 1;
                    self.pixels += f64::from(d);
                    self.torsos += f64::from(d / torso);
                    self.right += usize::from(d <= 0.2 * torso);
                }
            }
        }
        for (truth, found) in truth.windows(3).zip(found.windows(3)) {
            let [Some(a), Some(b), Some(c)] = found else {
                continue;
            };
            for k in 0..truth[0].keypoints.len() {
                let own = bend([&a.keypoints[k], &b.keypoints[k], &c.keypoints[k]]);
                let true_points = [0, 1, 2].map(|n| &truth[n].keypoints[k]);
                if true_points.iter().all(|t| t.confidence > 0.0) {
                    let real = bend(true_points);
                    self.jitter.add(own.0 * own.0 + own.1 * own.1);
                    let off = (own.0 - real.0, own.1 - real.1);
                    self.error_jitter.add(off.0 * off.0 + off.1 * off.1);
                }
            }
        }
    }

    fn print(&self, name: &str) {
        let count = self.keypoints.max(1) as f64;
        println!(
            "{name:<12} {:>4.0}%  {:>8.2}  {:>6.3}  {:>7.1}  {:>9.2}  {:>12.2}",
            100.0 * self.found as f64 / self.frames.max(1) as f64,
            self.pixels / count,
            self.torsos / count,
            100.0 * self.right as f64 / count,
            self.jitter.root(),
            self.error_jitter.root()
        );
    }
}

fn distance(a: &Keypoint, b: &Keypoint) -> f32 {
    Point::new(a.x, a.y).distance(Point::new(b.x, b.y))
}

/// The second difference.
fn bend([a, b, c]: [&Keypoint; 3]) -> (f32, f32) {
    (a.x - 2.0 * b.x + c.x, a.y - 2.0 * b.y + c.y)
}

fn smoothed(poses: &[Option<Pose>], smoothing: Smoothing, set: &KeypointSet) -> Vec<Option<Pose>> {
    let mut smoother = PoseSmoother::new(smoothing, set);
    let time = |n: usize| n as f64 / f64::from(RATE);
    let poses = poses.iter().enumerate();
    let smooth = |(n, pose): (usize, &Option<Pose>)| {
        pose.as_ref().map(|pose| smoother.update(pose, time(n)))
    };
    poses.map(smooth).collect()
}

/// How far the smoother is behind a body that moves at this speed, in seconds.
fn ramp_lag(smoothing: Smoothing, speed: f32) -> f32 {
    let set = KeypointSet::mpii();
    let mut smoother = PoseSmoother::new(smoothing, &set);
    let body = |x: f32| {
        let place = |k: usize| Keypoint::new(x, 100.0 * k as f32, 1.0);
        Pose::new((0..set.len()).map(place).collect())
    };
    let size = Torso::of(&set).body_size(&body(0.0), 0.2).unwrap_or(1.0);
    let mut lag = 0.0;
    for n in 0..200 {
        let x = speed * size * n as f32 / RATE;
        let found = smoother.update(&body(x), f64::from(n) / f64::from(RATE));
        lag = (x - found.keypoints[0].x) / (speed * size);
    }
    lag
}

/// The delay in seconds by which the first poses come nearest to the second ones.
fn motion_lag(pairs: &[(&Poses, &Poses)]) -> f32 {
    let off = |delay: f32| {
        let mut sum = 0.0;
        for (raw, smooth) in pairs {
            for n in 10..raw.len() {
                let at = n as f32 - delay * RATE;
                let (before, share) = (at.floor() as usize, at - at.floor());
                let (Some(a), Some(b), Some(s)) =
                    (&raw[before], &raw[(before + 1).min(n)], &smooth[n])
                else {
                    continue;
                };
                for k in 0..s.keypoints.len() {
                    let (a, b, s) = (&a.keypoints[k], &b.keypoints[k], &s.keypoints[k]);
                    let x = a.x + (b.x - a.x) * share - s.x;
                    let y = a.y + (b.y - a.y) * share - s.y;
                    sum += f64::from(x * x + y * y);
                }
            }
        }
        sum
    };
    let delays = (0..=320).map(|ms| ms as f32 * 1e-3);
    delays
        .min_by(|&a, &b| off(a).total_cmp(&off(b)))
        .unwrap_or(0.0)
}
