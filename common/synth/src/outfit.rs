//! What a person wears and looks like: colours, cuts and patterns, by place on the person.

use crate::figure::{Chart, Layer, Vertex};
use crate::noise::{fractal, noise, smoothstep};
use crate::random::Random;
use glam::Vec3;

/// Pattern of a cloth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pattern {
    /// One colour.
    Plain,
    /// Bands across the body; width in metres.
    Stripes(f32),
    /// Squares; width in metres.
    Checks(f32),
    /// Fine mottling, as of denim or wool.
    Mottled,
    /// A patch of the second colour on the chest.
    Print,
}

/// A cloth: two colours (linear RGB albedo) and a pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cloth {
    /// Main colour.
    pub color: Vec3,
    /// Colour of the pattern.
    pub second: Vec3,
    /// How the two mix.
    pub pattern: Pattern,
}

/// Hair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HairCut {
    /// None.
    Bald,
    /// Thickness in metres.
    Short(f32),
    /// Down to the shoulders or further.
    Long,
}

/// Everything about a person's looks that is not body shape or pose. Lengths along limbs are in
/// the units of [`Chart`].
#[derive(Clone, Debug, PartialEq)]
pub struct Outfit {
    /// Linear RGB albedo.
    pub skin: Vec3,
    /// Linear RGB albedo.
    pub hair: Vec3,
    /// Length of the hair.
    pub cut: HairCut,
    /// Linear RGB albedo of the iris.
    pub iris: Vec3,
    /// Shirt, jumper or jacket.
    pub top: Cloth,
    /// Where sleeves end on the arm: 0.5 T-shirt, 1.9 long.
    pub sleeve: f32,
    /// Where the top ends on the torso: 0.1 at the hips, 0.3 at the waist.
    pub hem: f32,
    /// How far the collar opens, in torso units.
    pub collar: f32,
    /// Distance of the top from the body, in metres.
    pub top_ease: f32,
    /// Trousers, shorts or skirt.
    pub bottom: Cloth,
    /// Where trousers end on the leg: 0.6 shorts, 1.9 long.
    pub leg: f32,
    /// Distance of the trousers from the body, in metres.
    pub bottom_ease: f32,
    /// A skirt instead of trousers, with its length in leg units.
    pub skirt: Option<f32>,
    /// Linear RGB albedo of the shoes.
    pub shoes: Vec3,
    /// Linear RGB albedo of their soles.
    pub soles: Vec3,
    /// Linear RGB albedo of the socks.
    pub socks: Vec3,
    /// Seed of folds and grain.
    pub grain: u32,
}

/// What the cloth shell is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Top,
    Bottom,
    Sock,
    Shoe,
}
/// Where the hair shell is built: generously; [`Outfit::covers`] cuts it.
pub(crate) fn may_bear_hair(head: Vec3) -> bool {
    // Ears stand out sideways and are left free.
    let ear = head.x.abs() > 0.31 && head.z > -0.2 && head.z < 0.12 && head.y < 0.12;
    hairline(head) > -0.12 && !ear && head.y > -0.5
}

/// Positive where hair grows, roughly in head heights; negative on face and neck.
fn hairline(head: Vec3) -> f32 {
    // The line runs from the forehead (front, high) behind the ears to the nape (back, low).
    let front = smoothstep(-0.15, 0.32, head.z);
    let temple = smoothstep(0.1, 0.3, head.x.abs()) * smoothstep(0.0, 0.2, head.z);
    let back = smoothstep(0.0, -0.3, head.z);
    let line = 0.0 + 0.31 * front - 0.10 * temple - 0.22 * back;
    head.y - line
}

/// What clothes are chosen from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wardrobe {
    /// Everything.
    #[default]
    Any,
    /// One colour each, without patterns.
    Plain,
    /// Short sleeves and shorts, as sportspeople wear them.
    Sport,
    /// Long sleeves and trousers.
    Long,
}

impl Wardrobe {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Wardrobe); 4] = [
        ("any", Wardrobe::Any),
        ("plain", Wardrobe::Plain),
        ("sport", Wardrobe::Sport),
        ("long", Wardrobe::Long),
    ];

    /// Changes clothes that were chosen from everything.
    pub(crate) fn dress(self, outfit: &mut Outfit, random: &mut Random) {
        match self {
            Wardrobe::Any => {}
            Wardrobe::Plain => {
                outfit.top.pattern = Pattern::Plain;
                outfit.bottom.pattern = Pattern::Plain;
            }
            Wardrobe::Sport => {
                outfit.sleeve = *random.pick(&[0.02, 0.42, 0.5, 0.6]);
                outfit.leg = random.range(0.45, 1.05);
                outfit.skirt = None;
            }
            Wardrobe::Long => {
                outfit.sleeve = *random.pick(&[1.9, 1.92, 1.95]);
                outfit.leg = random.range(1.8, 1.96);
                outfit.skirt = None;
            }
        }
    }
}

