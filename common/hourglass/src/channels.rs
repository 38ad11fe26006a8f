//! Which feature maps share their channels.

use crate::graph::{Graph, Node, NodeId};

/// Sets of nodes whose channels correspond one to one: what a sum adds, what is pooled or enlarged,
/// and what a depthwise convolution filters. A change in the number or the order of channels is a
/// change for a whole set.
///
/// In an hourglass network one large set is the residual stream, through all stacks; inside every
/// residual block, and between heads and heatmaps, are small ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSets {
    set_of: Vec<usize>,
    count: usize,
}

impl ChannelSets {
    /// The sets of a graph's nodes, numbered in the order of their first node; the picture is in
    /// set 0.
    pub fn of(graph: &Graph) -> Self {
        let mut parent: Vec<NodeId> = (0..graph.nodes.len()).collect();
        fn root(parent: &mut [NodeId], mut node: NodeId) -> NodeId {
            while parent[node] != node {
                parent[node] = parent[parent[node]];
                node = parent[node];
            }
            node
        }
        for (id, node) in graph.nodes.iter().enumerate() {
            let joins = match *node {
                Node::Conv { layer, .. } => graph.layers[layer].depthwise,
                _ => true,
            };
            if joins {
                for input in node.inputs() {
                    let (a, b) = (root(&mut parent, id), root(&mut parent, input));
                    parent[a.max(b)] = a.min(b);
                }
            }
        }
        let mut set_of = vec![0; parent.len()];
        let mut count = 0;
        for id in 0..parent.len() {
            let root = root(&mut parent, id);
            set_of[id] = if root == id {
                count += 1;
                count - 1
            } else {
                set_of[root]
            };
        }
        Self { set_of, count }
    }

    /// Number of sets.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True for a graph without nodes.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The set that a node is in.
    pub fn set(&self, node: NodeId) -> usize {
        self.set_of[node]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HourglassConfig;

    /// A member of the family has these sets: picture, stem, front, residual stream, two in each
    /// bottleneck, one head and one heatmap set for each stack.
    #[test]
    fn the_family_has_one_stream_and_two_sets_in_each_block() {
        for (config, stem_is_own) in [
            (HourglassConfig::full(16), true),
            (HourglassConfig::mobile(16), true),
            // 64 channels in stem and front: the first block has no projection.
            (HourglassConfig::tiny(16), false),
        ] {
            let graph = config.graph();
            let sets = ChannelSets::of(&graph);
            let blocks = 3 + 14 * config.stacks;
            let expected = 3 + usize::from(stem_is_own) + 2 * blocks + 2 * config.stacks;
            assert_eq!(sets.len(), expected, "{config:?}");
            let shapes = graph.shapes(64, 64);
            let mut channels = vec![None; sets.len()];
            for (node, shape) in shapes.iter().enumerate() {
                let known = channels[sets.set(node)].get_or_insert(shape.channels);
                assert_eq!(*known, shape.channels, "node {node}");
            }
        }
    }
}
