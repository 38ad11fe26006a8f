//! The stacked hourglass family: full, mobile and tiny, with any number of stacks and any widths.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::graph::{ConvLayer, Graph, Node, NodeId};

/// Which parameters the layers carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Without what folding removes anyway: 1×1 depthwise scales and biases before BatchNorm.
    /// The same functions with fewer operations.
    #[default]
    Lean,
    /// With every parameter that the earlier projects train, for weight import and for counting.
    Classic,
}

/// What stands before the sum of a residual block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Residual {
    /// The branch ends in BatchNorm, so that it can lower as well as raise the sum
    /// (He et al. 2016, "Identity mappings", table 2; MobileNetV2's linear bottleneck).
    #[default]
    Linear,
    /// The branch and the projecting skip end in ReLU, as the earlier projects have it.
    Relu,
}

/// Channels of the layers before the first hourglass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontWidths {
    /// Channels of the first convolution.
    pub stem: usize,
    /// Channels of the first two residual blocks.
    pub blocks: usize,
}

/// A description that is no network.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A number outside its range.
    #[error("{what} is {found}: must be {expected}")]
    Range {
        /// What the number is.
        what: String,
        /// The number.
        found: usize,
        /// Its range in words.
        expected: &'static str,
    },
    /// A width for a layer that does not exist, or whose width follows from others.
    #[error(
        "`{layer}` cannot have a width of its own: only heads (hg0_conv_1x1_1) and the first two \
         convolutions of residual blocks (.._conv_1x1_1, .._conv_3x3_2) can"
    )]
    Layer {
        /// The layer's name.
        layer: String,
    },
}

/// One member of the family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourglassConfig {
    /// Number of hourglasses, 1 or more.
    pub stacks: usize,
    /// Channels of the hourglasses: 256, or 128 for tiny; the earlier projects' M.
    pub channels: usize,
    /// Depthwise-separable convolutions inside the residual blocks.
    pub mobile: bool,
    /// Number of heatmaps.
    pub keypoints: usize,
    /// Which parameters the layers carry.
    #[serde(default)]
    pub form: Form,
    /// What stands before the sum of a residual block.
    #[serde(default)]
    pub residual: Residual,
    /// Channels before the first hourglass; without, 64 and half the hourglasses'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<FrontWidths>,
    /// Output channels of single layers, by name, where they are not the family's: half the block's
    /// inside residual blocks, the hourglass's in heads. Pruning leaves such networks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub widths: BTreeMap<String, usize>,
}

impl HourglassConfig {
    /// The full network: 256 channels, ordinary convolutions.
    pub fn full(keypoints: usize) -> Self {
        Self {
            stacks: 2,
            channels: 256,
            mobile: false,
            keypoints,
            form: Form::default(),
            residual: Residual::default(),
            front: None,
            widths: BTreeMap::new(),
        }
    }

    /// 256 channels, depthwise-separable convolutions.
    pub fn mobile(keypoints: usize) -> Self {
        Self {
            mobile: true,
            ..Self::full(keypoints)
        }
    }

    /// 128 channels, depthwise-separable convolutions.
    pub fn tiny(keypoints: usize) -> Self {
        Self {
            channels: 128,
            ..Self::mobile(keypoints)
        }
    }

    /// With the widths of a front of `n` and hourglasses of `m` channels: `n / 2` in the first
    /// convolution, `n` in the two blocks after it, `m` from there on. 128 and 256 give the
    /// family's full size.
    pub fn with_widths(self, n: usize, m: usize) -> Self {
        Self {
            channels: m,
            front: Some(FrontWidths {
                stem: n / 2,
                blocks: n,
            }),
            ..self
        }
    }

    /// Channels before the first hourglass.
    pub fn front_widths(&self) -> FrontWidths {
        self.front.unwrap_or(FrontWidths {
            stem: 64,
            blocks: self.channels / 2,
        })
    }

    /// Checks that the description stands for a network.
    ///
    /// # Errors
    /// The first number out of its range, or the first width of a layer that cannot have one.
    pub fn check(&self) -> Result<(), ConfigError> {
        let range = |what: &str, found: usize, low: usize, expected: &'static str| match found < low
        {
            true => Err(ConfigError::Range {
                what: what.to_owned(),
                found,
                expected,
            }),
            false => Ok(()),
        };
        let FrontWidths { stem, blocks } = self.front_widths();
        range("the number of stacks", self.stacks, 1, "1 or more")?;
        range("the number of keypoints", self.keypoints, 1, "1 or more")?;
        range("the number of channels", self.channels, 2, "2 or more")?;
        range("the stem's number of channels", stem, 1, "1 or more")?;
        range("the front's number of channels", blocks, 2, "2 or more")?;
        if self.widths.is_empty() {
            return Ok(());
        }
        let layers = self.graph().layers;
        for (name, &width) in &self.widths {
            range(&format!("the width of `{name}`"), width, 1, "1 or more")?;
            let inner = name.ends_with("_conv_1x1_1") || name.ends_with("_conv_3x3_2");
            let known = layers.iter().any(|layer| layer.name == *name);
            if !inner || !known || name == STEM {
                return Err(ConfigError::Layer {
                    layer: name.clone(),
                });
            }
        }
        Ok(())
    }

