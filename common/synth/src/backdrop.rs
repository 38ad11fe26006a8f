//! What stands behind the person: a floor and walls or a horizon, drawn by rays.

use crate::noise::{cell, fractal, noise, smoothstep};
use crate::random::Random;
use glam::Vec3;

/// Kind of floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Floor {
    Planks,
    Tiles,
    Carpet,
    Grass,
    Asphalt,
    Sand,
}

/// Kind of background above the floor.
#[derive(Clone, Debug, PartialEq)]
pub enum Background {
    /// A wall across the view at this distance behind the person (metres along −z), with a
    /// skirting board, pictures on it, and a side wall to the left at x = −`side`.
    Room {
        /// Metres behind the person.
        distance: f32,
        /// Metres to the left of the person.
        side: f32,
        /// Bricks instead of paint.
        bricks: bool,
    },
    /// Open land: sky, hills and trees.
    Land,
    /// Street fronts.
    Street,
    /// A studio's seamless paper: floor colour all the way up.
    Paper,
    /// Rectangles and noise of no meaning.
    Clutter,
}

/// [`Background`] without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum BackgroundKind {
    Room,
    Land,
    Street,
    Paper,
    Clutter,
}

impl BackgroundKind {
    /// All of them, with their names.
    pub const ALL: [(&'static str, BackgroundKind); 5] = [
        ("room", BackgroundKind::Room),
        ("land", BackgroundKind::Land),
        ("street", BackgroundKind::Street),
        ("paper", BackgroundKind::Paper),
        ("clutter", BackgroundKind::Clutter),
    ];
}

impl Background {
    /// Which kind it is.
    pub fn kind(&self) -> BackgroundKind {
        match self {
            Background::Room { .. } => BackgroundKind::Room,
            Background::Land => BackgroundKind::Land,
            Background::Street => BackgroundKind::Street,
            Background::Paper => BackgroundKind::Paper,
            Background::Clutter => BackgroundKind::Clutter,
        }
    }
}

/// Background, floor and their colours (linear RGB albedo).
#[derive(Clone, Debug, PartialEq)]
pub struct Backdrop {
    /// The floor at y = 0.
    pub floor: Floor,
    /// Its colour.
    pub floor_color: Vec3,
    /// What stands on it.
    pub background: Background,
    /// Its main colour.
    pub color: Vec3,
    /// A second colour: pictures, trees, fronts.
    pub accent: Vec3,
    /// Seed of all patterns.
    pub grain: u32,
}

/// What a ray meets.
pub(crate) struct Hit {
    /// In metres.
    pub(crate) point: Vec3,
    /// Unit length.
    pub(crate) normal: Vec3,
    /// Linear RGB albedo, or radiance when `glows`.
    pub(crate) color: Vec3,
    /// Sky: not lit, not shadowed.
    pub(crate) glows: bool,
}

impl Backdrop {
    /// Surroundings of one of these kinds, of any when there are none.
    pub(crate) fn random_of(kinds: &[BackgroundKind], random: &mut Random) -> Backdrop {
        let mut backdrop = Backdrop::random(random);
        // Every kind comes up at least once in ten times.
        for _ in 0..500 {
            if kinds.is_empty() || kinds.contains(&backdrop.background.kind()) {
                break;
            }
            backdrop = Backdrop::random(random);
        }
        backdrop
    }

    /// Surroundings as they come.
    pub fn random(random: &mut Random) -> Backdrop {
        let background = match random.index(10) {
            0..=3 => Background::Room {
                distance: random.range(0.8, 4.0),
                side: random.range(1.5, 6.0),
                bricks: random.chance(0.25),
            },
            4 | 5 => Background::Land,
            6 | 7 => Background::Street,
            8 => Background::Clutter,
            _ => Background::Paper,
        };
        let floors: &[Floor] = match background {
            Background::Land => &[Floor::Grass, Floor::Sand, Floor::Asphalt],
            Background::Street => &[Floor::Asphalt, Floor::Tiles],
            Background::Paper => &[Floor::Carpet],
            _ => &[Floor::Planks, Floor::Tiles, Floor::Carpet],
        };
        let floor = floors[random.index(floors.len())];
        let floor_color = match floor {
            Floor::Planks => Vec3::new(0.32, 0.19, 0.10) * random.range(0.5, 1.4),
            Floor::Grass => Vec3::new(0.10, 0.17, 0.04) * random.range(0.6, 1.4),
            Floor::Asphalt => Vec3::splat(random.range(0.08, 0.25)),
            Floor::Sand => Vec3::new(0.5, 0.42, 0.3) * random.range(0.6, 1.1),
            Floor::Tiles | Floor::Carpet => muted(random),
        };
        let color = muted(random);
        let accent = muted(random);
        Backdrop {
            floor,
            floor_color,
            color: if background == Background::Paper {
                floor_color
            } else {
                color
            },
            background,
            accent,
            grain: random.range(0.0, 1.0e6) as u32,
        }
    }

