//! Sun or lamp, sky and bounce; shadows by depth maps, one for the sun and a dome of small ones.

use crate::noise::{floor, smoothstep};
use crate::raster::cover;
use glam::Vec3;

/// Light of a scene; colours are linear RGB radiance.
#[derive(Clone, Debug, PartialEq)]
pub struct Light {
    /// Direction towards the sun or lamp, unit length.
    pub sun: Vec3,
    /// Its strength.
    pub sun_color: Vec3,
    /// From above.
    pub sky: Vec3,
    /// From the horizon.
    pub horizon: Vec3,
    /// Bounced from the floor.
    pub ground: Vec3,
}

impl Light {
    /// Radiance from a direction of the dome.
    fn dome(&self, direction: Vec3) -> Vec3 {
        if direction.y >= 0.0 {
            self.horizon.lerp(self.sky, direction.y)
        } else {
            self.horizon
                .lerp(self.ground, (-3.0 * direction.y).min(1.0))
        }
    }
}

/// What light sees: the nearest surface along parallel rays.
#[derive(Clone, Debug)]
struct DepthMap {
    towards: Vec3,
    u: Vec3,
    v: Vec3,
    center: Vec3,
    radius: f32,
    size: usize,
    /// Cells in a metre.
    scale: f32,
    /// Largest coordinate towards the light, per cell.
    nearest: Vec<f32>,
}

impl DepthMap {
    fn new(
        towards: Vec3,
        size: usize,
        bounds: (Vec3, f32),
        positions: &[Vec3],
        triangles: &[[u32; 3]],
    ) -> DepthMap {
        let (u, v) = towards.any_orthonormal_pair();
        let (center, radius) = bounds;
        let mut map = DepthMap {
            towards,
            u,
            v,
            center,
            radius,
            size,
            scale: 0.5 * size as f32 / radius,
            nearest: vec![f32::NEG_INFINITY; size * size],
        };
        let cells: Vec<Vec3> = positions.iter().map(|&p| map.cell(p)).collect();
        for triangle in triangles {
            let corners = triangle.map(|k| cells[k as usize]);
            let nearest = &mut map.nearest;
            cover(corners, size, (0, size), |x, y, w| {
                let depth = corners[0].z * w[0] + corners[1].z * w[1] + corners[2].z * w[2];
                let cell = &mut nearest[y * size + x];
                *cell = cell.max(depth);
            });
        }
        map
    }

    fn cell(&self, p: Vec3) -> Vec3 {
        let d = p - self.center;
        Vec3::new(
            (d.dot(self.u) + self.radius) * self.scale,
            (d.dot(self.v) + self.radius) * self.scale,
            d.dot(self.towards),
        )
    }

    /// Nearest surface at a cell, or none outside of the map.
    fn at(&self, x: i32, y: i32) -> f32 {
        let inside = x >= 0 && y >= 0 && (x as usize) < self.size && (y as usize) < self.size;
        if inside {
            self.nearest[y as usize * self.size + x as usize]
        } else {
            f32::NEG_INFINITY
        }
    }

    /// Share of 5 × 5 cells, spread over `reach` cells to either side, from which the light is seen.
    fn visible(&self, p: Vec3, bias: f32, reach: f32) -> f32 {
        let cell = self.cell(p);
        let size = self.size as f32;
        let free = |x: f32| x < -reach || x > size + reach;
        if free(cell.x) || free(cell.y) {
            return 1.0;
        }
        let mut seen = 0;
        for row in -2..=2 {
            let y = floor(cell.y + row as f32 * 0.5 * reach) as i32;
            for column in -2..=2 {
                let x = floor(cell.x + column as f32 * 0.5 * reach) as i32;
                seen += i32::from(self.at(x, y) <= cell.z + bias);
            }
        }
        seen as f32 / 25.0
    }

    /// As `visible` with one cell, but with bilinear weights between the four nearest, and with
    /// things further away fading out: each direction stands for a cone that widens.
    fn visible_smooth(&self, p: Vec3, bias: f32) -> f32 {
        let cell = self.cell(p);
        let (fx, fy) = (cell.x - 0.5, cell.y - 0.5);
        let size = self.size as f32;
        // Beside the map there is nothing.
        if !(fx > -1.0 && fy > -1.0 && fx < size && fy < size) {
            return 1.0;
        }
        let (x, y) = (floor(fx), floor(fy));
        let (tx, ty) = (fx - x, fy - y);
        let at = |dx: i32, dy: i32| -> f32 {
            let gap = self.at(x as i32 + dx, y as i32 + dy) - cell.z - bias;
            if gap <= 0.0 {
                1.0
            } else {
                smoothstep(0.1, 1.0, gap)
            }
        };
        (at(0, 0) * (1.0 - tx) + at(1, 0) * tx) * (1.0 - ty)
            + (at(0, 1) * (1.0 - tx) + at(1, 1) * tx) * ty
    }
}

/// The light of a scene with the shadows that its solid things cast.
#[derive(Clone, Debug)]
pub(crate) struct Shadows {
    light: Light,
    sun: DepthMap,
    /// Cells on either side that soften the sun's shadow.
    softness: f32,
    dome: Vec<(DepthMap, Vec3)>,
    center: Vec3,
    radius: f32,
    /// Irradiance of the open dome on surfaces that face ±X, ±Y, ±Z.
    open: [Vec3; 6],
}

