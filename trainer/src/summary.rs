//! What a network is made of: layers, shapes, parameters, multiply-adds, receptive fields, memory.

use core::fmt;

use serde::Serialize;

mod graph;
mod onnx;

pub use graph::summarize;
pub use onnx::summarize_onnx;

/// What an operation does, as far as tables and pictures tell operations apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerKind {
    /// The picture.
    Input,
    /// An ordinary convolution with a kernel of more than one cell.
    Convolution,
    /// One kernel for each channel.
    Depthwise,
    /// A 1×1 convolution.
    Pointwise,
    /// A sum of maps.
    Sum,
    /// A maximum or mean over cells.
    Pool,
    /// Enlarging.
    Upsample,
    /// Anything else.
    Other,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerSummary {
    /// Its name; sums and the like are called after their block.
    pub name: String,
    /// The part of the network that it belongs to, for example `hg0_upsample_f4_short`.
    pub block: String,
    /// What it does.
    pub kind: LayerKind,
    /// What it does, in words.
    pub description: String,
    /// The operations that it reads, by their place in the list.
    pub inputs: Vec<usize>,
    /// Shape of the result for one picture: channels, height, width.
    pub output: Vec<usize>,
    /// Trainable parameters.
    pub parameters: u64,
    /// Multiply-adds for one picture.
    pub macs: u64,
    /// Side of the square of picture pixels that one cell of the result can depend on.
    pub receptive_field: f64,
    /// Picture pixels from one cell to the next.
    pub stride: f64,
}

/// A part of the network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BlockSummary {
    /// Its name.
    pub name: String,
    /// Shape of its last result.
    pub output: Vec<usize>,
    /// Number of operations.
    pub layers: usize,
    /// Trainable parameters.
    pub parameters: u64,
    /// Multiply-adds for one picture.
    pub macs: u64,
}

/// Bytes in 32-bit floats, for one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// All parameters.
    pub parameters: u64,
    /// The most that results need at one time when each is dropped after its last reader.
    pub peak: u64,
    /// All results together, as training keeps them.
    pub results: u64,
}

/// A network in figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// What it is called.
    pub name: String,
    /// Shape of the picture: channels, height, width.
    pub input: Vec<usize>,
    /// The operations in the order in which they run.
    pub layers: Vec<LayerSummary>,
    /// Residual blocks, heads and the rest.
    pub blocks: Vec<BlockSummary>,
    /// The front and every hourglass.
    pub stages: Vec<BlockSummary>,
    /// Trainable parameters.
    pub parameters: u64,
    /// Means and variances of normalizations, which are no parameters.
    pub running_statistics: u64,
    /// Multiply-adds for one picture.
    pub macs: u64,
    /// Arithmetic operations: two for each multiply-add, one for each value that is normalized
    /// (scale and shift count two), rectified, pooled or added.
    pub operations: u64,
    /// Largest receptive field of a result of the network, in pixels.
    pub receptive_field: f64,
    /// Memory.
    pub memory: Memory,
    /// Parameters and multiply-adds of what `trainer export` writes, for networks in training.
    pub exported: Option<(u64, u64)>,
}

/// An operation before anything is derived from it.
struct Step {
    name: String,
    block: String,
    kind: LayerKind,
    description: String,
    inputs: Vec<usize>,
    output: Vec<usize>,
    parameters: u64,
    macs: u64,
    /// Operations beside the multiply-adds.
    extra: u64,
    /// Side of the window in cells of the input.
    kernel: f64,
    /// Cells of the input from one cell of the result to the next; a half where it enlarges.
    step: f64,
}

impl Summary {
    /// Derives everything from the operations. `results` are the places of the network's results.
    fn of(name: String, steps: Vec<Step>, results: &[usize], running_statistics: u64) -> Self {
        let memory = memory(&steps, results);
        let operations = steps.iter().map(|s| 2 * s.macs + s.extra).sum();
        let mut layers: Vec<LayerSummary> = Vec::with_capacity(steps.len());
        for step in steps {
            let inputs = || step.inputs.iter().map(|&i| &layers[i]);
            // A sum may be of maps that came different ways; their cells are equally large.
            let stride = inputs().map(|l| l.stride).fold(f64::MAX, f64::min);
            let stride = if stride == f64::MAX { 1.0 } else { stride };
            let field = inputs().map(|l| l.receptive_field).fold(1.0, f64::max);
            layers.push(LayerSummary {
                receptive_field: field + (step.kernel - 1.0) * stride,
                stride: stride * step.step,
                name: step.name,
                block: step.block,
                kind: step.kind,
                description: step.description,
                inputs: step.inputs,
                output: step.output,
                parameters: step.parameters,
                macs: step.macs,
            });
        }
        let of_results = results.iter().filter_map(|&r| layers.get(r));
        Self {
            input: layers.first().map_or(Vec::new(), |l| l.output.clone()),
            blocks: parts(&layers, |layer| layer.block.as_str()),
            stages: parts(&layers, |layer| stage(&layer.block)),
            parameters: layers.iter().map(|l| l.parameters).sum(),
            running_statistics,
            macs: layers.iter().map(|l| l.macs).sum(),
            operations,
            receptive_field: of_results.map(|l| l.receptive_field).fold(0.0, f64::max),
            memory,
            exported: None,
            name,
            layers,
        }
    }
}

/// `hg1` for what belongs to the second hourglass, `front` for what comes before the first.
fn stage(block: &str) -> &str {
    block.split('_').next().unwrap_or(block)
}

