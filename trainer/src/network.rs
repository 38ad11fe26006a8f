//! A graph of the hourglass family as a burn module.

use burn::module::{Module, Param, ParamId, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::optim::GradientsParams;
use burn::tensor::activation::relu;
use burn::tensor::module::{interpolate, max_pool2d};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use hourglass::{Graph, LayerGradient, LayerWeights, Loss, NORM_EPSILON, Node, NormWeights};

use crate::tensor_loss::tensor_loss;

/// Share of a batch's statistics in the running ones.
pub const NORM_MOMENTUM: f32 = 0.05;

/// Parameters of one layer.
#[derive(Module, Debug)]
struct Layer {
    conv: Conv2d,
    norm: Option<BatchNorm>,
}

/// The network on a burn device. Gradients come from burn's autodiff when the device is an
/// autodiff device.
#[derive(Module, Debug)]
pub struct Network {
    layers: Vec<Layer>,
    #[module(skip)]
    graph: Graph,
}

/// Ids of a layer's parameters: fixed by the layer's place, so that an optimizer's record fits a
/// network that was built anew.
fn param_id(layer: usize, part: u64) -> ParamId {
    ParamId::from(1 + layer as u64 * 8 + part)
}

fn vector(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

/// Parameters ask for gradients where the device can give them.
fn parameter<const D: usize>(id: ParamId, tensor: Tensor<D>, device: &Device) -> Param<Tensor<D>> {
    let tensor = match device.is_autodiff() {
        true => tensor.require_grad(),
        false => tensor,
    };
    Param::initialized(id, tensor)
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data().convert::<f32>();
    // The conversion above makes it f32 on every backend.
    data.try_to_vec::<f32>().unwrap_or_default()
}

impl Network {
    /// The graph with these values for a picture size on which "same" padding is the same
    /// everywhere: sides that are multiples of 32.
    pub fn new(graph: &Graph, weights: &[LayerWeights], device: &Device) -> Self {
        let layers = graph.layers.iter().zip(weights).enumerate();
        let layers = layers
            .map(|(index, (layer, values))| {
                let (before, after) = layer.padding(layer.stride * 32);
                let groups = if layer.depthwise { layer.inputs } else { 1 };
                let mut conv =
                    Conv2dConfig::new([layer.inputs, layer.outputs], [layer.kernel, layer.kernel])
                        .with_stride([layer.stride, layer.stride])
                        .with_groups(groups)
                        .with_padding(PaddingConfig2d::Explicit(before, before, after, after))
                        .with_bias(layer.bias)
                        .init(device);
                let weight = TensorData::new(values.weight.clone(), layer.weight_shape());
                let weight = Tensor::from_data(weight, device);
                conv.weight = parameter(param_id(index, 0), weight, device);
                conv.bias = values
                    .bias
                    .as_ref()
                    .map(|bias| parameter(param_id(index, 1), vector(bias, device), device));
                let norm = values.norm.as_ref().map(|norm| {
                    let mut batch_norm = BatchNormConfig::new(layer.outputs)
                        .with_epsilon(f64::from(NORM_EPSILON))
                        .with_momentum(f64::from(NORM_MOMENTUM))
                        .init(device);
                    let affine = |part, values: &[f32]| {
                        parameter(param_id(index, part), vector(values, device), device)
                    };
                    batch_norm.gamma = affine(2, &norm.gamma);
                    batch_norm.beta = affine(3, &norm.beta);
                    batch_norm.running_mean = RunningState::new(vector(&norm.mean, device));
                    batch_norm.running_var = RunningState::new(vector(&norm.variance, device));
                    batch_norm
                });
                Layer { conv, norm }
            })
            .collect();
        Self {
            layers,
            graph: graph.clone(),
        }
    }

    /// The values as they are now.
    pub fn weights(&self) -> Vec<LayerWeights> {
        let layer = |layer: &Layer| LayerWeights {
            weight: host(layer.conv.weight.val()),
            bias: layer.conv.bias.as_ref().map(|bias| host(bias.val())),
            norm: layer.norm.as_ref().map(|norm| NormWeights {
                gamma: host(norm.gamma.val()),
                beta: host(norm.beta.val()),
                mean: host(norm.running_mean.value_sync()),
                variance: host(norm.running_var.value_sync()),
            }),
        };
        self.layers.iter().map(layer).collect()
    }

    /// Heatmaps of every stack, `[batch, keypoints, height / 4, width / 4]`, for pictures
    /// `[batch, 3, height, width]`.
    pub fn forward(&self, pictures: Tensor<4>) -> Vec<Tensor<4>> {
        let mut values: Vec<Tensor<4>> = Vec::with_capacity(self.graph.nodes.len());
        for node in &self.graph.nodes {
            let value = match *node {
                Node::Input => pictures.clone(),
                Node::Conv { layer, input } => {
                    let Layer { conv, norm } = &self.layers[layer];
                    let mut value = conv.forward(values[input].clone());
                    if let Some(norm) = norm {
                        value = norm.forward(value);
                    }
                    if self.graph.layers[layer].relu {
                        value = relu(value);
                    }
                    value
                }
                Node::Add { a, b } => values[a].clone() + values[b].clone(),
                Node::MaxPool { input } => max_pool2d(
                    values[input].clone(),
                    MaxPoolOptions::new([2, 2]).with_stride([2, 2]),
                ),
                Node::UpsampleAdd { low, high } => {
                    let [_, _, height, width] = values[high].dims();
                    let options = InterpolateOptions {
                        output_size: Some([height, width]),
                        ..InterpolateOptions::new(InterpolateMode::Nearest)
                    };
                    values[high].clone() + interpolate(values[low].clone(), options)
                }
            };
            values.push(value);
        }
        let outputs = self.graph.outputs.iter();
        outputs.map(|&output| values[output].clone()).collect()
    }

    /// The [`Loss`] of a batch. `targets` is `[batch, keypoints, height / 4, width / 4]`,
    /// `weights` `[batch, keypoints]`.
    pub fn loss(
        &self,
        pictures: Tensor<4>,
        targets: Tensor<4>,
        weights: Tensor<2>,
        loss: Loss,
    ) -> Tensor<1> {
        tensor_loss(self.forward(pictures), &targets, &weights, &loss)
    }

    /// Name, id and rank of every trainable parameter.
    pub fn parameters(&self) -> Vec<(String, ParamId, usize)> {
        let mut list = Vec::new();
        for (index, layer) in self.graph.layers.iter().enumerate() {
            let mut add = |part: &str, number, rank| {
                list.push((
                    format!("{}.{part}", layer.name),
                    param_id(index, number),
                    rank,
                ));
            };
            add("weight", 0, 4);
            if layer.bias {
                add("bias", 1, 1);
            }
            if layer.norm {
                add("gamma", 2, 1);
                add("beta", 3, 1);
            }
        }
        list
    }

    /// Gradients that were computed elsewhere, in the form in which an optimizer takes them.
    pub fn gradients(&self, gradients: &[LayerGradient], device: &Device) -> GradientsParams {
        let mut result = GradientsParams::new();
        for ((index, gradient), layer) in gradients.iter().enumerate().zip(&self.graph.layers) {
            let weight = TensorData::new(gradient.weight.clone(), layer.weight_shape());
            result.register(param_id(index, 0), Tensor::<4>::from_data(weight, device));
            if let Some(bias) = &gradient.bias {
                result.register(param_id(index, 1), vector(bias, device));
            }
            if let Some(norm) = &gradient.norm {
                result.register(param_id(index, 2), vector(&norm.gamma, device));
                result.register(param_id(index, 3), vector(&norm.beta, device));
            }
        }
        result
    }
}
