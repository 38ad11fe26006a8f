//! `trainer synth` and `trainer convert` as a newcomer uses them.

use end_to_end::{Desk, Program};
use serde_json::Value;

const TRAINER: Program = Program::TRAINER;

fn json(printed: &str) -> Value {
    serde_json::from_str(printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

#[test]
fn rendered_people_go_through_every_format_without_a_mistake() {
    let desk = Desk::new();
    let synth = [
        "synth",
        "--count",
        "6",
        "--size",
        "72x64",
        "--people",
        "2",
        "--smoothness",
        "1",
        "--validation-every",
        "3",
        "--output",
        "made",
        "--json",
    ];
    let report = json(&desk.ok(TRAINER, &synth).printed);
    assert_eq!(report["pictures"], 6);
    let people = report["people"].as_u64().unwrap_or_default();
    assert!((6..=12).contains(&people), "{report}");
    let mut from = "annotations:made".to_owned();
    for format in [
        "coco",
        "labelme",
        "yolo",
        "animal-pose",
        "csv",
        "annotations",
    ] {
        let to = format!("{format}:{format}");
        let arguments = ["convert", "--from", &from, "--to", &to, "--json"];
        let report = json(&desk.ok(TRAINER, &arguments).printed);
        assert_eq!(report["people"], people, "{to}");
        let arguments = ["convert", "--from", &to, "--check", "--strict", "--json"];
        let report = json(&desk.ok(TRAINER, &arguments).printed);
        assert_eq!(report["people"], people, "{to}");
        assert_eq!(
            report["findings"].as_array().map(Vec::len),
            Some(0),
            "{report}"
        );
        assert!(report["splits"]["validation"].as_u64().unwrap_or(0) > 0);
        from = to;
    }
    // What went through all formats is what there was.
    let labels = |spec: &str| {
        let arguments = ["convert", "--from", spec, "--check", "--quick", "--json"];
        json(&desk.ok(TRAINER, &arguments).printed)["labels"].clone()
    };
    assert_eq!(
        labels("annotations:made"),
        labels("annotations:annotations")
    );
    assert_eq!(
        labels("annotations:made?split=validation"),
        labels("annotations:annotations?split=validation")
    );
}

#[test]
fn the_seed_alone_decides_what_is_rendered() {
    let desk = Desk::new();
    for (threads, output) in [("1", "one"), ("3", "three")] {
        let arguments = [
            "synth",
            "--count",
            "3",
            "--size",
            "48",
            "--seed",
            "9",
            "--threads",
            threads,
            "--output",
            output,
        ];
        desk.ok(TRAINER, &arguments);
    }
    for name in [
        "annotations.json",
        "images/synth_000002.jpg",
        "mpii_classes.txt",
    ] {
        let read = |folder: &str| std::fs::read(desk.path(folder).join(name)).expect(name);
        assert!(read("one") == read("three"), "{name}");
    }
}

#[test]
fn mistakes_are_named_and_strict_is_strict() {
    let desk = Desk::new();
    let arguments = ["synth", "--count", "2", "--size", "48", "--output", "made"];
    desk.ok(TRAINER, &arguments);
    std::fs::remove_file(desk.path("made/images/synth_000001.jpg")).expect("a picture");
    let check = ["convert", "--from", "annotations:made", "--check"];
    let lenient = desk.ok(TRAINER, &check);
    assert!(
        lenient
            .printed
            .contains("annotations.json: record 1, field `img_paths`")
    );
    assert!(lenient.printed.contains("1 missing photos"), "{lenient:#?}");
    let strict = desk.run(TRAINER, &[&check[..], &["--strict"]].concat());
    assert_eq!(strict.code, Some(1), "{strict:#?}");
    // What can be used is converted, what cannot is named; --strict writes nothing.
    let convert = ["convert", "--from", "annotations:made", "--to", "coco:coco"];
    let strict = [&convert[..], &["--strict"]].concat();
    let refused = desk.run(TRAINER, &strict);
    assert_eq!(refused.code, Some(1));
    assert!(!desk.path("coco").exists());
    let done = desk.ok(TRAINER, &convert);
    assert!(done.said.contains("left out: ") && done.printed.contains("1 people in 1 photos"));
}

#[test]
fn wrong_words_are_explained() {
    let desk = Desk::new();
    for (arguments, words) in [
        (
            &["convert", "--from", "tiff:x", "--check"][..],
            &["unknown kind `tiff`", "labelme"][..],
        ),
        (&["convert", "--from", "coco:x"], &["--to"]),
        (
            &["convert", "--from", "coco:x", "--to", "mpii:y"],
            &["unknown format `mpii`"],
        ),
        (
            &["synth", "--output", "x", "--backgrounds", "moon"],
            &["unknown kind `moon`", "street"],
        ),
        (&["synth", "--output", "x", "--gif"], &["--frames"]),
        (&["synth", "--output", "x", "--size", "3"], &["16 to 4096"]),
    ] {
        desk.fails(TRAINER, 2, arguments, words);
    }
    desk.fails(
        TRAINER,
        1,
        &["convert", "--from", "coco:x", "--check"],
        &["x: "],
    );
    let body = ["synth", "--output", "x", "--body", "nowhere"];
    desk.fails(
        TRAINER,
        1,
        &body,
        &["--body", "github.com/makehumancommunity"],
    );
}
