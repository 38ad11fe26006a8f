//! Summaries of networks in training.

use hourglass::{ConvLayer, Graph, HourglassConfig, Node};

use super::{LayerKind, Step, Summary, block_of, stage};

/// A member of the family for pictures of `height` × `width`, with every stack's heatmaps as in
/// training. Multiply-adds and parameters of the exported file stand beside.
pub fn summarize(config: &HourglassConfig, (height, width): (usize, usize)) -> Summary {
    let graph = config.graph();
    let shapes = graph.shapes(height, width);
    let mut steps: Vec<Step> = Vec::with_capacity(graph.nodes.len());
    for (id, node) in graph.nodes.iter().enumerate() {
        let shape = shapes[id];
        let values = shape.len() as u64;
        let mut step = Step {
            name: String::new(),
            block: String::new(),
            kind: LayerKind::Other,
            description: String::new(),
            inputs: node.inputs().collect(),
            output: vec![shape.channels, shape.height, shape.width],
            parameters: 0,
            macs: 0,
            extra: 0,
            kernel: 1.0,
            step: 1.0,
        };
        match *node {
            Node::Input => {
                step.name = "picture".to_owned();
                step.block.clone_from(&step.name);
                step.kind = LayerKind::Input;
                step.description = "input".to_owned();
            }
            Node::Conv { layer, .. } => {
                let layer = &graph.layers[layer];
                step.name.clone_from(&layer.name);
                step.block = block_of(&layer.name).to_owned();
                step.kind = kind(layer);
                step.description = describe(layer);
                step.parameters = layer.parameters() as u64;
                step.macs = layer.weight_len() as u64 * shape.cells() as u64;
                let extra =
                    u64::from(layer.bias) + 2 * u64::from(layer.norm) + u64::from(layer.relu);
                step.extra = extra * values;
                step.kernel = layer.kernel as f64;
                step.step = layer.stride as f64;
            }
            Node::Add { b, .. } => {
                // The sum that closes a residual block belongs to it; others stand between blocks.
                let branch = &steps[b];
                let closes = branch.kind != LayerKind::Sum && branch.block != branch.name;
                step.block = match closes {
                    true => branch.block.clone(),
                    false => format!("{}_add", stage(&branch.block)),
                };
                step.name = match closes {
                    true => format!("{}_add", step.block),
                    false => step.block.clone(),
                };
                step.kind = LayerKind::Sum;
                step.description = "sum".to_owned();
                step.extra = values;
            }
            Node::MaxPool { input } => {
                step.name = format!("{}_pool", steps[input].block);
                step.block.clone_from(&step.name);
                step.kind = LayerKind::Pool;
                step.description = "maximum 2×2/2".to_owned();
                step.extra = 3 * values;
                step.kernel = 2.0;
                step.step = 2.0;
            }
            Node::UpsampleAdd { high, .. } => {
                let short = &steps[high].block;
                step.name = short.strip_suffix("_short").unwrap_or(short).to_owned();
                step.block.clone_from(&step.name);
                step.kind = LayerKind::Upsample;
                step.description = "enlarge 2×, sum".to_owned();
                step.extra = values;
            }
        }
        steps.push(step);
    }
    let running = graph.layers.iter().filter(|layer| layer.norm);
    let running = running.map(|layer| 2 * layer.outputs as u64).sum();
    let mut summary = Summary::of(
        config.model_type(height, width),
        steps,
        &graph.outputs,
        running,
    );
    summary.exported = Some(exported(&graph, (height, width)));
    summary
}

/// Parameters and multiply-adds of the last stack's network with normalizations and 1×1 depthwise
/// scales folded.
fn exported(graph: &Graph, size: (usize, usize)) -> (u64, u64) {
    let weights = hourglass::random_weights(graph, &mut || 1.0);
    let (folded, _) = hourglass::fold(graph, &weights);
    (folded.parameters() as u64, folded.macs(size.0, size.1))
}

fn kind(layer: &ConvLayer) -> LayerKind {
    match (layer.depthwise, layer.kernel) {
        (true, _) => LayerKind::Depthwise,
        (false, 1) => LayerKind::Pointwise,
        _ => LayerKind::Convolution,
    }
}

fn describe(layer: &ConvLayer) -> String {
    let mut text = format!("{}×{}", layer.kernel, layer.kernel);
    if layer.stride > 1 {
        text += &format!("/{}", layer.stride);
    }
    if layer.depthwise {
        text += " depthwise";
    }
    for (has, word) in [
        (layer.bias, "+ bias"),
        (layer.norm, "+ BatchNorm"),
        (layer.relu, "+ ReLU"),
    ] {
        if has {
            text = format!("{text} {word}");
        }
    }
    text
}
