//! Smoothing and thinning of curves.

/// Exponential moving average with weight `past` on what came before, without the pull towards
/// the start (Kingma & Ba 2015, section 3: the average is divided by 1 − pastⁿ).
pub fn smoothed(points: &[(f64, f64)], past: f64) -> Vec<(f64, f64)> {
    let (mut mean, mut weight) = (0.0, 1.0);
    points
        .iter()
        .map(|&(x, y)| {
            mean = past * mean + (1.0 - past) * y;
            weight *= past;
            (x, mean / (1.0 - weight))
        })
        .collect()
}

/// At most `count` points: means of neighbours.
pub fn thinned(points: &[(f64, f64)], count: usize) -> Vec<(f64, f64)> {
    let group = points.len().div_ceil(count.max(1)).max(1);
    points
        .chunks(group)
        .map(|chunk| {
            let sum = chunk.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
            (sum.0 / chunk.len() as f64, sum.1 / chunk.len() as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_constants_and_weighs_the_past() {
        let flat: Vec<(f64, f64)> = (0..5).map(|i| (f64::from(i), 3.0)).collect();
        for (_, y) in smoothed(&flat, 0.9) {
            assert!((y - 3.0).abs() < 1e-12);
        }
        // 1, 0 with weight w: (w·(1−w)) / (1−w²) = w / (1+w).
        let step = smoothed(&[(0.0, 1.0), (1.0, 0.0)], 0.6);
        assert!((step[1].1 - 0.6 / 1.6).abs() < 1e-12);
        assert_eq!(smoothed(&flat, 0.0), flat);
    }

    #[test]
    fn thinning_takes_means() {
        let line: Vec<(f64, f64)> = (0..10).map(|i| (f64::from(i), f64::from(i))).collect();
        assert_eq!(
            thinned(&line, 5),
            [(0.5, 0.5), (2.5, 2.5), (4.5, 4.5), (6.5, 6.5), (8.5, 8.5)]
        );
        assert_eq!(thinned(&line, 100), line);
    }
}
