//! MakeHuman's morph targets: sparse offsets of the base mesh's vertices.

use super::obj::three;
use crate::error::SynthError;
use glam::Vec3;
use std::path::Path;

/// Offsets in decimetres for some of the vertices.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Morph {
    pub(crate) offsets: Vec<(u32, Vec3)>,
}

impl Morph {
    /// Lines of `index dx dy dz`; `#` begins a comment.
    pub(crate) fn parse(path: &Path, text: &str, vertices: usize) -> Result<Morph, SynthError> {
        let mut offsets = Vec::new();
        for (k, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_ascii_whitespace();
            let index = words
                .next()
                .and_then(|w| w.parse::<u32>().ok())
                .filter(|&i| (i as usize) < vertices);
            match (index, three(&mut words)) {
                (Some(index), Some(offset)) => offsets.push((index, offset)),
                _ => {
                    let expected = "`vertex dx dy dz`, vertex from 0 and in the base mesh";
                    return Err(SynthError::text(path, k + 1, expected, line));
                }
            }
        }
        Ok(Morph { offsets })
    }

    /// `positions += share · offsets`
    pub(crate) fn add_to(&self, positions: &mut [Vec3], share: f32) {
        for &(index, offset) in &self.offsets {
            positions[index as usize] += share * offset;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_its_share() {
        let text = "# head\n1 -.002 .002 0\n\n0 1 0 0\n";
        let morph = Morph::parse(Path::new("t"), text, 2).unwrap();
        let mut positions = [Vec3::ZERO, Vec3::ONE];
        morph.add_to(&mut positions, 0.5);
        assert_eq!(positions[0], Vec3::new(0.5, 0.0, 0.0));
        assert_eq!(positions[1], Vec3::new(0.999, 1.001, 1.0));
        assert!(Morph::parse(Path::new("t"), "2 0 0 0", 2).is_err());
    }
}
