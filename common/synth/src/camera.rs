//! A pinhole camera.

use glam::Vec3;

/// A pinhole camera: square pixels, no lens distortion, no roll unless `up` says so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Where it stands, in metres.
    pub eye: Vec3,
    right: Vec3,
    down: Vec3,
    forward: Vec3,
    /// Focal length in pixels.
    pub focal: f32,
    /// Picture width in pixels.
    pub width: usize,
    /// Picture height in pixels.
    pub height: usize,
}

/// Nothing nearer than this (metres) is drawn.
pub(crate) const NEAR: f32 = 0.15;

impl Camera {
    /// A camera at `eye` that looks at `target`; `up` is up in the picture.
    pub fn look_at(eye: Vec3, target: Vec3, up: Vec3, focal: f32, size: (usize, usize)) -> Camera {
        let forward = (target - eye).normalize_or(Vec3::NEG_Z);
        let right = forward.cross(up).normalize_or(Vec3::X);
        Camera {
            eye,
            right,
            down: forward.cross(right),
            forward,
            focal,
            width: size.0,
            height: size.1,
        }
    }

    /// Picture position in continuous image coordinates (pixel (i, j) has its centre at
    /// (i + 0.5, j + 0.5)) and depth along the axis in metres. Depth is positive in front.
    pub fn project(&self, point: Vec3) -> Vec3 {
        let d = point - self.eye;
        let depth = d.dot(self.forward);
        let scale = self.focal / depth.abs().max(1e-6);
        Vec3::new(
            self.width as f32 * 0.5 + d.dot(self.right) * scale,
            self.height as f32 * 0.5 + d.dot(self.down) * scale,
            depth,
        )
    }

    /// Direction (unit length) of the ray through a picture position.
    pub fn ray(&self, x: f32, y: f32) -> Vec3 {
        let u = (x - self.width as f32 * 0.5) / self.focal;
        let v = (y - self.height as f32 * 0.5) / self.focal;
        (self.forward + self.right * u + self.down * v).normalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_by_similar_triangles() {
        let eye = Vec3::new(0.0, 1.0, 4.0);
        let camera = Camera::look_at(eye, Vec3::new(0.0, 1.0, 0.0), Vec3::Y, 800.0, (640, 480));
        // Half a metre to the right and up, four metres away: 100 pixels.
        let p = camera.project(Vec3::new(0.5, 1.5, 0.0));
        assert!((p - Vec3::new(420.0, 140.0, 4.0)).length() < 1e-3, "{p}");
        let back =
            camera.eye + camera.ray(p.x, p.y) * (p.z / camera.ray(p.x, p.y).dot(Vec3::NEG_Z));
        assert!((back - Vec3::new(0.5, 1.5, 0.0)).length() < 1e-4, "{back}");
    }
}
