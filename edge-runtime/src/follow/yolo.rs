//! What detectors of the YOLO family put out.

use pose::{Rect, box_overlap};

use super::boxes::PersonBox;

/// How a detector's output is laid out; the batch size is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YoloForm {
    /// `[1, 4 + classes, boxes]`: centre x, centre y, width, height, a score for each class
    /// (YOLOv8, v9, v11).
    ChannelsFirst,
    /// `[1, boxes, 5 + classes]`: the same with an objectness before the classes, which their
    /// scores are multiplied by (YOLOv5, v7).
    WithObjectness,
    /// `[1, boxes, 6]`: left, top, right, bottom, score, class, sorted out already (YOLOv10, v26,
    /// and exports with NMS inside).
    EndToEnd,
}

impl YoloForm {
    /// The form of an output of this shape; none for other shapes. A file with one class only looks
    /// in the second form like one of the third, and is taken for it.
    pub fn of_shape(shape: &[usize]) -> Option<YoloForm> {
        match *shape {
            [1, _, 6] => Some(YoloForm::EndToEnd),
            [1, values, boxes] if values >= 5 && values < boxes => Some(YoloForm::ChannelsFirst),
            [1, _, values] if values > 6 => Some(YoloForm::WithObjectness),
            _ => None,
        }
    }

    /// The boxes of class 0 (COCO's person) with at least the score `minimum`, in the detector's
    /// input pixels. `values` has the shape `[1, rows, columns]`; boxes that are not finite or have
    /// no area are left out.
    pub fn people(
        self,
        values: &[f32],
        rows: usize,
        columns: usize,
        minimum: f32,
    ) -> Vec<PersonBox> {
        let at = |row: usize, column: usize| {
            let value = values.get(row * columns + column);
            value.copied().unwrap_or(f32::NAN)
        };
        let count = if self == YoloForm::ChannelsFirst {
            columns
        } else {
            rows
        };
        let found = (0..count).filter_map(|k| {
            let (rect, score) = match self {
                YoloForm::ChannelsFirst => {
                    (centered([at(0, k), at(1, k), at(2, k), at(3, k)]), at(4, k))
                }
                YoloForm::WithObjectness => (
                    centered([at(k, 0), at(k, 1), at(k, 2), at(k, 3)]),
                    at(k, 4) * at(k, 5),
                ),
                YoloForm::EndToEnd => {
                    let (x, y) = (at(k, 0), at(k, 1));
                    let rect = Rect::new(x, y, at(k, 2) - x, at(k, 3) - y);
                    (rect, if at(k, 5) == 0.0 { at(k, 4) } else { 0.0 })
                }
            };
            let Rect {
                x,
                y,
                width,
                height,
            } = rect;
            let usable = [x, y, width, height, score].iter().all(|v| v.is_finite())
                && width > 0.0
                && height > 0.0
                && score >= minimum
                && score > 0.0;
            usable.then_some(PersonBox { rect, score })
        });
        found.collect()
    }
}

fn centered([x, y, width, height]: [f32; 4]) -> Rect {
    Rect::new(x - width * 0.5, y - height * 0.5, width, height)
}

/// The surest boxes, without those that overlap a surer one by more than `overlap` (intersection
/// over union, 0..=1); at most `most`.
pub fn non_maximum_suppression(
    mut boxes: Vec<PersonBox>,
    overlap: f32,
    most: usize,
) -> Vec<PersonBox> {
    boxes.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<PersonBox> = Vec::new();
    for candidate in boxes {
        if kept.len() >= most {
            break;
        }
        if kept
            .iter()
            .all(|k| box_overlap(&k.rect, &candidate.rect) <= overlap)
        {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_say_the_form() {
        for (shape, form) in [
            (vec![1, 84, 8400], Some(YoloForm::ChannelsFirst)),
            (vec![1, 5, 8400], Some(YoloForm::ChannelsFirst)),
            (vec![1, 25200, 85], Some(YoloForm::WithObjectness)),
            (vec![1, 300, 6], Some(YoloForm::EndToEnd)),
            (vec![1, 3, 80, 80, 85], None),
            (vec![2, 84, 8400], None),
            (vec![1, 100, 4], None),
        ] {
            assert_eq!(YoloForm::of_shape(&shape), form, "{shape:?}");
        }
    }

    #[test]
    fn the_same_box_is_read_from_every_form() {
        let expected = PersonBox {
            rect: Rect::new(10.0, 20.0, 30.0, 40.0),
            score: 0.5,
        };
        // Seven boxes of two classes, the fourth is ours; the others are of the other class.
        let mut first = vec![0.0; 6 * 7];
        for (row, value) in [25.0, 40.0, 30.0, 40.0, 0.5, 0.1].into_iter().enumerate() {
            first[row * 7 + 3] = value;
        }
        first[5 * 7 + 1] = 0.9;
        assert_eq!(
            YoloForm::ChannelsFirst.people(&first, 6, 7, 0.3),
            [expected]
        );
        let second = [
            [25.0, 40.0, 30.0, 40.0, 0.625, 0.8, 0.1],
            [5.0, 5.0, 3.0, 3.0, 0.9, 0.01, 0.99],
            [f32::NAN, 5.0, 3.0, 3.0, 0.9, 0.9, 0.0],
        ];
        let found = YoloForm::WithObjectness.people(second.as_flattened(), 3, 7, 0.3);
        assert_eq!(found, [expected]);
        let third = [
            [10.0, 20.0, 40.0, 60.0, 0.5, 0.0],
            [10.0, 20.0, 40.0, 60.0, 0.9, 2.0],
            [0.0; 6],
        ];
        let found = YoloForm::EndToEnd.people(third.as_flattened(), 3, 6, 0.3);
        assert_eq!(found, [expected]);
        // Values that are missing are not read.
        assert!(YoloForm::EndToEnd.people(&[], 3, 6, 0.3).is_empty());
    }

    #[test]
    fn overlapping_boxes_are_one() {
        let at = |x: f32, score: f32| PersonBox {
            rect: Rect::new(x, 0.0, 10.0, 10.0),
            score,
        };
        let boxes = vec![at(0.0, 0.5), at(2.0, 0.9), at(40.0, 0.3), at(4.0, 0.4)];
        let kept = non_maximum_suppression(boxes.clone(), 0.5, 10);
        assert_eq!(kept, [at(2.0, 0.9), at(40.0, 0.3)]);
        assert_eq!(non_maximum_suppression(boxes, 0.5, 1), [at(2.0, 0.9)]);
    }
}
