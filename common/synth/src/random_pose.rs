//! Poses out of nothing: joint angles drawn within what joints can do.

use crate::random::Random;
use crate::segment::{Pose, SEGMENTS, Segment};
use glam::Quat;

/// How the legs are drawn.
#[derive(Clone, Copy)]
enum Stance {
    Standing,
    Striding,
    Low,
    Wild,
}

/// What poses are drawn from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stances {
    /// Mostly upright, some low or wild ones.
    #[default]
    Any,
    /// Standing and striding.
    Upright,
    /// Standing.
    Standing,
}

impl Stances {
    /// All of them.
    pub const ALL: [(&'static str, Stances); 3] = [
        ("any", Stances::Any),
        ("upright", Stances::Upright),
        ("standing", Stances::Standing),
    ];
}

/// A pose within the limits of the joints, arms anywhere.
pub fn random_pose(stances: Stances, random: &mut Random) -> Pose {
    let stance = match random.index(20) {
        _ if stances == Stances::Standing => Stance::Standing,
        14.. if stances == Stances::Upright => Stance::Striding,
        0..=8 => Stance::Standing,
        9..=13 => Stance::Striding,
        14..=16 => Stance::Low,
        _ => Stance::Wild,
    };
    let wild = matches!(stance, Stance::Wild);
    let mut local = [Quat::IDENTITY; SEGMENTS];
    let mut set = |segment: Segment, turn: Quat| local[segment as usize] = turn;
    let lean = if wild { 35.0 } else { 7.0 };
    set(
        Segment::Pelvis,
        turn(lean * random.bell() + 3.0, 0.0, 0.6 * lean * random.bell()),
    );
    let bend = if wild { 22.0 } else { 11.0 };
    set(
        Segment::Chest,
        turn(
            (bend * random.bell() + 5.0).clamp(-25.0, 60.0),
            16.0 * random.bell(),
            0.7 * bend * random.bell(),
        ),
    );
    set(
        Segment::Neck,
        turn(
            5.0 * random.bell(),
            8.0 * random.bell(),
            5.0 * random.bell(),
        ),
    );
    set(
        Segment::Head,
        turn(
            9.0 * random.bell(),
            14.0 * random.bell(),
            6.0 * random.bell(),
        ),
    );
    // Each limb is drawn as a left one; the right ones are its mirror.
    let arms = [arm(random), arm(random)];
    let ahead = random.chance(0.5);
    let legs = [leg(stance, ahead, random), leg(stance, !ahead, random)];
    for (side, (arm, leg)) in arms.into_iter().zip(legs).enumerate() {
        for (segment, turn) in arm.into_iter().chain(leg) {
            if side == 0 {
                set(segment, turn);
            } else {
                set(segment.mirrored(), mirror(turn));
            }
        }
    }
    let mut pose = Pose::from_local(&local);
    pose.lift = if wild && random.chance(0.5) {
        random.range(0.0, 0.5)
    } else {
        0.0
    };
    pose
}

/// A left arm: clavicle, upper arm, forearm and hand.
fn arm(random: &mut Random) -> [(Segment, Quat); 4] {
    // Half of all arms hang more or less; the rest goes anywhere that a shoulder can reach.
    let raise = if random.chance(0.45) {
        random.range(4.0, 45.0)
    } else {
        random.range(20.0, 165.0)
    };
    let forward = random.range(-35.0, 105.0);
    let bend = if random.chance(0.4) {
        random.range(2.0, 30.0)
    } else {
        random.range(15.0, 140.0)
    };
    let swing = swing(raise, forward);
    [
        (
            Segment::LeftClavicle,
            turn(0.0, -0.1 * forward, 0.22 * (raise - 50.0f32).max(0.0)),
        ),
        (
            Segment::LeftUpperArm,
            swing * turn(0.0, random.range(-50.0, 40.0), 0.0),
        ),
        (Segment::LeftForearm, turn(-bend, 0.0, 0.0)),
        (
            Segment::LeftHand,
            turn(0.0, random.range(-40.0, 30.0), random.range(-35.0, 35.0)),
        ),
    ]
}

/// A left leg: thigh, shin and foot.
fn leg(stance: Stance, ahead: bool, random: &mut Random) -> [(Segment, Quat); 3] {
    let (flexion, knee, spread) = match stance {
        Stance::Standing => (
            5.0 * random.bell(),
            4.0 + 6.0 * random.bell().abs(),
            random.range(0.0, 16.0),
        ),
        Stance::Striding => {
            let stride = random.range(12.0, 45.0);
            let back = random.range(5.0, 60.0);
            if ahead {
                (stride, random.range(5.0, 40.0), random.range(-2.0, 8.0))
            } else {
                (-0.5 * stride, back, random.range(-2.0, 8.0))
            }
        }
        Stance::Low => {
            let flexion = random.range(35.0, 110.0);
            let knee = flexion + random.range(-10.0, 25.0);
            (flexion, knee, random.range(0.0, 35.0))
        }
        Stance::Wild => (
            random.range(-30.0, 110.0),
            random.range(0.0, 120.0),
            random.range(-8.0, 55.0),
        ),
    };
    let out = random.range(-8.0, 25.0);
    [
        (
            Segment::LeftThigh,
            turn(-flexion, 0.0, spread) * turn(0.0, out, 0.0),
        ),
        (Segment::LeftShin, turn(knee.clamp(0.0, 140.0), 0.0, 0.0)),
        (
            Segment::LeftFoot,
            turn((0.5 * (flexion - knee)).clamp(-25.0, 30.0), 0.0, 0.0),
        ),
    ]
}

/// Raises a hanging left arm by `raise` degrees in the vertical plane that lies `forward` degrees
/// to the front of the person's left, without rolling it.
pub(crate) fn swing(raise: f32, forward: f32) -> Quat {
    turn(0.0, -forward, 0.0) * turn(0.0, 0.0, raise) * turn(0.0, forward, 0.0)
}

/// Rotation by degrees about x, then z, then y.
pub(crate) fn turn(x: f32, y: f32, z: f32) -> Quat {
    Quat::from_rotation_y(y.to_radians())
        * Quat::from_rotation_z(z.to_radians())
        * Quat::from_rotation_x(x.to_radians())
}

pub(crate) fn mirror(turn: Quat) -> Quat {
    Quat::from_xyzw(turn.x, -turn.y, -turn.z, turn.w)
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::Vec3;

    #[test]
    fn knees_and_elbows_stay_within_their_limits() {
        let mut random = Random::new(3);
        for _ in 0..200 {
            let pose = random_pose(Stances::Any, &mut random);
            for (upper, lower, sign) in [
                (Segment::LeftThigh, Segment::LeftShin, 1.0),
                (Segment::RightThigh, Segment::RightShin, 1.0),
                (Segment::LeftUpperArm, Segment::LeftForearm, -1.0),
                (Segment::RightUpperArm, Segment::RightForearm, -1.0),
            ] {
                let local = pose.turn(upper).inverse() * pose.turn(lower);
                let shin = local * Vec3::NEG_Y;
                // In the plane across the hinge, to one side only.
                assert!(shin.x.abs() < 1e-4);
                assert!(sign * -shin.z > -1e-4, "{upper:?} {shin}");
            }
        }
    }

    #[test]
    fn swing_raises_in_the_named_plane() {
        let side = swing(90.0, 0.0) * Vec3::NEG_Y;
        let front = swing(90.0, 90.0) * Vec3::NEG_Y;
        assert!((side - Vec3::X).length() < 1e-6, "{side}");
        assert!((front - Vec3::Z).length() < 1e-6, "{front}");
    }
}
