//! The raw heatmaps of a model, to compare the engine with other runtimes.
//!
//! ```sh
//! cargo run --release -p edge-runtime --example heatmaps -- MODEL.onnx CROP.rgb HEATMAPS.f32
//! ```
//!
//! `CROP.rgb` holds the pixels of one network input as they come from the crop, RGB bytes, height ×
//! width × 3; `HEATMAPS.f32` gets keypoints × rows × columns little-endian floats.

use anyhow::{Context, bail};
use edge_runtime::{ModelOptions, PoseModel, Preprocessor};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, crop, out] = arguments.as_slice() else {
        bail!("expected three files: MODEL.onnx CROP.rgb HEATMAPS.f32");
    };
    let mut model = PoseModel::load(model, &ModelOptions::default())?;
    let mut preprocessor = Preprocessor::new(&model.spec().input)?;
    let pixels = std::fs::read(crop).with_context(|| format!("cannot read {crop}"))?;
    model.run(preprocessor.normalize(&pixels)?)?;
    let bytes: Vec<u8> = model.maps().iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(out, bytes).with_context(|| format!("cannot write {out}"))
}
