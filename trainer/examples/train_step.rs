//! Times whole training steps, optimizer included:
//! `cargo run --release --example train_step -- tiny 128 32 2 10 cpu bf16` (network, side of the
//! picture, batch size, threads, steps, device, format of maps) prints one line of JSON with
//! samples/s by the median step.
//!
//! burn's own CPU backend, device `flex`, takes its threads from `RAYON_NUM_THREADS`.

use std::error::Error;
use std::time::Instant;

use hourglass::{Batch, HourglassConfig, Loss, Precision, random_weights};
use trainer::{OptimizerKind, OptimizerSettings, Stepper, TrainDevice};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let text = |i: usize, default: &'static str| args.get(i).map_or(default, String::as_str);
    let network = |name: &str| match name {
        "full" => Ok(HourglassConfig::full(16)),
        "mobile" => Ok(HourglassConfig::mobile(16)),
        "tiny" => Ok(HourglassConfig::tiny(16)),
        _ => Err(format!(
            "unknown network `{name}`; expected tiny, mobile or full"
        )),
    };
    let graph = network(text(0, "tiny"))?.graph();
    let (side, pictures): (usize, usize) = (text(1, "128").parse()?, text(2, "32").parse()?);
    let (threads, steps): (usize, usize) = (text(3, "2").parse()?, text(4, "10").parse()?);
    let device: TrainDevice = text(5, "cpu").parse()?;
    let precision = match args.get(6) {
        Some(name) => name.parse()?,
        None => Precision::fastest(),
    };

    let mut state = 1u64;
    let mut noise = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
        ((state >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 3.4
    };
    let weights = random_weights(&graph, &mut noise);
    let cells = side * side / 16;
    let batch = Batch {
        pictures,
        height: side,
        width: side,
        images: (0..pictures * side * side * 3).map(|_| noise()).collect(),
        targets: (0..pictures * cells * 16)
            .map(|_| noise().abs() / 4.0)
            .collect(),
        weights: vec![1.0; pictures * 16],
    };
    let optimizer = OptimizerSettings::new(OptimizerKind::Adam);
    let mut stepper = Stepper::new(&graph, weights, &optimizer, &device, threads)?;
    stepper = stepper.with_precision(precision);
    // The first steps find their memory.
    let mut last = 0.0;
    let mut times: Vec<f64> = (0..steps + 2)
        .map(|_| {
            let start = Instant::now();
            last = stepper.step(&batch, Loss::default(), 1e-3);
            start.elapsed().as_secs_f64()
        })
        .skip(2)
        .collect();
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let result = serde_json::json!({
        "network": text(0, "tiny"), "side": side, "batch": pictures, "threads": threads,
        "device": device.to_string(), "precision": precision.to_string(), "last_loss": last,
        "step_ms": median * 1e3, "best_ms": times[0] * 1e3,
        "samples_per_second": pictures as f64 / median,
    });
    println!("{result}");
    Ok(())
}
