//! Times training steps: `cargo run --release -p hourglass --example step -- tiny 128 32 2 10 bf16`
//! (variant, side of the picture, batch size, threads, steps, format of maps).

use hourglass::{Batch, Engine, HourglassConfig, Loss, Precision, random_weights};
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |i: usize, default: usize| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let config = match args.first().map(String::as_str) {
        Some("full") => HourglassConfig::full(16),
        Some("mobile") => HourglassConfig::mobile(16),
        _ => HourglassConfig::tiny(16),
    };
    let (side, pictures, threads, steps) =
        (number(1, 128), number(2, 32), number(3, 2), number(4, 10));
    let mut state = 1u64;
    let mut noise = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
        ((state >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 3.4
    };
    let graph = config.graph();
    let weights = random_weights(&graph, &mut noise);
    let cells = side * side / 16;
    let batch = Batch {
        pictures,
        height: side,
        width: side,
        images: (0..pictures * side * side * 3).map(|_| noise()).collect(),
        targets: vec![0.0; pictures * cells * 16],
        weights: vec![1.0; pictures * 16],
    };
    let precision = match args.get(5).map(|name| name.parse()) {
        Some(Ok(precision)) => precision,
        _ => Precision::fastest(),
    };
    let mut engine = Engine::with_precision(graph, threads, precision);
    // The first step finds its memory.
    let loss = engine.step(&weights, &batch, Loss::default()).loss;
    let mut times: Vec<[f64; 2]> = (0..steps)
        .map(|_| {
            let (start, cpu) = (Instant::now(), cpu_seconds());
            std::hint::black_box(engine.step(&weights, &batch, Loss::default()));
            [start.elapsed().as_secs_f64(), cpu_seconds() - cpu]
        })
        .collect();
    let mut sorted = |which: usize| {
        times.sort_by(|a, b| a[which].total_cmp(&b[which]));
        [times[0][which], times[times.len() / 2][which]]
    };
    let ([least, median], [least_cpu, median_cpu]) = (sorted(0), sorted(1));
    println!(
        "{precision}: loss {loss:.4}  step median {:.1} ms, best {:.1} ms, of CPU time {:.1} and \
         {:.1} ms  {:.1} samples/s",
        median * 1e3,
        least * 1e3,
        median_cpu * 1e3,
        least_cpu * 1e3,
        pictures as f64 / median
    );
}

/// What all threads have computed since the program began, where the system tells.
fn cpu_seconds() -> f64 {
    #[cfg(target_os = "linux")]
    {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the pointer is to a value of the type that the call fills in.
        unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    }
    #[cfg(not(target_os = "linux"))]
    f64::NAN
}
