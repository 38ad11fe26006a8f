//! From a scene to pixels: meshes, shadows, z-buffer, shading, finish.

mod band;
mod develop;
mod solids;

use crate::figure::KEYPOINTS;
use crate::light::Shadows;
use crate::sample::{Keypoint, Sample, Visibility};
use crate::scene::{Person, Scene};
use band::{BAND, Band};
use glam::Vec3;
use solids::Solids;

impl Scene {
    /// Draws the scene. The same scene gives the same bytes on every run.
    pub fn paint(&self) -> Sample {
        let (solids, people) = Solids::of(self);
        let shadows = Shadows::cast(
            &self.light,
            &solids.positions,
            &solids.corners,
            self.dome,
            0.03,
        );
        let mut solids = solids;
        solids.ambient = solids
            .positions
            .iter()
            .zip(&solids.normals)
            .map(|(&p, &n)| shadows.ambient(p, n))
            .collect();
        let (width, height) = (self.camera.width, self.camera.height);
        let mut picture = vec![Vec3::ZERO; width * height];
        let mut depths = vec![f32::INFINITY; width * height];
        let screen: Vec<Vec3> = solids
            .positions
            .iter()
            .map(|&p| {
                let q = self.camera.project(p);
                let fine = self.samples() as f32;
                Vec3::new(q.x * fine, q.y * fine, 1.0 / q.z)
            })
            .collect();
        let mut band = Band::new(width, self.samples());
        for top in (0..height).step_by(BAND) {
            let rows = BAND.min(height - top);
            band.draw(self, &solids, &screen, top, rows);
            for row in 0..rows {
                for x in 0..width {
                    let at = (top + row) * width + x;
                    let (color, depth) = band.pixel(self, &solids, &shadows, x, row);
                    picture[at] = color;
                    depths[at] = depth;
                }
            }
        }
        let image = develop::develop(picture, (width, height), &self.finish);
        let keypoints = people
            .iter()
            .zip(&self.people)
            .map(|(points, person)| self.annotate(points, person, &depths))
            .collect();
        Sample { image, keypoints }
    }

    fn samples(&self) -> usize {
        self.supersampling.clamp(1, 8)
    }

    fn annotate(
        &self,
        points: &[Vec3; KEYPOINTS],
        person: &Person,
        depths: &[f32],
    ) -> [Keypoint; KEYPOINTS] {
        let (width, height) = (self.camera.width, self.camera.height);
        std::array::from_fn(|k| {
            let (point, anchor) = (points[k], person.figure.keypoints[k]);
            let p = self.camera.project(point);
            let inside = p.z > crate::camera::NEAR
                && (0.0..width as f32).contains(&p.x)
                && (0.0..height as f32).contains(&p.y);
            let visibility = if !inside {
                Visibility::Outside
            } else if depths[p.y as usize * width + p.x as usize] < p.z - anchor.depth {
                Visibility::Occluded
            } else {
                Visibility::Visible
            };
            Keypoint {
                x: p.x,
                y: p.y,
                depth: p.z,
                visibility,
            }
        })
    }
    /// Colour of what lies behind all solids at a pixel.
    fn behind(&self, shadows: &Shadows, x: usize, y: usize) -> Vec3 {
        // Fine patterns fade out by themselves: one sample less in each direction is enough.
        let n = (self.samples() - 1).max(1);
        let step = 1.0 / n as f32;
        let mut sum = Vec3::ZERO;
        for k in 0..n * n {
            let at = |start: usize, k: usize| start as f32 + (k as f32 + 0.5) * step;
            sum += self.behind_at(shadows, at(x, k % n), at(y, k / n));
        }
        sum * (step * step)
    }

    fn behind_at(&self, shadows: &Shadows, x: f32, y: f32) -> Vec3 {
        let ray = self.camera.ray(x, y);
        let light = shadows.light();
        let spread = 1.0 / self.camera.focal;
        let hit = self
            .backdrop
            .hit(self.camera.eye, ray, spread, light.sky, light.horizon);
        if hit.glows {
            return hit.color;
        }
        let lit =
            shadows.ambient(hit.point, hit.normal) + shadows.direct(hit.point, hit.normal, 0.0);
        hit.color * lit
    }
}
