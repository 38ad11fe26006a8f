//! Who is trained on.

use std::path::Path;

use clap::Args;
use dataset::read_names;
use pose::KeypointSet;

use crate::data_spec::DataSpec;
use crate::teaching::Teaching;

/// Who is trained on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Data")]
pub struct DataOptions {
    /// Annotated people to train on: KIND:PATH[?OPTIONS][#[!]K/N][*REPEAT], where KIND is
    /// annotations, coco, csv, labelme, yolo, animal-pose, lsp, lspet, mpii, mpii-h5 or htf (see
    /// docs/data.md), #K/N takes every N-th person and *REPEAT takes each several times an epoch.
    /// May be given several times.
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
    /// Keypoint set of the heatmaps: mpii, coco, lsp, animal_pose, or a file of names, one a line;
    /// beside NAME_classes.txt are read NAME_match_point.txt and NAME_skeleton.txt.
    #[arg(long, value_name = "SET|FILE", default_value = "mpii", value_parser = parse_keypoints)]
    pub keypoints: KeypointSet,
}

/// A built-in keypoint set, or one from a file of names and the files beside it.
///
/// # Errors
/// Neither; or what is wrong with the files.
pub fn parse_keypoints(text: &str) -> Result<KeypointSet, String> {
    if let Some(set) = KeypointSet::builtin(text) {
        return Ok(set);
    }
    let path = Path::new(text);
    if !path.is_file() {
        return Err(format!(
            "no keypoint set and no file `{text}`; there are {}",
            KeypointSet::BUILTIN.join(", ")
        ));
    }
    read_names(path).map_err(|error| error.to_string())
}
