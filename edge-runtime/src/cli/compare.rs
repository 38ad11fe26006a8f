//! `edge-runtime compare`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use edge_runtime::{Estimator, EstimatorSettings, RuntimeError, load_photo, load_pose_lines};
use pose::{CompareSettings, Comparison, JointAngle, Pose, RgbView, compare_poses, joint_angles};
use serde_json::json;

use super::model_args::ModelArgs;
use super::values::fraction;

/// What is compared, and how.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  edge-runtime compare me.jpg teacher.jpg
  edge-runtime compare me.jpg lesson.jsonl             the moment of the lesson that is most like it
  edge-runtime compare mine.jsonl teacher.jpg --json

JSON lines are those of `edge-runtime run --jsonl`.")]
pub struct CompareArgs {
    /// Photo (JPEG, PNG) or JSON lines (.json, .jsonl); of several lines the first
    pose: PathBuf,
    /// Photo or JSON lines to compare with; of several lines the one most like the pose
    reference: PathBuf,
    /// Print one line of JSON instead of a table
    #[arg(long)]
    json: bool,
    /// By how many degrees the reference may be turned to fit
    #[arg(long, value_name = "DEGREES", default_value_t = 180.0)]
    max_rotation: f32,
    /// Limbs that are off by fewer degrees get no hint
    #[arg(long, value_name = "DEGREES", default_value_t = 15.0)]
    least_hint: f32,
    /// Keypoints of at least this confidence count
    #[arg(long, value_name = "PART", default_value_t = 0.2, value_parser = fraction)]
    min_confidence: f32,
    #[command(flatten)]
    model: ModelArgs,
}

impl CompareArgs {
    pub fn execute(self) -> anyhow::Result<()> {
        let mut estimator = Estimator::new(self.model.load()?, EstimatorSettings::default())?;
        let pose = poses_of(&self.pose, &mut estimator)?.swap_remove(0);
        let references = poses_of(&self.reference, &mut estimator)?;
        let set = &estimator.spec().keypoints;
        let settings = CompareSettings {
            min_confidence: self.min_confidence,
            max_rotation: self.max_rotation.to_radians(),
            least_hint: self.least_hint,
            ..CompareSettings::default()
        };
        let compared = references.iter().enumerate().filter_map(|(k, reference)| {
            Some((k, compare_poses(&pose, reference, set, &settings)?))
        });
        let best = compared.max_by(|a, b| a.1.score.total_cmp(&b.1.score));
        let Some((index, comparison)) = best else {
            anyhow::bail!(
                "{} and {} cannot be compared: expected at least four keypoints of confidence {} \
                 in both",
                self.pose.display(),
                self.reference.display(),
                self.min_confidence
            );
        };
        let minimum = self.min_confidence;
        let angles = joint_angles(&pose, set, minimum);
        let wanted = references
            .get(index)
            .map_or_else(Vec::new, |reference| joint_angles(reference, set, minimum));
        let mut out = io::stdout().lock();
        if self.json {
            let line = self.record(index, &comparison, &angles, &wanted);
            writeln!(out, "{line}")?;
            return Ok(());
        }
        writeln!(out, "score {:.2}", comparison.score)?;
        if references.len() > 1 {
            writeln!(out, "most like pose {} of {}", index + 1, references.len())?;
        }
        for hint in &comparison.hints {
            writeln!(out, "{hint}")?;
        }
        writeln!(out, "{:<16}{:>8}{:>11}", "joint", "degrees", "reference")?;
        let degrees = |angle: &JointAngle| angle.degrees.map_or("-".into(), |d| format!("{d:.0}"));
        for (here, there) in angles.iter().zip(&wanted) {
            writeln!(
                out,
                "{:<16}{:>8}{:>11}",
                here.name,
                degrees(here),
                degrees(there)
            )?;
        }
        Ok(())
    }

    fn record(
        &self,
        index: usize,
        comparison: &Comparison,
        angles: &[JointAngle],
        wanted: &[JointAngle],
    ) -> serde_json::Value {
        let hint = |h: &pose::LimbHint| json!({"limb": h.limb, "degrees": h.degrees, "text": h.to_string()});
        let joint = |(here, there): (&JointAngle, &JointAngle)| json!({"name": here.name, "degrees": here.degrees, "reference": there.degrees});
        json!({
            "pose": self.pose.display().to_string(),
            "reference": self.reference.display().to_string(),
            "reference_pose": index,
            "score": comparison.score,
            "hints": comparison.hints.iter().map(hint).collect::<Vec<_>>(),
            "angles": angles.iter().zip(wanted).map(joint).collect::<Vec<_>>(),
        })
    }
}

/// The poses of a photo or of a file of JSON lines, at least one.
fn poses_of(path: &Path, estimator: &mut Estimator) -> Result<Vec<Pose>, RuntimeError> {
    let ending = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    if matches!(ending, "json" | "jsonl" | "ndjson") {
        let lines = load_pose_lines(path, &estimator.spec().keypoints)?;
        if lines.is_empty() {
            return Err(RuntimeError::Usage(format!(
                "{}: expected at least one line with a pose, found none",
                path.display()
            )));
        }
        return Ok(lines.into_iter().map(|line| line.pose).collect());
    }
    let photo = load_photo(path)?;
    let view = RgbView::new(
        photo.as_raw(),
        photo.width() as usize,
        photo.height() as usize,
    );
    Ok(vec![estimator.estimate(&view, None)?.pose])
}
