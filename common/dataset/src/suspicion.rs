//! Labels that are rarely right, by their geometry alone: what to look at first when going through
//! a data set.

use crate::person::Person;
use pose::{KeypointSet, Point, Size};
use std::fmt;

/// Something about a person's labels that is rarely right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// The joints that it is about, as indices into the set.
    pub joints: Vec<usize>,
    /// What it is, in words.
    pub reason: String,
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Pixels that a label may lie outside of its photo.
const OUTSIDE: f32 = 2.0;
/// Joints nearer to each other than this part of the body are at the same place.
const SAME_PLACE: f32 = 0.005;
/// Smallest body, in pixels, whose joints should not fall together.
const LARGE_BODY: f32 = 80.0;
/// How much longer a limb may be than the one on the other side.
const LIMB_RATIO: f32 = 4.0;
/// Part of the body that a limb must have before its length is compared.
const LONG_LIMB: f32 = 0.25;
/// How wide a torso must be at shoulders and hips, as a part of its length, before its sides may
/// not cross.
const WIDE_TORSO: f32 = 0.2;
/// Longest head, from neck to top, as a part of the torso.
const LONG_HEAD: f32 = 0.9;
/// How much larger than the person's box the joints' box may be.
const BOX_GROWTH: f32 = 1.5;

/// Limbs that are compared with those of the other side.
const LIMBS: [[&str; 2]; 4] = [
    ["shoulder", "elbow"],
    ["elbow", "wrist"],
    ["hip", "knee"],
    ["knee", "ankle"],
];

/// What is suspicious about a person's labels, in a photo of the given size if it is known:
///
/// - a label outside of the photo;
/// - two joints at the same place, thorax and pelvis aside;
/// - a limb more than four times as long as that of the other side;
/// - sides of the torso that cross, though shoulders and hips are wide: left and right swapped?
/// - a head nearly as long as the torso;
/// - joints far outside of the person's box.
///
/// Each may be right for once: dancers and divers do such things.
pub fn suspicions(person: &Person, set: &KeypointSet, photo: Option<Size>) -> Vec<Suspicion> {
    let mut found = Vec::new();
    let labels = Labels { person, set };
    if let Some(photo) = photo {
        labels.outside(photo, &mut found);
    }
    labels.same_place(&mut found);
    labels.uneven_limbs(&mut found);
    labels.crossed_torso(&mut found);
    labels.long_head(&mut found);
    labels.outside_box(&mut found);
    found
}

struct Labels<'a> {
    person: &'a Person,
    set: &'a KeypointSet,
}

