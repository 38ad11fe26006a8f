//! What turns crops into heatmaps.

use crate::error::RuntimeError;
use crate::model::PoseModel;
use crate::preprocess::Preprocessor;
use crate::spec::ModelSpec;

/// Turns crops into heatmaps.
pub trait HeatmapPredictor {
    /// How many crops one call takes at most.
    fn batch_size(&self) -> usize {
        1
    }

    /// Fills `maps` with the heatmaps `[count, keypoints, rows, columns]` of the crops
    /// `[count, height, width, 3]`, RGB bytes.
    ///
    /// # Errors
    /// Whatever goes wrong in the network; it ends the evaluation.
    fn predict(
        &mut self,
        crops: &[u8],
        count: usize,
        maps: &mut Vec<f32>,
    ) -> Result<(), RuntimeError>;
}

/// A closure that takes the same arguments as [`HeatmapPredictor::predict`] as a predictor.
pub fn predictor_from_fn<F>(batch_size: usize, predict: F) -> impl HeatmapPredictor + use<F>
where
    F: FnMut(&[u8], usize, &mut Vec<f32>) -> Result<(), RuntimeError>,
{
    struct FromFn<F>(usize, F);
    impl<F> HeatmapPredictor for FromFn<F>
    where
        F: FnMut(&[u8], usize, &mut Vec<f32>) -> Result<(), RuntimeError>,
    {
        fn batch_size(&self) -> usize {
            self.0.max(1)
        }

        fn predict(
            &mut self,
            crops: &[u8],
            count: usize,
            maps: &mut Vec<f32>,
        ) -> Result<(), RuntimeError> {
            (self.1)(crops, count, maps)
        }
    }
    FromFn(batch_size, predict)
}

/// An ONNX model as a predictor.
#[derive(Debug)]
pub struct ModelPredictor {
    model: PoseModel,
    preprocessor: Preprocessor,
}

impl ModelPredictor {
    /// A predictor that runs this model.
    ///
    /// # Errors
    /// An input so large that its tensor cannot be made.
    pub fn new(model: PoseModel) -> Result<ModelPredictor, RuntimeError> {
        Ok(ModelPredictor {
            preprocessor: Preprocessor::new(&model.spec().input)?,
            model,
        })
    }

    /// What the model takes and gives.
    pub fn spec(&self) -> &ModelSpec {
        self.model.spec()
    }
}

impl HeatmapPredictor for ModelPredictor {
    fn predict(
        &mut self,
        crops: &[u8],
        count: usize,
        maps: &mut Vec<f32>,
    ) -> Result<(), RuntimeError> {
        maps.clear();
        for crop in crops.chunks_exact((crops.len() / count.max(1)).max(1)) {
            self.model.run(self.preprocessor.normalize(crop)?)?;
            maps.extend_from_slice(self.model.maps());
        }
        Ok(())
    }
}