impl Outfit {
    /// Clothes as they come.
    pub fn random(random: &mut Random) -> Outfit {
        let skins = [
            [0.62, 0.39, 0.29],
            [0.55, 0.33, 0.23],
            [0.45, 0.25, 0.16],
            [0.33, 0.17, 0.10],
            [0.20, 0.10, 0.06],
            [0.11, 0.055, 0.035],
        ];
        let hairs = [
            [0.012, 0.010, 0.009],
            [0.03, 0.018, 0.012],
            [0.07, 0.035, 0.018],
            [0.17, 0.09, 0.04],
            [0.38, 0.26, 0.13],
            [0.22, 0.08, 0.03],
            [0.35, 0.34, 0.33],
        ];
        let tone = random.index(skins.len());
        let skin = Vec3::from(skins[tone]) * random.range(0.85, 1.15);
        // Dark skin goes with dark hair.
        let hair = Vec3::from(hairs[random.index(if tone >= 3 { 3 } else { hairs.len() })]);
        let skirt = random.chance(0.15).then(|| random.range(0.5, 1.3));
        let shorts = random.chance(0.3);
        let cloth = |random: &mut Random| Cloth::random(random);
        let top = cloth(random);
        let bottom = if random.chance(0.5) {
            // Denim and the like.
            let blue = random.range(0.5, 1.6);
            Cloth {
                color: Vec3::new(0.05, 0.08, 0.16) * blue,
                second: Vec3::new(0.12, 0.16, 0.25) * blue,
                pattern: Pattern::Mottled,
            }
        } else {
            cloth(random)
        };
        let cut = match random.index(10) {
            0 => HairCut::Bald,
            1..=5 => HairCut::Short(random.range(0.006, 0.03)),
            _ => HairCut::Long,
        };
        Outfit {
            skin,
            hair: hair * random.range(0.8, 1.3),
            cut,
            iris: *random.pick(&[
                Vec3::new(0.05, 0.025, 0.01),
                Vec3::new(0.08, 0.14, 0.2),
                Vec3::new(0.06, 0.09, 0.04),
            ]),
            top,
            sleeve: *random.pick(&[0.02, 0.42, 0.5, 0.6, 1.5, 1.92, 1.95]),
            hem: random.range(0.08, 0.26),
            collar: random.range(0.02, 0.1),
            top_ease: random.range(0.004, 0.022),
            bottom,
            leg: if shorts {
                random.range(0.45, 1.05)
            } else {
                random.range(1.8, 1.96)
            },
            bottom_ease: random.range(0.003, 0.02),
            skirt,
            shoes: cloth(random).color * 0.8,
            soles: *random.pick(&[
                Vec3::splat(0.6),
                Vec3::splat(0.05),
                Vec3::new(0.3, 0.2, 0.1),
            ]),
            socks: *random.pick(&[Vec3::splat(0.6), Vec3::splat(0.04), Vec3::splat(0.2)]),
            grain: random.range(0.0, 1.0e6) as u32,
        }
    }

    pub(crate) fn piece(&self, chart: &Chart) -> Option<Piece> {
        if chart.leg > 1.975 {
            return Some(Piece::Shoe);
        }
        let skirted = self.skirt.is_some();
        // The collar dips in front.
        let dip = self.collar * smoothstep(-0.1, 0.3, chart.head.z);
        // Shoulder straps of sleeveless tops end on the shoulder.
        let top = chart.torso > self.hem
            && chart.arm < self.sleeve
            && chart.torso < 1.0 - dip
            && chart.leg < 0.4;
        if top {
            return Some(Piece::Top);
        }
        let end = if skirted { 0.12 } else { self.leg };
        if chart.torso < self.hem.max(0.2) + 0.05 && chart.arm <= 0.0 && chart.leg < end {
            return Some(Piece::Bottom);
        }
        (chart.leg > 1.86).then_some(Piece::Sock)
    }

    /// Whether a layer exists at a place.
    pub(crate) fn covers(&self, layer: Layer, chart: &Chart, rest: Vec3) -> bool {
        match layer {
            Layer::Skin | Layer::Eye | Layer::Lash => true,
            Layer::Cloth => self.piece(chart).is_some(),
            Layer::Skirt => self.skirt.is_some_and(|length| {
                let drop = 1.0 - chart.torso;
                chart.torso < self.hem.max(0.2) && drop < 1.0 + length * 0.62
            }),
            Layer::Hair => {
                let ragged = 0.035 * noise(rest * Vec3::new(260.0, 60.0, 260.0), self.grain);
                !matches!(self.cut, HairCut::Bald) && hairline(chart.head) > ragged
            }
            Layer::LongHair => {
                // Tucked behind the face, cut at the shoulders.
                let tip = 0.05 * noise(rest * Vec3::new(90.0, 0.0, 90.0), self.grain);
                let face = chart.head.z > 0.08 && hairline(chart.head) < 0.02;
                matches!(self.cut, HairCut::Long) && !face && chart.head.y > -0.6 + tip
            }
        }
    }

