//! Where a training runs.

use clap::Args;
use hourglass::Precision;

use crate::device::TrainDevice;

/// Where a training runs.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Machine")]
pub struct MachineOptions {
    /// Where to train: cpu, flex, wgpu or cuda[:INDEX].
    #[arg(long, default_value = "cpu")]
    pub device: TrainDevice,
    /// Workers on the CPU [default: all cores].
    #[arg(long)]
    pub threads: Option<usize>,
    /// Format of maps and products on the CPU: f32 or bf16; sums, statistics, weights and their
    /// moments are f32 either way [default: bf16 where the CPU multiplies it, else f32].
    #[arg(long, value_name = "FORMAT")]
    pub precision: Option<Precision>,
    /// Threads that make batches; they change nothing but the speed [default: one for every eight
    /// workers on the CPU, all cores with a GPU].
    #[arg(long)]
    pub loaders: Option<usize>,
    /// Megabytes of decoded photos to keep in memory.
    #[arg(long, default_value_t = 6000)]
    pub photo_memory: usize,
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

impl MachineOptions {
    /// Workers on the CPU.
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(cores)
    }

    /// Threads that make batches. A core makes samples for about eight that train on them.
    pub fn loaders(&self) -> usize {
        let usual = match self.device {
            TrainDevice::Cpu | TrainDevice::Flex => self.threads().div_ceil(8),
            TrainDevice::Wgpu | TrainDevice::Cuda(_) => cores(),
        };
        self.loaders.unwrap_or(usual).max(1)
    }
}
