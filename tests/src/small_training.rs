//! A training that takes seconds: rendered people, a very small network.

use synth::{BuiltIn, DatasetOptions, Format, SceneOptions, Target, write_dataset};

use crate::desk::Desk;

/// Pictures in a data set; every fifth is for validation.
pub const PICTURES: usize = 60;

/// A desk with a data set in `people`.
///
/// # Panics
/// When it cannot be written.
pub fn people() -> Desk {
    desk_of_people(PICTURES, 5, 80, 3)
}

/// A desk with `count` rendered people in `people`, `annotations.json` and all, in pictures of
/// `side` pixels; every `validation_every`-th is for validation.
///
/// # Panics
/// When it cannot be written.
pub fn desk_of_people(count: usize, validation_every: usize, side: usize, seed: u64) -> Desk {
    let desk = Desk::new();
    let options = DatasetOptions {
        count,
        validation_every,
        seed,
        threads: 2,
        scene: SceneOptions {
            width: side,
            height: side,
            supersampling: 1,
            ..SceneOptions::default()
        },
        clips: None,
    };
    let target = Target {
        format: Format::Annotations,
        root: desk.path("people"),
    };
    if let Err(error) = write_dataset(&BuiltIn, &target, &options, &|_| ()) {
        panic!("{error}");
    }
    desk
}

/// Arguments of a very small network's training, without the output folder.
pub const TRAIN: [&str; 22] = [
    "--stacks",
    "1",
    "--channels",
    "32",
    "--mobile",
    "--input",
    "64x64",
    "--batch",
    "8",
    "--warmup",
    "5",
    "--average",
    "0.9",
    "--threads",
    "2",
    "--seed",
    "5",
    "--data",
    "annotations:people?split=train",
    "--validate",
    "annotations:people?split=validation",
    "--output",
];

/// The arguments of `trainer train` into a folder; `extra` goes before [`TRAIN`].
pub fn train<'a>(output: &'a str, extra: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["train"];
    let mut rest = TRAIN.iter().peekable();
    while let Some(&option) = rest.next() {
        let value = rest.next_if(|next| !next.starts_with("--"));
        if !extra.contains(&option) {
            arguments.push(option);
            arguments.extend(value);
        }
    }
    [&arguments, &[output][..], extra].concat()
}

/// The rows of a run's `log.csv` without the speed, which is the machine's.
///
/// # Panics
/// When there is no such file, or its head is another.
pub fn course(desk: &Desk, run: &str) -> Vec<String> {
    let path = desk.path(run).join("log.csv");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => panic!("{}: {error}", path.display()),
    };
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("epoch,step,samples,learning_rate,loss,pck,best,samples_per_second")
    );
    let figures = |line: &str| line.rsplit_once(',').map(|(figures, _)| figures.to_owned());
    lines.filter_map(figures).collect()
}

/// The losses of a [`course`].
pub fn losses(course: &[String]) -> Vec<f64> {
    let loss = |row: &String| row.split(',').nth(4).and_then(|v| v.parse().ok());
    course.iter().filter_map(loss).collect()
}
