//! Reading and writing whole files: what comes back, and what is said about files that are broken.

#![allow(clippy::unwrap_used)]

use std::fs;

use onnx_graph::{AttributeProto, DataType, GraphBuilder, Model, OnnxError, TensorProto};

fn small_model() -> Model {
    let mut graph = GraphBuilder::new("small");
    graph.input(
        "image",
        DataType::Float,
        &["batch".into(), 3.into(), 8.into(), 8.into()],
    );
    graph.f32("weight", &[2, 3, 1, 1], &[0.5; 6]);
    graph.f32("bias", &[2], &[0.1, 0.2]);
    graph.node(
        "Conv",
        &["image", "weight", "bias"],
        &["raw"],
        vec![
            AttributeProto::ints("kernel_shape", &[1, 1]),
            AttributeProto::int("group", 1),
            AttributeProto::string("auto_pad", "NOTSET"),
        ],
    );
    graph.node(
        "LeakyRelu",
        &["raw"],
        &["map"],
        vec![AttributeProto::float("alpha", 0.0)],
    );
    graph.output(
        "map",
        DataType::Float,
        &["batch".into(), 2.into(), 8.into(), 8.into()],
    );
    graph.finish().unwrap()
}

#[test]
fn a_saved_model_comes_back_equal_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.onnx");
    let mut model = small_model();
    model.save(&path).unwrap();
    model.set_metadata("author", "somebody");
    model.set_metadata("author", "somebody else");
    model.save(&path).unwrap();
    let loaded = Model::load(&path).unwrap();
    assert_eq!(loaded, model);
    assert_eq!(loaded.metadata("author"), Some("somebody else"));
    assert_eq!(loaded.proto().metadata_props.len(), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_wire_form_is_what_the_protobuf_encoding_rules_give_by_hand() {
    // Encoded by hand from onnx.proto and the protobuf wire format: field << 3 | wire type.
    let mut graph = GraphBuilder::new("g");
    graph.input("x", DataType::Float, &[2.into(), "n".into()]);
    graph.node(
        "Relu",
        &["x"],
        &["y"],
        vec![AttributeProto::ints("a", &[1, 2])],
    );
    graph.output("y", DataType::Uint8, &[]);
    let bytes = graph.finish().unwrap().to_bytes();
    let node =
        b"\x0a\x01x\x12\x01y\x1a\x01y\x22\x04Relu\x2a\x0a\x0a\x01a\x40\x01\x40\x02\xa0\x01\x07";
    let input = b"\x0a\x01x\x12\x0f\x0a\x0d\x08\x01\x12\x09\x0a\x02\x08\x02\x0a\x03\x12\x01n";
    let output = b"\x0a\x01y\x12\x06\x0a\x04\x08\x02\x12\x00";
    let field = |tag: u8, content: &[u8]| {
        let mut out = vec![tag, u8::try_from(content.len()).unwrap()];
        out.extend(content);
        out
    };
    let graph = [
        field(0x0a, node),
        field(0x12, b"g"),
        field(0x5a, input),
        field(0x62, output),
    ]
    .concat();
    let expected = [
        vec![0x08, 8],
        field(0x12, b"onnx-graph"),
        field(0x1a, env!("CARGO_PKG_VERSION").as_bytes()),
        field(0x3a, &graph),
        field(0x42, &[0x10, 13]),
    ]
    .concat();
    assert_eq!(bytes, expected);
}

#[test]
fn every_truncation_is_an_error_and_none_a_panic() {
    let bytes = small_model().to_bytes();
    for length in 0..bytes.len() {
        // The operator set comes last: without it the graph alone still reads.
        if let Ok(model) = Model::from_bytes(&bytes[..length]) {
            assert_eq!(model.opset(), 0, "cut at {length}");
        }
    }
    let error = Model::from_bytes(&bytes[..bytes.len() / 2]).unwrap_err();
    assert!(matches!(error, OnnxError::NotOnnx(_)), "{error}");
}

#[test]
fn flipped_bytes_never_panic() {
    let bytes = small_model().to_bytes();
    for position in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut broken = bytes.clone();
            broken[position] ^= flip;
            if let Ok(model) = Model::from_bytes(&broken) {
                let _ = onnx_graph::GraphFacts::of(&model);
                let _ = model.content_hash();
            }
        }
    }
}

