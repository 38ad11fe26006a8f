//! How gradients become steps.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, RmsPropConfig, SgdConfig};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The rule by which weights w move along the gradient g at rate r.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// RMSprop (Tieleman & Hinton 2012): w −= r · g / (√v + ε), v a moving average of g².
    Rmsprop,
    /// Adam (Kingma & Ba 2015).
    Adam,
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    Adamw,
    /// Stochastic gradient descent: w −= r · m, m = momentum · m + g.
    Sgd,
}

/// An [`OptimizerKind`] with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimizerSettings {
    /// The rule.
    pub kind: OptimizerKind,
    /// AdamW takes rate · this off every weight; the others add this times the weight to the
    /// gradient (an L2 penalty).
    pub weight_decay: f32,
    /// What of the last step goes on: momentum of SGD and RMSprop, β₁ of Adam and AdamW.
    pub momentum: f32,
    /// SGD looks ahead by one momentum (Nesterov).
    pub nesterov: bool,
    /// What of the mean square stays: α of RMSprop, β₂ of Adam and AdamW.
    pub smoothing: f32,
    /// ε, added to the root of the mean square.
    pub epsilon: f32,
    /// RMSprop by the variance instead of the mean square.
    pub centered: bool,
}

impl OptimizerSettings {
    /// A rule with the values that suit it: AdamW decays by 10⁻⁴, the others not at all; momentum
    /// 0.9, but none in RMSprop; smoothing 0.9 in RMSprop, else 0.999.
    pub fn new(kind: OptimizerKind) -> Self {
        let (weight_decay, momentum, smoothing) = match kind {
            OptimizerKind::Rmsprop => (0.0, 0.0, 0.9),
            OptimizerKind::Adam | OptimizerKind::Sgd => (0.0, 0.9, 0.999),
            OptimizerKind::Adamw => (1e-4, 0.9, 0.999),
        };
        Self {
            kind,
            weight_decay,
            momentum,
            nesterov: false,
            smoothing,
            epsilon: 1e-5,
            centered: false,
        }
    }

