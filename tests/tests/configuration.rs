//! Configuration files: what they hold, what goes before them, what is wrong with them, and what
//! their mode does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use end_to_end::{Desk, Program, TRAIN, course, people, train};
use serde_json::{Value, json};

const TRAINER: Program = Program::TRAINER;

/// The small training as a file, in TOML and with underscores where that is usual.
const FILE: &str = r#"
stacks = 1
channels = 32
mobile = true
input = "64x64"
batch = 8
warmup = 5
average = 0.9
threads = 2
seed = 5
data = ["annotations:people?split=train"]
validate = "annotations:people?split=validation"
output = "by-file"
learning_rate = 4e-3
epochs = 2

[test]
flip_test = false
"#;

/// The options in effect, as JSON.
fn in_effect(desk: &Desk, arguments: &[&str]) -> Value {
    let print = ["--print-config", "json"];
    let printed = desk.ok(TRAINER, &[&["train"], arguments, &print].concat());
    serde_json::from_str(&printed.printed).expect("JSON")
}

#[test]
fn the_command_line_goes_before_the_file_and_the_file_before_the_defaults() {
    let desk = Desk::new();
    desk.write("small.toml", FILE);
    let file = ["--config", "small.toml"];
    let plain = in_effect(&desk, &file);
    assert_eq!(plain["mode"], "train");
    assert_eq!(plain["batch"], 8);
    assert_eq!(plain["learning-rate"], json!(4e-3));
    assert_eq!(
        plain["validate"],
        json!(["annotations:people?split=validation"])
    );
    // Nobody says anything about these.
    assert_eq!(plain["sigma"], json!(1.5));
    assert_eq!(plain["resume"], false);

    let over = [
        "--batch",
        "4",
        "--data",
        "lsp:a",
        "--data",
        "lsp:b",
        "--mobile=false",
    ];
    let changed = in_effect(&desk, &[&file[..], &over].concat());
    assert_eq!(changed["batch"], 4);
    assert_eq!(changed["data"], json!(["lsp:a", "lsp:b"]));
    assert_eq!(changed["mobile"], false);
    assert_eq!(changed["learning-rate"], json!(4e-3));
    // What excludes a value of the file goes before it too.
    let tiny = in_effect(&desk, &[&file[..], &["--tiny"]].concat());
    assert_eq!(
        (&tiny["tiny"], &tiny["channels"]),
        (&json!(true), &Value::Null)
    );
    // On one command line the two are wrong usage as ever.
    let both = [
        "train",
        "--config",
        "small.toml",
        "--tiny",
        "--channels",
        "64",
    ];
    desk.fails(TRAINER, 2, &both, &["--tiny", "--channels"]);
}

#[test]
fn what_is_printed_says_the_same_in_every_format() {
    let desk = Desk::new();
    desk.write("small.toml", FILE);
    let first = in_effect(&desk, &["--config", "small.toml"]);
    let mut file = "small.toml".to_owned();
    for format in ["yaml", "json", "toml", "yaml"] {
        let print = ["train", "--config", &file, "--print-config", format];
        let printed = desk.ok(TRAINER, &print).printed;
        file = format!("printed.{format}");
        desk.write(&file, printed);
        assert_eq!(in_effect(&desk, &["--config", &file]), first, "{format}");
    }
    // Without anything it is a template with every option, those without a default as comments.
    let template = desk.ok(TRAINER, &["train", "--print-config"]).printed;
    assert!(template.contains("# output = "), "{template}");
    assert!(template.contains("\nepochs = 40\n"), "{template}");
    desk.write("template.toml", &template);
    desk.ok(
        TRAINER,
        &["train", "--config", "template.toml", "--print-config"],
    );
}

