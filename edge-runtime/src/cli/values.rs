//! The forms of values on the command line.

use std::str::FromStr;

use clap::ValueEnum;
use onnx_graph::{ColorOrder, TensorLayout};
use pose::{Decoding, Rect, Size};

/// `WIDTHxHEIGHT`, both above 0.
#[derive(Clone, Copy, Debug)]
pub struct SizeValue(pub Size);

impl FromStr for SizeValue {
    type Err = String;

    fn from_str(text: &str) -> Result<SizeValue, String> {
        let side = |s: &str| {
            s.parse()
                .ok()
                .filter(|&v: &usize| (1..=65_535).contains(&v))
        };
        text.split_once('x')
            .and_then(|(w, h)| Some(SizeValue(Size::new(side(w)?, side(h)?))))
            .ok_or_else(|| "expected WIDTHxHEIGHT, for example 192x256".into())
    }
}

/// Three numbers, or one for all three.
#[derive(Clone, Copy, Debug)]
pub struct TripleValue(pub [f32; 3]);

impl FromStr for TripleValue {
    type Err = String;

    fn from_str(text: &str) -> Result<TripleValue, String> {
        match numbers(text).as_deref() {
            Some(&[v]) => Ok(TripleValue([v; 3])),
            Some(&[a, b, c]) => Ok(TripleValue([a, b, c])),
            _ => Err("expected three numbers, for example 123.7,116.3,103.5, or one".into()),
        }
    }
}

/// `x,y,width,height` in pixels.
#[derive(Clone, Copy, Debug)]
pub struct RectValue(pub Rect);

impl FromStr for RectValue {
    type Err = String;

    fn from_str(text: &str) -> Result<RectValue, String> {
        match numbers(text).as_deref() {
            Some(&[x, y, width, height]) if width > 0.0 && height > 0.0 => {
                Ok(RectValue(Rect::new(x, y, width, height)))
            }
            _ => Err("expected x,y,width,height in pixels, for example 40,20,200,400".into()),
        }
    }
}

fn numbers(text: &str) -> Option<Vec<f32>> {
    text.split(',')
        .map(|part| part.trim().parse().ok().filter(|v: &f32| v.is_finite()))
        .collect()
}

/// Order of a tensor's dimensions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LayoutValue {
    /// Channels before height and width.
    Nchw,
    /// Channels last.
    Nhwc,
}

impl From<LayoutValue> for TensorLayout {
    fn from(value: LayoutValue) -> TensorLayout {
        match value {
            LayoutValue::Nchw => TensorLayout::Nchw,
            LayoutValue::Nhwc => TensorLayout::Nhwc,
        }
    }
}

/// Order of a pixel's colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ColorValue {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

impl From<ColorValue> for ColorOrder {
    fn from(value: ColorValue) -> ColorOrder {
        match value {
            ColorValue::Rgb => ColorOrder::Rgb,
            ColorValue::Bgr => ColorOrder::Bgr,
        }
    }
}

/// How a heatmap becomes a point.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DecodingValue {
    /// Centre of the highest cell.
    Argmax,
    /// A quarter cell from there towards the higher neighbour.
    Quarter,
    /// Sub-pixel: Taylor step on the logarithm of the smoothed map.
    Dark,
}

impl From<DecodingValue> for Decoding {
    fn from(value: DecodingValue) -> Decoding {
        match value {
            DecodingValue::Argmax => Decoding::Argmax,
            DecodingValue::Quarter => Decoding::QuarterOffset,
            DecodingValue::Dark => Decoding::Dark,
        }
    }
}

/// A part of 1.
pub fn fraction(text: &str) -> Result<f32, String> {
    text.parse()
        .ok()
        .filter(|v| (0.0..=1.0).contains(v))
        .ok_or_else(|| "expected a number from 0 to 1".into())
}
