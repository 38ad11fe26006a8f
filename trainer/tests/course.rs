//! Trainings that are interrupted, and trainings that go wrong.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use clap::Parser;
use image::{Rgb, RgbImage};
use tempfile::TempDir;
use trainer::{TrainError, TrainOptions, TrainOutcome, TrainingState, train};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: TrainOptions,
}

/// Twelve people of coloured noise, of whom three are for validation.
fn people() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("images")).unwrap();
    let mut records = Vec::new();
    for person in 0..12u32 {
        let name = format!("{person}.png");
        let photo = RgbImage::from_fn(72, 72, |x, y| {
            let v = (x * 7 + y * 13 + person * 29) ^ (x * y);
            Rgb([v as u8, (v / 3) as u8, (x * 3) as u8])
        });
        photo
            .save(folder.path().join("images").join(&name))
            .unwrap();
        let joints: Vec<[f32; 3]> = (0..16)
            .map(|joint| {
                let angle = joint as f32 + person as f32 * 0.4;
                [36.0 + 24.0 * angle.cos(), 36.0 + 24.0 * angle.sin(), 1.0]
            })
            .collect();
        records.push(serde_json::json!({
            "dataset": "MPI", "isValidation": f32::from(person % 4 == 0), "img_paths": name,
            "objpos": [36.0, 36.0], "joint_self": joints, "scale_provided": 0.3,
        }));
    }
    let text = serde_json::to_vec(&records).unwrap();
    std::fs::write(folder.path().join("annotations.json"), text).unwrap();
    folder
}

/// Nine people to train on are three batches of three an epoch.
fn run(data: &Path, output: &Path, options: &str) -> Result<TrainOutcome, TrainError> {
    let data = data.display();
    let line = format!(
        "line --data annotations:{data}?split=train --validate annotations:{data}?split=validation \
         --output {} --stacks 1 --channels 8 --mobile --input 32x32 --batch 3 --threads 2 \
         --epochs 4 --no-tensorboard --plain {options}",
        output.display()
    );
    let options = Line::try_parse_from(line.split_whitespace())
        .unwrap()
        .options;
    train(&options.settings()?)
}

#[test]
fn resumed_trainings_end_with_the_same_bits() {
    let data = people();
    let folder = tempfile::tempdir().unwrap();
    let courses = [
        "--warmup 2",
        "--warmup 2 --optimizer adamw --clip-norm 0.01 --augmentation strong --loss huber --loss-delta 0.1",
        "--optimizer sgd --nesterov --weight-decay 1e-3 --accumulate 2 --schedule milestones \
         --milestones 1,60% --loss weighted-mse",
        "--optimizer sgd --momentum 0 --schedule exponential --loss mae --average 0",
        "--warmup 3 --optimizer rmsprop --momentum 0.5 --centered --schedule polynomial --loss iou \
         --hard-keypoints 5",
        "--optimizer rmsprop --device flex --accumulate 2 --clip-norm 1",
    ];
    for (number, course) in courses.into_iter().enumerate() {
        let part = |name: &str| folder.path().join(format!("{number}-{name}"));
        let (whole, halves) = (part("whole"), part("halves"));
        let outcome = run(data.path(), &whole, course).unwrap();
        // The interruption is in the middle of an epoch.
        let middle = outcome.steps / 2 + 1;
        let first = run(
            data.path(),
            &halves,
            &format!("{course} --stop-after {middle}"),
        )
        .unwrap();
        assert_eq!(first.steps, middle);
        let second = run(data.path(), &halves, &format!("{course} --resume")).unwrap();
        assert_eq!(second.steps, outcome.steps);
        let state = |path: &Path| TrainingState::load(path).unwrap();
        let (whole, halves) = (state(&whole), state(&halves));
        assert_eq!(whole.info.step, outcome.steps, "{course}");
        assert_eq!(whole.info.samples, halves.info.samples, "{course}");
        assert!(whole.weights == halves.weights, "{course}: other weights");
        assert!(whole.average == halves.average, "{course}: another average");
        let averaged = !course.contains("--average 0");
        assert!((whole.weights != whole.average) == averaged, "{course}");
    }
}

/// A folder of version 0.1 has its parts in files of their own.
#[test]
fn a_training_of_the_first_version_goes_on() {
    let data = people();
    let folder = tempfile::tempdir().unwrap();
    let part = |name: &str| folder.path().join(name);
    run(data.path(), &part("whole"), "").unwrap();
    run(data.path(), &part("old"), "--stop-after 5").unwrap();
    let state = TrainingState::load(&part("old")).unwrap();
    std::fs::write(part("old/optimizer.bpk"), &state.optimizer).unwrap();
    std::fs::remove_file(part("old/state.safetensors")).unwrap();
    run(data.path(), &part("old"), "--resume").unwrap();
    let whole = TrainingState::load(&part("whole")).unwrap();
    let old = TrainingState::load(&part("old")).unwrap();
    assert!(whole.weights == old.weights && whole.average == old.average);
    assert!(!part("old/optimizer.bpk").exists());
}

#[test]
fn a_loss_that_is_no_number_ends_the_training_and_names_the_batch() {
    let data = people();
    let folder = tempfile::tempdir().unwrap();
    for (number, options) in ["", "--accumulate 2", "--device flex --accumulate 2"]
        .into_iter()
        .enumerate()
    {
        let output = folder.path().join(number.to_string());
        let options = format!("{options} --learning-rate 1e30 --warmup 0 --optimizer sgd");
        let error = run(data.path(), &output, &options).unwrap_err();
        let TrainError::Diverged { step, samples, .. } = &error else {
            panic!("{error}");
        };
        // Three people of the data set, by name.
        assert!(*step < 6, "{error}");
        assert_eq!(samples.split(", ").count(), 3, "{error}");
        let text = error.to_string();
        assert!(
            text.contains(".png") && text.contains("--learning-rate"),
            "{text}"
        );
        // Nothing of it is kept to go on from.
        assert!(!output.join("state.safetensors").exists());
    }
}

#[test]
fn numbers_without_a_meaning_are_refused() {
    let data = people();
    let folder = tempfile::tempdir().unwrap();
    for (options, word) in [
        ("--accumulate 0", "1 batch"),
        ("--clip-norm 0", "shortened to 0"),
        ("--momentum 1", "momentum 1"),
        ("--vertical-flip 0.5", "vertical flip"),
        ("--flip 2", "flip 2"),
        ("--keypoint-weights tail=2", "tail"),
        ("--hard-keypoints 17", "17 hard keypoints"),
        ("--loss iou --foreground 2", "iou"),
        ("--schedule milestones", "milestone"),
        ("--milestones 3", "--milestones"),
    ] {
        let error = run(data.path(), folder.path(), options).unwrap_err();
        assert!(matches!(error, TrainError::Setting(_)), "{error}");
        assert!(error.to_string().contains(word), "{options}: {error}");
    }
}