impl Labels<'_> {
    fn name(&self, index: usize) -> &str {
        self.set.keypoints.get(index).map_or("", String::as_str)
    }

    fn place(&self, index: usize) -> Option<Point> {
        let label = self.person.keypoints.get(index)?;
        label.is_labelled().then(|| label.point())
    }

    /// Index and place of a labelled joint.
    fn joint(&self, name: &str) -> Option<(usize, Point)> {
        let index = self.set.index_of(name)?;
        Some((index, self.place(index)?))
    }

    fn labelled(&self) -> impl Iterator<Item = (usize, Point)> {
        let count = self.person.keypoints.len();
        (0..count).filter_map(|index| Some((index, self.place(index)?)))
    }

    /// Diagonal of the joints' box.
    fn body(&self) -> f32 {
        let rect = self.person.joints_rect();
        rect.map_or(0.0, |rect| rect.width.hypot(rect.height))
    }

    fn outside(&self, photo: Size, found: &mut Vec<Suspicion>) {
        let (width, height) = (photo.width as f32, photo.height as f32);
        let inside = |p: Point| {
            (-OUTSIDE..=width + OUTSIDE).contains(&p.x)
                && (-OUTSIDE..=height + OUTSIDE).contains(&p.y)
        };
        for (index, place) in self.labelled().filter(|(_, place)| !inside(*place)) {
            found.push(Suspicion {
                joints: vec![index],
                reason: format!(
                    "{} at {:.0}, {:.0} is outside of the photo",
                    self.name(index),
                    place.x,
                    place.y
                ),
            });
        }
    }

    fn same_place(&self, found: &mut Vec<Suspicion>) {
        let body = self.body();
        if body < LARGE_BODY {
            return;
        }
        for (one, here) in self.labelled() {
            for (other, there) in self.labelled().filter(|(other, _)| *other > one) {
                let (one_name, other_name) = (self.name(one), self.name(other));
                if here.distance(there) < SAME_PLACE * body
                    && !is_between_others(one_name)
                    && !is_between_others(other_name)
                {
                    found.push(Suspicion {
                        joints: vec![one, other],
                        reason: format!("{one_name} and {other_name} are at the same place"),
                    });
                }
            }
        }
    }

    fn uneven_limbs(&self, found: &mut Vec<Suspicion>) {
        let body = self.body();
        for limb in LIMBS {
            let side = |side: &str| {
                let (start, a) = self.joint(&format!("{side}_{}", limb[0]))?;
                let (end, b) = self.joint(&format!("{side}_{}", limb[1]))?;
                Some((start, end, a.distance(b)))
            };
            let (Some(right), Some(left)) = (side("right"), side("left")) else {
                continue;
            };
            let (long, short) = if right.2 > left.2 {
                (right, left)
            } else {
                (left, right)
            };
            if long.2 > LIMB_RATIO * short.2 && long.2 > LONG_LIMB * body {
                let (start, end) = (self.name(long.0), self.name(long.1));
                let times = (long.2 / short.2.max(1.0)).min(99.0);
                found.push(Suspicion {
                    joints: vec![long.0, long.1, short.0, short.1],
                    reason: format!("{start} to {end} is {times:.0} times the other side's"),
                });
            }
        }
    }

    fn crossed_torso(&self, found: &mut Vec<Suspicion>) {
        let names = ["right_shoulder", "right_hip", "left_shoulder", "left_hip"];
        let [Some(rs), Some(rh), Some(ls), Some(lh)] = names.map(|name| self.joint(name)) else {
            return;
        };
        let length = 0.5 * (rs.1.distance(rh.1) + ls.1.distance(lh.1));
        let wide = rs.1.distance(ls.1).min(rh.1.distance(lh.1)) > WIDE_TORSO * length;
        if wide && cross((rs.1, rh.1), (ls.1, lh.1)) {
            found.push(Suspicion {
                joints: vec![rs.0, rh.0, ls.0, lh.0],
                reason: "the torso's sides cross: left and right swapped?".into(),
            });
        }
    }

    fn long_head(&self, found: &mut Vec<Suspicion>) {
        let (Some(top), Some(neck)) = (self.joint("head_top"), self.joint("upper_neck")) else {
            return;
        };
        let side = |side: &str| {
            let (_, shoulder) = self.joint(&format!("{side}_shoulder"))?;
            let (_, hip) = self.joint(&format!("{side}_hip"))?;
            Some(shoulder.distance(hip))
        };
        let torso = side("right")
            .into_iter()
            .chain(side("left"))
            .reduce(f32::max);
        let head = top.1.distance(neck.1);
        if let Some(torso) = torso
            && head > LONG_HEAD * torso
        {
            found.push(Suspicion {
                joints: vec![top.0, neck.0],
                reason: format!(
                    "the head is {:.0} % of the torso's length",
                    100.0 * head / torso.max(1.0)
                ),
            });
        }
    }

    fn outside_box(&self, found: &mut Vec<Suspicion>) {
        let reach = self.person.rect.scaled(BOX_GROWTH);
        let outside: Vec<usize> = self
            .labelled()
            .filter(|(_, place)| !reach.contains(*place))
            .map(|(index, _)| index)
            .collect();
        // The box of the joints themselves may have no width.
        let has_area = reach.width > 0.0 && reach.height > 0.0;
        if has_area && !outside.is_empty() {
            let names: Vec<&str> = outside.iter().map(|&index| self.name(index)).collect();
            found.push(Suspicion {
                reason: format!("far outside of the person's box: {}", names.join(", ")),
                joints: outside,
            });
        }
    }
}

/// MPII's thorax and pelvis lie between shoulders, neck and hips: from the side, or from above, one
/// is on the other.
fn is_between_others(name: &str) -> bool {
    matches!(name, "thorax" | "plevis" | "pelvis")
}

/// Whether two segments cross.
fn cross(one: (Point, Point), other: (Point, Point)) -> bool {
    let side =
        |(a, b): (Point, Point), p: Point| (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x);
    side(one, other.0) * side(one, other.1) < 0.0 && side(other, one.0) * side(other, one.1) < 0.0
}