#[test]
fn files_that_are_no_model_are_named_with_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.onnx");
    let message = Model::load(&missing).unwrap_err().to_string();
    assert!(message.contains("missing.onnx"), "{message}");
    let text = folder.path().join("text.onnx");
    fs::write(&text, "This is a text, and no model at all.\n").unwrap();
    let message = Model::load(&text).unwrap_err().to_string();
    assert!(
        message.contains("text.onnx") && message.contains("not a whole ONNX model"),
        "{message}"
    );
    let empty = folder.path().join("empty.onnx");
    fs::write(&empty, "").unwrap();
    let message = Model::load(&empty).unwrap_err().to_string();
    assert!(message.contains("the file is empty"), "{message}");
    assert!(Model::load(folder.path()).is_err());
    let unwritable = folder.path().join("no/such/folder.onnx");
    let message = small_model().save(&unwritable).unwrap_err().to_string();
    assert!(
        message.contains("cannot write") && message.contains("no/such"),
        "{message}"
    );
}

#[test]
fn a_full_disk_is_reported() {
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        eprintln!("skipped: this system has no /dev/full");
        return;
    }
    assert!(matches!(
        small_model().save(full),
        Err(OnnxError::Write { .. })
    ));
}

#[test]
fn broken_order_is_found_and_repaired() {
    let mut proto = small_model().into_proto();
    let graph = proto.graph.as_mut().unwrap();
    graph.node.reverse();
    let message = onnx_graph::check_order(graph).unwrap_err().to_string();
    assert_eq!(
        message,
        "invalid graph: LeakyRelu `map` takes `raw`, which is no input, no constant and made by no \
         node before it"
    );
    onnx_graph::sort_nodes(graph).unwrap();
    assert_eq!(graph.node[0].op_type, "Conv");
    graph.node[0].input[0] = "map".into();
    let message = onnx_graph::sort_nodes(graph).unwrap_err().to_string();
    assert!(
        message.contains("waits for a value that never comes"),
        "{message}"
    );
}

#[test]
fn the_builder_refuses_doubled_and_missing_values_and_wrong_counts() {
    let mut doubled = GraphBuilder::new("g");
    doubled.input("x", DataType::Float, &[1.into()]);
    doubled.node("Relu", &["x"], &["x"], vec![]);
    assert!(
        doubled
            .finish()
            .unwrap_err()
            .to_string()
            .contains("already exists")
    );
    let mut missing = GraphBuilder::new("g");
    missing.input("x", DataType::Float, &[1.into()]);
    missing.node("Relu", &["x"], &["y"], vec![]);
    missing.output("z", DataType::Float, &[1.into()]);
    assert!(missing.finish().unwrap_err().to_string().contains("`z`"));
    let mut short = GraphBuilder::new("g");
    short.initializer(TensorProto::from_f32("w", &[3], &[1.0]));
    assert!(
        short
            .finish()
            .unwrap_err()
            .to_string()
            .contains("needs 12 bytes")
    );
}

#[test]
fn the_content_hash_follows_the_weights_and_not_the_metadata() {
    let model = small_model();
    let hash = model.content_hash();
    assert_eq!(hash.len(), 64);
    let mut described = model.clone();
    described.set_metadata("note", "anything");
    assert_eq!(described.content_hash(), hash);
    let mut proto = model.into_proto();
    proto.graph.as_mut().unwrap().initializer[0].raw_data[0] ^= 1;
    assert_ne!(Model::from_proto(proto).unwrap().content_hash(), hash);
}
