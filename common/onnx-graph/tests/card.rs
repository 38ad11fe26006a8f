//! The model card: stored, read back, and refused when it contradicts itself.

#![allow(clippy::unwrap_used)]

use onnx_graph::{
    Architecture, CARD_KEY, CardInput, CardOutput, ColorOrder, DataType, GraphBuilder, InputType,
    Model, ModelCard, TensorLayout,
};
use pose::{FlipAxis, KeypointSet};

fn model() -> Model {
    let mut graph = GraphBuilder::new("g");
    graph.input("x", DataType::Float, &[1.into()]);
    graph.node("Relu", &["x"], &["y"], vec![]);
    graph.output("y", DataType::Float, &[1.into()]);
    graph.finish().unwrap()
}

fn card() -> ModelCard {
    let mut card = ModelCard {
        version: 1,
        name: "tiny".into(),
        architecture: Architecture {
            family: "stacked-hourglass".into(),
            variant: "mobile-tiny".into(),
            stacks: 2,
            channels: 128,
            ..Architecture::default()
        },
        keypoints: vec![],
        flip_pairs: vec![],
        skeleton: vec![],
        input: CardInput {
            name: "x".into(),
            width: 192,
            height: 192,
            color: ColorOrder::Rgb,
            layout: TensorLayout::Nchw,
            dtype: InputType::Float32,
            mean: [127.5; 3],
            std: [64.0; 3],
        },
        output: CardOutput {
            name: "y".into(),
            stride: 4.0,
            sigma: 1.0,
            decoding: Default::default(),
            layout: TensorLayout::Nchw,
        },
        crop_margin: 1.25,
        quantization: None,
        training: None,
        content_hash: String::new(),
    };
    card.set_keypoints(&KeypointSet::mpii());
    card
}

#[test]
fn a_stored_card_comes_back_with_the_keypoint_set_and_the_hash() {
    let mut model = model();
    assert_eq!(ModelCard::from_model(&model).unwrap(), None);
    card().store(&mut model);
    let model = Model::from_bytes(&model.to_bytes()).unwrap();
    let read = ModelCard::from_model(&model).unwrap().unwrap();
    assert_eq!(
        read,
        ModelCard {
            content_hash: model.content_hash(),
            ..card()
        }
    );
    assert!(read.matches(&model) && !card().matches(&model));
    let (set, mpii) = (read.keypoint_set().unwrap(), KeypointSet::mpii());
    assert_eq!(set.keypoints, mpii.keypoints);
    assert_eq!(set.flip_pairs, mpii.flip_pairs);
    assert_eq!(set.skeleton, mpii.skeleton);
    assert_eq!(set.flip_pairs[0].axis, FlipAxis::Horizontal);
}

#[test]
fn a_card_written_by_hand_with_only_what_is_needed_is_read() {
    let mut model = model();
    model.set_metadata(
        CARD_KEY,
        r#"{"version": 1, "name": "hand", "architecture": {"family": "other"},
            "keypoints": ["nose"], "a_field_of_tomorrow": [1, 2],
            "input": {"name": "x", "width": 64, "height": 32, "color": "bgr", "dtype": "uint8"},
            "output": {"name": "y", "stride": 8, "sigma": 2, "decoding": "quarter"}}"#,
    );
    let card = ModelCard::from_model(&model).unwrap().unwrap();
    assert_eq!(card.input.color, ColorOrder::Bgr);
    assert_eq!(card.input.dtype, InputType::Uint8);
    assert_eq!(card.input.std, [1.0; 3]);
    assert_eq!(card.crop_margin, 1.25);
}

#[test]
fn cards_that_cannot_be_used_say_why() {
    let said = |change: &dyn Fn(&mut ModelCard)| {
        let (mut model, mut card) = (model(), card());
        change(&mut card);
        card.store(&mut model);
        ModelCard::from_model(&model).unwrap_err().to_string()
    };
    let version = said(&|c| c.version = 2);
    assert!(
        version.contains("version 2") && version.contains("newer"),
        "{version}"
    );
    assert!(said(&|c| c.keypoints.clear()).contains("no keypoints"));
    assert!(said(&|c| c.keypoints[3] = "right_knee".into()).contains("`right_knee`"));
    assert!(said(&|c| c.skeleton[0].start = "tail".into()).contains("`tail`"));
    assert!(said(&|c| c.flip_pairs[0].second = "wing".into()).contains("`wing`"));
    assert!(said(&|c| c.input.width = 0).contains("0x192"));
    assert!(said(&|c| c.input.std[1] = 0.0).contains("std"));
    assert!(said(&|c| c.output.stride = -4.0).contains("stride is -4"));
    let mut model = model();
    model.set_metadata(CARD_KEY, "{\"version\": 1, ");
    assert!(
        ModelCard::from_model(&model)
            .unwrap_err()
            .to_string()
            .contains("not valid")
    );
}