#[test]
fn a_wrong_file_is_named_with_the_key_and_what_was_meant() {
    let desk = Desk::new();
    let wrong = |name: &str, text: &str, words: &[&str]| {
        desk.write(name, text);
        let words = [&[name], words].concat();
        desk.fails(TRAINER, 2, &["train", "--config", name], &words);
        desk.fails(TRAINER, 2, &["run", "--config", name], &words);
    };
    wrong(
        "a.toml",
        "learning_rte = 1e-3",
        &["`learning-rte`", "`learning-rate`"],
    );
    wrong("b.yaml", "batch: many", &["`batch`", "many"]);
    wrong(
        "c.json",
        r#"{"mobile": "yes"}"#,
        &["`mobile`", "true or false"],
    );
    wrong("d.toml", "batch = [1, 2]", &["`batch`", "one value"]);
    wrong("e.toml", "batch = ", &["line 1"]);
    wrong("f.yaml", "mode: dance", &["`mode`", "dance", "inference"]);
    wrong("g.toml", "[trian]\nbatch = 2", &["`trian`", "`train`"]);
    wrong(
        "h.toml",
        "batch = 2\n[train]\nbatch = 3",
        &["`batch`", "twice"],
    );
    wrong("i.ini", "batch = 2", &[".toml", ".yaml"]);
    wrong("j.yaml", "- batch", &["keys"]);
    wrong("k.toml", "config = \"l.toml\"", &["`config`"]);
    desk.fails(
        TRAINER,
        1,
        &["train", "--config", "missing.toml"],
        &["missing.toml"],
    );
    // A file that is right, but says too little.
    desk.write("little.toml", "batch = 2");
    let little = ["train", "--config", "little.toml"];
    desk.fails(TRAINER, 2, &little, &["--data", "--validate", "--output"]);
}

#[test]
fn every_mode_does_what_its_command_does() {
    let desk = people();
    desk.write("small.toml", FILE);
    desk.ok(TRAINER, &["run", "--config", "small.toml"]);
    desk.ok(
        TRAINER,
        &train("by-line", &["--learning-rate", "4e-3", "--epochs", "2"]),
    );
    assert_eq!(course(&desk, "by-file"), course(&desk, "by-line"));
    // What a training keeps makes the same training again.
    desk.ok(
        TRAINER,
        &[
            "train",
            "--config",
            "by-line/config.toml",
            "--output",
            "again",
        ],
    );
    assert_eq!(course(&desk, "again"), course(&desk, "by-line"));

    let mode = |mode: &'static str, options: &[&'static str]| {
        let run = ["run", "--config", "small.toml", "--mode", mode, "--"];
        [&run[..], options].concat()
    };
    let weights = ["--weights", "by-file/best.safetensors"];
    let data = ["--data", TRAIN[20], "--json"];
    let eval = desk.ok(TRAINER, &[&["eval"], &weights[..], &data].concat());
    assert_eq!(
        desk.ok(TRAINER, &mode("test", &["--json"])).printed,
        eval.printed
    );

    let photos = ["--photos", "people/images", "--output", "found"];
    let found = desk.ok(TRAINER, &mode("inference", &photos)).printed;
    let records = std::fs::read_to_string(desk.path("found/poses.jsonl")).expect("poses.jsonl");
    assert_eq!(records, found);
    assert_eq!(found.lines().count(), 60);
    assert!(desk.path("found/synth_000000.jpg").is_file());

    serves(&desk, &mode("server", &["--listen", "127.0.0.1:0"]), &found);
}

/// The server finds in a photo what the mode `inference` found.
fn serves(desk: &Desk, arguments: &[&str], found: &str) {
    let mut server = desk
        .command(TRAINER, arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a server");
    let mut line = String::new();
    let mut output = BufReader::new(server.stdout.take().expect("its output"));
    output.read_line(&mut line).expect("a line");
    let address = line
        .trim()
        .strip_prefix("listening on http://")
        .expect("an address");

    let photo = std::fs::read(desk.path("people/images/synth_000000.jpg")).expect("a photo");
    let mut stream = TcpStream::connect(address).expect("a connection");
    let head = format!(
        "POST /v1/pose HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        photo.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(&photo).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    let answered: Value = serde_json::from_str(body.unwrap_or_default()).expect(&answer);
    let first: Value =
        serde_json::from_str(found.lines().next().unwrap_or_default()).expect("JSON");
    assert_eq!(answered["keypoints"], first["keypoints"]);

    #[cfg(unix)]
    {
        let ended = end_to_end::signal(&server, "TERM");
        assert!(ended, "no signal sent");
        assert_eq!(server.wait().expect("an end").code(), Some(0));
    }
    #[cfg(not(unix))]
    server.kill().expect("an end");
}
