//! `edge-runtime inspect`

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use edge_runtime::{inspect, inspect_bytes};

use super::shipped;

/// What is asked about a model file.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  edge-runtime inspect models/tiny.onnx")]
pub struct InspectArgs {
    /// ONNX file [default: the model inside the program]
    model: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl InspectArgs {
    pub fn execute(self) -> anyhow::Result<()> {
        let inspection = match &self.model {
            Some(path) => inspect(path)?,
            None => inspect_bytes(shipped::model()?, shipped::MODEL_LABEL)?,
        };
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&inspection)?)?;
        } else {
            write!(out, "{inspection}")?;
        }
        Ok(())
    }
}
