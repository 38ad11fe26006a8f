//! Who is trained on.

use clap::Args;
use pose::KeypointSet;

use crate::data_spec::DataSpec;
use crate::teaching::Teaching;

/// Who is trained on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Data")]
pub struct DataOptions {
    /// Annotated people to train on: KIND:PATH[?OPTIONS][#[!]K/N][*REPEAT], where KIND is lsp,
    /// lspet, annotations or coco, #K/N takes every N-th person and *REPEAT takes each several
    /// times an epoch. May be given several times.
    #[arg(long, required = true, value_name = "SPEC")]
    pub data: Vec<DataSpec>,
    /// Annotated people to choose the best checkpoint by, in the same form.
    #[arg(long, required = true, value_name = "SPEC")]
    pub validate: Vec<DataSpec>,
    /// Predictions of another network on training photos (CSV with NAME_x, NAME_y, NAME_score and
    /// NAME_flip_px columns): labels that it surely contradicts weigh less, missing ones are taken
    /// over; with `,swaps`, left and right are swapped back where it is sure. May be given for
    /// several data sets.
    #[arg(long, value_name = "DATASET=FILE[,swaps]")]
    pub teacher: Vec<Teaching>,
    /// Keypoint set of the heatmaps: mpii, coco, lsp or animal_pose.
    #[arg(long, default_value = "mpii", value_parser = parse_keypoints)]
    pub keypoints: KeypointSet,
}

/// A built-in keypoint set.
///
/// # Errors
/// Another name.
pub fn parse_keypoints(name: &str) -> Result<KeypointSet, String> {
    KeypointSet::builtin(name).ok_or_else(|| {
        format!("no keypoint set `{name}`; there are mpii, coco, lsp and animal_pose")
    })
}
