//! Learning from a larger network's heatmaps (Hinton et al. 2015; for poses Zhang et al. 2019,
//! "Fast Human Pose Estimation").

mod resample;
mod trained;

use std::path::Path;

use hourglass::Batch;
use pose::{KeypointSet, Size};

use crate::device::TrainDevice;
use crate::error::TrainError;
use crate::sample::SampleShape;
use resample::resample;
use trained::Trained;

/// A trained network that gives heatmaps for the crops of a batch.
pub struct Tutor {
    network: Trained,
    /// Per keypoint of the network in training, the tutor's heatmap.
    channels: Vec<Option<usize>>,
    share: f32,
    notes: Vec<String>,
}

impl Tutor {
    /// A checkpoint, or an ONNX file with keypoints of any names: heatmaps are matched by name.
    /// `share` is the tutor's part in the loss, the labels' is the rest.
    ///
    /// Checkpoints run on `device`, ONNX files on `threads` threads of the CPU. The crops of a
    /// batch are resized to the tutor's own input.
    ///
    /// # Errors
    /// A file that cannot be read, a tutor without any of the keypoints, or a share outside 0..1.
    pub fn load(
        path: &Path,
        keypoints: &KeypointSet,
        shape: &SampleShape,
        share: f32,
        device: &TrainDevice,
        threads: usize,
    ) -> Result<Self, TrainError> {
        if !(0.0..=1.0).contains(&share) {
            return Err(TrainError::Setting(format!(
                "the tutor's share of the loss is {share}: must be between 0 and 1"
            )));
        }
        let network = match path.extension().is_some_and(|e| e == "onnx") {
            true => Trained::onnx(path, threads)?,
            false => Trained::checkpoint(path, device, threads)?,
        };
        let channels = keypoints.map_from(&network.keypoints);
        let known = channels.iter().flatten().count();
        if known == 0 {
            return Err(TrainError::Setting(format!(
                "{} has none of the keypoints of the set `{}`",
                path.display(),
                keypoints.name
            )));
        }
        let mut notes = vec![format!(
            "{} teaches {known} of {} keypoints at {}x{}, share {share}",
            path.display(),
            keypoints.len(),
            network.input.width,
            network.input.height
        )];
        notes.extend(misfits(&network, shape));
        Ok(Self {
            network,
            channels,
            share,
            notes,
        })
    }

    /// What the log should say: who teaches what, and what fits badly.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Mixes the tutor's heatmaps into the targets of a batch.
    ///
    /// With m the weight of a label, t its target, s the tutor's heatmap and a the tutor's share,
    /// a target becomes `((1 - a) m t + a s) / w` with the weight `w = (1 - a) m + a`: for squared
    /// errors this has the gradient of `(1 - a) m (y - t)² + a (y - s)²`. Keypoints without a label
    /// (m = 0) learn from the tutor alone; those that it does not know keep their label as it is.
    ///
    /// # Errors
    /// When the tutor cannot run.
    pub fn teach(&mut self, batch: &mut Batch) -> Result<(), TrainError> {
        let maps = self.heatmaps(batch)?;
        let (keypoints, known) = (self.channels.len(), self.network.keypoints.len());
        let cells = batch.height / 4 * (batch.width / 4);
        let share = self.share;
        let pictures = batch
            .targets
            .chunks_exact_mut(cells * keypoints)
            .zip(batch.weights.chunks_exact_mut(keypoints))
            .zip(maps.chunks_exact(cells * known));
        for ((targets, weights), maps) in pictures {
            for (k, channel) in self.channels.iter().enumerate() {
                let Some(channel) = *channel else { continue };
                let label = (1.0 - share) * weights[k];
                let whole = label + share;
                if whole <= 0.0 {
                    continue;
                }
                let cells = targets
                    .chunks_exact_mut(keypoints)
                    .zip(maps.chunks_exact(known));
                for (target, map) in cells {
                    target[k] = (label * target[k] + share * map[channel]) / whole;
                }
                weights[k] = whole;
            }
        }
        Ok(())
    }

    /// The tutor's heatmaps at the batch's heatmap size, `[pictures, rows, columns, keypoints]`.
    fn heatmaps(&mut self, batch: &Batch) -> Result<Vec<f32>, TrainError> {
        let size = |size: Size| (size.height, size.width);
        let crops = (batch.height, batch.width);
        let images = resample(&batch.images, crops, size(self.network.input), 3);
        let found = self.network.heatmaps(images)?;
        let to = (batch.height / 4, batch.width / 4);
        let keypoints = self.network.keypoints.len();
        Ok(resample(&found, size(self.network.maps), to, keypoints))
    }
}

