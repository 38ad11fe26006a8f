//! ONNX's rule of order: every value is made once, and before it is taken.

use std::collections::HashSet;

use crate::error::OnnxError;
use crate::proto::{GraphProto, NodeProto};

/// Checks that the nodes stand in topological order: every value that a node takes is an input of
/// the graph, a constant, or made by a node before it; no value is made twice; every output of the
/// graph is made.
///
/// # Errors
/// The first node, value or output that breaks the rule, by name.
pub fn check_order(graph: &GraphProto) -> Result<(), OnnxError> {
    let mut known: HashSet<&str> = outside_values(graph).collect();
    for node in &graph.node {
        if let Some(missing) = node.input.iter().find(|n| !is_known(&known, n)) {
            return Err(OnnxError::Graph(format!(
                "{} takes `{missing}`, which is no input, no constant and made by no node before it",
                node.label()
            )));
        }
        for output in node.output.iter().filter(|n| !n.is_empty()) {
            if !known.insert(output) {
                return Err(OnnxError::Graph(format!(
                    "{} makes `{output}`, which already exists",
                    node.label()
                )));
            }
        }
    }
    match graph
        .output
        .iter()
        .find(|o| !known.contains(o.name.as_str()))
    {
        Some(output) => Err(OnnxError::Graph(format!(
            "no node makes the output `{}`",
            output.name
        ))),
        None => Ok(()),
    }
}

/// Brings the nodes into topological order; nodes that are in order keep their places.
///
/// # Errors
/// Nodes that can never run because they wait for each other or for a value that nothing makes.
pub fn sort_nodes(graph: &mut GraphProto) -> Result<(), OnnxError> {
    let mut known: HashSet<String> = outside_values(graph).map(String::from).collect();
    let mut waiting: Vec<NodeProto> = std::mem::take(&mut graph.node);
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut still_waiting = Vec::new();
        for node in waiting {
            let ready = node.input.iter().all(|n| n.is_empty() || known.contains(n));
            if ready {
                known.extend(node.output.iter().cloned());
                graph.node.push(node);
            } else {
                still_waiting.push(node);
            }
        }
        waiting = still_waiting;
        if waiting.len() == before {
            let reason = format!("{} waits for a value that never comes", waiting[0].label());
            graph.node.append(&mut waiting);
            return Err(OnnxError::Graph(reason));
        }
    }
    check_order(graph)
}

/// Inputs and constants, which exist before the first node runs.
fn outside_values(graph: &GraphProto) -> impl Iterator<Item = &str> {
    let inputs = graph.input.iter().map(|v| v.name.as_str());
    let constants = graph.initializer.iter().map(|t| t.name.as_str());
    let sparse = graph
        .sparse_initializer
        .iter()
        .filter_map(|s| Some(s.values.as_ref()?.name.as_str()));
    inputs.chain(constants).chain(sparse)
}

fn is_known(known: &HashSet<&str>, name: &str) -> bool {
    name.is_empty() || known.contains(name)
}
