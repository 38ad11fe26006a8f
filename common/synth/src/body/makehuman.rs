//! MakeHuman's body: CC0 files that its users fetch, read here into figures of many shapes.

use super::charts::Charts;
use super::drape::drape;
use super::folder::{find, read_clips, read_morphs};
use super::morph::Morph;
use super::obj::Obj;
use super::shape::Shape;
use super::skeleton_file::{FileBone, read_bones, read_weights};
use crate::bvh::Clip;
use crate::error::{SynthError, read_text};
use crate::figure::{Anchor, Chart, Figure, KEYPOINTS, Layer, Triangle, Vertex};
use crate::random::Random;
use crate::rig::{Bone, Drive, Rig, SkinWeights};
use crate::segment::{SEGMENTS, Segment, rest_turn};
use glam::{Quat, Vec3};
use std::collections::BTreeMap;
use std::path::Path;

/// MakeHuman measures in decimetres.
const METRES: f32 = 0.1;

/// The bones whose heads are joints; every limb bone is there with `.L` and `.R`.
const MIDDLE_BONES: [&str; 5] = ["root", "spine01", "neck01", "neck02", "head"];
const LIMB_BONES: [&str; 7] = [
    "upperarm01",
    "lowerarm01",
    "wrist",
    "finger3-1",
    "upperleg01",
    "lowerleg01",
    "foot",
];

/// The body, its rig, its morph targets and its motions, read from MakeHuman's files.
#[derive(Debug, Clone)]
pub struct MakeHuman {
    base: Vec<Vec3>,
    bones: Vec<FileBone>,
    /// Morphs by file name without ending, such as `asian-female-young`.
    morphs: BTreeMap<String, Morph>,
    /// Base-mesh index, place and weights of every vertex of a figure.
    vertices: Vec<(u32, Chart, SkinWeights)>,
    triangles: Vec<Triangle>,
    crown: usize,
    clips: Vec<Clip>,
}

impl MakeHuman {
    /// Reads the body from `dir`: MakeHuman's `makehuman/data` folder, or a folder that holds
    /// `base.obj`, `default.mhskel`, `default_weights.mhw`, `targets/*.target` and
    /// `motions/*.bvh`. Targets and motions may be absent: then there is one shape, and all poses
    /// are random.
    ///
    /// # Errors
    /// When one of the first three files is missing, or any file is not in its format.
    pub fn load(dir: &Path) -> Result<MakeHuman, SynthError> {
        let obj_path = find(dir, &["base.obj", "3dobjs/base.obj"])?;
        let rig_path = find(dir, &["default.mhskel", "rigs/default.mhskel"])?;
        let weights_path = find(dir, &["default_weights.mhw", "rigs/default_weights.mhw"])?;
        let obj = Obj::parse(&obj_path, &read_text(&obj_path)?)?;
        let bones = read_bones(&rig_path, obj.positions.len())?;
        let limbs = LIMB_BONES
            .iter()
            .flat_map(|n| [format!("{n}.L"), format!("{n}.R")]);
        for name in limbs.chain(MIDDLE_BONES.map(String::from)) {
            if !bones.iter().any(|b| b.name == name) {
                let what = format!("bone `{name}` is missing; expected MakeHuman's default rig");
                return Err(SynthError::content(&rig_path, what));
            }
        }
        let influences = read_weights(&weights_path, obj.positions.len(), &bones)?;
        let mut body = MakeHuman {
            morphs: read_morphs(dir, obj.positions.len())?,
            clips: read_clips(dir)?,
            vertices: Vec::new(),
            triangles: Vec::new(),
            crown: 0,
            base: obj.positions.clone(),
            bones,
        };
        body.take_layers(&obj, &influences);
        body.crown = body.top_vertex().ok_or_else(|| {
            SynthError::content(
                &obj_path,
                "group `body` is empty; expected MakeHuman's base mesh",
            )
        })?;
        Ok(body)
    }

    /// The motions that were found.
    pub fn clips(&self) -> &[Clip] {
        &self.clips
    }

    /// A person of a random shape.
    pub fn random_figure(&self, random: &mut Random) -> Figure {
        self.figure(&Shape::random(random))
    }

