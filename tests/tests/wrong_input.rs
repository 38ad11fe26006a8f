//! Whatever is wrong with the input: one line that says what and where, exit code 1 or 2, and no
//! file changed. With the shipped model, as a user meets it; `edge-runtime`'s own tests go through
//! the same with small models of their own.

use end_to_end::{Desk, Program, project};
use onnx_graph::{AttributeProto, DataType, GraphBuilder};

const RUNTIME: Program = Program::EDGE_RUNTIME;
const TRAINER: Program = Program::TRAINER;

fn shipped_model() -> Vec<u8> {
    std::fs::read(project().join("models/tiny.onnx")).expect("models/tiny.onnx")
}

fn sample() -> Vec<u8> {
    std::fs::read(project().join("assets/sample.jpg")).expect("assets/sample.jpg")
}

/// An image classifier with as many classes as MPII has keypoints.
fn classifier() -> Vec<u8> {
    let mut graph = GraphBuilder::new("classifier");
    let image = [1, 3, 64, 64].map(Into::into);
    graph.input("image", DataType::Float, &image);
    graph.f32("weight", &[16, 3, 1, 1], &[0.1; 48]);
    graph.node("Conv", &["image", "weight"], &["maps"], vec![]);
    graph.node("GlobalAveragePool", &["maps"], &["means"], vec![]);
    let axis = vec![AttributeProto::int("axis", 1)];
    graph.node("Flatten", &["means"], &["classes"], axis);
    graph.output("classes", DataType::Float, &[1.into(), 16.into()]);
    graph.finish().expect("a valid graph").to_bytes()
}

#[test]
fn models() {
    let desk = Desk::new();
    let model = shipped_model();
    for length in [0, 1, 100, model.len() / 3, model.len() - 1] {
        desk.write("cut.onnx", &model[..length]);
        let words = ["cut.onnx", "ONNX model"];
        desk.fails(RUNTIME, 1, &["run", "--model", "cut.onnx"], &words);
        desk.fails(RUNTIME, 1, &["inspect", "cut.onnx"], &words);
    }
    desk.write("classifier.onnx", classifier());
    let words = ["classifier.onnx", "no keypoint-heatmap model", "expected"];
    let bench = ["bench", "--model", "classifier.onnx"];
    desk.fails(RUNTIME, 1, &bench, &words);
    let run = ["run", "--model", "classifier.onnx", "--keypoints", "mpii"];
    desk.fails(RUNTIME, 1, &run, &words);

    let missing = ["run", "--model", "no/such.onnx", "--csv", "poses.csv"];
    desk.fails(RUNTIME, 1, &missing, &["no/such.onnx", "No such file"]);
}

#[test]
fn keypoint_files() {
    let desk = Desk::new();
    desk.write(
        "bones.txt",
        "right_hip,right_knee,r\nright_knee,right_tail,g\n",
    );
    desk.write(
        "pairs.txt",
        "right_hip,left_hip,h\nright_knee,left_knee,z\n",
    );
    desk.write("names.txt", "nose\nleft_eye\n");
    let bones = ["run", "--skeleton", "bones.txt"];
    desk.fails(RUNTIME, 1, &bones, &["bones.txt:2", "`right_tail`"]);
    let pairs = ["run", "--match-points", "pairs.txt"];
    desk.fails(RUNTIME, 1, &pairs, &["pairs.txt:2", "`z`"]);
    // Two names for sixteen heatmaps.
    desk.fails(RUNTIME, 1, &["run", "--classes", "names.txt"], &["2", "16"]);
}

#[test]
fn photos() {
    let desk = Desk::new();
    desk.write("words.jpg", "These are words.\n");
    desk.write("half.png", {
        let path = desk.path("whole.png");
        let picture = image::open(project().join("assets/sample.jpg")).expect("the sample");
        picture.save(&path).expect("a picture file");
        let whole = std::fs::read(path).expect("the file");
        whole[..whole.len() / 2].to_vec()
    });
    desk.write("stub.jpg", &sample()[..20]);
    desk.write("nothing.png", "");
    desk.write("empty/notes.txt", "no photo here");
    // A header that promises 3.6 gigapixels, and then nothing.
    let mut bomb = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bomb.extend(60_000u32.to_be_bytes());
    bomb.extend(60_000u32.to_be_bytes());
    bomb.extend([8, 2, 0, 0, 0]);
    let checksum = crc32(&bomb[12..]);
    bomb.extend(checksum.to_be_bytes());
    bomb.extend(b"\0\0\0\x01IDAT\0");
    bomb.extend(crc32(b"IDAT\0").to_be_bytes());
    desk.write("bomb.png", bomb);
    for (photo, words) in [
        ("missing.jpg", ["missing.jpg", "No such file"]),
        ("words.jpg", ["words.jpg", "is not a picture"]),
        ("nothing.png", ["nothing.png", "is not a picture"]),
        ("half.png", ["half.png", "cannot be decoded"]),
        ("stub.jpg", ["stub.jpg", "cannot be decoded"]),
        ("bomb.png", ["bomb.png", "too large"]),
        ("empty", ["empty", "no photo in the folder"]),
    ] {
        let arguments = ["run", photo, "--out", "pose.png", "--csv", "poses.csv"];
        desk.fails(RUNTIME, 1, &arguments, &words);
    }
}

/// CRC-32 of the PNG specification, annex D.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    })
}

