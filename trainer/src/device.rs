//! Where a training runs.

use burn::tensor::Device;
use std::fmt;
use std::str::FromStr;

use crate::error::TrainError;

/// A device by name: `cpu`, `flex`, `wgpu`, `cuda`, the last two with `:INDEX` on request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TrainDevice {
    /// This workspace's engine on all cores.
    #[default]
    Cpu,
    /// burn's CPU backend: slower, the reference for the engine.
    Flex,
    /// Any GPU that wgpu drives.
    Wgpu,
    /// An NVIDIA GPU by its index.
    Cuda(usize),
}

impl fmt::Display for TrainDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Flex => f.write_str("flex"),
            Self::Wgpu => f.write_str("wgpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for TrainDevice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, index) = match text.split_once(':') {
            Some((name, index)) => (
                name,
                index
                    .parse()
                    .map_err(|_| format!("`{index}` in device `{text}` must be a whole number"))?,
            ),
            None => (text, 0),
        };
        match name {
            "cpu" => Ok(Self::Cpu),
            "flex" => Ok(Self::Flex),
            "wgpu" => Ok(Self::Wgpu),
            "cuda" => Ok(Self::Cuda(index)),
            _ => Err(format!(
                "unknown device `{text}`; expected cpu, flex, wgpu or cuda[:INDEX]"
            )),
        }
    }
}

impl TrainDevice {
    /// The devices that this build can use.
    pub fn available() -> Vec<&'static str> {
        let mut names = vec![];
        if cfg!(feature = "flex") {
            names.extend(["cpu", "flex"]);
        }
        if cfg!(feature = "wgpu") {
            names.push("wgpu");
        }
        if cfg!(feature = "cuda") {
            names.push("cuda");
        }
        names
    }

    /// burn's device, `None` for the CPU engine.
    ///
    /// # Errors
    /// [`TrainError::Device`] when the build lacks the backend.
    pub fn burn(&self) -> Result<Option<Device>, TrainError> {
        match self {
            #[cfg(feature = "flex")]
            Self::Cpu => Ok(None),
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Some(Device::flex())),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Some(Device::wgpu(Default::default()))),
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => Ok(Some(Device::cuda(*index))),
            #[allow(unreachable_patterns)]
            _ => Err(self.missing()),
        }
    }

    /// The device whose tensors live in ordinary memory.
    ///
    /// # Errors
    /// [`TrainError::Device`] when the build lacks burn's CPU backend.
    pub fn host() -> Result<Device, TrainError> {
        Self::Flex.burn()?.ok_or_else(|| Self::Flex.missing())
    }

    fn missing(&self) -> TrainError {
        TrainError::Device {
            name: self.to_string(),
            available: Self::available().join(", "),
        }
    }
}
