//! What is in a model file.

use core::fmt;
use std::path::Path;

use onnx_graph::{GraphFacts, Model, ModelCard, OnnxError, ValueFacts, read_model_file};
use serde::Serialize;

/// What is in a model file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The file.
    pub file: String,
    /// Its size.
    pub bytes: usize,
    /// Shapes, parameters, multiplications, operators.
    #[serde(flatten)]
    pub facts: GraphFacts,
    /// SHA-256 over what the network computes.
    pub content_hash: String,
    /// The model card, if there is one.
    pub card: Option<ModelCard>,
    /// Whether the network was changed after the card was written.
    pub card_is_stale: bool,
}

/// Reads a model file.
///
/// # Errors
/// A missing or broken file, or a broken card.
pub fn inspect(path: &Path) -> Result<Inspection, OnnxError> {
    inspect_bytes(&read_model_file(path)?, &path.display().to_string())
}

/// Reads the bytes of a model file, called `label` in messages.
///
/// # Errors
/// A broken model, or a broken card.
pub fn inspect_bytes(bytes: &[u8], label: &str) -> Result<Inspection, OnnxError> {
    let model = Model::from_bytes(bytes).map_err(|e| e.in_file(label))?;
    let card = ModelCard::from_model(&model).map_err(|e| e.in_file(label))?;
    Ok(Inspection {
        file: label.into(),
        bytes: bytes.len(),
        facts: GraphFacts::of(&model),
        content_hash: model.content_hash(),
        card_is_stale: card.as_ref().is_some_and(|c| !c.matches(&model)),
        card,
    })
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = &self.facts;
        writeln!(f, "{}  {} bytes", self.file, grouped(self.bytes as u64))?;
        writeln!(
            f,
            "opset         {} (IR {}), written by {}",
            facts.opset,
            facts.ir_version,
            if facts.producer.is_empty() {
                "?"
            } else {
                &facts.producer
            }
        )?;
        for (what, values) in [("input", &facts.inputs), ("output", &facts.outputs)] {
            for value in values {
                writeln!(f, "{what:<13} {}", show_value(value))?;
            }
        }
        writeln!(f, "parameters    {}", grouped(facts.parameters))?;
        writeln!(f, "multiply-adds {}", grouped(facts.macs))?;
        if !facts.nodes_without_shape.is_empty() {
            writeln!(
                f,
                "              without {} nodes whose shapes are not known, the first {}",
                facts.nodes_without_shape.len(),
                facts.nodes_without_shape[0]
            )?;
        }
        let operators: Vec<String> = facts
            .operators
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        writeln!(f, "nodes         {}: {}", facts.nodes, operators.join(", "))?;
        writeln!(f, "content hash  {}", self.content_hash)?;
        match &self.card {
            None => writeln!(f, "model card    none"),
            Some(card) => show_card(f, card, self.card_is_stale),
        }
    }
}

fn show_card(f: &mut fmt::Formatter<'_>, card: &ModelCard, stale: bool) -> fmt::Result {
    let note = if stale {
        "  (written for another network: the content hash differs)"
    } else {
        ""
    };
    writeln!(f, "model card    version {}{note}", card.version)?;
    let a = &card.architecture;
    writeln!(
        f,
        "  name        {} ({} {}, {} stacks, {} channels)",
        card.name, a.family, a.variant, a.stacks, a.channels
    )?;
    if a.front.is_some() || !a.widths.is_empty() {
        let front = a.front.map_or(String::new(), |[stem, blocks]| {
            format!("front {stem} and {blocks}, ")
        });
        writeln!(
            f,
            "  widths      {front}{} layers of their own",
            a.widths.len()
        )?;
    }
    writeln!(
        f,
        "  keypoints   {}: {}",
        card.keypoints.len(),
        card.keypoints.join(" ")
    )?;
    writeln!(
        f,
        "  skeleton    {} bones, {} flip pairs",
        card.skeleton.len(),
        card.flip_pairs.len()
    )?;
    let i = &card.input;
    writeln!(
        f,
        "  input       {}x{} {:?} {:?} {:?}, mean {:?}, std {:?}",
        i.width, i.height, i.dtype, i.layout, i.color, i.mean, i.std
    )?;
    let o = &card.output;
    writeln!(
        f,
        "  output      stride {}, sigma {}, decoding {:?}, crop margin {}",
        o.stride, o.sigma, o.decoding, card.crop_margin
    )?;
    if let Some(q) = &card.quantization {
        let figure = |v: Option<f32>| v.map_or("?".into(), |v| format!("{v:.1}"));
        writeln!(
            f,
            "  quantized   {}, {}, accuracy {} -> {}",
            q.scheme,
            q.calibration,
            figure(q.accuracy_before),
            figure(q.accuracy_after)
        )?;
    }
    if let Some(t) = &card.training {
        writeln!(
            f,
            "  training    {}; {}; {} epochs, {} samples",
            t.data.join(", "),
            t.split,
            t.epochs,
            grouped(t.samples)
        )?;
        for m in &t.metrics {
            writeln!(
                f,
                "  metric      {} {} on {} ({})",
                m.name, m.value, m.dataset, m.date
            )?;
        }
        if !t.license_note.is_empty() {
            writeln!(f, "  terms       {}", t.license_note)?;
        }
    }
    Ok(())
}

fn show_value(value: &ValueFacts) -> String {
    let shape: Vec<String> = value.shape.iter().map(ToString::to_string).collect();
    format!("{} {} [{}]", value.name, value.dtype, shape.join(", "))
}

/// A number with a comma between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
