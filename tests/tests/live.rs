//! `edge-runtime run` over clips: signals, pipes, and the window on a virtual screen where Xvfb and
//! xdotool are installed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use end_to_end::{Desk, Program, Screen, desk_of_people};
use serde_json::Value;

const RUNTIME: Program = Program::EDGE_RUNTIME;

/// A desk with eight pictures of people, as photos and as the clip `clip.gif`.
fn desk() -> Desk {
    let desk = desk_of_people(8, 4, 160, 8);
    desk.ok(
        RUNTIME,
        &[
            "run",
            "people/images",
            "--out",
            "clip.gif",
            "--jsonl",
            "clip.jsonl",
        ],
    );
    desk
}

fn json_lines(desk: &Desk, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(desk.path(name)).expect("records");
    let line = |line: &str| serde_json::from_str(line).expect("JSON");
    text.lines().map(line).collect()
}

fn wait_for(what: &str, seen: &mut dyn FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !seen() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn end_of(child: &mut Child) -> Option<i32> {
    let mut code = None;
    wait_for("the program's end", &mut || {
        let status = child.try_wait().expect("the runtime");
        code = status.map(|status| status.code());
        code.is_some()
    });
    code.flatten()
}

#[test]
fn a_folder_becomes_a_clip_and_a_clip_becomes_records() {
    let desk = desk();
    let lines = json_lines(&desk, "clip.jsonl");
    assert_eq!(lines.len(), 8);
    assert!(lines.iter().enumerate().all(|(n, line)| line["frame"] == n));
    let found = lines
        .iter()
        .filter(|l| l["people"] != serde_json::json!([]));
    assert!(found.count() >= 4, "the network sees rendered people");

    let options = [
        "--out",
        "again.avi",
        "--out",
        "frames/",
        "--every",
        "2",
        "--csv",
        "a.csv",
    ];
    let finished = desk.ok(RUNTIME, &[&["run", "clip.gif"][..], &options].concat());
    assert!(finished.said.contains("4 frames"), "{finished:#?}");
    assert!(finished.said.contains("4 left out"), "{finished:#?}");
    assert!(finished.printed.is_empty(), "{finished:#?}");
    let frames = std::fs::read_dir(desk.path("frames")).expect("a folder");
    assert_eq!(frames.count(), 4);
    assert!(desk.path("again.avi").is_file());

    // The same from a file; the command line goes before it.
    desk.write(
        "run.toml",
        "inputs = ['clip.gif']\nevery = 4\nwindow = true\nout = 'c.gif'\n",
    );
    let options = ["run", "--config", "run.toml", "--headless", "--every", "8"];
    let finished = desk.ok(RUNTIME, &options);
    assert!(
        finished.said.contains("clip.gif: 1 frames"),
        "{finished:#?}"
    );
    assert!(desk.path("c.gif").is_file());

    // Records as they are found, for other programs; a reader that has had enough is no error.
    let mut child = desk
        .command(RUNTIME, &["run", "clip.gif", "--repeat", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the runtime");
    let output = BufReader::new(child.stdout.take().expect("its output"));
    let lines: Vec<String> = output.lines().take(12).map_while(Result::ok).collect();
    assert_eq!(lines.len(), 12);
    let last: Value = serde_json::from_str(&lines[11]).expect("JSON");
    assert_eq!(last["frame"], 11, "numbers go on from round to round");
    assert_eq!(end_of(&mut child), Some(0));

    for (wrong, words) in [
        (
            &["run", "clip.gif", "--out", "clip.wmv"][..],
            "videos are written as",
        ),
        (&["run", "--headless"], "name a video"),
        (
            &["run", "clip.gif", "--window", "--headless"],
            "cannot be used with",
        ),
        (&["run", "clip.gif", "--max-fps", "0"], "above 0"),
        (&["run", "--config", "clip.jsonl"], "clip.jsonl: line 1"),
    ] {
        desk.fails(RUNTIME, 2, wrong, &[words]);
    }
    desk.fails(
        RUNTIME,
        1,
        &["run", "none.gif", "--headless"],
        &["none.gif"],
    );
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_with_complete_files() {
    let desk = desk();
    for (signal, name) in [("INT", "a"), ("TERM", "b")] {
        let files = [format!("{name}.avi"), format!("{name}.jsonl")];
        let mut child = desk
            .command(
                RUNTIME,
                &[
                    "run", "clip.gif", "--repeat", "--out", &files[0], "--jsonl", &files[1],
                    "--json",
                ],
            )
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the runtime");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        for _ in 0..5 {
            output.read_line(&mut line).expect("a line");
        }
        assert!(end_to_end::signal(&child, signal));
        // What is printed until the end has to go somewhere.
        let printed = 5 + output.lines().count();
        assert_eq!(end_of(&mut child), Some(0));
        assert_eq!(json_lines(&desk, &files[1]).len(), printed);
        let avi = std::fs::read(desk.path(&files[0])).expect("a video");
        let frames = u32::from_le_bytes([avi[48], avi[49], avi[50], avi[51]]);
        assert_eq!(frames as usize, printed);
    }
    let left: Vec<String> = std::fs::read_dir(desk.path("."))
        .expect("the desk")
        .map(|file| {
            file.expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_window_obeys_its_keys() {
    let Some(screen) = Screen::start("the_window_obeys_its_keys") else {
        return;
    };
    let desk = desk();
    let mut command = desk.command(
        RUNTIME,
        &[
            "run",
            "clip.gif",
            "--repeat",
            "--window",
            "--jsonl",
            "w.jsonl",
            "--snapshot-dir",
            "shots",
        ],
    );
    let mut viewer = command
        .env("DISPLAY", &screen.display)
        .env_remove("WAYLAND_DISPLAY")
        .stderr(Stdio::null())
        .spawn()
        .expect("the runtime");
    let window = || screen.tool(&["search", "--name", "clip.gif: "]);
    wait_for("a window", &mut || {
        window().is_some_and(|id| !id.is_empty())
    });
    let id = window().expect("a window");
    let title = || screen.tool(&["getwindowname", &id]).unwrap_or_default();
    // Without a window manager nobody gives the window the keyboard.
    screen.tool(&["windowfocus", "--sync", &id]);
    let press = |key: &str, words: &str, there: bool| {
        screen.tool(&["key", key]).expect("a key");
        wait_for(&format!("{words:?} to be {there} after {key}"), &mut || {
            title().contains(words) == there
        });
    };
    wait_for("figures", &mut || !title().contains(" 0.0 fps"));
    assert!(title().contains("threshold 0.20"), "{}", title());
    press("m", "mirrored", true);
    press("m", "mirrored", false);
    press("k", "skeleton only", true);
    press("n", "names", true);
    press("plus", "threshold 0.25", true);
    press("minus", "threshold 0.20", true);
    press("question", "help", true);
    press("question", "help", false);
    press("space", "paused", true);
    screen.tool(&["key", "s"]).expect("a key");
    // A file that is being written has another ending.
    let shot = || {
        let files = std::fs::read_dir(desk.path("shots")).ok()?;
        let mut paths = files.filter_map(|file| Some(file.ok()?.path()));
        paths.find(|path| path.extension().is_some_and(|ending| ending == "png"))
    };
    wait_for("a snapshot", &mut || shot().is_some());
    let shot = image::open(shot().expect("a snapshot")).expect("a picture");
    let shot = shot.to_rgb8();
    assert_eq!(shot.dimensions(), (160, 160));
    // The skeleton only: nearly all of it is black.
    let black = shot.pixels().filter(|p| p.0 == [0; 3]).count();
    assert!(black > 160 * 160 / 2, "{black}");
    press("space", "paused", false);
    screen.tool(&["key", "q"]).expect("a key");
    assert_eq!(end_of(&mut viewer), Some(0));
    // The end by a key leaves complete files too.
    assert!(!json_lines(&desk, "w.jsonl").is_empty());
}

#[test]
fn without_a_screen_files_are_named() {
    let desk = desk();
    let mut command = desk.command(RUNTIME, &["run", "clip.gif"]);
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    let output = command.output().expect("the runtime");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot open a window") && said.contains("--out"),
        "{said}"
    );
}