impl Shadows {
    /// Shadows of `triangles` over `positions`, with `directions` depth maps for the dome.
    pub(crate) fn cast(
        light: &Light,
        positions: &[Vec3],
        triangles: &[[u32; 3]],
        directions: usize,
        softness: f32,
    ) -> Shadows {
        let (mut low, mut high) = (Vec3::splat(f32::INFINITY), Vec3::splat(f32::NEG_INFINITY));
        for &k in triangles.iter().flatten() {
            low = low.min(positions[k as usize]);
            high = high.max(positions[k as usize]);
        }
        if low.x > high.x {
            (low, high) = (Vec3::ZERO, Vec3::ONE);
        }
        let center = (low + high) * 0.5;
        let radius = (high - low).length() * 0.5 + 0.02;
        let bounds = (center, radius);
        let size = 512;
        let dome = (0..directions.max(6))
            .map(|k| {
                // Fibonacci sphere: equal areas.
                let count = directions.max(6) as f32;
                let y = 1.0 - (2.0 * k as f32 + 1.0) / count;
                let ring = libm::sqrtf(1.0 - y * y);
                let angle = 2.399_963_2 * k as f32;
                let towards = Vec3::new(ring * libm::cosf(angle), y, ring * libm::sinf(angle));
                let map = DepthMap::new(towards, 128, bounds, positions, triangles);
                // Lambert: irradiance/π = (1/π)·Σ L·cos·(4π/n).
                (map, light.dome(towards) * (4.0 / count))
            })
            .collect::<Vec<_>>();
        let axes = [
            Vec3::X,
            Vec3::NEG_X,
            Vec3::Y,
            Vec3::NEG_Y,
            Vec3::Z,
            Vec3::NEG_Z,
        ];
        let open = axes.map(|axis| {
            let terms = dome
                .iter()
                .map(|(map, radiance)| *radiance * map.towards.dot(axis).max(0.0));
            terms.sum::<Vec3>()
        });
        Shadows {
            sun: DepthMap::new(light.sun, size, bounds, positions, triangles),
            softness: softness * size as f32 / (2.0 * radius),
            light: light.clone(),
            dome,
            center,
            radius,
            open,
        }
    }

    /// Light on a matt white surface from the dome, with what is in its way.
    pub(crate) fn ambient(&self, p: Vec3, normal: Vec3) -> Vec3 {
        // Far from the figure nothing is in the way.
        if (p - self.center).length_squared() > self.radius * self.radius * 9.0 {
            let square = normal * normal;
            let pick = |axis: usize| self.open[2 * axis + usize::from(normal[axis] < 0.0)];
            return pick(0) * square.x + pick(1) * square.y + pick(2) * square.z;
        }
        let lifted = p + normal * 0.012;
        let mut sum = Vec3::ZERO;
        for (map, radiance) in &self.dome {
            let cosine = map.towards.dot(normal);
            if cosine > 0.0 {
                sum += *radiance * cosine * map.visible_smooth(lifted, 0.02);
            }
        }
        sum
    }

    /// Light on a matt white surface straight from the sun; `wrap` > 0 lets it creep round.
    pub(crate) fn direct(&self, p: Vec3, normal: Vec3, wrap: f32) -> Vec3 {
        let cosine = (normal.dot(self.light.sun) + wrap) / (1.0 + wrap);
        if cosine <= 0.0 {
            return Vec3::ZERO;
        }
        let seen = self.sun.visible(p + normal * 0.01, 0.012, self.softness);
        self.light.sun_color * cosine * seen
    }

    pub(crate) fn light(&self) -> &Light {
        &self.light
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn light() -> Light {
        Light {
            sun: Vec3::Y,
            sun_color: Vec3::ONE,
            sky: Vec3::ONE,
            horizon: Vec3::ONE,
            ground: Vec3::ONE,
        }
    }

    #[test]
    fn a_plate_shadows_what_is_below_it() {
        let positions = [
            Vec3::new(-1.0, 1.0, -1.0),
            Vec3::new(1.0, 1.0, -1.0),
            Vec3::new(1.0, 1.0, 1.0),
            Vec3::new(-1.0, 1.0, 1.0),
        ];
        let shadows = Shadows::cast(&light(), &positions, &[[0, 1, 2], [0, 2, 3]], 64, 0.0);
        assert_eq!(shadows.direct(Vec3::ZERO, Vec3::Y, 0.0), Vec3::ZERO);
        assert_eq!(
            shadows.direct(Vec3::new(2.0, 0.0, 0.0), Vec3::Y, 0.0),
            Vec3::ONE
        );
        assert_eq!(shadows.direct(Vec3::Y * 1.01, Vec3::Y, 0.0), Vec3::ONE);
        let under = shadows.ambient(Vec3::new(0.0, 0.9, 0.0), Vec3::Y).x;
        let open = shadows.ambient(Vec3::new(50.0, 0.0, 0.0), Vec3::Y).x;
        // A dome of radiance 1 gives a matt white surface radiance 1.
        assert!((open - 1.0).abs() < 0.05, "{open}");
        assert!(under < 0.25, "{under}");
    }
}