    /// The model-type string of the earlier projects, for example `hg_s2_mobile_tiny_192_192`;
    /// with other widths than theirs `c` and the number of channels stands in place of `tiny`, and
    /// `pruned` before the size where single layers differ.
    pub fn model_type(&self, height: usize, width: usize) -> String {
        let mobile = if self.mobile { "mobile_" } else { "" };
        let channels = match self.channels {
            256 => String::new(),
            128 => "tiny_".to_owned(),
            other => format!("c{other}_"),
        };
        let pruned = if self.widths.is_empty() {
            ""
        } else {
            "pruned_"
        };
        format!(
            "hg_s{}_{mobile}{channels}{pruned}{height}_{width}",
            self.stacks
        )
    }

    /// The network as a graph. Heatmaps have a quarter of the picture's size; the picture's sides
    /// must be multiples of 32.
    pub fn graph(&self) -> Graph {
        Builder {
            config: self,
            graph: Graph::new(3),
        }
        .build()
    }
}

/// The first convolution.
const STEM: &str = "front_conv_1x1_1";

struct Builder<'a> {
    config: &'a HourglassConfig,
    graph: Graph,
}

impl Builder<'_> {
    /// Output channels of a layer that may have a width of its own.
    fn width(&self, name: &str, family: usize) -> usize {
        self.config.widths.get(name).copied().unwrap_or(family)
    }

    /// A 1×1, 3×3 or 7×7 convolution with BatchNorm and, on request, ReLU.
    fn conv(
        &mut self,
        input: NodeId,
        name: &str,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        relu: bool,
    ) -> NodeId {
        let stride = if kernel == 7 { 2 } else { 1 };
        self.graph.conv(
            input,
            ConvLayer {
                name: name.to_owned(),
                inputs,
                outputs,
                kernel,
                stride,
                depthwise: false,
                bias: self.config.form == Form::Classic,
                norm: true,
                relu,
            },
        )
    }

    /// A 1×1 convolution with bias alone.
    fn linear(&mut self, input: NodeId, name: &str, inputs: usize, outputs: usize) -> NodeId {
        self.graph.conv(
            input,
            ConvLayer {
                name: name.to_owned(),
                inputs,
                outputs,
                kernel: 1,
                stride: 1,
                depthwise: false,
                bias: true,
                norm: false,
                relu: false,
            },
        )
    }

    /// The depthwise half of a separable convolution, where the form has one.
    fn depthwise(&mut self, input: NodeId, name: &str, channels: usize, kernel: usize) -> NodeId {
        let wanted = self.config.mobile && (kernel > 1 || self.config.form == Form::Classic);
        if !wanted {
            return input;
        }
        self.graph.conv(
            input,
            ConvLayer {
                name: format!("{name}_depthwise"),
                inputs: channels,
                outputs: channels,
                kernel,
                stride: 1,
                depthwise: true,
                bias: false,
                norm: false,
                relu: false,
            },
        )
    }

    /// A convolution inside a residual block: separable in the mobile networks.
    fn block_conv(
        &mut self,
        input: NodeId,
        name: &str,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        relu: bool,
    ) -> NodeId {
        let input = self.depthwise(input, name, inputs, kernel);
        let kernel = if self.config.mobile { 1 } else { kernel };
        self.conv(input, name, inputs, outputs, kernel, relu)
    }

    /// Residual block: 1×1 to half the channels, 3×3, 1×1 to all channels, plus the skip. The first
    /// two may have widths of their own.
    fn bottleneck(&mut self, x: NodeId, name: &str, inputs: usize, outputs: usize) -> NodeId {
        let (first, second) = (format!("{name}_conv_1x1_1"), format!("{name}_conv_3x3_2"));
        let (a, b) = (
            self.width(&first, outputs / 2),
            self.width(&second, outputs / 2),
        );
        let relu = self.config.residual == Residual::Relu;
        let skip = if inputs == outputs {
            x
        } else {
            let skip_name = format!("{name}_skip");
            let input = self.depthwise(x, &skip_name, inputs, 1);
            let skip = self.linear(input, &skip_name, inputs, outputs);
            if relu && let Some(layer) = self.graph.layers.last_mut() {
                layer.relu = true;
            }
            skip
        };
        let y = self.block_conv(x, &first, inputs, a, 1, true);
        let y = self.block_conv(y, &second, a, b, 3, true);
        let y = self.block_conv(y, &format!("{name}_conv_1x1_3"), b, outputs, 1, relu);
        self.graph.push(Node::Add { a: skip, b: y })
    }

    fn hourglass(&mut self, x: NodeId, stack: usize) -> NodeId {
        let c = self.config.channels;
        let mut levels = Vec::new();
        let mut down = x;
        for size in [1, 2, 4, 8] {
            if size > 1 {
                down = self.graph.push(Node::MaxPool { input: down });
            }
            down = self.bottleneck(down, &format!("hg{stack}_downsample_{size}"), c, c);
            levels.push(down);
        }
        let short = self.bottleneck(down, &format!("hg{stack}_downsample_f8_short"), c, c);
        let mut bottom = down;
        for i in 1..=3 {
            bottom = self.bottleneck(bottom, &format!("hg{stack}_downsample_f8_{i}"), c, c);
        }
        let mut up = self.graph.push(Node::Add {
            a: short,
            b: bottom,
        });
        for (level, size) in [(2, 4), (1, 2), (0, 1)] {
            let name = format!("hg{stack}_upsample_f{size}");
            let high = self.bottleneck(levels[level], &format!("{name}_short"), c, c);
            let sum = self.graph.push(Node::UpsampleAdd { low: up, high });
            up = self.bottleneck(sum, &format!("{name}_merged"), c, c);
        }
        up
    }

    fn build(mut self) -> Graph {
        let (c, k) = (self.config.channels, self.config.keypoints);
        let FrontWidths { stem, blocks } = self.config.front_widths();
        let x = self.conv(0, STEM, 3, stem, 7, true);
        let x = self.bottleneck(x, "front_residual_1", stem, blocks);
        let x = self.graph.push(Node::MaxPool { input: x });
        let x = self.bottleneck(x, "front_residual_2", blocks, blocks);
        let mut x = self.bottleneck(x, "front_residual_3", blocks, c);
        for i in 0..self.config.stacks {
            let y = self.hourglass(x, i);
            let head_name = format!("hg{i}_conv_1x1_1");
            let h = self.width(&head_name, c);
            let head = self.conv(y, &head_name, c, h, 1, true);
            let heatmaps = self.linear(head, &format!("hg{i}_conv_1x1_predict"), h, k);
            self.graph.outputs.push(heatmaps);
            // After the last stack nothing would read these.
            if i + 1 < self.config.stacks {
                let a = self.linear(head, &format!("hg{i}_conv_1x1_2"), h, c);
                let b = self.linear(heatmaps, &format!("hg{i}_conv_1x1_3"), k, c);
                let sum = self.graph.push(Node::Add { a, b });
                x = self.graph.push(Node::Add { a: x, b: sum });
            }
        }
        self.graph
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classic(config: HourglassConfig) -> Graph {
        HourglassConfig {
            form: Form::Classic,
            ..config
        }
        .graph()
    }

    /// The counts that the earlier projects publish (17 keypoints) and those of 16.
    #[test]
    fn parameters_of_the_classic_form_are_the_published_ones() {
        for (config, k17, k16) in [
            (HourglassConfig::full(17), 6_571_554, 6_570_784),
            (HourglassConfig::mobile(17), 2_751_010, 2_750_240),
            (HourglassConfig::tiny(17), 720_802, 720_416),
        ] {
            let sixteen = HourglassConfig {
                keypoints: 16,
                ..config.clone()
            };
            assert_eq!(classic(config.clone()).parameters(), k17, "{config:?}");
            assert_eq!(classic(sixteen).parameters(), k16);
        }
        let full = |stacks, channels, mobile| {
            classic(HourglassConfig {
                stacks,
                channels,
                mobile,
                ..HourglassConfig::full(17)
            })
            .parameters()
        };
        assert_eq!(full(1, 256, false), 3_427_089);
        assert_eq!(full(1, 256, true), 1_420_049);
        assert_eq!(full(1, 128, true), 374_801);
        assert_eq!(full(2, 128, false), 1_664_418);
        assert_eq!(full(8, 256, false), 25_438_344);
    }

    /// GMAC at 256×256 as published for the inference graph, in the form that trains by default.
    #[test]
    fn macs_are_the_published_ones() {
        let gmac = |config: HourglassConfig, size| {
            let (graph, _) = config.graph().last_stack();
            graph.macs(size, size) as f64 / 1e9
        };
        assert!((gmac(HourglassConfig::full(17), 256) - 10.117).abs() < 0.01);
        assert!((gmac(HourglassConfig::mobile(17), 256) - 4.670).abs() < 0.05);
        assert!((gmac(HourglassConfig::tiny(17), 256) - 1.298).abs() < 0.03);
    }

    #[test]
    fn heatmaps_have_a_quarter_of_the_picture() {
        let graph = HourglassConfig::tiny(16).graph();
        let shapes = graph.shapes(192, 128);
        for &output in &graph.outputs {
            let shape = shapes[output];
            assert_eq!((shape.channels, shape.height, shape.width), (16, 48, 32));
        }
    }

    #[test]
    fn every_stack_count_builds_and_keeps_only_the_last_heatmaps() {
        for stacks in 1..=8 {
            let config = HourglassConfig {
                stacks,
                ..HourglassConfig::tiny(16)
            };
            let graph = config.graph();
            assert_eq!(graph.outputs.len(), stacks);
            let (last, kept) = graph.last_stack();
            assert_eq!(last.outputs, vec![last.nodes.len() - 1]);
            // The lean form has no layer that only an earlier output needs.
            assert_eq!(kept, (0..graph.layers.len()).collect::<Vec<_>>());
        }
    }

    /// N and M as in the pytorch-stacked-hourglass project, whose README gives 6.73, 1.96 and 0.501
    /// million parameters for 2 stacks of the original architecture. Ours has other blocks in the
    /// hourglass; the widths take the same share of the parameters away.
    #[test]
    fn widths_shrink_as_published() {
        let count = |n, m| classic(HourglassConfig::full(16).with_widths(n, m)).parameters();
        assert_eq!(
            count(128, 256),
            classic(HourglassConfig::full(16)).parameters()
        );
        let share = |n, m| count(n, m) as f64 / count(128, 256) as f64;
        for (n, m, published) in [(128, 128, 1.96 / 6.73), (64, 64, 0.501 / 6.73)] {
            let share = share(n, m);
            assert!(
                (share / published - 1.0).abs() < 0.1,
                "{n} {m}: {share} {published}"
            );
        }
    }

    #[test]
    fn single_layers_may_have_widths_of_their_own() {
        let narrow = |name: &str, width| HourglassConfig {
            widths: BTreeMap::from([(name.to_owned(), width)]),
            ..HourglassConfig::mobile(16)
        };
        let plain = HourglassConfig::mobile(16).graph();
        // 1×1 from 256 with BatchNorm, depthwise 3×3, and the pointwise that reads it.
        let config = narrow("hg1_upsample_f2_merged_conv_1x1_1", 104);
        assert_eq!(config.check(), Ok(()));
        let saved = plain.parameters() - config.graph().parameters();
        assert_eq!(saved, 24 * (256 + 2 + 9 + 128));
        let config = narrow("hg0_conv_1x1_1", 200);
        assert_eq!(config.check(), Ok(()));
        let saved = plain.parameters() - config.graph().parameters();
        assert_eq!(saved, 56 * (256 + 2 + 16 + 256));
        assert_eq!(config.model_type(256, 256), "hg_s2_mobile_pruned_256_256");
        for (name, width) in [
            ("front_conv_1x1_1", 32),
            ("hg0_conv_1x1_predict", 8),
            ("hg2_conv_1x1_1", 8),
            ("hg0_downsample_1_conv_1x1_3", 64),
            ("hg0_conv_1x1_1", 0),
        ] {
            let error = narrow(name, width).check().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    /// Files that were written before there were widths read as before, and without widths files
    /// look as before.
    #[test]
    fn descriptions_without_widths_are_as_they_were() {
        let old = r#"{"stacks":2,"channels":128,"mobile":true,"keypoints":16,"form":"lean","residual":"linear"}"#;
        let config: HourglassConfig = serde_json::from_str(old).unwrap();
        assert_eq!(config, HourglassConfig::tiny(16));
        assert_eq!(serde_json::to_string(&config).unwrap(), old);
    }

    #[test]
    fn model_type_names_the_variant() {
        assert_eq!(
            HourglassConfig::tiny(16).model_type(192, 192),
            "hg_s2_mobile_tiny_192_192"
        );
        assert_eq!(
            HourglassConfig::full(16).model_type(256, 256),
            "hg_s2_256_256"
        );
    }
}
