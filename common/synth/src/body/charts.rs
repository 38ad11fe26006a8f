//! Places on MakeHuman's body, from the base mesh's own coordinates.

use super::skeleton_file::FileBone;
use crate::figure::Chart;
use glam::Vec3;

/// The joints and bones that coordinates are measured by.
pub(super) struct Charts {
    /// Shoulder, elbow, wrist of the left arm.
    arm: [Vec3; 3],
    /// Hip, knee, ankle of the left leg.
    leg: [Vec3; 3],
    neck: f32,
    arm_bones: Vec<bool>,
    leg_bones: Vec<bool>,
}

impl Charts {
    pub(super) fn new(bones: &[FileBone], base: &[Vec3]) -> Charts {
        let head = |name: &str| {
            let bone = bones.iter().find(|b| b.name == name);
            let indices = bone.map_or(&[] as &[usize], |b| &b.head);
            indices.iter().map(|&k| base[k]).sum::<Vec3>() / indices.len().max(1) as f32
        };
        let starts = |names: &[&str]| -> Vec<bool> {
            let is = |b: &FileBone| names.iter().any(|n| b.name.starts_with(n));
            bones.iter().map(is).collect()
        };
        Charts {
            arm: [head("upperarm01.L"), head("lowerarm01.L"), head("wrist.L")],
            leg: [head("upperleg01.L"), head("lowerleg01.L"), head("foot.L")],
            neck: head("neck01").y,
            arm_bones: starts(&["upperarm", "lowerarm", "wrist", "metacarpal", "finger"]),
            leg_bones: starts(&["upperleg", "lowerleg", "foot", "toe"]),
        }
    }

    pub(super) fn chart(&self, at: Vec3, influences: &[(usize, f32)]) -> Chart {
        let share = |bones: &[bool]| -> f32 {
            let picked = influences.iter().filter(|i| bones[i.0]);
            let total: f32 = influences.iter().map(|i| i.1).sum();
            picked.map(|i| i.1).sum::<f32>() / total.max(1e-6)
        };
        let left = Vec3::new(at.x.abs(), at.y, at.z);
        let arm_share = share(&self.arm_bones);
        let leg_share = share(&self.leg_bones);
        let torso = (at.y + 0.4) / (self.neck + 0.4);
        Chart {
            torso: torso + (0.8 - torso) * arm_share,
            arm: along(&self.arm, left) * arm_share,
            leg: along(&self.leg, left) * leg_share,
            // Eyes at 7.28, chin at 6.1, crown at 8.5 decimetres.
            head: (at - Vec3::new(0.0, 7.28, 0.3)) / 2.4,
        }
    }
}

/// Where `point` lies along a limb: 0 at its first joint, 1 at the second, 2 at the third, and on.
fn along(joints: &[Vec3; 3], point: Vec3) -> f32 {
    let [a, b, c] = *joints;
    let share = |from: Vec3, to: Vec3| (point - from).dot(to - from) / (to - from).length_squared();
    let (first, second) = (share(a, b), share(b, c));
    // Between the planes across both bones at the knee, take the nearer reading.
    if first < 1.0 && second <= 0.0 {
        first.max(0.0)
    } else if second > 0.0 && first >= 1.0 {
        1.0 + second
    } else {
        0.5 * (first.clamp(0.0, 1.0) + 1.0 + second.max(0.0))
    }
}
