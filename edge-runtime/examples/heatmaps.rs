//! Runs a model on one picture and writes its heatmaps, for comparison with other engines:
//! `cargo run --release --example heatmaps -- MODEL PIXELS HEATMAPS`.
//!
//! PIXELS holds as many RGB bytes as the model's input has pixels, row by row; HEATMAPS becomes
//! little-endian f32 values, `[keypoints, height, width]`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use edge_runtime::{ModelOptions, PoseModel, Preprocessor};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(Into::into).collect();
    let [model, pixels, heatmaps] = &arguments[..] else {
        return Err("usage: heatmaps MODEL PIXELS HEATMAPS".into());
    };
    let mut model = PoseModel::load(model, &ModelOptions::default())?;
    let mut preprocessor = Preprocessor::new(&model.spec().input)?;
    model.run(preprocessor.normalize(&fs::read(pixels)?)?)?;
    let bytes: Vec<u8> = model.maps().iter().flat_map(|v| v.to_le_bytes()).collect();
    Ok(fs::write(heatmaps, bytes)?)
}
