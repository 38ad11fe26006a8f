//! What comes with the program, so that one copied file is enough.

use edge_runtime::RuntimeError;

/// How messages call the model inside the program.
pub const MODEL_LABEL: &str = "the built-in model";
/// How messages and records call the photo inside the program.
pub const SAMPLE_LABEL: &str = "sample.jpg";

/// The shipped model.
///
/// # Errors
/// A program that was built without it.
pub fn model() -> Result<&'static [u8], RuntimeError> {
    #[cfg(feature = "embedded-model")]
    return Ok(include_bytes!("../../../models/tiny.onnx"));
    #[cfg(not(feature = "embedded-model"))]
    Err(RuntimeError::Usage(
        "this program was built without a model inside; name one (--model FILE)".into(),
    ))
}

/// The shipped photo.
///
/// # Errors
/// A program that was built without it.
pub fn sample() -> Result<&'static [u8], RuntimeError> {
    #[cfg(feature = "embedded-model")]
    return Ok(include_bytes!("../../../assets/sample.jpg"));
    #[cfg(not(feature = "embedded-model"))]
    Err(RuntimeError::Usage(
        "this program was built without a sample photo inside; name a photo".into(),
    ))
}
