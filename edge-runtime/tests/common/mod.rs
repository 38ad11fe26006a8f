//! Models and photos whose right answer is known in closed form.
//!
//! The network of [`BlobModel`] is one convolution that averages blocks of `stride` × `stride`
//! pixels of one colour minus half the others: map k shows where the picture is red, green or blue,
//! and grey gives 0. In a photo with one Gaussian blob of each colour the keypoints are the blobs'
//! centres.

#![allow(dead_code)] // Every test file uses a part of it.

pub mod stream;

use std::path::Path;

use image::RgbImage;
use onnx_graph::{
    Architecture, AttributeProto, CardBone, CardFlipPair, CardInput, CardOutput, ColorOrder,
    DataType, Dimension, GraphBuilder, InputType, Model, ModelCard, TensorLayout,
};
use pose::{Point, Size};

/// Names that the torso rule of PCK knows.
pub const NAMES: [&str; 3] = ["right_hip", "left_shoulder", "head_top"];

/// A network that finds red, green and blue.
#[derive(Clone, Debug)]
pub struct BlobModel {
    pub size: Size,
    pub stride: usize,
    pub layout: TensorLayout,
    pub color: ColorOrder,
    pub dtype: InputType,
    pub batch: Dimension,
    pub mean: [f32; 3],
    pub std: [f32; 3],
    /// The block's columns that count, from the left; all of them unless a test wants a bias.
    pub columns: usize,
    pub card: bool,
}

impl Default for BlobModel {
    fn default() -> BlobModel {
        BlobModel {
            size: Size::new(96, 64),
            stride: 4,
            layout: TensorLayout::Nchw,
            color: ColorOrder::Rgb,
            dtype: InputType::Float32,
            batch: 1.into(),
            mean: [10.0, 20.0, 30.0],
            std: [50.0, 60.0, 70.0],
            columns: 4,
            card: true,
        }
    }
}

impl BlobModel {
    pub fn build(&self) -> Model {
        let Size { width, height } = self.size;
        let (rows, columns) = (height / self.stride, width / self.stride);
        let mut graph = GraphBuilder::new("blobs");
        let shape = |channels: usize, h: usize, w: usize| match self.layout {
            TensorLayout::Nchw => [self.batch.clone(), channels.into(), h.into(), w.into()],
            TensorLayout::Nhwc => [self.batch.clone(), h.into(), w.into(), channels.into()],
        };
        let (mean, std) = match self.dtype {
            InputType::Float32 => (self.mean, self.std),
            InputType::Uint8 => ([0.0; 3], [1.0; 3]),
        };
        let (data_type, mut value) = match self.dtype {
            InputType::Float32 => (DataType::Float, "picture"),
            InputType::Uint8 => (DataType::Uint8, "picture"),
        };
        graph.input("picture", data_type, &shape(3, height, width));
        if self.dtype == InputType::Uint8 {
            let float = i64::from(DataType::Float.code());
            graph.node(
                "Cast",
                &[value],
                &["float"],
                vec![AttributeProto::int("to", float)],
            );
            value = "float";
        }
        if self.layout == TensorLayout::Nhwc {
            let perm = vec![AttributeProto::ints("perm", &[0, 3, 1, 2])];
            graph.node("Transpose", &[value], &["planes"], perm);
            value = "planes";
        }
        let (weights, bias) = self.filter(mean, std);
        graph.f32("weights", &[3, 3, self.stride, self.stride], &weights);
        graph.f32("bias", &[3], &bias);
        let stride = self.stride as i64;
        let nchw = self.layout == TensorLayout::Nchw;
        graph.node(
            "Conv",
            &[value, "weights", "bias"],
            &[if nchw { "maps" } else { "map_planes" }],
            vec![AttributeProto::ints("strides", &[stride, stride])],
        );
        if !nchw {
            let perm = vec![AttributeProto::ints("perm", &[0, 2, 3, 1])];
            graph.node("Transpose", &["map_planes"], &["maps"], perm);
        }
        graph.output("maps", DataType::Float, &shape(3, rows, columns));
        let mut model = graph.finish().unwrap();
        if self.card {
            self.card().store(&mut model);
        }
        model
    }

    /// Weights that undo the normalization, and average.
    fn filter(&self, mean: [f32; 3], std: [f32; 3]) -> (Vec<f32>, Vec<f32>) {
        // Channel c of the input is this colour.
        let colour_of = |c: usize| match self.color {
            ColorOrder::Rgb => c,
            ColorOrder::Bgr => 2 - c,
        };
        let gain = |k: usize, c: usize| if colour_of(c) == k { 1.0 } else { -0.5 };
        let share = 1.0 / (self.stride * self.columns.min(self.stride)) as f32;
        let mut weights = Vec::new();
        for k in 0..3 {
            for (c, deviation) in std.iter().enumerate() {
                for index in 0..self.stride * self.stride {
                    let counts = index % self.stride < self.columns;
                    let w = if counts { share } else { 0.0 };
                    weights.push(w * gain(k, c) * deviation / 255.0);
                }
            }
        }
        let bias = (0..3).map(|k| (0..3).map(|c| gain(k, c) * mean[c] / 255.0).sum());
        (weights, bias.collect())
    }

    pub fn card(&self) -> ModelCard {
        ModelCard {
            version: 1,
            name: "blobs".into(),
            architecture: Architecture {
                family: "one convolution".into(),
                ..Architecture::default()
            },
            keypoints: NAMES.map(String::from).to_vec(),
            // Colours do not change in a left-right mirror; a pair is there so that the set has one.
            flip_pairs: vec![CardFlipPair {
                first: NAMES[0].into(),
                second: NAMES[1].into(),
                axis: onnx_graph::CardAxis::Vertical,
            }],
            skeleton: vec![CardBone {
                start: NAMES[0].into(),
                end: NAMES[1].into(),
                color: [255, 0, 0],
            }],
            input: CardInput {
                name: "picture".into(),
                width: self.size.width,
                height: self.size.height,
                color: self.color,
                layout: self.layout,
                dtype: self.dtype,
                mean: self.mean,
                std: self.std,
            },
            output: CardOutput {
                name: "maps".into(),
                stride: self.stride as f32,
                sigma: 1.0,
                decoding: Default::default(),
                layout: self.layout,
            },
            crop_margin: 1.5,
            quantization: None,
            training: None,
            content_hash: String::new(),
        }
    }

    pub fn save(&self, folder: &Path, name: &str) -> std::path::PathBuf {
        let path = folder.join(name);
        self.build().save(&path).unwrap();
        path
    }
}

/// A black photo with a red, a green and a blue Gaussian blob (one standard deviation `sigma`,
/// sampled at the pixels' centres).
pub fn blob_photo(width: u32, height: u32, centers: [Point; 3], sigma: f32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let at = Point::new(x as f32 + 0.5, y as f32 + 0.5);
        image::Rgb(centers.map(|c| {
            let d = at.distance(c);
            (255.0 * (-d * d / (2.0 * sigma * sigma)).exp()).round() as u8
        }))
    })
}
