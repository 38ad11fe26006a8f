//! Where to look for people of whom nothing is known.

use pose::{Crop, Point, Size};

/// Sides of the views, as parts of the frame's shorter side, after the whole picture.
const SIDES: [f32; 3] = [1.0, 0.7, 0.45];
/// Neighbouring views share at least this part of their side.
const OVERLAP: f32 = 0.4;
/// The whole picture comes again after so many of its parts.
const PARTS: usize = 2;

/// Views of a frame, from the whole picture to smaller and smaller parts, over and over. Every few
/// parts comes the whole picture again: somebody who comes in is mostly seen there.
#[derive(Clone, Copy, Debug, Default)]
pub struct SearchPlan {
    step: usize,
}

impl SearchPlan {
    /// The next view.
    pub fn next(&mut self, frame: Size, input: Size) -> Crop {
        let views = views(frame, input);
        let view = views.get(self.step % views.len()).copied();
        self.step = (self.step + 1) % views.len();
        view.unwrap_or_else(|| Crop::letterbox(frame, input))
    }
}

/// One round of the plan.
fn views(frame: Size, input: Size) -> Vec<Crop> {
    let (width, height) = (frame.width as f32, frame.height as f32);
    let whole = Crop::letterbox(frame, input);
    let mut views = vec![whole];
    let mut parts = 0;
    for part in SIDES {
        let side = width.min(height) * part;
        let (columns, rows) = (places(width, side), places(height, side));
        if columns.len() * rows.len() == 1 {
            continue;
        }
        for &y in &rows {
            for &x in &columns {
                let mut crop = Crop::square(Point::new(x, y), side);
                // The input's aspect around the square.
                let (w, h) = (input.width.max(1) as f32, input.height.max(1) as f32);
                crop.width = side * (w / h).max(1.0);
                crop.height = side * (h / w).max(1.0);
                views.push(crop);
                parts += 1;
                if parts % PARTS == 0 {
                    views.push(whole);
                }
            }
        }
    }
    views
}

/// Centres of views with this side along an edge, evenly spread.
fn places(length: f32, side: f32) -> Vec<f32> {
    let steps = ((length - side) / (side * (1.0 - OVERLAP)))
        .ceil()
        .clamp(0.0, 32.0);
    if steps < 1.0 {
        return vec![length * 0.5];
    }
    (0..=steps as usize)
        .map(|k| side * 0.5 + (length - side) * k as f32 / steps)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_seen_in_every_scale() {
        for (frame, input) in [
            (Size::new(640, 480), Size::square(192)),
            (Size::new(480, 854), Size::new(192, 256)),
            (Size::new(1, 4000), Size::square(64)),
            (Size::square(1), Size::square(64)),
        ] {
            let mut plan = SearchPlan::default();
            let round: Vec<Crop> = (0..views(frame, input).len())
                .map(|_| plan.next(frame, input))
                .collect();
            assert_eq!(round[0], Crop::letterbox(frame, input));
            assert_eq!(plan.next(frame, input), round[0]);
            assert!(round.len() < 400, "{frame:?}: {}", round.len());
            // A point of the frame lies in a view of each side, not at its very edge.
            let short = frame.width.min(frame.height) as f32;
            if frame.width.max(frame.height) > 1000 {
                continue;
            }
            for part in SIDES {
                let side = short * part;
                let of_side: Vec<&Crop> = round
                    .iter()
                    .filter(|c| (c.width.min(c.height) - side).abs() < 1e-3)
                    .collect();
                if of_side.is_empty() {
                    continue;
                }
                for k in 0..100 {
                    let x = (k % 10) as f32 / 9.0 * frame.width as f32;
                    let y = (k / 10) as f32 / 9.0 * frame.height as f32;
                    assert!(of_side.iter().any(|c| {
                        (c.center.x - x).abs() <= c.width / 2.0 + 1e-3
                            && (c.center.y - y).abs() <= c.height / 2.0 + 1e-3
                    }));
                }
            }
        }
    }
}