    /// Follows a ray from `eye`; `sky` and `horizon` are the radiance of an open sky. `spread` is
    /// the angle of a pixel, by which fine patterns fade out with distance.
    pub(crate) fn hit(&self, eye: Vec3, ray: Vec3, spread: f32, sky: Vec3, horizon: Vec3) -> Hit {
        let mut nearest = f32::INFINITY;
        let mut hit = None;
        if ray.y < -1e-5 {
            nearest = -eye.y / ray.y;
            hit = Some((Vec3::Y, 0));
        }
        let mut wall = |normal: Vec3, offset: f32, number: i32| {
            let slope = ray.dot(normal);
            let t = (offset - eye.dot(normal)) / slope;
            if slope < -1e-5 && t > 0.0 && t < nearest {
                nearest = t;
                hit = Some((normal, number));
            }
        };
        match self.background {
            Background::Room { distance, side, .. } => {
                wall(Vec3::Z, -distance, 1);
                wall(Vec3::X, -side, 2);
                wall(Vec3::NEG_X, -side * 1.3, 2);
            }
            Background::Clutter => wall(Vec3::Z, -3.0, 1),
            Background::Street => wall(Vec3::Z, -9.0, 1),
            Background::Land | Background::Paper => {}
        }
        let Some((normal, number)) = hit.filter(|_| nearest < 200.0) else {
            return self.open(eye, ray, sky, horizon);
        };
        let point = eye + ray * nearest;
        // Metres that a pixel covers here.
        let grain = nearest * spread / ray.dot(normal).abs().max(0.05);
        let mut color = if number == 0 {
            self.floor_albedo(point, grain)
        } else {
            self.wall_albedo(point, number, grain)
        };
        let mut normal = normal;
        if self.background == Background::Paper && number == 0 {
            // The paper curves up behind: no edge, a slow change of light.
            normal = Vec3::new(0.0, 1.0, 0.0).lerp(Vec3::Z, smoothstep(-2.0, -9.0, point.z));
            color = self.floor_color;
        }
        Hit {
            point,
            normal: normal.normalize(),
            color,
            glows: false,
        }
    }

    fn open(&self, eye: Vec3, ray: Vec3, sky: Vec3, horizon: Vec3) -> Hit {
        let glow = |color| Hit {
            point: eye + ray * 200.0,
            normal: Vec3::Z,
            color,
            glows: true,
        };
        match self.background {
            Background::Land | Background::Street => {
                let angle = libm::atan2f(ray.x, -ray.z);
                let p = Vec3::new(angle * 6.0, 0.0, 0.0);
                let hills = 0.05 + 0.05 * fractal(p * 0.5, 2, self.grain);
                let trees = hills + 0.03 + 0.05 * fractal(p * 4.0, 3, self.grain ^ 5);
                if ray.y < trees && self.background == Background::Land {
                    let leaves = fractal(Vec3::new(angle * 60.0, ray.y * 60.0, 0.0), 3, self.grain);
                    let shade = smoothstep(-0.05, trees, ray.y);
                    return glow(
                        Vec3::new(0.09, 0.13, 0.05).lerp(horizon, 0.12)
                            * horizon
                            * (0.7 + 0.5 * leaves + 0.3 * shade),
                    );
                }
                let clouds = fractal(ray * Vec3::new(3.0, 9.0, 3.0), 4, self.grain ^ 9);
                let base = horizon.lerp(sky, ray.y.clamp(0.0, 1.0));
                glow(base.lerp(
                    Vec3::splat(horizon.max_element()),
                    smoothstep(0.0, 0.6, clouds),
                ))
            }
            _ => Hit {
                point: eye + ray * 9.0,
                normal: Vec3::Z,
                color: self.color,
                glows: false,
            },
        }
    }

