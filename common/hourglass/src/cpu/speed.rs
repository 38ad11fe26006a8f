//! How fast each kernel is: `cargo test --release -p hourglass kernel_speed -- --ignored
//! --nocapture`. Best of many short runs, so that other programs on the machine disturb little.

use std::time::Instant;

use super::depthwise::{self, Listener};
use super::element::{Bf16, Element};
use super::gemm::{
    AddTo, Left, Right, StoreBias, StoreGradient, StoreGradientMoments, StoreMoments, multiply,
};
use super::isa::Isa;
use super::norm::{self, Affine, Slope, Source};
use super::resample;
use super::tests::noise;
use crate::graph::MapShape;

fn best(mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed().as_secs_f64() < 0.3 {
        let one = Instant::now();
        run();
        best = best.min(one.elapsed().as_secs_f64());
    }
    best
}

fn elements<E: Element>(len: usize, seed: u64) -> Vec<E> {
    noise(len, seed).into_iter().map(E::from_f32).collect()
}

fn products<E: Element>(isa: Isa) {
    for (m, n, k) in [
        (192, 64, 64),
        (192, 64, 128),
        (192, 128, 64),
        (192, 32, 64),
        (192, 16, 128),
        (192, 256, 128),
        (64, 128, 1152),
    ] {
        let macs = (m * n * k) as f64;
        let (a, b) = (elements::<E>(m * k, 1), elements::<E>(n * k, 2));
        let (left, right) = (Left::row_major(&a, k), Right::panels(&b, k / E::GROUP));
        let (mut to, z) = (elements::<E>(m * n, 3), elements::<E>(m * n, 4));
        let (mut sum, mut square) = (noise(n, 5), noise(n, 6));
        let (scale, bias) = (noise(n, 7), noise(n, 8));
        let mut row = format!("{m}x{n}x{k}:");
        let mut show = |name: &str, time: f64| {
            row += &format!("  {name} {:.0}", macs / time / 1e9);
        };
        show(
            "moments",
            best(|| {
                let mut finish = StoreMoments {
                    to: &mut to,
                    sum: &mut sum,
                    square: &mut square,
                };
                multiply(isa, (m, n), left, right, &mut finish);
            }),
        );
        show(
            "bias",
            best(|| {
                let mut finish = StoreBias {
                    to: &mut to,
                    bias: &bias,
                    floor: f32::NEG_INFINITY,
                };
                multiply(isa, (m, n), left, right, &mut finish);
            }),
        );
        show(
            "gradient",
            best(|| {
                let mut finish = StoreGradient::<_, false> {
                    to: &mut to,
                    columns: n,
                };
                multiply(isa, (m, n), left, right, &mut finish);
            }),
        );
        show(
            "added",
            best(|| {
                let mut finish = StoreGradient::<_, true> {
                    to: &mut to,
                    columns: n,
                };
                multiply(isa, (m, n), left, right, &mut finish);
            }),
        );
        show(
            "gradient moments",
            best(|| {
                let mut finish = StoreGradientMoments::<_, false> {
                    to: &mut to,
                    z: &z,
                    a: &scale,
                    b: &bias,
                    floor: 0.0,
                    sum: &mut sum,
                    product: &mut square,
                };
                multiply(isa, (m, n), left, right, &mut finish);
            }),
        );
        // Weights: rows are cells.
        let cells = m;
        let (x, dz) = (elements::<E>(cells * k, 1), elements::<E>(cells * n, 2));
        let mut to = noise(k * n, 3);
        show(
            "weights",
            best(|| {
                let mut finish = AddTo {
                    to: &mut to,
                    columns: n,
                };
                multiply(
                    isa,
                    (k, n),
                    Left::transposed(&x, cells / E::GROUP, k),
                    Right::grouped(&dz, n),
                    &mut finish,
                );
            }),
        );
        println!("{row} GMAC/s");
    }
}

fn passes<E: Element>(isa: Isa) {
    for channels in [64, 128] {
        let shape = MapShape {
            channels,
            height: 32,
            width: 32,
        };
        let len = shape.len();
        let (z, dy) = (elements::<E>(len, 1), elements::<E>(len, 2));
        let map = Affine {
            a: noise(channels, 3),
            b: noise(channels, 4),
            floor: 0.0,
        };
        let source = Source {
            data: &z,
            map: &map,
            plain: false,
        };
        let slope = Slope {
            z: &z,
            map: &map,
            p: &map.a,
            q: &map.b,
            r: &map.a,
        };
        let (mut rows, mut grouped) = (dy.clone(), dy.clone());
        let (mut sum, mut square) = (noise(channels, 5), noise(channels, 6));
        let mut row = format!("{channels} channels:");
        let mut show = |name: &str, time: f64| {
            // Nanoseconds for 1000 values.
            row += &format!("  {name} {:.0}", time * 1e12 / len as f64);
        };
        let block = 192 * channels;
        show(
            "activate",
            best(|| {
                for at in (0..len).step_by(block) {
                    let end = (at + block).min(len);
                    norm::activate(isa, source.part(at..end), &mut rows[..end - at]);
                }
            }),
        );
        show(
            "grouped",
            best(|| {
                for at in (0..len).step_by(block) {
                    let end = (at + block).min(len);
                    norm::activate_grouped(isa, source.part(at..end), &mut rows[..end - at]);
                }
            }),
        );
        show(
            "gradient",
            best(|| {
                for at in (0..len).step_by(block) {
                    let end = (at + block).min(len);
                    norm::gradient(
                        isa,
                        &dy[at..end],
                        slope.part(at..end),
                        &mut rows[..end - at],
                        &mut grouped[..end - at],
                    );
                }
            }),
        );
        show(
            "gradient moments",
            best(|| {
                norm::add_gradient_moments(isa, &dy, &z, &map, &mut sum, &mut square);
            }),
        );
        show(
            "add",
            best(|| resample::add(isa, source, source, &mut rows)),
        );
        show(
            "add_assign",
            best(|| resample::add_assign(isa, &mut rows, &dy)),
        );
        let weight = noise(9 * channels, 9);
        show(
            "depthwise",
            best(|| depthwise::convolve(isa, source, &weight, &mut rows, shape)),
        );
        let mut weight_gradient = noise(9 * channels, 10);
        show(
            "depthwise gradients",
            best(|| {
                let listener = Listener {
                    z: &z,
                    map: &map,
                    sum: &mut sum,
                    product: &mut square,
                };
                depthwise::gradients(
                    isa,
                    source,
                    &weight,
                    &dy,
                    &mut weight_gradient,
                    Some((&mut rows, false)),
                    Some(listener),
                    shape,
                    0..32,
                );
            }),
        );
        show(
            "max_pool",
            best(|| resample::max_pool(isa, source, &mut rows[..len / 4], shape)),
        );
        show(
            "max_pool_gradient",
            best(|| {
                resample::max_pool_gradient(isa, source, &dy[..len / 4], &mut rows, shape, true);
            }),
        );
        show(
            "upsample",
            best(|| {
                resample::upsample_add(isa, source.part(0..len / 4), source, &mut rows, shape);
            }),
        );
        println!("{row} ps/value");
    }
}

#[test]
#[ignore = "a measurement, not a test"]
fn kernel_speed() {
    for isa in Isa::available() {
        if std::env::var("ISA").is_ok_and(|name| name != format!("{isa:?}")) {
            continue;
        }
        println!("{isa:?}, f32");
        products::<f32>(isa);
        passes::<f32>(isa);
        println!("{isa:?}, bf16");
        products::<Bf16>(isa);
        passes::<Bf16>(isa);
    }
}
