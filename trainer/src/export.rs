//! A checkpoint as an ONNX file with a model card inside.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use edge_runtime::{ModelOptions, PoseModel, Preprocessor};
use hourglass::{FoldedLayer, Graph, Node, fold};
use onnx_graph::{
    Architecture, AttributeProto, CardDecoding, CardInput, CardMetric, CardOutput, CardTraining,
    ColorOrder, DataType, GraphBuilder, InputType, Model, ModelCard, TensorLayout,
};

use crate::checkpoint::Checkpoint;
use crate::device::TrainDevice;
use crate::error::TrainError;
use crate::network::Network;
use crate::sample::{MEAN, STD};

/// Largest difference between a heatmap of the exported file and of the network in training.
pub const TOLERANCE: f32 = 1e-3;

/// What the card says beyond what the checkpoint knows.
#[derive(Clone, Debug, Default)]
pub struct ExportNotes {
    /// Name of the model, for example `tiny`.
    pub name: String,
    /// Which people were trained on and which were held out.
    pub split: String,
    /// Terms of the data.
    pub license_note: String,
    /// Measured figures.
    pub metrics: Vec<CardMetric>,
}

/// The network of a checkpoint as ONNX: the last stack's heatmaps, BatchNorm and 1×1 depthwise
/// scales folded, input `image` `[1, 3, height, width]`, output `heatmaps` `[1, keypoints,
/// height / 4, width / 4]`.
///
/// # Errors
/// When a node has no ONNX form.
pub fn export(checkpoint: &Checkpoint, notes: &ExportNotes) -> Result<Model, TrainError> {
    let info = &checkpoint.info;
    let (graph, layers) = fold(&info.network.graph(), &checkpoint.weights);
    let [height, width] = info.input;
    let mut model = onnx(&notes.name, &graph, &layers, (height, width))?;
    let network = &info.network;
    let mut card = ModelCard {
        version: 1,
        name: notes.name.clone(),
        architecture: Architecture {
            family: "stacked-hourglass".to_owned(),
            variant: network.model_type(height, width),
            stacks: network.stacks,
            channels: network.channels,
            front: network.front.map(|front| [front.stem, front.blocks]),
            widths: network.widths.clone(),
        },
        keypoints: Vec::new(),
        flip_pairs: Vec::new(),
        skeleton: Vec::new(),
        input: CardInput {
            name: INPUT.to_owned(),
            width,
            height,
            color: ColorOrder::Rgb,
            layout: TensorLayout::Nchw,
            dtype: InputType::Float32,
            mean: [MEAN; 3],
            std: [STD; 3],
        },
        output: CardOutput {
            name: OUTPUT.to_owned(),
            stride: 4.0,
            sigma: info.sigma,
            decoding: CardDecoding::Dark,
            layout: TensorLayout::Nchw,
        },
        crop_margin: info.margin,
        quantization: None,
        training: Some(CardTraining {
            data: info.data.clone(),
            split: notes.split.clone(),
            epochs: (info.samples as f64 / info.epoch_samples.max(1) as f64) as f32,
            samples: info.samples,
            metrics: notes.metrics.clone(),
            license_note: notes.license_note.clone(),
        }),
        content_hash: model.content_hash(),
    };
    card.set_keypoints(&info.keypoints);
    card.store(&mut model);
    Ok(model)
}

const INPUT: &str = "image";
const OUTPUT: &str = "heatmaps";