    /// A person of a given shape.
    pub fn figure(&self, shape: &Shape) -> Figure {
        let mut positions = self.base.clone();
        for (name, share) in shape.morphs() {
            if let Some(morph) = self.morphs.get(&name) {
                morph.add_to(&mut positions, share);
            }
        }
        for position in &mut positions {
            *position *= METRES * shape.scale;
        }
        let rig = self.rig(&positions);
        let mut vertices: Vec<Vertex> = self
            .vertices
            .iter()
            .map(|&(index, chart, skin)| Vertex {
                rest: positions[index as usize],
                chart,
                skin,
                drape: 0.0,
            })
            .collect();
        drape(&mut vertices, &self.triangles);
        Figure {
            keypoints: self.anchors(&rig, &positions),
            vertices,
            triangles: self.triangles.clone(),
            rig,
        }
    }

    fn bone(&self, name: &str) -> usize {
        // `load` has seen to it that the names used here exist.
        self.bones.iter().position(|b| b.name == name).unwrap_or(0)
    }

    fn rig(&self, positions: &[Vec3]) -> Rig {
        let mean = |indices: &[usize]| {
            indices.iter().map(|&k| positions[k]).sum::<Vec3>() / indices.len() as f32
        };
        let mut bones: Vec<Bone> = Vec::with_capacity(self.bones.len());
        for bone in &self.bones {
            let inherited = bone
                .parent
                .map_or(Drive::rigid(Segment::Pelvis), |p| bones[p].drive);
            bones.push(Bone {
                name: bone.name.clone(),
                parent: bone.parent,
                head: mean(&bone.head),
                tail: mean(&bone.tail),
                drive: drive(&bone.name).unwrap_or(inherited),
            });
        }
        let head = |name: &str| bones[self.bone(name)].head;
        let mut rest = [Quat::IDENTITY; SEGMENTS];
        for (side, first) in [("L", 0), ("R", 7)] {
            let at = |name: &str| head(&format!("{name}.{side}"));
            let upper = at("lowerarm01") - at("upperarm01");
            let lower = at("wrist") - at("lowerarm01");
            let hand = at("finger3-1") - at("wrist");
            let thigh = at("lowerleg01") - at("upperleg01");
            let shin = at("foot") - at("lowerleg01");
            let mut set = |segment: Segment, turn| rest[segment as usize + first] = turn;
            // Elbows bend forwards, knees backwards.
            set(Segment::LeftUpperArm, rest_turn(upper, lower, upper));
            set(Segment::LeftForearm, rest_turn(lower, lower, upper));
            let hinge = rest_turn(lower, lower, upper) * Vec3::X;
            set(Segment::LeftHand, crate::segment::limb_turn(hand, hinge));
            set(Segment::LeftThigh, rest_turn(thigh, thigh, shin));
            set(Segment::LeftShin, rest_turn(shin, thigh, shin));
        }
        Rig { bones, rest }
    }

    fn anchors(&self, rig: &Rig, positions: &[Vec3]) -> [Anchor; KEYPOINTS] {
        let at = |name: &str, depth: f32| {
            let bone = self.bone(name);
            Anchor {
                bone,
                rest: rig.bones[bone].head,
                depth,
            }
        };
        let on = |bone: &str, rest: Vec3, depth: f32| Anchor {
            bone: self.bone(bone),
            rest,
            depth,
        };
        let mid = |a: &str, b: &str| (at(a, 0.0).rest + at(b, 0.0).rest) * 0.5;
        let shoulders = mid("upperarm01.L", "upperarm01.R");
        let thorax = shoulders.lerp(at("neck01", 0.0).rest, 0.4);
        let pelvis = mid("upperleg01.L", "upperleg01.R");
        [
            at("foot.R", 0.08),
            at("lowerleg01.R", 0.10),
            at("upperleg01.R", 0.18),
            at("upperleg01.L", 0.18),
            at("lowerleg01.L", 0.10),
            at("foot.L", 0.08),
            on("root", pelvis, 0.20),
            on("spine01", thorax, 0.18),
            at("neck02", 0.12),
            on("head", positions[self.crown], 0.10),
            at("wrist.R", 0.06),
            at("lowerarm01.R", 0.08),
            at("upperarm01.R", 0.12),
            at("upperarm01.L", 0.12),
            at("lowerarm01.L", 0.08),
            at("wrist.L", 0.06),
        ]
    }

