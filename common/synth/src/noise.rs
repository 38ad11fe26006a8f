//! Lattice noise in three dimensions, the grain of cloth, walls and grass.

use glam::Vec3;

fn hash(x: i32, y: i32, z: i32, seed: u32) -> f32 {
    let mut h = seed
        ^ (x as u32).wrapping_mul(0x8da6_b343)
        ^ (y as u32).wrapping_mul(0xd816_3841)
        ^ (z as u32).wrapping_mul(0xcb1a_b31f);
    h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
    h = (h ^ (h >> 15)).wrapping_mul(0x846c_a68b);
    h ^= h >> 16;
    (h >> 8) as f32 / 8_388_608.0 - 1.0
}

/// Value noise in −1..=1, smooth, one feature per unit.
pub(crate) fn noise(p: Vec3, seed: u32) -> f32 {
    let cell = p.floor();
    let f = p - cell;
    let s = f * f * (Vec3::splat(3.0) - 2.0 * f);
    let (x, y, z) = (cell.x as i32, cell.y as i32, cell.z as i32);
    let at = |dx, dy, dz| {
        hash(
            x.wrapping_add(dx),
            y.wrapping_add(dy),
            z.wrapping_add(dz),
            seed,
        )
    };
    let lerp = |a: f32, b: f32, t: f32| a + (b - a) * t;
    let plane = |dz| {
        lerp(
            lerp(at(0, 0, dz), at(1, 0, dz), s.x),
            lerp(at(0, 1, dz), at(1, 1, dz), s.x),
            s.y,
        )
    };
    lerp(plane(0), plane(1), s.z)
}

/// Sum of octaves, each twice as fine and half as strong; within −1..=1.
pub(crate) fn fractal(p: Vec3, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut weight, mut total, mut q) = (0.0, 1.0, 0.0, p);
    for k in 0..octaves {
        sum += weight * noise(q, seed.wrapping_add(k * 101));
        total += weight;
        weight *= 0.5;
        q *= 2.03;
    }
    sum / total
}

/// A number in 0..1 for a cell of a grid.
pub(crate) fn cell(x: f32, y: f32, seed: u32) -> f32 {
    hash(x.floor() as i32, y.floor() as i32, 17, seed) * 0.5 + 0.5
}

/// 0 below `low`, 1 above `high`, smooth between; also with `low > high`.
pub(crate) fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_continuous_bounded_and_varied() {
        let (mut low, mut high) = (1.0f32, -1.0f32);
        let mut before = noise(Vec3::new(-50.0, 0.3, 0.7), 5);
        for k in 0..10_000 {
            let value = noise(Vec3::new(-50.0 + k as f32 * 0.01, 0.3, 0.7), 5);
            // The steepest slope of 3t²−2t³ is 1.5, between values at most 2 apart.
            assert!((value - before).abs() <= 0.0301);
            before = value;
            low = low.min(value);
            high = high.max(value);
        }
        assert!(low < -0.6 && high > 0.6 && low >= -1.0 && high <= 1.0);
    }
}
