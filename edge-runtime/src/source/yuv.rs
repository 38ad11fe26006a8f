//! Luma and chroma, and RGB.

use pose::Size;

/// What values of luma and chroma mean black, white and full colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ColorRange {
    /// Luma 16..=235, chroma 16..=240: video and most cameras.
    #[default]
    Limited,
    /// 0..=255: JPEG.
    Full,
}

/// A plane of bytes: element (i, j) is at `j · stride + i · step`.
pub(super) struct Plane<'a> {
    pub bytes: &'a [u8],
    pub stride: usize,
    pub step: usize,
}

/// Luma and chroma apart; pixel (i, j) has the chroma at (i >> shift.0, j >> shift.1).
pub(super) struct Planes<'a> {
    pub luma: Plane<'a>,
    pub u: Plane<'a>,
    pub v: Plane<'a>,
    pub shift: (u32, u32),
}

impl Planes<'_> {
    /// Fills `out` with the RGB of every pixel. The planes must be large enough.
    pub fn to_rgb(&self, size: Size, yuv: &Yuv, out: &mut [u8]) {
        let (shift_x, shift_y) = self.shift;
        for (j, out) in out.chunks_exact_mut(size.width * 3).enumerate() {
            let luma = &self.luma.bytes[j * self.luma.stride..][..size.width];
            let u = &self.u.bytes[(j >> shift_y) * self.u.stride..];
            let v = &self.v.bytes[(j >> shift_y) * self.v.stride..];
            for (i, (pixel, y)) in out.chunks_exact_mut(3).zip(luma).enumerate() {
                let chroma = yuv.chroma(
                    u[(i >> shift_x) * self.u.step],
                    v[(i >> shift_x) * self.v.step],
                );
                pixel.copy_from_slice(&yuv.rgb(*y, chroma));
            }
        }
    }
}

/// YUV → RGB of BT.601 in fixed point:
/// R = a·(Y − black) + b·2(1 − Kr)·(V − 128),
/// B = a·(Y − black) + b·2(1 − Kb)·(U − 128),
/// G from Y = Kr·R + Kg·G + Kb·B, where Kr = 0.299, Kb = 0.114, Kg = 1 − Kr − Kb; limited range has
/// a = 255/219, b = 255/224, black = 16; full range a = b = 1, black = 0.
pub(super) struct Yuv {
    black: i32,
    luma: i32,
    red_v: i32,
    green_u: i32,
    green_v: i32,
    blue_u: i32,
}

/// Fractional bits: the largest sum is below 2^30.
const BITS: u32 = 20;

impl Yuv {
    pub fn new(range: ColorRange) -> Yuv {
        let (black, a, b) = match range {
            ColorRange::Limited => (16, 255.0 / 219.0, 255.0 / 224.0),
            ColorRange::Full => (0, 1.0, 1.0),
        };
        let (kr, kb) = (0.299, 0.114);
        let kg = 1.0 - kr - kb;
        let fixed = |x: f64| (x * f64::from(1 << BITS)).round() as i32;
        Yuv {
            black,
            luma: fixed(a),
            red_v: fixed(b * 2.0 * (1.0 - kr)),
            green_u: fixed(b * 2.0 * (1.0 - kb) * kb / kg),
            green_v: fixed(b * 2.0 * (1.0 - kr) * kr / kg),
            blue_u: fixed(b * 2.0 * (1.0 - kb)),
        }
    }

    /// What chroma adds to red, green and blue, and the half that rounds.
    #[inline]
    fn chroma(&self, u: u8, v: u8) -> [i32; 3] {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        let half = 1 << (BITS - 1);
        [
            half + self.red_v * v,
            half - self.green_u * u - self.green_v * v,
            half + self.blue_u * u,
        ]
    }

    #[inline]
    fn rgb(&self, y: u8, chroma: [i32; 3]) -> [u8; 3] {
        let luma = (i32::from(y) - self.black) * self.luma;
        chroma.map(|c| ((luma + c) >> BITS).clamp(0, 255) as u8)
    }

    /// A row of two pixels in four bytes: where in them the two Y, the U and the V are.
    pub fn pairs(&self, row: &[u8], out: &mut [u8], y: [usize; 2], u: usize, v: usize) {
        for (out, four) in out.chunks_mut(6).zip(row.chunks_exact(4)) {
            let chroma = self.chroma(four[u], four[v]);
            out[..3].copy_from_slice(&self.rgb(four[y[0]], chroma));
            if let Some(second) = out.get_mut(3..6) {
                second.copy_from_slice(&self.rgb(four[y[1]], chroma));
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// BT.601 as the recommendation writes it, in floating point.
    pub fn exact(y: u8, u: u8, v: u8, range: ColorRange) -> [f64; 3] {
        let (y, u, v) = (f64::from(y), f64::from(u) - 128.0, f64::from(v) - 128.0);
        match range {
            ColorRange::Limited => {
                let y = 255.0 / 219.0 * (y - 16.0);
                [
                    y + 1.596_026_785_714_285_8 * v,
                    y - 0.391_762_290_094_916_4 * u - 0.812_967_647_237_770_5 * v,
                    y + 2.017_232_142_857_142_6 * u,
                ]
            }
            ColorRange::Full => [
                y + 1.402 * v,
                y - 0.344_136_286_201_022_1 * u - 0.714_136_286_201_022_1 * v,
                y + 1.772 * u,
            ],
        }
    }

    #[test]
    fn every_color_is_bt_601() {
        for range in [ColorRange::Limited, ColorRange::Full] {
            let yuv = Yuv::new(range);
            for index in 0..1 << 24 {
                let [_, y, u, v] = u32::to_be_bytes(index);
                let ours = yuv.rgb(y, yuv.chroma(u, v));
                for (ours, exact) in ours.iter().zip(exact(y, u, v, range)) {
                    let difference = f64::from(*ours) - exact.clamp(0.0, 255.0);
                    assert!(difference.abs() <= 0.501, "{y} {u} {v}: {ours} {exact}");
                }
            }
        }
        let limited = Yuv::new(ColorRange::Limited);
        let rgb = |y, u, v| limited.rgb(y, limited.chroma(u, v));
        assert_eq!(rgb(16, 128, 128), [0; 3]);
        assert_eq!(rgb(235, 128, 128), [255; 3]);
        // SMPTE's red of 75 %.
        assert_eq!(rgb(65, 100, 212), [191, 0, 1]);
    }
}
