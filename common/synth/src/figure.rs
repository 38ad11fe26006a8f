//! One person: a skinned mesh in layers, with the coordinates by which clothes find their place.

use crate::rig::{Rig, SkinWeights, skin};
use crate::segment::Pose;
use glam::Vec3;

/// Where a point of the surface lies on a person of any shape. Clothes, hair and face are drawn by
/// these coordinates, so that one wardrobe fits every body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chart {
    /// Height on the torso: 0 at the crotch, 1 at the base of the neck, linear beyond.
    pub torso: f32,
    /// Along the arm: 0 at the shoulder and on the torso, 1 elbow, 2 wrist, more on the hand.
    pub arm: f32,
    /// Along the leg: 0 at the hip and above, 1 knee, 2 ankle, more on the foot.
    pub leg: f32,
    /// Position about the head in units of its height: origin between the eyes and the ears,
    /// at the height of the eyes, x to the left, y up, z forward.
    pub head: Vec3,
}

impl Chart {
    /// `a·wa + b·wb + c·wc`
    pub(crate) fn mix(a: &Chart, b: &Chart, c: &Chart, w: [f32; 3]) -> Chart {
        Chart {
            torso: a.torso * w[0] + b.torso * w[1] + c.torso * w[2],
            arm: a.arm * w[0] + b.arm * w[1] + c.arm * w[2],
            leg: a.leg * w[0] + b.leg * w[1] + c.leg * w[2],
            head: a.head * w[0] + b.head * w[1] + c.head * w[2],
        }
    }
}

/// What a triangle belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The body itself.
    Skin,
    /// An eyeball.
    Eye,
    /// Eyelashes.
    Lash,
    /// The shell that shirts, trousers and shoes are cut from.
    Cloth,
    /// The shell that skirts are cut from.
    Skirt,
    /// The shell that hair is cut from.
    Hair,
    /// Long hair that hangs from the head.
    LongHair,
}

/// A vertex at rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vertex {
    /// Rest position in metres.
    pub rest: Vec3,
    /// Place on the person.
    pub chart: Chart,
    /// Bones that move it.
    pub skin: SkinWeights,
    /// How far loose cloth hangs off here, in metres: it spans the body's hollows.
    pub drape: f32,
}

/// Three vertices of one layer, counter-clockwise seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triangle {
    /// Indices into [`Figure::vertices`].
    pub corners: [u32; 3],
    /// What it belongs to.
    pub layer: Layer,
}

/// Number of keypoints, MPII's sixteen.
pub const KEYPOINTS: usize = 16;

/// MPII's keypoint names in MPII's order.
pub const KEYPOINT_NAMES: [&str; KEYPOINTS] = [
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "pelvis",
    "thorax",
    "upper_neck",
    "head_top",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
];

/// Places of keypoints that are asked for by name.
pub(crate) const PELVIS: usize = 6;
pub(crate) const UPPER_NECK: usize = 8;
pub(crate) const HEAD_TOP: usize = 9;

/// A point fixed to a bone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anchor {
    /// Index of the bone.
    pub bone: usize,
    /// Rest position in metres.
    pub rest: Vec3,
    /// How deep below the visible surface it lies at most, in metres.
    pub depth: f32,
}

/// One person at rest: rig, surface, keypoints.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The bones.
    pub rig: Rig,
    /// The surface's vertices.
    pub vertices: Vec<Vertex>,
    /// The surface's triangles.
    pub triangles: Vec<Triangle>,
    /// The sixteen keypoints in the order of [`KEYPOINT_NAMES`].
    pub keypoints: [Anchor; KEYPOINTS],
}

/// A figure in a pose: positions in the person's space, the lowest vertex at height `pose.lift`.
#[derive(Clone, Debug)]
pub struct Posed {
    /// One position for each vertex.
    pub positions: Vec<Vec3>,
    /// One position for each keypoint.
    pub keypoints: [Vec3; KEYPOINTS],
}

impl Figure {
    /// Skins the figure. The pelvis stands above the origin.
    pub fn posed(&self, pose: &Pose) -> Posed {
        let motions = self.rig.motions(pose);
        let mut positions = Vec::with_capacity(self.vertices.len());
        skin(
            self.vertices.iter().map(|v| (v.rest, v.skin)),
            &motions,
            &mut positions,
        );
        let mut keypoints = [Vec3::ZERO; KEYPOINTS];
        for (point, anchor) in keypoints.iter_mut().zip(&self.keypoints) {
            *point = motions
                .get(anchor.bone)
                .map_or(anchor.rest, |motion| motion.apply(anchor.rest));
        }
        let lowest = positions.iter().map(|p| p.y).fold(f32::INFINITY, f32::min);
        let pelvis = keypoints[PELVIS];
        let shift = Vec3::new(-pelvis.x, pose.lift - lowest, -pelvis.z);
        positions.iter_mut().for_each(|p| *p += shift);
        keypoints.iter_mut().for_each(|p| *p += shift);
        Posed {
            positions,
            keypoints,
        }
    }
}

/// Area-weighted vertex normals. A normal of zero length (no triangle) becomes +Y.
pub(crate) fn normals(positions: &[Vec3], triangles: &[Triangle]) -> Vec<Vec3> {
    let mut normals = vec![Vec3::ZERO; positions.len()];
    for triangle in triangles {
        let [a, b, c] = triangle.corners.map(|k| positions[k as usize]);
        let area = (b - a).cross(c - a);
        for k in triangle.corners {
            normals[k as usize] += area;
        }
    }
    for normal in &mut normals {
        *normal = normal.normalize_or(Vec3::Y);
    }
    normals
}
