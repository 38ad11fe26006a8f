//! Lattice noise in three dimensions, the grain of cloth, walls and grass.

use glam::Vec3;

const X: u32 = 0x8da6_b343;
const Y: u32 = 0xd816_3841;
const Z: u32 = 0xcb1a_b31f;

/// A number in −1..1 from the mixed coordinates.
#[inline(always)]
fn spread(mixed: u32) -> f32 {
    let mut h = mixed;
    h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
    h = (h ^ (h >> 15)).wrapping_mul(0x846c_a68b);
    h ^= h >> 16;
    (h >> 8) as f32 / 8_388_608.0 - 1.0
}

/// The value of a lattice point, uniform in −1..1.
pub(crate) fn hash(x: i32, y: i32, z: i32, seed: u32) -> f32 {
    spread(
        seed ^ (x as u32).wrapping_mul(X) ^ (y as u32).wrapping_mul(Y) ^ (z as u32).wrapping_mul(Z),
    )
}

/// `x.floor()` for what fits into an i32, without the call into the C library that it is on
/// processors without SSE 4.1.
pub(crate) fn floor(x: f32) -> f32 {
    let whole = x as i32 as f32;
    if whole > x { whole - 1.0 } else { whole }
}

/// `x.ceil()`, likewise.
pub(crate) fn ceil(x: f32) -> f32 {
    let whole = x as i32 as f32;
    if whole < x { whole + 1.0 } else { whole }
}

/// The values of the eight lattice points around `p`, x running fastest, then y, then z; and where
/// `p` lies between them.
fn lattice(p: Vec3, seed: u32) -> ([f32; 8], Vec3) {
    let cell = Vec3::new(floor(p.x), floor(p.y), floor(p.z));
    let (x, y, z) = (
        cell.x as i32 as u32,
        cell.y as i32 as u32,
        cell.z as i32 as u32,
    );
    let xs = [x.wrapping_mul(X), x.wrapping_add(1).wrapping_mul(X)];
    let ys = [y.wrapping_mul(Y), y.wrapping_add(1).wrapping_mul(Y)];
    let zs = [z.wrapping_mul(Z), z.wrapping_add(1).wrapping_mul(Z)];
    let mut values = [0.0; 8];
    for (k, value) in values.iter_mut().enumerate() {
        *value = spread(seed ^ xs[k & 1] ^ ys[(k >> 1) & 1] ^ zs[k >> 2]);
    }
    (values, p - cell)
}

fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Value noise in −1..=1, smooth, one feature per unit.
pub(crate) fn noise(p: Vec3, seed: u32) -> f32 {
    let (v, f) = lattice(p, seed);
    let s = f * f * (Vec3::splat(3.0) - 2.0 * f);
    let plane = |k: usize| {
        lerp(
            lerp(v[k], v[k + 1], s.x),
            lerp(v[k + 2], v[k + 3], s.x),
            s.y,
        )
    };
    lerp(plane(0), plane(4), s.z)
}

/// [`noise`] and its slope.
fn noise_slope(p: Vec3, seed: u32) -> (f32, Vec3) {
    let (v, f) = lattice(p, seed);
    let s = f * f * (Vec3::splat(3.0) - 2.0 * f);
    let ds = 6.0 * f * (Vec3::ONE - f);
    // Along x, then y, then z; what runs along with each is its slope in the ones before.
    let along_x = [0, 2, 4, 6].map(|k| (lerp(v[k], v[k + 1], s.x), v[k + 1] - v[k]));
    let along_y = [0, 2].map(|k| {
        let ((a, ax), (b, bx)) = (along_x[k], along_x[k + 1]);
        (lerp(a, b, s.y), lerp(ax, bx, s.y), b - a)
    });
    let [(a, ax, ay), (b, bx, by)] = along_y;
    let slope = Vec3::new(lerp(ax, bx, s.z), lerp(ay, by, s.z), b - a);
    (lerp(a, b, s.z), slope * ds)
}

/// The slope of [`fractal`].
pub(crate) fn fractal_slope(p: Vec3, octaves: u32, seed: u32) -> Vec3 {
    let (mut sum, mut weight, mut total, mut fine) = (Vec3::ZERO, 1.0, 0.0, 1.0);
    for k in 0..octaves {
        let (_, slope) = noise_slope(p * fine, seed.wrapping_add(k * 101));
        sum += weight * fine * slope;
        total += weight;
        weight *= 0.5;
        fine *= 2.03;
    }
    sum / total
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
    hash(floor(x) as i32, floor(y) as i32, 17, seed) * 0.5 + 0.5
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

    #[test]
    fn slopes_are_the_limit_of_differences() {
        for k in 0..40 {
            let k = k as f32;
            let p = Vec3::new(k * 0.37 - 4.0, k * -0.21 + 1.0, k * 0.53);
            let slope = fractal_slope(p, 2, 9);
            for (axis, slope) in [Vec3::X, Vec3::Y, Vec3::Z]
                .into_iter()
                .zip(slope.to_array())
            {
                let e = 2e-3;
                let difference = fractal(p + axis * e, 2, 9) - fractal(p - axis * e, 2, 9);
                assert!((difference / (2.0 * e) - slope).abs() < 5e-3, "{p} {axis}");
            }
        }
    }

    #[test]
    fn rounding_is_that_of_the_standard_library() {
        for k in -40..40 {
            let x = k as f32 * 0.25;
            assert_eq!((floor(x), ceil(x)), (x.floor(), x.ceil()));
        }
    }
}
