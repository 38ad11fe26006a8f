//! `edge-runtime cameras`

use std::io::{self, Write};

use clap::Args;
use edge_runtime::{CameraInfo, CameraRates, CameraSize, list_cameras};

/// How the cameras are listed.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  edge-runtime cameras --json | jq '.[].name'")]
pub struct CamerasArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl CamerasArgs {
    pub fn execute(self) -> anyhow::Result<()> {
        let cameras = list_cameras()?;
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&cameras)?)?;
            return Ok(());
        }
        if cameras.is_empty() {
            writeln!(
                out,
                "no camera found: there is no /dev/video* that gives frames; is it plugged in?"
            )?;
        }
        for camera in &cameras {
            print(&mut out, camera)?;
        }
        Ok(())
    }
}

fn print(out: &mut impl Write, camera: &CameraInfo) -> io::Result<()> {
    let path = camera.path.display();
    writeln!(
        out,
        "{}  {}  {path}  {}",
        camera.index, camera.name, camera.bus
    )?;
    if let Some(problem) = &camera.problem {
        writeln!(out, "   {problem}")?;
    }
    for format in &camera.formats {
        let name = format.name.as_deref().unwrap_or("not read by this program");
        writeln!(out, "   {}  {name}", format.fourcc)?;
        if let Some(range) = format.range {
            let ((w0, h0), (w1, h1)) = (range.min, range.max);
            writeln!(out, "      every size from {w0}x{h0} to {w1}x{h1}, such as")?;
        }
        for CameraSize {
            width,
            height,
            rates,
        } in &format.sizes
        {
            let size = format!("{width}x{height}");
            writeln!(out, "      {size:<11}{}", rates_text(rates))?;
        }
    }
    Ok(())
}

/// `30, 15, 7.5 fps`
fn rates_text(rates: &CameraRates) -> String {
    let number = |rate: f64| {
        let rounded = format!("{rate:.2}");
        rounded
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_string()
    };
    match rates {
        CameraRates::Unknown => "any rate".into(),
        CameraRates::Some(rates) => {
            let rates: Vec<String> = rates.iter().map(|r| number(*r)).collect();
            format!("{} fps", rates.join(", "))
        }
        CameraRates::Range(low, high) => format!("{} to {} fps", number(*low), number(*high)),
    }
}