    /// Whether skin is so far inside the clothes that it need not be drawn.
    pub(crate) fn hides_skin(&self, chart: &Chart) -> bool {
        let shifted = |torso: f32, limb: f32| {
            let moved = Chart {
                torso: chart.torso + torso,
                arm: if chart.arm > 0.0 {
                    chart.arm + limb
                } else {
                    chart.arm
                },
                leg: if chart.leg > 0.0 {
                    chart.leg + limb
                } else {
                    chart.leg
                },
                head: chart.head,
            };
            self.piece(&moved).is_some()
        };
        let margin = 0.05;
        [
            (0.0, 0.0),
            (margin, 0.0),
            (-margin, 0.0),
            (0.0, margin),
            (0.0, -margin),
        ]
        .into_iter()
        .all(|(t, l)| shifted(t, l))
    }

    /// How far a layer stands off the mesh, along its normal, in metres.
    pub(crate) fn offset(&self, layer: Layer, vertex: &Vertex) -> f32 {
        let chart = &vertex.chart;
        // Only loose cloth hangs free.
        let hang = |ease: f32| vertex.drape * (ease / 0.012).min(1.0);
        match layer {
            Layer::Cloth => match self.piece(chart) {
                Some(Piece::Top) => {
                    let open = smoothstep(self.hem + 0.3, self.hem, chart.torso);
                    let cuff = smoothstep(self.sleeve - 0.5, self.sleeve, chart.arm);
                    0.003
                        + hang(self.top_ease)
                        + self.top_ease * 0.8 * (0.3 + 0.5 * open + 0.5 * cuff)
                }
                Some(Piece::Bottom) => {
                    let wide = smoothstep(0.0, 1.6, chart.leg);
                    let loose = 0.3 + 0.7 * wide;
                    0.002 + hang(self.bottom_ease) * 0.7 + self.bottom_ease * loose
                }
                Some(Piece::Shoe) => 0.006,
                _ => 0.0015,
            },
            Layer::Skirt => 0.004,
            Layer::Hair => {
                let full = match self.cut {
                    HairCut::Bald => 0.0,
                    HairCut::Short(thickness) => thickness,
                    HairCut::Long => 0.018,
                };
                0.001 + full * smoothstep(-0.02, 0.26, hairline(chart.head))
            }
            _ => 0.0,
        }
    }

    /// Folds: how far a layer moves besides, along its normal, in metres.
    pub(crate) fn fold(&self, layer: Layer, chart: &Chart, rest: Vec3) -> f32 {
        match layer {
            Layer::Cloth => match self.piece(chart) {
                Some(Piece::Top) => self.top_ease * 0.35 * fractal(rest * 9.0, 2, self.grain),
                Some(Piece::Bottom) => {
                    let folds = Vec3::new(9.0, 14.0, 9.0);
                    self.bottom_ease * 0.35 * fractal(rest * folds, 2, self.grain)
                }
                _ => 0.0,
            },
            Layer::Hair => 0.004 * fractal(rest * 45.0, 2, self.grain),
            _ => 0.0,
        }
    }
}

impl Cloth {
    fn random(random: &mut Random) -> Cloth {
        let mut color = || {
            let hue = random.range(0.0, 6.0);
            let channel = |k: f32| {
                let d = (hue - k).rem_euclid(6.0);
                (d.min(6.0 - d) - 1.0).clamp(0.0, 1.0)
            };
            let pure = Vec3::new(channel(3.0), channel(5.0), channel(1.0));
            // Mostly muted; some black, some white.
            let muted = random.range(0.0, 0.8);
            let bright = random.range(0.15, 0.9);
            let value = bright * bright;
            pure.lerp(Vec3::splat(random.range(0.2, 1.0)), muted) * value + Vec3::splat(0.012)
        };
        let (color, second) = (color(), color());
        let pattern = match random.index(10) {
            0..=4 => Pattern::Plain,
            5 => Pattern::Stripes(random.range(0.01, 0.05)),
            6 => Pattern::Checks(random.range(0.015, 0.06)),
            7 => Pattern::Mottled,
            _ => Pattern::Print,
        };
        Cloth {
            color,
            second,
            pattern,
        }
    }
}