/// What a network was trained on otherwise than the samples that it is to teach on.
fn misfits(network: &Trained, shape: &SampleShape) -> Vec<String> {
    let mut notes = Vec::new();
    let cells = shape.input.height as f32 / shape.stride as f32;
    let own = shape.sigma / cells;
    let ratio = network
        .sigma
        .map(|sigma| sigma / network.maps.height as f32 / own);
    if let Some(ratio) = ratio.filter(|ratio| !(0.8..=1.25).contains(ratio)) {
        notes.push(format!(
            "the tutor's peaks are {ratio:.2} times as wide as the labels'; --sigma {:.2} would \
             make them equal",
            shape.sigma * ratio
        ));
    }
    if (network.margin / shape.margin - 1.0).abs() > 0.1 {
        notes.push(format!(
            "the tutor was trained on crops of {} times the person's box, these are {}",
            network.margin, shape.margin
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::checkpoint::CheckpointInfo;
    use crate::export::{ExportNotes, export};
    use crate::random::Draw;
    use crate::sample::{MEAN, STD};
    use hourglass::{Engine, HourglassConfig, Loss, random_weights};

    const SHAPE: SampleShape = SampleShape {
        input: Size {
            width: 64,
            height: 64,
        },
        stride: 4,
        sigma: 1.5,
        margin: 1.25,
    };

    fn checkpoint(keypoints: &str, side: usize, seed: u64) -> Checkpoint {
        let set = KeypointSet::builtin(keypoints).unwrap();
        let network = HourglassConfig {
            stacks: 1,
            channels: 16,
            ..HourglassConfig::tiny(set.len())
        };
        let mut draw = Draw::new(seed, [0, 0]);
        let weights = random_weights(&network.graph(), &mut || draw.normal());
        Checkpoint {
            info: CheckpointInfo {
                network,
                keypoints: set,
                input: [side, side],
                sigma: 1.5,
                margin: 1.25,
                step: 0,
                samples: 0,
                epoch_samples: 1,
                best: 0.0,
                data: Vec::new(),
            },
            weights,
        }
    }

    fn batch(pictures: usize, keypoints: usize) -> Batch {
        let mut draw = Draw::new(9, [1, 2]);
        let mut some =
            |count: usize| -> Vec<f32> { (0..count).map(|_| draw.uniform(-1.0, 1.0)).collect() };
        Batch {
            pictures,
            height: 64,
            width: 64,
            images: some(pictures * 64 * 64 * 3),
            targets: some(pictures * 16 * 16 * keypoints),
            weights: (0..pictures * keypoints)
                .map(|i| [1.0, 0.0, 0.3, 1.0][i % 4])
                .collect(),
        }
    }

    fn tutor(path: &Path, keypoints: &KeypointSet, share: f32) -> Tutor {
        Tutor::load(path, keypoints, &SHAPE, share, &TrainDevice::Cpu, 2).unwrap()
    }

    /// The mixed targets have the gradient of the mixed losses: labels with 1 - a, heatmaps of the
    /// tutor with a.
    #[test]
    fn mixed_targets_have_the_gradient_of_mixed_losses() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tutor.safetensors");
        let teacher = checkpoint("mpii", 64, 1);
        teacher.save(&path).unwrap();
        let share = 0.3;
        let plain = batch(3, 16);
        let mut mixed = plain.clone();
        tutor(&path, &KeypointSet::mpii(), share)
            .teach(&mut mixed)
            .unwrap();
        let graph = teacher.info.network.graph();
        let taught = Batch {
            targets: Engine::new(graph, 1).forward(&teacher.weights, &plain.images, (64, 64)),
            weights: vec![1.0; plain.weights.len()],
            ..plain.clone()
        };
        let student = checkpoint("mpii", 64, 2);
        let mut engine = Engine::new(student.info.network.graph(), 1);
        let mut gradients = |batch: &Batch| {
            let step = engine.step(&student.weights, batch, Loss::default());
            let weights = step.gradients.into_iter().flat_map(|g| g.weight);
            weights.collect::<Vec<f32>>()
        };
        let (found, labels, tutor) = (gradients(&mixed), gradients(&plain), gradients(&taught));
        let size = found.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        for ((found, label), tutor) in found.iter().zip(&labels).zip(&tutor) {
            let expected = (1.0 - share) * label + share * tutor;
            assert!((found - expected).abs() < 1e-4 * size, "{found} {expected}");
        }
    }

    /// A tutor with other keypoints teaches those that both have, and fills missing labels.
    #[test]
    fn keypoints_are_matched_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tutor.safetensors");
        let teacher = checkpoint("lsp", 64, 1);
        teacher.save(&path).unwrap();
        let (mpii, lsp) = (KeypointSet::mpii(), KeypointSet::lsp());
        let plain = batch(2, 16);
        let mut mixed = plain.clone();
        let mut tutor = tutor(&path, &mpii, 1.0);
        assert!(tutor.notes()[0].contains("14 of 16"), "{:?}", tutor.notes());
        tutor.teach(&mut mixed).unwrap();
        let graph = teacher.info.network.graph();
        let maps = Engine::new(graph, 1).forward(&teacher.weights, &plain.images, (64, 64));
        let size = maps.iter().fold(1.0f32, |m, v| m.max(v.abs()));
        for (k, name) in mpii.keypoints.iter().enumerate() {
            let of_lsp = lsp.index_of(name);
            for cell in 0..2 * 16 * 16 {
                let found = mixed.targets[cell * 16 + k];
                let expected = match of_lsp {
                    Some(channel) => maps[cell * 14 + channel],
                    None => plain.targets[cell * 16 + k],
                };
                assert!(
                    (found - expected).abs() <= 1e-5 * size,
                    "{name}: {found} {expected}"
                );
            }
            for picture in 0..2 {
                let (found, label) = (
                    mixed.weights[picture * 16 + k],
                    plain.weights[picture * 16 + k],
                );
                let expected = if of_lsp.is_some() { 1.0 } else { label };
                assert_eq!(found, expected, "{name}");
            }
        }
    }

    /// An exported file teaches what its checkpoint teaches, also at another input size.
    #[test]
    fn files_teach_as_checkpoints_do() {
        let folder = tempfile::tempdir().unwrap();
        for side in [64, 96] {
            let teacher = checkpoint("mpii", side, 3);
            let (path, onnx) = (
                folder.path().join("tutor.safetensors"),
                folder.path().join("tutor.onnx"),
            );
            teacher.save(&path).unwrap();
            let notes = ExportNotes {
                name: "tutor".to_owned(),
                ..ExportNotes::default()
            };
            export(&teacher, &notes).unwrap().save(&onnx).unwrap();
            // Pictures of whole bytes, or rounding would differ.
            let mut plain = batch(3, 16);
            for value in &mut plain.images {
                *value = ((*value * 100.0).round() - MEAN + 100.0) / STD;
            }
            let taught = |path: &Path| {
                let mut mixed = plain.clone();
                tutor(path, &KeypointSet::mpii(), 0.5)
                    .teach(&mut mixed)
                    .unwrap();
                mixed
            };
            let (a, b) = (taught(&path), taught(&onnx));
            assert_eq!(a.weights, b.weights);
            // Enlarged pictures are rounded to bytes for the file.
            let bound = if side == 64 { 1e-4 } else { 0.1 };
            let size = a.targets.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            for (a, b) in a.targets.iter().zip(&b.targets) {
                assert!((a - b).abs() < bound * size, "{side}: {a} {b}");
            }
        }
    }

    #[test]
    fn a_tutor_that_fits_badly_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tutor.safetensors");
        let mut teacher = checkpoint("mpii", 64, 1);
        teacher.info.sigma = 3.0;
        teacher.info.margin = 1.6;
        teacher.save(&path).unwrap();
        let notes = tutor(&path, &KeypointSet::mpii(), 0.5).notes().join("\n");
        assert!(notes.contains("2.00 times as wide") && notes.contains("--sigma 3.00"));
        assert!(notes.contains("1.6 times"), "{notes}");
        let load = |set: &KeypointSet, share| {
            Tutor::load(&path, set, &SHAPE, share, &TrainDevice::Cpu, 1)
                .err()
                .map(|error| error.to_string())
        };
        let mut other = KeypointSet::mpii();
        other.keypoints = vec!["tail".to_owned()];
        assert!(load(&other, 0.5).is_some_and(|e| e.contains("none of the keypoints")));
        assert!(load(&KeypointSet::mpii(), 1.5).is_some_and(|e| e.contains("share")));
    }
}
