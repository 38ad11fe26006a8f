//! Sums over the rows of a map, channel by channel.

/// Sums per channel: f32 within a block of rows, f64 over the blocks, so that the variance of
/// hundreds of thousands of rows keeps its digits.
pub(super) struct Moments {
    /// Sums.
    pub sum: Vec<f64>,
    /// Sums of squares, or of products.
    pub square: Vec<f64>,
    block: [Vec<f32>; 2],
}

impl Moments {
    /// Rows that are summed in f32 at most.
    pub const ROWS: usize = 256;

    pub fn new(channels: usize) -> Self {
        Self {
            sum: vec![0.0; channels],
            square: vec![0.0; channels],
            block: [vec![0.0; channels], vec![0.0; channels]],
        }
    }

    /// Lets `add` add one block's sums and sums of squares.
    pub fn add_block(&mut self, add: impl FnOnce(&mut [f32], &mut [f32])) {
        let [sum, square] = &mut self.block;
        add(sum, square);
        for (total, part) in self.sum.iter_mut().zip(sum) {
            *total += f64::from(std::mem::take(part));
        }
        for (total, part) in self.square.iter_mut().zip(square) {
            *total += f64::from(std::mem::take(part));
        }
    }

    /// Mean and biased variance over `rows` rows.
    pub fn finish(&self, rows: usize) -> (Vec<f32>, Vec<f32>) {
        let rows = rows as f64;
        self.sum
            .iter()
            .zip(&self.square)
            .map(|(sum, square)| {
                let mean = sum / rows;
                (mean as f32, (square / rows - mean * mean).max(0.0) as f32)
            })
            .unzip()
    }
}