    fn floor_albedo(&self, p: Vec3, grain: f32) -> Vec3 {
        let base = self.floor_color;
        let seed = self.grain;
        // A pattern of period d vanishes when a pixel covers more than a third of it.
        let fade = |period: f32| 1.0 - smoothstep(0.15, 0.6, grain / period);
        let fine = |p: Vec3, share: f32| faded(p, seed, share);
        match self.floor {
            Floor::Planks => {
                let row = (p.x / 0.14).floor();
                let along = p.z + 5.0 * cell(row, 3.0, seed);
                let board = cell(row, (along / 1.2).floor(), seed ^ 1);
                let wood = fractal(Vec3::new(p.x * 60.0, board * 9.0, p.z * 4.0), 3, seed);
                let edge = (p.x / 0.14)
                    .rem_euclid(1.0)
                    .min((along / 1.2).rem_euclid(1.0) * 8.0);
                let gap = smoothstep(0.0, 0.04, edge);
                let tone = 0.75 + 0.5 * board + 0.25 * wood * fade(0.02);
                base * tone * (1.0 - 0.6 * (1.0 - gap) * fade(0.05))
            }
            Floor::Tiles => {
                let size = 0.45;
                let (u, v) = ((p.x / size).rem_euclid(1.0), (p.z / size).rem_euclid(1.0));
                let joint = smoothstep(0.0, 0.025, u.min(v).min(1.0 - u).min(1.0 - v));
                let tone = 0.9 + 0.2 * cell(p.x / size, p.z / size, seed);
                base * (tone + 0.1 * fractal(p * 9.0, 2, seed))
                    * (1.0 - 0.4 * (1.0 - joint) * fade(0.1))
            }
            Floor::Carpet => base * (1.0 + 0.12 * fine(p * 160.0, fade(0.01))),
            Floor::Grass => {
                let blades = fine(p * Vec3::new(140.0, 1.0, 50.0), fade(0.02));
                let tufts = fractal(p * 5.0, 3, seed) * fade(0.4);
                let wide = fractal(p * 0.6, 2, seed ^ 3);
                base * (1.0 + 0.45 * blades + 0.4 * tufts + 0.25 * wide).max(0.2)
            }
            Floor::Asphalt => {
                let stone = fine(p * 150.0, fade(0.01));
                base * (1.0 + 0.3 * stone + 0.15 * fractal(p * 1.3, 3, seed))
            }
            Floor::Sand => {
                let ripple = fractal(p * Vec3::new(4.0, 1.0, 9.0), 3, seed) * fade(0.3);
                base * (1.0 + 0.12 * ripple + 0.1 * fine(p * 200.0, fade(0.01)))
            }
        }
    }

