//! Writes what another program needs to check the gradients of whole small networks:
//! `cargo run --release -p hourglass --example dump_gradients -- FOLDER`, then
//! `python tests/tools/gradients.py FOLDER`.
//!
//! One folder for each network, with `case.json` (configuration, graph, batch size, loss) and raw
//! little-endian f32 files: `weights.f32` and `gradients.f32` with weight, bias, gamma and beta of
//! every layer in turn, as far as it has them; `gradients-bf16.f32` the same in bf16; `images.f32` `[pictures, height, width, 3]`,
//! `targets.f32` `[pictures, height / 4, width / 4, keypoints]`, `masks.f32`
//! `[pictures, keypoints]`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use hourglass::{
    Batch, Engine, Form, HourglassConfig, LayerGradient, LayerWeights, Loss, NormWeights,
    Precision, Residual, StepResult, random_weights,
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or("usage: dump_gradients FOLDER")?;
    for mobile in [false, true] {
        for (form, residual) in [
            (Form::Lean, Residual::Linear),
            (Form::Lean, Residual::Relu),
            (Form::Classic, Residual::Linear),
            (Form::Classic, Residual::Relu),
        ] {
            let config = HourglassConfig {
                stacks: 2,
                channels: 16,
                mobile,
                keypoints: 5,
                form,
                residual,
                ..HourglassConfig::full(5)
            };
            let kind = if mobile { "mobile" } else { "full" };
            let name = format!("{kind}-{form:?}-{residual:?}").to_lowercase();
            dump(&config, &folder.join(&name))?;
            println!("{name}");
        }
    }
    Ok(())
}

fn dump(config: &HourglassConfig, folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let mut next = normal(7);
    let graph = config.graph();
    let mut weights = random_weights(&graph, &mut next);
    // Away from the start, where some terms of the gradients vanish.
    for layer in &mut weights {
        let norm = layer.norm.as_mut();
        if let Some(norm) = norm {
            norm.gamma.iter_mut().for_each(|v| *v += 0.2 * next());
            norm.beta.iter_mut().for_each(|v| *v = 0.2 * next());
        }
        let bias = layer.bias.iter_mut().flatten();
        bias.for_each(|v| *v = 0.2 * next());
    }
    let (pictures, height, width) = (4, 96, 64);
    let mut some = |len: usize| (0..len).map(|_| next()).collect::<Vec<f32>>();
    let batch = Batch {
        pictures,
        height,
        width,
        images: some(pictures * height * width * 3),
        targets: some(pictures * height * width / 16 * config.keypoints)
            .iter()
            .map(|v| v.abs().min(1.0))
            .collect(),
        weights: (0..pictures * config.keypoints)
            .map(|i| [1.0, 0.0, 0.3][i % 3])
            .collect(),
    };
    // Both forms of the loss.
    let foreground = match config.residual {
        Residual::Linear => 0.0,
        Residual::Relu => 4.0,
    };
    // One worker: every normalization is over the whole batch.
    let step = |precision| {
        Engine::with_precision(graph.clone(), 1, precision).step(
            &weights,
            &batch,
            Loss {
                foreground,
                ..Loss::default()
            },
        )
    };
    let result = step(Precision::F32);

    let case = serde_json::json!({
        "config": config, "graph": graph, "pictures": pictures, "height": height, "width": width,
        "foreground": foreground, "loss": result.loss,
    });
    fs::write(folder.join("case.json"), serde_json::to_vec(&case)?)?;
    let write = |name: &str, values: &[f32]| {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        fs::write(folder.join(name), bytes)
    };
    let flat = |w: &LayerWeights| concat(&w.weight, &w.bias, &w.norm);
    write(
        "weights.f32",
        &weights.iter().flat_map(flat).collect::<Vec<_>>(),
    )?;
    let flat = |g: &LayerGradient| concat(&g.weight, &g.bias, &g.norm);
    let gradients =
        |result: &StepResult| result.gradients.iter().flat_map(flat).collect::<Vec<_>>();
    write("gradients.f32", &gradients(&result))?;
    write("gradients-bf16.f32", &gradients(&step(Precision::Bf16)))?;
    write("images.f32", &batch.images)?;
    write("targets.f32", &batch.targets)?;
    write("masks.f32", &batch.weights)?;
    Ok(())
}

fn concat(weight: &[f32], bias: &Option<Vec<f32>>, norm: &Option<NormWeights>) -> Vec<f32> {
    let norm = norm.iter().flat_map(|n| n.gamma.iter().chain(&n.beta));
    let rest = bias.iter().flatten().chain(norm);
    weight.iter().chain(rest).copied().collect()
}

/// Roughly normal numbers: sums of four uniform ones.
fn normal(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        let mut sum = 0.0;
        for _ in 0..4 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sum += (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
        }
        sum * 3f32.sqrt()
    }
}
