//! Models that cannot be used, and what is said about them; models without a card.

#![allow(clippy::unwrap_used)]

mod common;

use common::{BlobModel, NAMES};
use edge_runtime::{KeypointChoice, ModelOptions, PoseModel};
use onnx_graph::{AttributeProto, DataType, Dimension, GraphBuilder, InputType, Model};
use pose::{Decoding, Size};

fn load(model: &Model, options: &ModelOptions) -> Result<PoseModel, String> {
    PoseModel::from_bytes(&model.to_bytes(), "m.onnx", options).map_err(|e| e.to_string())
}

fn refused(model: &Model) -> String {
    load(model, &ModelOptions::default()).unwrap_err()
}

fn one_node(
    input: &[Dimension],
    op: &str,
    attributes: Vec<AttributeProto>,
    data_type: DataType,
) -> Model {
    let mut graph = GraphBuilder::new("other");
    graph.input("x", data_type, input);
    graph.node(op, &["x"], &["y"], attributes);
    graph.output("y", data_type, &["?".into(), "?".into()]);
    graph.finish().unwrap()
}

#[test]
fn models_of_other_kinds_are_named_with_what_was_found() {
    let flatten = one_node(
        &[1.into(), 3.into(), 8.into(), 8.into()],
        "Flatten",
        vec![],
        DataType::Float,
    );
    let options = ModelOptions {
        mean: Some([0.0; 3]),
        std: Some([1.0; 3]),
        ..ModelOptions::default()
    };
    let said = load(&flatten, &options).unwrap_err();
    assert_eq!(
        said,
        "m.onnx is no keypoint-heatmap model: its output `y` has shape [1, 192]; expected \
         [1, keypoints, height, width] or [1, height, width, keypoints]"
    );
    let text = one_node(&[1.into(), 77.into()], "Relu", vec![], DataType::Float);
    assert!(
        refused(&text).contains("its input `x` has shape [1, 77]"),
        "{}",
        refused(&text)
    );
    let grey = one_node(
        &[1.into(), 1.into(), 8.into(), 8.into()],
        "Relu",
        vec![],
        DataType::Float,
    );
    assert!(refused(&grey).contains("expected [1, 3, height, width]"));
    let batch = one_node(
        &[4.into(), 3.into(), 8.into(), 8.into()],
        "Relu",
        vec![],
        DataType::Float,
    );
    assert!(refused(&batch).contains("batch size 1"));
    let double = one_node(
        &[1.into(), 3.into(), 8.into(), 8.into()],
        "Relu",
        vec![],
        DataType::Double,
    );
    assert!(refused(&double).contains("has type float64"));
    let mut two = GraphBuilder::new("two");
    two.input(
        "a",
        DataType::Float,
        &[1.into(), 3.into(), 8.into(), 8.into()],
    );
    two.input("b", DataType::Float, &[1.into()]);
    two.node("Add", &["a", "b"], &["y"], vec![]);
    two.output("y", DataType::Float, &[]);
    assert!(refused(&two.finish().unwrap()).contains("it has 2 inputs"));
}

#[test]
fn an_unknown_operator_is_an_error_of_the_engine_in_one_line() {
    let model = one_node(
        &[1.into(), 3.into(), 8.into(), 8.into()],
        "OperatorOfTomorrow",
        vec![],
        DataType::Float,
    );
    let options = ModelOptions {
        mean: Some([0.0; 3]),
        std: Some([1.0; 3]),
        ..ModelOptions::default()
    };
    let said = load(&model, &options).unwrap_err();
    assert!(
        said.contains("OperatorOfTomorrow") && !said.contains('\n'),
        "{said}"
    );
}

#[test]
fn a_network_that_would_fill_the_memory_is_refused() {
    let mut graph = GraphBuilder::new("bomb");
    graph.input(
        "x",
        DataType::Float,
        &[1.into(), 3.into(), 8.into(), 8.into()],
    );
    graph.f32("scales", &[4], &[1.0, 1.0, 1e5, 1e5]);
    graph.node("Resize", &["x", "", "scales"], &["y"], vec![]);
    graph.output("y", DataType::Float, &[]);
    let options = ModelOptions {
        mean: Some([0.0; 3]),
        std: Some([1.0; 3]),
        ..ModelOptions::default()
    };
    let said = load(&graph.finish().unwrap(), &options).unwrap_err();
    assert!(said.contains("[1, 3, 800000, 800000]"), "{said}");
}

#[test]
fn a_card_that_contradicts_the_file_is_refused() {
    let model = BlobModel::default();
    let with = |change: &dyn Fn(&mut onnx_graph::ModelCard)| {
        let (mut file, mut card) = (model.build(), model.card());
        change(&mut card);
        card.store(&mut file);
        refused(&file)
    };
    let stride = with(&|c| c.output.stride = 8.0);
    assert!(
        stride.contains("8 input pixels per heatmap cell"),
        "{stride}"
    );
    let size = with(&|c| c.input.width = 128);
    assert!(size.contains("128 pixels"), "{size}");
    let names = with(&|c| {
        c.keypoints.push("tail".into());
    });
    assert!(names.contains("4 maps, one for each keypoint"), "{names}");
    let output = with(&|c| c.output.name = "gone".into());
    assert!(
        output.contains("no output `gone`") && output.contains("maps"),
        "{output}"
    );
}