    fn wall_albedo(&self, p: Vec3, number: i32, grain: f32) -> Vec3 {
        let seed = self.grain ^ (number as u32 * 77);
        let across = if number == 2 { p.z } else { p.x };
        let fade = |period: f32| 1.0 - smoothstep(0.15, 0.6, grain / period);
        let fine = |p: Vec3, share: f32| faded(p, seed, share);
        match self.background {
            Background::Street => {
                // Storeys of windows; every house has its own tone.
                let house = (across / 5.0).floor();
                let tone = 0.6 + 0.7 * cell(house, 1.0, seed);
                let (u, v) = ((across / 1.7).rem_euclid(1.0), (p.y / 2.9).rem_euclid(1.0));
                let window = u > 0.28 && u < 0.74 && v > 0.3 && v < 0.78;
                let frame = u > 0.25 && u < 0.77 && v > 0.27 && v < 0.81;
                let color = if cell(house, 2.0, seed) > 0.5 {
                    self.color
                } else {
                    self.accent
                };
                if window {
                    Vec3::new(0.05, 0.06, 0.08) * (1.0 + fractal(p * 1.5, 2, seed))
                } else if frame {
                    Vec3::splat(0.5)
                } else {
                    color * tone * (1.0 + 0.12 * fractal(p * 3.0, 3, seed))
                }
            }
            Background::Clutter => {
                let mut color = self.color;
                for k in 0..14u32 {
                    let r = |i: u32| cell(k as f32, i as f32, seed);
                    let (x, y) = (r(1) * 8.0 - 4.0, r(2) * 3.5);
                    let (w, h) = (0.2 + r(3) * 1.2, 0.2 + r(4) * 1.5);
                    if (across - x).abs() < w * 0.5 && (p.y - y).abs() < h {
                        color = Vec3::new(r(5), r(6), r(7)).lerp(self.accent, 0.5);
                    }
                }
                color * (1.0 + 0.15 * fractal(p * 4.0, 3, seed))
            }
            _ => {
                if p.y < 0.09 {
                    return Vec3::splat(0.55) * (0.7 + 0.3 * smoothstep(0.0, 0.01, 0.09 - p.y));
                }
                if let Some(color) = self.picture(across, p.y, number, seed) {
                    return color;
                }
                if matches!(self.background, Background::Room { bricks: true, .. }) {
                    let row = (p.y / 0.075).floor();
                    let shifted = across / 0.24 + 0.5 * (row % 2.0);
                    let (u, v) = (shifted.rem_euclid(1.0), (p.y / 0.075).rem_euclid(1.0));
                    let joint = u < 0.05 || v < 0.14;
                    let brick = Vec3::new(0.36, 0.15, 0.09)
                        * (0.65 + 0.6 * cell(shifted, row, seed))
                        * (1.0 + 0.2 * fine(p * 90.0, fade(0.02)));
                    let mortar = Vec3::splat(0.35);
                    let mean = brick.lerp(mortar, 0.18);
                    return mean.lerp(if joint { mortar } else { brick }, fade(0.06));
                }
                let plaster = 0.03 * fine(p * 110.0, fade(0.02));
                self.color * (1.0 + plaster + 0.06 * fractal(p * 1.1, 3, seed))
            }
        }
    }

    /// Framed pictures at random places on a wall.
    fn picture(&self, across: f32, y: f32, number: i32, seed: u32) -> Option<Vec3> {
        for k in 0..3u32 {
            let r = |i: u32| cell(k as f32, i as f32, seed ^ 0x55);
            if r(0) < 0.3 {
                continue;
            }
            let center = if number == 1 {
                (k as f32 - 1.0) * 2.1 + 0.7 * (r(1) - 0.5)
            } else {
                k as f32 * 1.7 - 2.0
            };
            let (w, h) = (0.25 + 0.3 * r(2), 0.3 + 0.3 * r(3));
            let (u, v) = ((across - center) / w, (y - 1.65) / h);
            if u.abs() >= 1.0 || v.abs() >= 1.0 {
                continue;
            }
            let rim = (1.0 - u.abs()) * w < 0.03 || (1.0 - v.abs()) * h < 0.03;
            let mat = (1.0 - u.abs()) * w < 0.09 || (1.0 - v.abs()) * h < 0.09;
            return Some(if rim {
                Vec3::splat(0.03 + 0.5 * r(4) * r(4))
            } else if mat {
                Vec3::splat(0.7)
            } else {
                // A landscape of sorts.
                let line = 0.3 * fractal(Vec3::new(u * 2.0, k as f32, 0.0), 3, seed);
                let low = self.accent * (0.8 + 0.4 * noise(Vec3::new(u, v, 0.0) * 9.0, seed));
                let high = Vec3::new(r(5), r(6), r(7)) * 0.6 + 0.15;
                low.lerp(high, smoothstep(line - 0.08, line + 0.08, v))
            });
        }
        None
    }
}

/// A share of the noise, which is not looked up where nothing of it is left.
fn faded(p: Vec3, seed: u32, share: f32) -> f32 {
    if share > 0.0 {
        noise(p, seed) * share
    } else {
        0.0
    }
}

/// A colour as rooms have them: not too bright, not too pure.
fn muted(random: &mut Random) -> Vec3 {
    let value = random.range(0.12, 0.75);
    let mut channel = || value * (1.0 + 0.35 * random.range(-1.0, 1.0));
    Vec3::new(channel(), channel(), channel())
}
