//! Curves in a terminal, drawn with Braille patterns: 2×4 dots a character.

/// Values in the order they came, thinned out evenly when there are many.
#[derive(Clone, Debug, Default)]
pub struct History {
    points: Vec<f32>,
    /// Values that make one point.
    stride: u32,
    sum: f64,
    count: u32,
}

/// Most points that are kept; enough for the widest terminal.
const CAPACITY: usize = 1024;

impl History {
    /// Adds a value.
    pub fn push(&mut self, value: f32) {
        self.sum += f64::from(value);
        self.count += 1;
        if self.count < self.stride.max(1) {
            return;
        }
        self.points.push((self.sum / f64::from(self.count)) as f32);
        (self.sum, self.count) = (0.0, 0);
        if self.points.len() >= CAPACITY {
            let pairs = self.points.chunks(2);
            self.points = pairs
                .map(|pair| pair.iter().sum::<f32>() / pair.len() as f32)
                .collect();
            self.stride = self.stride.max(1) * 2;
        }
    }

    /// The values, averaged in groups so that there are at most `count`.
    fn at_most(&self, count: usize) -> Vec<f32> {
        let group = self.points.len().div_ceil(count.max(1)).max(1);
        let mean = |group: &[f32]| group.iter().sum::<f32>() / group.len() as f32;
        self.points.chunks(group).map(mean).collect()
    }

    /// The curve as `rows` lines of `columns` characters each, from the lowest to the highest
    /// value; with `logarithmic`, on the logarithm of the values.
    pub fn chart(&self, columns: usize, rows: usize, logarithmic: bool) -> Vec<String> {
        let scaled = |v: f32| if logarithmic { v.max(1e-12).ln() } else { v };
        let values: Vec<f32> = self.at_most(2 * columns).into_iter().map(scaled).collect();
        let (low, high) = values.iter().fold((f32::MAX, f32::MIN), |(low, high), &v| {
            (low.min(v), high.max(v))
        });
        let span = (high - low).max(1e-9);
        let top = 4 * rows - 1;
        let mut cells = vec![vec![0u8; columns]; rows];
        // Few values are spread over the whole width.
        let dots = 2 * columns;
        let row_at = |dot: usize| {
            let position = dot as f32 * (values.len() - 1) as f32 / (dots - 1).max(1) as f32;
            let index = position as usize;
            let next = values[(index + 1).min(values.len() - 1)];
            let value = values[index] + (position - index as f32) * (next - values[index]);
            top - ((value - low) / span * top as f32).round() as usize
        };
        let mut last = None;
        for dot in 0..if values.is_empty() { 0 } else { dots } {
            let row = row_at(dot);
            let from = last.unwrap_or(row);
            // A steep curve stays connected.
            for y in row.min(from)..=row.max(from) {
                cells[y / 4][dot / 2] |= DOTS[y % 4][dot % 2];
            }
            last = Some(row);
        }
        let character = |bits: &u8| char::from_u32(0x2800 + u32::from(*bits)).unwrap_or(' ');
        cells
            .iter()
            .map(|line| line.iter().map(character).collect())
            .collect()
    }
}

/// Bits of a Braille pattern (Unicode 15, "Braille Patterns"), by row and column of the dot.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

#[cfg(test)]
mod tests {
    use super::*;

    fn history(values: impl IntoIterator<Item = f32>) -> History {
        let mut history = History::default();
        values.into_iter().for_each(|value| history.push(value));
        history
    }

    #[test]
    fn a_straight_line_is_a_diagonal() {
        let chart = history([0.0, 1.0]).chart(4, 2, false);
        assert_eq!(chart, ["⠀⠀⣠⠞", "⣠⠞⠁⠀"]);
        assert_eq!(history([]).chart(2, 1, false), ["⠀⠀"]);
        assert_eq!(history([5.0]).chart(2, 1, true), ["⣀⣀"]);
    }

    #[test]
    fn many_values_are_thinned_out_and_keep_their_mean() {
        let many = history((0..100_000).map(|i| i as f32));
        assert!(many.points.len() < CAPACITY);
        let few = many.at_most(4);
        assert_eq!(few.len(), 4);
        for (index, value) in few.iter().enumerate() {
            let expected = (index as f32 + 0.5) * 25_000.0;
            assert!((value - expected).abs() < 1500.0, "{few:?}");
        }
    }
}