    /// The number that is outside its range, in words.
    pub fn fault(&self) -> Option<String> {
        let Self {
            weight_decay,
            momentum,
            smoothing,
            epsilon,
            ..
        } = *self;
        if !(weight_decay >= 0.0 && weight_decay.is_finite()) {
            return Some(format!("weight decay {weight_decay}: must be 0 or more"));
        }
        for (name, value) in [("momentum", momentum), ("smoothing", smoothing)] {
            if !(0.0..1.0).contains(&value) {
                return Some(format!("{name} {value}: must be 0 or more and less than 1"));
            }
        }
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Some(format!("epsilon {epsilon}: must be more than 0"));
        }
        if self.nesterov && (self.kind != OptimizerKind::Sgd || momentum == 0.0) {
            return Some("Nesterov's step is one of SGD with momentum".to_owned());
        }
        if self.centered && self.kind != OptimizerKind::Rmsprop {
            return Some("only RMSprop can be centered".to_owned());
        }
        None
    }

    /// burn's optimizer without a state.
    pub(crate) fn init(&self) -> ModuleOptimizer {
        let penalty = (self.weight_decay > 0.0).then(|| WeightDecayConfig::new(self.weight_decay));
        match self.kind {
            OptimizerKind::Rmsprop => RmsPropConfig::new()
                .with_alpha(self.smoothing)
                .with_momentum(self.momentum)
                .with_epsilon(self.epsilon)
                .with_centered(self.centered)
                .with_weight_decay(penalty)
                .init(),
            OptimizerKind::Adam => AdamConfig::new()
                .with_beta_1(self.momentum)
                .with_beta_2(self.smoothing)
                .with_epsilon(self.epsilon)
                .with_weight_decay(penalty)
                .init(),
            OptimizerKind::Adamw => AdamWConfig::new()
                .with_beta_1(self.momentum)
                .with_beta_2(self.smoothing)
                .with_epsilon(self.epsilon)
                .with_weight_decay(self.weight_decay)
                .init(),
            OptimizerKind::Sgd => {
                let momentum = (self.momentum > 0.0).then(|| {
                    MomentumConfig::new()
                        .with_momentum(f64::from(self.momentum))
                        // burn's default lets only 0.9 of the gradient in.
                        .with_dampening(0.0)
                        .with_nesterov(self.nesterov)
                });
                SgdConfig::new()
                    .with_momentum(momentum)
                    .with_weight_decay(penalty)
                    .init()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::TrainDevice;
    use crate::network::Network;
    use hourglass::{ConvLayer, Graph, LayerGradient, LayerWeights};

    /// Weight and bias of a 1×1 convolution from three channels to two.
    const START: [f64; 8] = [0.5, -1.0, 0.25, 2.0, -0.125, 1.5, 0.75, -0.5];
    const RATE: f64 = 0.05;

    fn gradient(step: usize) -> [f64; 8] {
        std::array::from_fn(|i| ((i * 7 + step * 5) % 11) as f64 / 4.0 - 1.2)
    }

    /// The parameters after three steps of burn's optimizer, saved and loaded after the second.
    fn moved(settings: &OptimizerSettings) -> Vec<f64> {
        let mut graph = Graph::new(3);
        let node = graph.conv(
            0,
            ConvLayer {
                name: "conv".to_owned(),
                inputs: 3,
                outputs: 2,
                kernel: 1,
                stride: 1,
                depthwise: false,
                bias: true,
                norm: false,
                relu: false,
            },
        );
        graph.outputs = vec![node];
        let split = |values: [f64; 8]| {
            let values = values.map(|v| v as f32);
            (values[..6].to_vec(), Some(values[6..].to_vec()))
        };
        let (weight, bias) = split(START);
        let start = LayerWeights {
            weight,
            bias,
            norm: None,
        };
        let host = TrainDevice::host().unwrap();
        let mut network = Network::new(&graph, &[start], &host.clone().autodiff());
        let mut optimizer = settings.init();
        for step in 0..3 {
            let (weight, bias) = split(gradient(step));
            let norm = None;
            let gradient = LayerGradient { weight, bias, norm };
            let gradients = network.gradients(&[gradient], &host);
            network = optimizer.step(RATE, network, gradients);
            if step == 1 {
                let bytes = optimizer.into_bytes().unwrap();
                optimizer = settings.init().from_bytes(bytes).unwrap();
            }
        }
        let mut weights = network.weights();
        let LayerWeights { weight, bias, .. } = weights.remove(0);
        let all = weight.into_iter().chain(bias.unwrap_or_default());
        all.map(f64::from).collect()
    }

    /// The same steps by the formulas of the papers, parameter by parameter.
    fn expected(settings: &OptimizerSettings) -> Vec<f64> {
        let decay = f64::from(settings.weight_decay);
        let beta1 = f64::from(settings.momentum);
        let beta2 = f64::from(settings.smoothing);
        let epsilon = f64::from(settings.epsilon);
        (0..8)
            .map(|i| {
                let (mut w, mut m, mut v, mut mean) = (START[i], 0.0, 0.0, 0.0);
                for step in 0..3 {
                    let mut g = gradient(step)[i];
                    if settings.kind != OptimizerKind::Adamw {
                        g += decay * w;
                    }
                    match settings.kind {
                        OptimizerKind::Sgd => {
                            m = beta1 * m + g;
                            w -= RATE * if settings.nesterov { g + beta1 * m } else { m };
                        }
                        OptimizerKind::Rmsprop => {
                            v = beta2 * v + (1.0 - beta2) * g * g;
                            mean = beta2 * mean + (1.0 - beta2) * g;
                            let spread = match settings.centered {
                                true => v - mean * mean,
                                false => v,
                            };
                            m = beta1 * m + g / (spread.sqrt() + epsilon);
                            w -= RATE * m;
                        }
                        OptimizerKind::Adam | OptimizerKind::Adamw => {
                            m = beta1 * m + (1.0 - beta1) * g;
                            v = beta2 * v + (1.0 - beta2) * g * g;
                            let count = step as i32 + 1;
                            let m = m / (1.0 - beta1.powi(count));
                            let v = v / (1.0 - beta2.powi(count));
                            if settings.kind == OptimizerKind::Adamw {
                                w -= RATE * decay * w;
                            }
                            w -= RATE * m / (v.sqrt() + epsilon);
                        }
                    }
                }
                w
            })
            .collect()
    }

    #[test]
    fn steps_are_those_of_the_papers_also_after_a_pause() {
        let mut list = Vec::new();
        for kind in OptimizerKind::value_variants() {
            let plain = OptimizerSettings::new(*kind);
            let other = OptimizerSettings {
                weight_decay: 0.1,
                momentum: 0.8,
                smoothing: 0.95,
                epsilon: 1e-3,
                nesterov: *kind == OptimizerKind::Sgd,
                centered: *kind == OptimizerKind::Rmsprop,
                ..plain
            };
            list.extend([plain, other]);
        }
        list.push(OptimizerSettings {
            momentum: 0.0,
            ..OptimizerSettings::new(OptimizerKind::Sgd)
        });
        for settings in list {
            assert_eq!(settings.fault(), None);
            for (found, expected) in moved(&settings).iter().zip(expected(&settings)) {
                assert!(
                    (found - expected).abs() < 2e-5,
                    "{settings:?}: {found} against {expected}"
                );
            }
        }
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        let adam = OptimizerSettings::new(OptimizerKind::Adam);
        for (settings, word) in [
            (
                OptimizerSettings {
                    weight_decay: -1.0,
                    ..adam
                },
                "weight decay -1",
            ),
            (
                OptimizerSettings {
                    momentum: 1.0,
                    ..adam
                },
                "momentum 1",
            ),
            (
                OptimizerSettings {
                    epsilon: f32::NAN,
                    ..adam
                },
                "epsilon NaN",
            ),
            (
                OptimizerSettings {
                    nesterov: true,
                    ..adam
                },
                "Nesterov",
            ),
            (
                OptimizerSettings {
                    centered: true,
                    ..adam
                },
                "RMSprop",
            ),
        ] {
            let fault = settings.fault().unwrap();
            assert!(fault.contains(word), "{fault}");
        }
    }
}
