//! Where the operations of a network stand in its picture.

use std::collections::HashMap;

use super::{BOX, GAP, LEFT, PITCH};
use crate::summary::{LayerSummary, Summary};

/// Operations of a row in networks without named stages.
const WRAP: usize = 80;

/// Operations that follow one another in one part of the network.
pub(super) struct Unit {
    /// The part.
    pub name: String,
    /// Its row.
    pub row: usize,
    /// Position in the sorted list of the row's strides.
    pub lane: usize,
    /// Line of the lane, where units would cover one another.
    pub line: usize,
    /// Left edge.
    pub x: f64,
    /// From the first operation's left edge to the last one's right.
    pub width: f64,
    /// The operations, by their place in the summary.
    pub layers: Vec<usize>,
}

/// Runs of operations of the same part, with the row of each, and the names of the rows.
pub(super) fn units(summary: &Summary) -> (Vec<Unit>, Vec<String>) {
    let layers = &summary.layers;
    let stages: Vec<&str> = summary.stages.iter().map(|s| s.name.as_str()).collect();
    // Networks of other families have no stages to speak of.
    let own = stages.first().is_some_and(|s| *s == "front") && stages.len() < 16;
    let mut units: Vec<Unit> = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let row = match own {
            true => {
                let stage = layer.block.split('_').next().unwrap_or_default();
                let row = stages.iter().position(|s| *s == stage);
                row.unwrap_or_else(|| units.last().map_or(0, |unit| unit.row))
            }
            false => index / WRAP,
        };
        match units.last_mut() {
            Some(unit) if own && unit.name == layer.block && unit.row == row => {
                unit.layers.push(index);
            }
            _ => units.push(Unit {
                name: layer.block.clone(),
                row,
                lane: 0,
                line: 0,
                x: 0.0,
                width: 0.0,
                layers: vec![index],
            }),
        }
    }
    let names = match own {
        true => stages.iter().map(|&s| s.to_owned()).collect(),
        false => (0..layers.len().div_ceil(WRAP))
            .map(|part| format!("part {}", part + 1))
            .collect(),
    };
    (units, names)
}

/// Gives every unit its place; returns for each row the stride of each lane and its lines.
pub(super) fn place(
    units: &mut [Unit],
    layers: &[LayerSummary],
    rows: usize,
) -> Vec<Vec<(f64, usize)>> {
    let stride = |unit: &Unit| unit.layers.last().map_or(1.0, |&l| layers[l].stride);
    let mut lanes: Vec<Vec<(f64, usize)>> = vec![Vec::new(); rows];
    for unit in units.iter() {
        let stride = stride(unit);
        if !lanes[unit.row].iter().any(|(s, _)| *s == stride) {
            lanes[unit.row].push((stride, 1));
        }
    }
    for row in &mut lanes {
        row.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let mut unit_of: HashMap<usize, usize> = HashMap::new();
    // Per row, lane and line: up to where it is taken.
    let mut taken: HashMap<(usize, usize), Vec<f64>> = HashMap::new();
    for index in 0..units.len() {
        let unit = &units[index];
        let width = (unit.layers.len() as f64 - 1.0) * PITCH + BOX;
        let lane = lanes[unit.row]
            .iter()
            .position(|(s, _)| *s == stride(unit))
            .unwrap_or(0);
        let inputs = unit.layers.iter().flat_map(|&l| &layers[l].inputs);
        let last = inputs
            .filter_map(|input| unit_of.get(input).copied())
            .filter(|&source| source != index && units[source].row == unit.row)
            .max_by(|&a, &b| {
                let end = |i: usize| units[i].x + units[i].width;
                end(a).total_cmp(&end(b))
            })
            .map(|source| &units[source]);
        let start = last.map_or(LEFT, |source| source.x + source.width + GAP);
        let lines = taken.entry((unit.row, lane)).or_default();
        // A chain stays on its line.
        let own = last.filter(|source| source.lane == lane).map(|s| s.line);
        let mut candidates = own.into_iter().chain(0..lines.len());
        let line = candidates.find(|&line| lines[line] + GAP / 2.0 <= start);
        let line = line.unwrap_or_else(|| {
            lines.push(0.0);
            lines.len() - 1
        });
        lines[line] = start + width;
        let lines = lines.len();
        let lane_lines = &mut lanes[unit.row][lane].1;
        *lane_lines = lines.max(*lane_lines);
        for &layer in &unit.layers {
            unit_of.insert(layer, index);
        }
        let unit = &mut units[index];
        (unit.x, unit.width, unit.lane, unit.line) = (start, width, lane, line);
    }
    lanes
}
