//! The build of a person, as shares of MakeHuman's macro targets.

use crate::random::Random;

/// Sex, age, descent and build.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// 0 male … 1 female.
    pub female: f32,
    /// 0 young … 1 old.
    pub old: f32,
    /// Shares of african, asian, caucasian; they add up to 1.
    pub descent: [f32; 3],
    /// −1 thin … 1 heavy.
    pub weight: f32,
    /// −1 slight … 1 muscular.
    pub muscle: f32,
    /// Uniform size, 1 is the base mesh's (about 1.67 m).
    pub scale: f32,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            female: 0.5,
            old: 0.0,
            descent: [1.0 / 3.0; 3],
            weight: 0.0,
            muscle: 0.0,
            scale: 1.0,
        }
    }
}

impl Shape {
    /// How the names of the targets begin that shapes are made of.
    pub(crate) const FAMILIES: [&str; 4] = ["african-", "asian-", "caucasian-", "universal-"];

    /// A person as they come.
    pub fn random(random: &mut Random) -> Shape {
        let mut descent = [0.0; 3].map(|_: f32| random.range(0.0, 1.0));
        // Cubing makes one of the three prevail most of the time.
        descent = descent.map(|share| share * share * share + 1e-3);
        let total: f32 = descent.iter().sum();
        let female = if random.chance(0.5) {
            random.range(0.75, 1.0)
        } else {
            random.range(0.0, 0.25)
        };
        Shape {
            female,
            old: random.range(0.0, 1.0) * random.range(0.0, 0.9),
            descent: descent.map(|share| share / total),
            weight: random.range(-0.7, 0.8) * random.range(0.3, 1.0),
            muscle: random.range(-0.5, 0.8),
            scale: random.range(0.93, 1.1) - 0.04 * female,
        }
    }

    /// The morph targets that make this shape, with their shares.
    pub(crate) fn morphs(&self) -> Vec<(String, f32)> {
        let mut morphs = Vec::new();
        let sexes = [("male", 1.0 - self.female), ("female", self.female)];
        let ages = [("young", 1.0 - self.old), ("old", self.old)];
        let descents = ["african", "asian", "caucasian"];
        for (sex, s) in sexes {
            for (descent, d) in descents.iter().zip(self.descent) {
                for (age, a) in ages {
                    morphs.push((format!("{descent}-{sex}-{age}"), s * d * a));
                }
            }
            // The builds at hand are the four ends of two axes.
            let mut build = |muscle: &str, weight: &str, share: f32| {
                let name = format!("universal-{sex}-young-{muscle}muscle-{weight}weight");
                morphs.push((name, s * share));
            };
            build("average", "max", self.weight.clamp(0.0, 1.0));
            build("average", "min", (-self.weight).clamp(0.0, 1.0));
            build("max", "average", self.muscle.clamp(0.0, 1.0));
            let slight = (-self.muscle).clamp(0.0, 1.0) * (-self.weight).clamp(0.0, 1.0);
            build("min", "min", slight);
        }
        morphs.retain(|m| m.1 > 0.0);
        morphs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_sex_age_and_descent_add_up_to_one() {
        let mut random = Random::new(4);
        for _ in 0..20 {
            let shape = Shape::random(&mut random);
            let plain = shape.morphs();
            let total: f32 = plain
                .iter()
                .filter(|m| !m.0.starts_with("universal"))
                .map(|m| m.1)
                .sum();
            assert!((total - 1.0).abs() < 1e-5, "{total}");
            assert!(plain.iter().all(|m| m.1 > 0.0 && m.1 <= 1.0));
        }
    }
}