    fn top_vertex(&self) -> Option<usize> {
        let skin = self.triangles.iter().filter(|t| t.layer == Layer::Skin);
        skin.flat_map(|t| t.corners)
            .map(|v| self.vertices[v as usize].0 as usize)
            .max_by(|&a, &b| self.base[a].y.total_cmp(&self.base[b].y))
    }

    /// Collects the triangles of all layers and the vertices they use.
    fn take_layers(&mut self, obj: &Obj, influences: &[Vec<(usize, f32)>]) {
        let charts = Charts::new(&self.bones, &self.base);
        let mut seen: BTreeMap<(u32, Layer0), u32> = BTreeMap::new();
        let mut vertices = Vec::new();
        let mut triangles = Vec::new();
        let mut take = |faces: &mut dyn Iterator<Item = &[u32]>, layer: Layer| {
            for face in faces {
                let corners: Vec<u32> = face
                    .iter()
                    .map(|&index| {
                        *seen.entry((index, layer as Layer0)).or_insert_with(|| {
                            let pairs = &influences[index as usize];
                            let chart = charts.chart(self.base[index as usize], pairs);
                            vertices.push((index, chart, SkinWeights::from_influences(pairs)));
                            vertices.len() as u32 - 1
                        })
                    })
                    .collect();
                for k in 1..corners.len() - 1 {
                    triangles.push(Triangle {
                        corners: [corners[0], corners[k], corners[k + 1]],
                        layer,
                    });
                }
            }
        };
        take(&mut obj.faces(|g| g == "body"), Layer::Skin);
        take(&mut obj.faces(|g| is_side(g, "helper", "eye")), Layer::Eye);
        take(&mut obj.faces(|g| g.contains("eyelashes")), Layer::Lash);
        take(&mut obj.faces(|g| g == "helper-tights"), Layer::Cloth);
        take(&mut obj.faces(|g| g == "helper-skirt"), Layer::Skirt);
        take(&mut obj.faces(|g| g == "helper-hair"), Layer::LongHair);
        let scalp = |face: &&[u32]| {
            face.iter().all(|&v| {
                let head = charts
                    .chart(self.base[v as usize], &influences[v as usize])
                    .head;
                crate::outfit::may_bear_hair(head)
            })
        };
        take(&mut obj.faces(|g| g == "body").filter(scalp), Layer::Hair);
        self.vertices = vertices;
        self.triangles = triangles;
    }
}

/// A layer as a sortable number.
type Layer0 = u8;

fn is_side(group: &str, first: &str, last: &str) -> bool {
    ["l", "r"]
        .iter()
        .any(|s| group == format!("{first}-{s}-{last}"))
}

/// What the bones of the default rig follow; all others follow what their parent follows.
fn drive(name: &str) -> Option<Drive> {
    use Segment::*;
    let (stem, side) = name.rsplit_once('.').unwrap_or((name, ""));
    let of = |left: Segment| if side == "R" { left.mirrored() } else { left };
    let drive = match stem {
        "root" => Drive::rigid(Pelvis),
        "spine05" => Drive::between(Pelvis, Chest, 0.2),
        "spine04" => Drive::between(Pelvis, Chest, 0.45),
        "spine03" => Drive::between(Pelvis, Chest, 0.7),
        "spine02" => Drive::between(Pelvis, Chest, 0.9),
        "spine01" => Drive::rigid(Chest),
        "neck01" => Drive::between(Chest, Neck, 0.6),
        "neck02" => Drive::rigid(Neck),
        "neck03" => Drive::between(Neck, Head, 0.5),
        "head" => Drive::rigid(Head),
        "clavicle" => Drive::rigid(of(LeftClavicle)),
        "shoulder01" => Drive::between(of(LeftClavicle), of(LeftUpperArm), 0.15),
        "upperarm01" | "upperarm02" => Drive::rigid(of(LeftUpperArm)),
        "lowerarm01" | "lowerarm02" => Drive::rigid(of(LeftForearm)),
        "wrist" => Drive::rigid(of(LeftHand)),
        "pelvis" => Drive::rigid(Pelvis),
        "upperleg01" | "upperleg02" => Drive::rigid(of(LeftThigh)),
        "lowerleg01" | "lowerleg02" => Drive::rigid(of(LeftShin)),
        "foot" => Drive::rigid(of(LeftFoot)),
        _ => return None,
    };
    Some(drive)
}