/// The part of the network that a layer of a name belongs to: what stands before the last
/// convolution's own part of the name.
fn block_of(name: &str) -> &str {
    let name = name.strip_suffix("_depthwise").unwrap_or(name);
    let inner = ["_conv_1x1_1", "_conv_3x3_2", "_conv_1x1_3", "_skip"];
    for suffix in inner {
        if let Some(block) = name.strip_suffix(suffix) {
            // `hg0_conv_1x1_1` is the head's own layer, not a part of a block `hg0`.
            return match block.contains('_') {
                true => block,
                false => name,
            };
        }
    }
    name
}

fn parts<'a>(
    layers: &'a [LayerSummary],
    part_of: impl Fn(&'a LayerSummary) -> &'a str,
) -> Vec<BlockSummary> {
    let mut parts: Vec<BlockSummary> = Vec::new();
    for layer in layers.iter().filter(|l| l.kind != LayerKind::Input) {
        let name = part_of(layer);
        let known = parts.iter_mut().find(|part| part.name == name);
        let part = match known {
            Some(part) => part,
            None => {
                parts.push(BlockSummary {
                    name: name.to_owned(),
                    output: Vec::new(),
                    layers: 0,
                    parameters: 0,
                    macs: 0,
                });
                let last = parts.len() - 1;
                &mut parts[last]
            }
        };
        part.output.clone_from(&layer.output);
        part.layers += 1;
        part.parameters += layer.parameters;
        part.macs += layer.macs;
    }
    parts
}

fn memory(steps: &[Step], results: &[usize]) -> Memory {
    let bytes = |step: &Step| 4 * step.output.iter().map(|&d| d as u64).product::<u64>();
    let mut last_reader: Vec<usize> = (0..steps.len()).collect();
    for (place, step) in steps.iter().enumerate() {
        for &input in &step.inputs {
            last_reader[input] = place;
        }
    }
    for &result in results {
        if let Some(last) = last_reader.get_mut(result) {
            *last = steps.len();
        }
    }
    let (mut live, mut peak) = (0, 0);
    for (place, step) in steps.iter().enumerate() {
        live += bytes(step);
        peak = peak.max(live);
        let inputs = step.inputs.iter().enumerate();
        for (index, &input) in inputs {
            let again = step.inputs[..index].contains(&input);
            if last_reader[input] == place && !again {
                live -= bytes(&steps[input]);
            }
        }
        if last_reader[place] == place {
            live -= bytes(step);
        }
    }
    Memory {
        parameters: 4 * steps.iter().map(|s| s.parameters).sum::<u64>(),
        peak,
        results: steps.iter().map(bytes).sum(),
    }
}

/// A number with a comma between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn shape(output: &[usize]) -> String {
    let sizes: Vec<String> = output.iter().map(ToString::to_string).collect();
    sizes.join("×")
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |names: &mut dyn Iterator<Item = usize>| names.max().unwrap_or(0).max(5);
        let names = width(&mut self.layers.iter().map(|l| l.name.chars().count()));
        let kinds = width(&mut self.layers.iter().map(|l| l.description.chars().count()));
        writeln!(
            f,
            "{:<names$}  {:<kinds$}  {:>12}  {:>11}  {:>14}  {:>6}",
            "layer", "kind", "output", "parameters", "multiply-adds", "field"
        )?;
        for layer in &self.layers {
            writeln!(
                f,
                "{:<names$}  {:<kinds$}  {:>12}  {:>11}  {:>14}  {:>6}",
                layer.name,
                layer.description,
                shape(&layer.output),
                grouped(layer.parameters),
                grouped(layer.macs),
                layer.receptive_field,
            )?;
        }
        for (title, list) in [("block", &self.blocks), ("stage", &self.stages)] {
            writeln!(
                f,
                "\n{title:<names$}  {:>12}  {:>11}  {:>6}  {:>14}  {:>6}",
                "output", "parameters", "%", "multiply-adds", "%"
            )?;
            for part in list {
                let share = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
                writeln!(
                    f,
                    "{:<names$}  {:>12}  {:>11}  {:>6.1}  {:>14}  {:>6.1}",
                    part.name,
                    shape(&part.output),
                    grouped(part.parameters),
                    share(part.parameters, self.parameters),
                    grouped(part.macs),
                    share(part.macs, self.macs),
                )?;
            }
        }
        writeln!(f, "\n{}, input {}", self.name, shape(&self.input))?;
        write!(f, "parameters       {}", grouped(self.parameters))?;
        if self.running_statistics > 0 {
            let all = self.parameters + self.running_statistics;
            write!(f, " ({} with running statistics)", grouped(all))?;
        }
        writeln!(f, "\nmultiply-adds    {}", grouped(self.macs))?;
        writeln!(f, "operations       {}", grouped(self.operations))?;
        if let Some((parameters, macs)) = self.exported {
            let (parameters, macs) = (grouped(parameters), grouped(macs));
            writeln!(
                f,
                "exported         {parameters} parameters, {macs} multiply-adds"
            )?;
        }
        writeln!(f, "receptive field  {} pixels", self.receptive_field)?;
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        writeln!(
            f,
            "memory           {:.2} MB of parameters, {:.2} MB of results at a time, {:.2} MB of \
             results in training (32-bit floats, one picture)",
            megabytes(self.memory.parameters),
            megabytes(self.memory.peak),
            megabytes(self.memory.results),
        )
    }
}
