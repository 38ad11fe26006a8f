//! How skin, eyes, hair and cloth reflect light, place by place.

use crate::figure::{Chart, Layer};
use crate::noise::{fractal, fractal_slope, noise, smoothstep};
use crate::outfit::{Cloth, HairCut, Outfit, Pattern, Piece};
use glam::Vec3;

/// How a place reflects light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Material {
    /// Linear RGB albedo.
    pub(crate) albedo: Vec3,
    /// Strength of the highlight.
    pub(crate) gloss: f32,
    /// Width of the highlight: exponent of Blinn's cosine.
    pub(crate) exponent: f32,
    /// How far light creeps round, 0..1.
    pub(crate) wrap: f32,
    /// Added to the normal.
    pub(crate) bump: Vec3,
}

impl Material {
    fn matt(albedo: Vec3) -> Material {
        Material {
            albedo,
            gloss: 0.0,
            exponent: 20.0,
            wrap: 0.0,
            bump: Vec3::ZERO,
        }
    }
}

impl Outfit {
    /// The look of a place.
    pub(crate) fn material(&self, layer: Layer, chart: &Chart, rest: Vec3) -> Material {
        match layer {
            Layer::Skin => self.skin_material(chart, rest),
            Layer::Eye => self.eye_material(chart),
            Layer::Lash => Material::matt(Vec3::splat(0.01)),
            Layer::Hair | Layer::LongHair => self.hair_material(rest),
            Layer::Skirt => self.cloth_material(&self.bottom, chart, rest, 1.0),
            Layer::Cloth => match self.piece(chart) {
                Some(Piece::Top) => self.cloth_material(&self.top, chart, rest, 1.0),
                Some(Piece::Bottom) => {
                    let mut material = self.cloth_material(&self.bottom, chart, rest, 0.8);
                    // A darker fly and crotch seam would be too much; a waistband is enough.
                    if chart.torso > self.hem.max(0.2) + 0.02 {
                        material.albedo *= 0.7;
                    }
                    material
                }
                Some(Piece::Shoe) => {
                    let sole = chart.leg > 2.128;
                    Material {
                        albedo: if sole { self.soles } else { self.shoes },
                        gloss: 0.12,
                        exponent: 18.0,
                        ..Material::matt(Vec3::ZERO)
                    }
                }
                _ => Material::matt(self.socks),
            },
        }
    }

    fn skin_material(&self, chart: &Chart, rest: Vec3) -> Material {
        let h = chart.head;
        let mut albedo = self.skin * (1.0 + 0.06 * fractal(rest * 30.0, 2, self.grain));
        if h.y > -0.6 && h.z > 0.0 {
            let side = h.x.abs();
            // Cheeks, lips, brows, each a soft ellipse.
            let ellipse = |x: f32, y: f32, rx: f32, ry: f32| {
                let (dx, dy) = ((side - x) / rx, (h.y - y) / ry);
                1.0 - smoothstep(0.6, 1.0, libm::sqrtf(dx * dx + dy * dy))
            };
            let red = Vec3::new(1.0, 0.62, 0.60);
            albedo *= Vec3::ONE.lerp(red, 0.35 * ellipse(0.17, -0.14, 0.12, 0.12));
            albedo *= Vec3::ONE.lerp(red, 0.3 * ellipse(0.0, -0.1, 0.06, 0.07));
            albedo *= Vec3::ONE.lerp(
                Vec3::new(0.85, 0.48, 0.48),
                ellipse(0.0, -0.272, 0.115, 0.05),
            );
            albedo *= Vec3::ONE.lerp(Vec3::splat(0.35), 0.8 * ellipse(0.0, -0.275, 0.105, 0.008));
            let arch = 0.100 + 0.02 * smoothstep(0.03, 0.15, side) - 0.3 * (side - 0.17).max(0.0);
            let brow = ellipse(0.15, arch, 0.105, 0.024);
            if !matches!(self.cut, HairCut::Bald) || self.hair.x < 0.2 {
                albedo = albedo.lerp(self.hair, 0.75 * brow);
            }
            albedo *= Vec3::ONE.lerp(Vec3::splat(0.7), ellipse(0.129, 0.0, 0.1, 0.05));
        }
        Material {
            albedo,
            gloss: 0.05,
            exponent: 12.0,
            wrap: 0.18,
            bump: Vec3::ZERO,
        }
    }

    fn eye_material(&self, chart: &Chart) -> Material {
        let (dx, dy) = (chart.head.x.abs() - 0.129, chart.head.y - 0.002);
        let r = libm::sqrtf(dx * dx + dy * dy);
        let albedo = if r < 0.013 {
            Vec3::splat(0.005)
        } else if r < 0.031 {
            self.iris
        } else {
            Vec3::new(0.55, 0.52, 0.5)
        };
        Material {
            gloss: 0.5,
            exponent: 80.0,
            ..Material::matt(albedo)
        }
    }

    fn hair_material(&self, rest: Vec3) -> Material {
        let strand = Vec3::new(420.0, 45.0, 420.0);
        let fine = noise(rest * strand, self.grain);
        let lock = fractal(rest * Vec3::new(70.0, 14.0, 70.0), 2, self.grain);
        Material {
            albedo: self.hair * (1.0 + 0.5 * fine + 0.6 * lock).max(0.15),
            gloss: 0.06,
            exponent: 14.0,
            wrap: 0.1,
            bump: Vec3::new(fine, 0.3 * lock, -fine) * 0.25,
        }
    }

    fn cloth_material(&self, cloth: &Cloth, chart: &Chart, rest: Vec3, folds: f32) -> Material {
        let wave = |period: f32, x: f32| (x / period).rem_euclid(1.0) < 0.5;
        let share = match cloth.pattern {
            Pattern::Plain => 0.0,
            Pattern::Stripes(width) => f32::from(u8::from(wave(2.0 * width, rest.y))),
            Pattern::Checks(width) => {
                let (a, b) = (
                    wave(2.0 * width, rest.x + rest.z),
                    wave(2.0 * width, rest.y),
                );
                0.5 * f32::from(u8::from(a) + u8::from(b))
            }
            Pattern::Mottled => {
                0.3 + 0.18 * noise(rest * 300.0, self.grain)
                    + 0.22 * fractal(rest * 7.0, 2, self.grain)
            }
            Pattern::Print => {
                let on = chart.torso > 0.55
                    && chart.torso < 0.86
                    && chart.head.x.abs() < 0.4
                    && chart.head.z > 0.0
                    && chart.arm <= 0.0;
                f32::from(u8::from(on && fractal(rest * 26.0, 2, self.grain) > -0.1))
            }
        };
        let weave = 1.0 + 0.07 * noise(rest * 420.0, self.grain ^ 1);
        // Long ridges, as folds are.
        let slope = fractal_slope(rest * Vec3::new(6.0, 13.0, 6.0), 2, self.grain ^ 2);
        Material {
            albedo: cloth.color.lerp(cloth.second, share.clamp(0.0, 1.0)) * weave,
            gloss: 0.015,
            exponent: 8.0,
            wrap: 0.08,
            bump: slope * (-0.34 * folds),
        }
    }
}
