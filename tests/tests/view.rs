//! `trainer view`: sheets without a screen, and the window on a virtual one where Xvfb and xdotool
//! are installed.

use std::time::{Duration, Instant};

use end_to_end::{Desk, Program, Screen, desk_of_people};
use serde_json::Value;

const TRAINER: Program = Program::TRAINER;
const DATA: &str = "annotations:people";

/// A desk with six pictures of people; the label of one wrist is at the knee.
fn desk() -> Desk {
    let desk = desk_of_people(6, 3, 160, 8);
    let path = desk.path("people/annotations.json");
    let text = std::fs::read_to_string(&path).expect("annotations");
    let mut list: Value = serde_json::from_str(&text).expect("JSON");
    list[3]["joint_self"][10] = serde_json::json!([5000.0, 10.0, 1.0]);
    std::fs::write(&path, list.to_string()).expect("annotations");
    desk
}

fn size(desk: &Desk, name: &str) -> (u32, u32) {
    image::image_dimensions(desk.path(name)).expect("a picture")
}

#[test]
fn sheets_need_no_screen() {
    let desk = desk();
    let view = |arguments: &[&str]| {
        let all = [&["view", "--data", DATA][..], arguments].concat();
        let mut command = desk.command(TRAINER, &all);
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        let output = command.output().expect("the trainer");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, _, said) = view(&["--out", "sheet.png", "--count", "4", "--tile", "120x100"]);
    assert_eq!(code, Some(0), "{said}");
    // Two columns of 120 and two rows of 100 with captions of 14, gaps of 6.
    assert_eq!(size(&desk, "sheet.png"), (2 * 126 + 6, 2 * 120 + 6));
    let augmented = ["--augmented", "--batch", "2", "--input", "96x96"];
    let (code, _, said) = view(&[&augmented[..], &["--out", "batch.png"]].concat());
    assert_eq!(code, Some(0), "{said}");
    let (width, height) = size(&desk, "batch.png");
    assert!(width > 2 * 192 && height > 192, "{width}x{height}");
    // One seed gives one batch.
    view(&[&augmented[..], &["--out", "same.png"]].concat());
    view(&[&augmented[..], &["--out", "other.png", "--seed", "9"]].concat());
    let bytes = |name: &str| std::fs::read(desk.path(name)).expect("a picture");
    assert_eq!(bytes("batch.png"), bytes("same.png"));
    assert_ne!(bytes("batch.png"), bytes("other.png"));

    let lines = |filter: &str| {
        let (code, printed, said) = view(&["--json", "--filter", filter]);
        assert_eq!(code, Some(0), "{said}");
        let line = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
        printed.lines().map(line).collect::<Vec<_>>()
    };
    assert_eq!(lines("").len(), 6);
    assert_eq!(lines("split=validation").len(), 2);
    let wrong = lines("suspicious,id=synth:3");
    assert_eq!(wrong.len(), 1);
    let reasons = wrong[0]["suspicions"].to_string();
    assert!(
        reasons.contains("right_wrist at 5000, 10 is outside"),
        "{reasons}"
    );

    // Somebody without a screen is told about files; wrong usage is wrong usage.
    let (code, _, said) = view(&[]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("cannot open a window") && said.contains("--out"),
        "{said}"
    );
    for (wrong, word) in [
        ("joints<many", "joints<N"),
        ("has=tail", "no keypoint `tail`"),
        ("wrong", "expected suspicious"),
    ] {
        let (code, _, said) = view(&["--filter", wrong]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(word), "{said}");
    }
    let (code, _, said) = view(&["--filter", "joints>99"]);
    assert!(
        code == Some(1) && said.contains("none of 6 people"),
        "{said}"
    );
}

#[test]
fn keys_turn_the_pages_of_the_window() {
    let Some(screen) = Screen::start("keys_turn_the_pages_of_the_window") else {
        return;
    };
    let desk = desk();
    let mut command = desk.command(TRAINER, &["view", "--data", DATA]);
    let mut viewer = command
        .env("DISPLAY", &screen.display)
        .env_remove("WAYLAND_DISPLAY")
        .spawn()
        .expect("the trainer");
    let patience = || Instant::now() + Duration::from_secs(30);
    let wait = |what: &str, seen: &dyn Fn() -> bool| {
        let end = patience();
        while !seen() {
            assert!(Instant::now() < end, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let window = || screen.tool(&["search", "--name", " of 6: "]);
    wait("a window", &|| window().is_some_and(|id| !id.is_empty()));
    let id = window().expect("a window");
    let title = || screen.tool(&["getwindowname", &id]).unwrap_or_default();
    // Without a window manager nobody gives the window the keyboard.
    screen.tool(&["windowfocus", "--sync", &id]);
    let press = |key: &str, page: &str| {
        screen.tool(&["key", key]).expect("a key");
        wait(&format!("page {page} after {key}, at {}", title()), &|| {
            title().starts_with(&format!("{page} of 6: synth:"))
        });
    };
    assert!(title().starts_with("1 of 6: synth:0"), "{}", title());
    press("f", "2");
    press("Right", "3");
    press("b", "2");
    press("Left", "1");
    press("b", "6");
    press("Home", "1");
    press("s", "4");
    press("End", "6");
    screen.tool(&["key", "q"]);
    let end = patience();
    let code = loop {
        if let Some(status) = viewer.try_wait().expect("the trainer") {
            break status.code();
        }
        if Instant::now() > end {
            let _ = viewer.kill();
            panic!("q does not end the viewer");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(code, Some(0));
}
