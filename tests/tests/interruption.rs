//! Trainings that end before their time: on request, by patience; and what they keep.

#![cfg(unix)]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use end_to_end::{Desk, Program, course, people, signal, train};

const TRAINER: Program = Program::TRAINER;
const EPOCHS: [&str; 2] = ["--epochs", "8"];

/// Starts a training and waits for its second validation.
fn begun(desk: &Desk, arguments: &[&str]) -> Child {
    let child = desk
        .command(TRAINER, arguments)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the trainer");
    let log = desk.path("parts/log.csv");
    let lines = || std::fs::read_to_string(&log).map_or(0, |text| text.matches('\n').count());
    let patience = Instant::now() + Duration::from_secs(120);
    while lines() < 1 + 2 && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

#[test]
fn a_training_that_is_asked_to_stop_takes_the_same_course_later() {
    let desk = people();
    desk.ok(TRAINER, &train("whole", &EPOCHS));
    let mut child = begun(&desk, &train("parts", &EPOCHS));
    assert!(signal(&child, "TERM"));
    let ended = child.wait().expect("an end");
    assert_eq!(ended.code(), Some(128 + 15));
    let log = std::fs::read_to_string(desk.path("parts/train.log")).expect("train.log");
    assert!(log.contains("stopped on request at step"), "{log}");
    let before = course(&desk, "parts");
    assert!((2..8).contains(&before.len()), "{before:?}");

    let more = [&EPOCHS[..], &["--resume"]].concat();
    desk.ok(TRAINER, &train("parts", &more));
    // The losses are means over the steps before and after the stop.
    assert_eq!(course(&desk, "parts"), course(&desk, "whole"));
    let weights = |run: &str| std::fs::read(desk.path(run).join("last.safetensors"));
    let same = weights("whole").expect("weights") == weights("parts").expect("weights");
    assert!(same, "the last weights differ");
    let text = |run: &str| std::fs::read_to_string(desk.path(run).join("val.txt"));
    assert_eq!(
        text("parts").expect("val.txt"),
        text("whole").expect("val.txt")
    );
}

#[test]
fn a_second_signal_ends_at_once() {
    let desk = people();
    // Steps so long that the first signal is not yet obeyed when the second comes.
    let long = [
        "--epochs",
        "1000",
        "--batch",
        "1024",
        "--validate-every",
        "1000",
    ];
    let mut child = desk
        .command(TRAINER, &train("run", &long))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the trainer");
    let log = desk.path("run/train.log");
    let begun = || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("parameters"));
    let patience = Instant::now() + Duration::from_secs(60);
    while !begun() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(2));
    }
    // At once, and of two kinds: two of one kind may count as one.
    let both = format!("kill -INT {0}; kill -TERM {0}", child.id());
    let sent = Command::new("sh").args(["-c", &both]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    let ended = child.wait().expect("an end");
    let code = ended.code();
    assert!([Some(128 + 2), Some(128 + 15)].contains(&code), "{code:?}");
    // Nothing was finished and saved first.
    assert!(!desk.path("run/last.safetensors").exists());
}

#[test]
fn checkpoints_and_logs_are_kept_as_asked() {
    let desk = people();
    // A learning rate at which nothing changes: only the first validation is a best one.
    let options = [
        "--epochs",
        "9",
        "--learning-rate",
        "1e-12",
        "--average",
        "0",
        "--patience",
        "3",
        "--keep",
        "2",
    ];
    let finished = desk.ok(TRAINER, &train("run", &options));
    assert!(
        finished.said.contains("ended early at step"),
        "{finished:#?}"
    );
    let rows = course(&desk, "run");
    assert!((4..9).contains(&rows.len()), "{rows:?}");

    let steps = |row: &String| row.split(',').nth(1).and_then(|step| step.parse().ok());
    let steps: Vec<u64> = rows.iter().filter_map(steps).collect();
    let mut kept: Vec<String> = std::fs::read_dir(desk.path("run"))
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.starts_with("step-"))
        .collect();
    kept.sort();
    assert_eq!(kept.len(), 2, "{kept:?}");
    for (name, step) in kept.iter().zip(&steps[steps.len() - 2..]) {
        assert!(name.starts_with(&format!("step-{step:06}-pck-")), "{name}");
        assert!(name.ends_with(".safetensors"), "{name}");
    }
    let data = ["--data", "annotations:people", "--json"];
    let kept = format!("run/{}", kept[0]);
    desk.ok(
        TRAINER,
        &[&["eval", "--weights", &kept], &data[..]].concat(),
    );

    // The earlier projects' form: `model:TYPE;dataset:NAME`, `Epoch N:ACCURACY`.
    let text = std::fs::read_to_string(desk.path("run/val.txt")).expect("val.txt");
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("model:hg_s1_mobile_c32_64_64;dataset:synth")
    );
    for (index, (line, row)) in lines.zip(&rows).enumerate() {
        let accuracy: f64 = line
            .strip_prefix(&format!("Epoch {index}:"))
            .and_then(|accuracy| accuracy.parse().ok())
            .expect(line);
        let percent: f64 = row
            .split(',')
            .nth(5)
            .and_then(|v| v.parse().ok())
            .expect("PCK");
        assert!((100.0 * accuracy - percent).abs() < 1e-2, "{line} {row}");
    }
    // Every form of log makes a picture.
    for (log, picture) in [
        ("run", "a.svg"),
        ("run/val.txt", "b.png"),
        ("run/log.csv", "c.png"),
    ] {
        desk.ok(TRAINER, &["plot", "--log", log, "--output", picture]);
        assert!(desk.path(picture).is_file());
    }
    let events = std::fs::read_dir(desk.path("run"))
        .expect("a folder")
        .map(|entry| entry.expect("a file").path())
        .find(|path| path.to_string_lossy().contains("tfevents"))
        .expect("an event file");
    let events = events.to_string_lossy();
    desk.ok(TRAINER, &["plot", "--log", &events, "--output", "d.svg"]);
}