#[test]
fn without_a_card_everything_it_would_say_must_be_said() {
    let model = BlobModel {
        card: false,
        ..BlobModel::default()
    }
    .build();
    let mut options = ModelOptions::default();
    let said = load(&model, &options).unwrap_err();
    assert!(said.contains("--mean"), "{said}");
    options.mean = Some([10.0, 20.0, 30.0]);
    options.std = Some([50.0, 60.0, 70.0]);
    let said = load(&model, &options).unwrap_err();
    assert!(
        said.contains("its 3 heatmaps") && said.contains("--classes"),
        "{said}"
    );
    let folder = tempfile::tempdir().unwrap();
    let classes = folder.path().join("blobs_classes.txt");
    std::fs::write(&classes, NAMES.join("\n")).unwrap();
    options.keypoints.classes = Some(classes);
    let loaded = load(&model, &options).unwrap();
    let spec = loaded.spec();
    assert_eq!(spec.keypoints.keypoints, NAMES);
    assert_eq!(spec.keypoints.name, "blobs");
    assert_eq!(spec.maps.size, Size::new(24, 16));
    assert_eq!((spec.decoding, spec.crop_margin), (Decoding::Dark, 1.25));
    // 16 names for 3 maps.
    options.keypoints = KeypointChoice {
        builtin: Some("mpii".into()),
        ..KeypointChoice::default()
    };
    let said = load(&model, &options).unwrap_err();
    assert!(said.contains("expected 16 maps"), "{said}");
    options.keypoints.builtin = Some("octopus".into());
    assert!(load(&model, &options).unwrap_err().contains("animal_pose"));
}

#[test]
fn bytes_as_input_need_no_normalization() {
    let model = BlobModel {
        card: false,
        dtype: InputType::Uint8,
        ..BlobModel::default()
    }
    .build();
    let said = load(&model, &ModelOptions::default()).unwrap_err();
    assert!(said.contains("which keypoints"), "{said}");
}

#[test]
fn an_open_input_size_is_asked_for() {
    let mut graph = GraphBuilder::new("open");
    graph.input(
        "x",
        DataType::Float,
        &["n".into(), 3.into(), "h".into(), "w".into()],
    );
    graph.f32("w", &[16, 3, 4, 4], &[0.01; 16 * 48]);
    graph.node(
        "Conv",
        &["x", "w"],
        &["y"],
        vec![AttributeProto::ints("strides", &[4, 4])],
    );
    graph.output(
        "y",
        DataType::Float,
        &["n".into(), 16.into(), "a".into(), "b".into()],
    );
    let model = graph.finish().unwrap();
    let mut options = ModelOptions {
        mean: Some([0.0; 3]),
        std: Some([1.0; 3]),
        keypoints: KeypointChoice {
            builtin: Some("mpii".into()),
            ..KeypointChoice::default()
        },
        ..ModelOptions::default()
    };
    assert!(load(&model, &options).unwrap_err().contains("--input-size"));
    options.input_size = Some(Size::new(64, 96));
    let loaded = load(&model, &options).unwrap();
    assert_eq!(loaded.spec().maps.size, Size::new(16, 24));
}

#[test]
fn of_several_outputs_the_last_counts_unless_one_is_named() {
    let mut graph = GraphBuilder::new("stacks");
    graph.input(
        "x",
        DataType::Float,
        &[1.into(), 3.into(), 32.into(), 32.into()],
    );
    for (name, value) in [("first", 0.25), ("last", 0.75)] {
        let weight = format!("{name}_w");
        graph.f32(&weight, &[16, 3, 4, 4], &[0.0; 16 * 48]);
        graph.f32(&format!("{name}_b"), &[16], &[value; 16]);
        graph.node(
            "Conv",
            &["x", &weight, &format!("{name}_b")],
            &[name],
            vec![AttributeProto::ints("strides", &[4, 4])],
        );
        graph.output(
            name,
            DataType::Float,
            &[1.into(), 16.into(), 8.into(), 8.into()],
        );
    }
    let model = graph.finish().unwrap();
    for (wanted, value) in [(None, 0.75), (Some("first"), 0.25), (Some("last"), 0.75)] {
        let options = ModelOptions {
            mean: Some([0.0; 3]),
            std: Some([1.0; 3]),
            output: wanted.map(String::from),
            keypoints: KeypointChoice {
                builtin: Some("mpii".into()),
                ..KeypointChoice::default()
            },
            ..ModelOptions::default()
        };
        let mut loaded = load(&model, &options).unwrap();
        let mut preprocessor = edge_runtime::Preprocessor::new(&loaded.spec().input).unwrap();
        let image = preprocessor.normalize(&[128; 32 * 32 * 3]).unwrap();
        loaded.run(image).unwrap();
        assert_eq!(loaded.maps()[0], value, "{wanted:?}");
    }
}

#[test]
fn broken_files_never_panic() {
    let bytes = BlobModel::default().build().to_bytes();
    let options = ModelOptions::default();
    for length in (0..bytes.len()).step_by(7) {
        let _ = PoseModel::from_bytes(&bytes[..length], "cut", &options);
    }
    for position in (0..bytes.len()).step_by(11) {
        let mut broken = bytes.clone();
        broken[position] ^= 0x55;
        let _ = PoseModel::from_bytes(&broken, "flipped", &options);
    }
}
