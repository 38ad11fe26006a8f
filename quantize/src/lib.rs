//! Integer quantization of keypoint-heatmap ONNX models.
//!
//! Purpose: take a float model that `trainer export` wrote (or any keypoint-heatmap ONNX file) and
//! calibration photos, and write an int8 or uint8 ONNX file of standard operators that keeps the
//! accuracy. Nothing is built here yet; the crate holds its place in the workspace.