#[test]
fn photos_of_unusual_size_have_sixteen_numbers_too() {
    let desk = Desk::new();
    let save = |name: &str, width, height| {
        let picture = image::GrayImage::from_pixel(width, height, image::Luma([90]));
        picture.save(desk.path(name)).expect("a picture file");
    };
    save("dot.png", 1, 1);
    save("thread.png", 4000, 1);
    save("wall.png", 12_000, 9_000);
    for name in ["dot.png", "thread.png", "wall.png"] {
        let arguments = ["run", name, "--no-picture", "--json"];
        let printed = desk.ok(RUNTIME, &arguments).printed;
        let record: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
        let keypoints = record["keypoints"].as_array().expect("keypoints");
        assert_eq!(keypoints.len(), 16);
        // Numbers that are not finite would be null in JSON.
        let numbers =
            |k: &serde_json::Value| ["x", "y", "confidence"].iter().all(|f| k[f].is_f64());
        assert!(keypoints.iter().all(numbers), "{printed}");
    }
}

#[test]
fn outputs() {
    let desk = Desk::new();
    desk.write("file", "not a folder");
    for arguments in [
        ["run", "--out", "file/pose.png"],
        ["run", "--out", "no/folder/pose.png"],
        ["run", "--csv", "file/poses.csv"],
        ["run", "--jsonl", "no/folder/poses.jsonl"],
    ] {
        desk.fails(RUNTIME, 1, &arguments, &["cannot write", arguments[2]]);
    }
    // Records that were begun are not left behind when the picture cannot be written.
    let both = ["run", "--csv", "poses.csv", "--out", "no/folder/pose.png"];
    desk.fails(RUNTIME, 1, &both, &["no/folder/pose.png"]);
}

#[test]
fn usage() {
    let desk = Desk::new();
    for (program, arguments) in [
        (RUNTIME, &["run", "--frobnicate"][..]),
        (RUNTIME, &["run", "--out", "pose.gif"]),
        (RUNTIME, &["eval"]),
        (TRAINER, &["train"]),
        (TRAINER, &["frobnicate"]),
    ] {
        desk.fails(program, 2, arguments, &[]);
    }
}

const BASE: [&str; 9] = [
    "train",
    "--stacks",
    "1",
    "--channels",
    "16",
    "--input",
    "64x64",
    "--output",
    "run",
];

#[test]
fn training_settings() {
    let desk = Desk::new();
    let good = ["--data", "lsp:data", "--validate", "lsp:data"];
    let fails = |extra: &[&str], words: &[&str]| {
        desk.fails(TRAINER, 2, &[&BASE[..], extra].concat(), words);
    };
    fails(&good[..2], &["--validate"]);
    fails(
        &[&good[..], &["--device", "npu"]].concat(),
        &["npu", "cpu", "wgpu"],
    );
    fails(
        &[&good[..], &["--keypoints", "octopus"]].concat(),
        &["octopus", "mpii"],
    );
    fails(&[&good[..], &["--epochs", "many"]].concat(), &["many"]);
    for (spec, word) in [
        ("zip:data", "zip"),
        ("lsp", "lsp"),
        ("lsp:data#3/2", "K/N"),
        ("lsp:data*0", "1 or more"),
        ("lsp:data?split=holiday", "holiday"),
    ] {
        fails(&["--data", spec, "--validate", "lsp:data"], &[spec, word]);
    }
}

#[test]
fn training_data() {
    let desk = Desk::new();
    desk.write("broken/annotations.json", "[{\"dataset\": ");
    desk.write("broken/images/readme.txt", "");
    // COCO's files say in their names what they are for. Looked at before any photo is.
    desk.write("a.jpg", "");
    desk.write(
        "person_keypoints_test2017.json",
        r#"{"images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 64}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0,
                "area": 100.0, "bbox": [0, 0, 60, 60], "num_keypoints": 17,
                "keypoints": [10,10,2, 11,10,2, 12,10,2, 13,10,2, 14,10,2, 15,10,2, 16,10,2,
                    17,10,2, 18,10,2, 19,10,2, 20,10,2, 21,10,2, 22,10,2, 23,10,2, 24,10,2,
                    25,10,2, 26,10,2]}],
            "categories": [{"id": 1, "name": "person"}]}"#,
    );
    let fails = |spec: &str, words: &[&str]| {
        let arguments = [
            &BASE[..7],
            &["--output", ".", "--data", spec, "--validate", spec],
        ];
        let finished = desk.run(TRAINER, &arguments.concat());
        assert_eq!(finished.code, Some(1), "{finished:#?}");
        let last = finished.said.trim_end().lines().last().unwrap_or_default();
        assert!(last.starts_with("error: "), "{finished:#?}");
        for word in words {
            assert!(last.contains(word), "no `{word}` in {finished:#?}");
        }
        assert!(!finished.said.contains("panicked"), "{finished:#?}");
        assert!(!desk.path("best.safetensors").exists());
    };
    fails("lsp:nowhere", &["nowhere", "no such folder"]);
    fails("annotations:broken", &["broken/annotations.json"]);
    let test_split = "coco:person_keypoints_test2017.json";
    fails(test_split, &["test split", "never trained on"]);
}

#[test]
fn checkpoints() {
    let desk = Desk::new();
    desk.write("words.safetensors", "These are words.\n");
    desk.write("zeros.safetensors", [0; 64]);
    for (file, word) in [
        ("missing.safetensors", "No such file"),
        ("words.safetensors", "not a safetensors file"),
        ("zeros.safetensors", "safetensors"),
    ] {
        let export = ["export", "--weights", file, "--output", "model.onnx"];
        desk.fails(TRAINER, 1, &export, &[file, word]);
        let eval = ["eval", "--weights", file, "--data", "lsp:data"];
        desk.fails(TRAINER, 1, &eval, &[file, word]);
    }
}