fn onnx(
    name: &str,
    graph: &Graph,
    layers: &[FoldedLayer],
    (height, width): (usize, usize),
) -> Result<Model, TrainError> {
    let mut builder = GraphBuilder::new(name);
    let shapes = graph.shapes(height, width);
    let dimensions = |node: usize| {
        let shape = shapes[node];
        [1, shape.channels, shape.height, shape.width].map(Into::into)
    };
    builder.input(INPUT, DataType::Float, &dimensions(0));
    let last = graph.outputs.last().copied().unwrap_or_default();
    let value = |node: usize| match node {
        0 => INPUT.to_owned(),
        node if node == last => OUTPUT.to_owned(),
        node => match graph.nodes[node] {
            Node::Conv { layer, .. } => graph.layers[layer].name.clone(),
            _ => format!("node_{node}"),
        },
    };
    builder.f32("twice", &[4], &[1.0, 1.0, 2.0, 2.0]);
    for (id, node) in graph.nodes.iter().enumerate().skip(1) {
        let output = value(id);
        match *node {
            Node::Input => {}
            Node::Conv { layer, input } => {
                let (description, values) = (&graph.layers[layer], &layers[layer]);
                let (weight, bias) = (
                    format!("{}.weight", description.name),
                    format!("{}.bias", description.name),
                );
                builder.f32(&weight, &description.weight_shape(), &values.weight);
                builder.f32(&bias, &[description.outputs], &values.bias);
                let (top, bottom) = description.padding(shapes[input].height);
                let (left, right) = description.padding(shapes[input].width);
                let pads = [top, left, bottom, right].map(|p| p as i64);
                let [kernel, stride] = [description.kernel, description.stride].map(|v| v as i64);
                let groups = if description.depthwise {
                    description.inputs
                } else {
                    1
                };
                let linear = if description.relu {
                    format!("{output}.linear")
                } else {
                    output.clone()
                };
                builder.node(
                    "Conv",
                    &[&value(input), &weight, &bias],
                    &[&linear],
                    vec![
                        AttributeProto::ints("kernel_shape", &[kernel; 2]),
                        AttributeProto::ints("strides", &[stride; 2]),
                        AttributeProto::ints("pads", &pads),
                        AttributeProto::int("group", groups as i64),
                    ],
                );
                if description.relu {
                    builder.node("Relu", &[&linear], &[&output], vec![]);
                }
            }
            Node::Add { a, b } => {
                builder.node("Add", &[&value(a), &value(b)], &[&output], vec![]);
            }
            Node::MaxPool { input } => builder.node(
                "MaxPool",
                &[&value(input)],
                &[&output],
                vec![
                    AttributeProto::ints("kernel_shape", &[2, 2]),
                    AttributeProto::ints("strides", &[2, 2]),
                ],
            ),
            Node::UpsampleAdd { low, high } => {
                let enlarged = format!("{output}.enlarged");
                builder.node(
                    "Resize",
                    &[&value(low), "", "twice"],
                    &[&enlarged],
                    vec![
                        AttributeProto::string("mode", "nearest"),
                        AttributeProto::string("coordinate_transformation_mode", "asymmetric"),
                        AttributeProto::string("nearest_mode", "floor"),
                    ],
                );
                builder.node("Add", &[&value(high), &enlarged], &[&output], vec![]);
            }
        }
    }
    builder.output(OUTPUT, DataType::Float, &dimensions(last));
    Ok(builder.finish()?)
}

/// Loads an exported file as a user would and compares its heatmaps with the network's on a
/// picture of noise. Returns the largest difference.
///
/// # Errors
/// [`TrainError::Export`] when they differ by more than [`TOLERANCE`].
pub fn verify(path: &Path, checkpoint: &Checkpoint) -> Result<f32, TrainError> {
    let mut model = PoseModel::load(path, &ModelOptions::default())?;
    let size = model.spec().input.size;
    let mut state = 12345u32;
    let picture: Vec<u8> = (0..size.width * size.height * 3)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let mut preprocessor = Preprocessor::new(&model.spec().input)?;
    model.run(preprocessor.normalize(&picture)?)?;

    let device = TrainDevice::host()?;
    let graph = checkpoint.info.network.graph();
    let network = Network::new(&graph, &checkpoint.weights, &device);
    let values: Vec<f32> = picture
        .iter()
        .map(|&v| (f32::from(v) - MEAN) / STD)
        .collect();
    let pictures = TensorData::new(values, [1, size.height, size.width, 3]);
    let pictures = Tensor::<4>::from_data(pictures, &device).permute([0, 3, 1, 2]);
    let expected = network.forward(pictures).pop().map(Tensor::into_data);
    let expected: Vec<f32> = expected
        .iter()
        .flat_map(|maps| maps.iter::<f32>())
        .collect();
    let fail = |reason: String| TrainError::Export {
        path: path.to_owned(),
        reason,
    };
    if expected.len() != model.maps().len() {
        let (found, wanted) = (model.maps().len(), expected.len());
        return Err(fail(format!(
            "gives {found} heatmap values, expected {wanted}"
        )));
    }
    let pairs = model.maps().iter().zip(&expected);
    let largest = pairs.fold(0.0f32, |a, (x, y)| a.max((x - y).abs()));
    if largest <= TOLERANCE {
        Ok(largest)
    } else {
        Err(fail(format!(
            "its heatmaps differ from the network's by {largest}, more than {TOLERANCE}"
        )))
    }
}
