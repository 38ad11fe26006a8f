//! Summaries of ONNX files.

use std::collections::HashMap;

use onnx_graph::{GraphFacts, Model, NodeFacts, NodeProto};

use super::{LayerKind, Step, Summary, block_of, stage};

/// An ONNX model, called `name`. Operations that only move or restore values are left out where
/// they have no shape; symbolic dimensions count as 1.
pub fn summarize_onnx(name: &str, model: &Model) -> Summary {
    let facts = GraphFacts::of(model);
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut steps: Vec<Step> = Vec::new();
    for input in &facts.inputs {
        places.insert(input.name.clone(), steps.len());
        let sizes: Vec<usize> = input.shape.iter().map(|d| d.fixed().unwrap_or(1)).collect();
        steps.push(Step {
            name: input.name.clone(),
            block: input.name.clone(),
            kind: LayerKind::Input,
            description: "input".to_owned(),
            inputs: Vec::new(),
            output: without_batch(&sizes),
            parameters: 0,
            macs: 0,
            extra: 0,
            kernel: 1.0,
            step: 1.0,
        });
    }
    let nodes = NodeFacts::of(model);
    for (facts, node) in nodes.iter().zip(&model.graph().node) {
        let inputs: Vec<usize> = facts
            .inputs
            .iter()
            .filter_map(|name| places.get(name).copied())
            .collect();
        // What reads constants alone is arithmetic on weights, not on maps.
        if inputs.is_empty() {
            continue;
        }
        for output in facts.outputs.iter().filter(|name| !name.is_empty()) {
            places.insert(output.clone(), steps.len());
        }
        steps.push(step(facts, node, inputs, &steps));
    }
    let results: Vec<usize> = facts
        .outputs
        .iter()
        .filter_map(|output| places.get(&output.name).copied())
        .collect();
    Summary::of(name.to_owned(), steps, &results, 0)
}

fn without_batch(shape: &[usize]) -> Vec<usize> {
    shape.get(1..).unwrap_or_default().to_vec()
}

fn step(facts: &NodeFacts, node: &NodeProto, inputs: Vec<usize>, steps: &[Step]) -> Step {
    let output = without_batch(&facts.shape);
    let values = output.iter().map(|&d| d as u64).product::<u64>();
    let name = facts.outputs.first().cloned().unwrap_or_default();
    let kernel = kernel(facts, node);
    let stride = node.ints("strides").and_then(|s| s.first().copied());
    let stride = stride.unwrap_or(1).max(1) as f64;
    let dilation = node.ints("dilations").and_then(|d| d.first().copied());
    let window = 1.0 + (kernel - 1.0) * dilation.unwrap_or(1).max(1) as f64;
    let mut step = Step {
        // A value may be called otherwise than what makes it: the last convolution's, say.
        block: match own_block(&name).or_else(|| own_block(facts.inputs.get(1)?)) {
            Some(block) => block,
            None => block_beside(&name, &facts.operator, &inputs, steps),
        },
        name,
        kind: LayerKind::Other,
        description: facts.operator.clone(),
        inputs,
        output,
        parameters: facts.parameters,
        macs: facts.macs.unwrap_or(0),
        extra: 0,
        kernel: 1.0,
        step: 1.0,
    };
    match facts.operator.as_str() {
        "Conv" | "ConvInteger" | "QLinearConv" => {
            let grouped = node.int("group").unwrap_or(1) > 1;
            let per_channel = grouped && facts.weight_shape.get(1) == Some(&1);
            step.kind = match (per_channel, kernel > 1.0) {
                (true, _) => LayerKind::Depthwise,
                (false, true) => LayerKind::Convolution,
                (false, false) => LayerKind::Pointwise,
            };
            let mut text = format!("{} {kernel}×{kernel}", facts.operator);
            if stride > 1.0 {
                text += &format!("/{stride}");
            }
            if per_channel {
                text += " depthwise";
            }
            step.description = text;
            step.extra = values;
            (step.kernel, step.step) = (window, stride);
        }
        "Add" | "Sum" | "QLinearAdd" => {
            step.kind = LayerKind::Sum;
            step.extra = values;
        }
        "MaxPool" | "AveragePool" => {
            step.kind = LayerKind::Pool;
            step.description = format!("{} {kernel}×{kernel}/{stride}", facts.operator);
            step.extra = values * (kernel * kernel - 1.0) as u64;
            (step.kernel, step.step) = (window, stride);
        }
        "Resize" | "Upsample" => {
            step.kind = LayerKind::Upsample;
            // Rows of the result over rows of the input.
            let rows = |shape: &[usize]| shape.get(1).copied().unwrap_or(1).max(1) as f64;
            let from = step.inputs.first().map_or(1.0, |&i| rows(&steps[i].output));
            step.step = from / rows(&step.output);
        }
        "BatchNormalization" => step.extra = 2 * values,
        "Relu" | "Clip" | "Sigmoid" | "Mul" | "PRelu" => step.extra = values,
        _ => {}
    }
    step
}

/// Side of an operator's window.
fn kernel(facts: &NodeFacts, node: &NodeProto) -> f64 {
    let stated = node.ints("kernel_shape").and_then(|k| k.first().copied());
    let from_weight = || match facts.weight_shape.len() {
        4 => facts.weight_shape.last().map(|&k| k as i64),
        _ => None,
    };
    stated.or_else(from_weight).unwrap_or(1).max(1) as f64
}

/// Part of the network that a value belongs to by its name, if it is called as in our own files.
fn own_block(name: &str) -> Option<String> {
    let own = name.split('.').next().unwrap_or(name);
    let named = own.starts_with("hg") || own.starts_with("front_");
    named.then(|| block_of(own).to_owned())
}

/// Part of the network that a value without such a name belongs to: that of what it reads, where
/// that has one; otherwise what stands before the last `/` of its name, or the operator.
fn block_beside(name: &str, operator: &str, inputs: &[usize], steps: &[Step]) -> String {
    let Some(branch) = inputs.last().map(|&input| &steps[input]) else {
        return operator.to_owned();
    };
    let stage = stage(&branch.block);
    if stage == "front" || stage.starts_with("hg") {
        return match operator {
            "MaxPool" | "AveragePool" => format!("{}_pool", branch.block),
            "Resize" | "Upsample" => format!("{stage}_upsample_{}", steps.len()),
            // Sums close the block of their branch; others stand between blocks.
            "Add" if branch.kind == LayerKind::Sum || branch.block == branch.name => {
                format!("{stage}_add")
            }
            _ => branch.block.clone(),
        };
    }
    match name.rsplit_once('/') {
        Some((path, _)) if !path.is_empty() => path.to_owned(),
        _ => operator.to_owned(),
    }
}
