//! Positions and faces of a Wavefront OBJ file, by group.

use crate::error::SynthError;
use glam::Vec3;
use std::path::Path;

/// One `g` section: its name and its faces (indices from 0 into the positions).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) faces: Vec<Vec<u32>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Obj {
    pub(crate) positions: Vec<Vec3>,
    pub(crate) groups: Vec<Group>,
}

impl Obj {
    /// Reads `v`, `g` and `f`; texture coordinates, normals and materials are passed over.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Obj, SynthError> {
        let mut obj = Obj {
            positions: Vec::new(),
            groups: Vec::new(),
        };
        for (k, line) in text.lines().enumerate() {
            let bad = |expected| SynthError::text(path, k + 1, expected, line);
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("v") => obj
                    .positions
                    .push(three(&mut words).ok_or_else(|| bad("`v x y z`"))?),
                Some("g") => obj.groups.push(Group {
                    name: words.next().unwrap_or_default().into(),
                    faces: Vec::new(),
                }),
                Some("f") => {
                    let face: Option<Vec<u32>> = words
                        .map(|w| {
                            let index: u32 = w.split('/').next()?.parse().ok()?;
                            index.checked_sub(1)
                        })
                        .collect();
                    let face = face
                        .filter(|f| f.len() >= 3)
                        .ok_or_else(|| bad("`f` with three or more vertex numbers from 1"))?;
                    if face.iter().any(|&v| v as usize >= obj.positions.len()) {
                        return Err(bad("vertex numbers of vertices that stand before"));
                    }
                    if obj.groups.is_empty() {
                        obj.groups.push(Group {
                            name: String::new(),
                            faces: Vec::new(),
                        });
                    }
                    if let Some(group) = obj.groups.last_mut() {
                        group.faces.push(face);
                    }
                }
                _ => {}
            }
        }
        Ok(obj)
    }

    /// All faces of the groups for which `pick` holds.
    pub(crate) fn faces(&self, pick: impl Fn(&str) -> bool) -> impl Iterator<Item = &[u32]> {
        self.groups
            .iter()
            .filter(move |g| pick(&g.name))
            .flat_map(|g| g.faces.iter().map(Vec::as_slice))
    }
}

/// The next three numbers of a line.
pub(crate) fn three<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Vec3> {
    let mut next = || words.next()?.parse::<f32>().ok().filter(|x| x.is_finite());
    Some(Vec3::new(next()?, next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_groups_of_quads() {
        let text = "# two\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 .5\ng body\nf 1/1 2/2 3/3 4/4\ng other\nf 1 2 3\n";
        let obj = Obj::parse(Path::new("a.obj"), text).unwrap();
        assert_eq!(obj.positions[3], Vec3::new(0.0, 1.0, 0.5));
        let body: Vec<_> = obj.faces(|g| g == "body").collect();
        assert_eq!(body, [[0, 1, 2, 3]]);
    }

    #[test]
    fn names_file_and_line() {
        let error = Obj::parse(Path::new("a.obj"), "v 0 0 0\nf 1 2 3\n").unwrap_err();
        assert!(
            error.to_string().starts_with("a.obj:2: expected"),
            "{error}"
        );
        let error = Obj::parse(Path::new("a.obj"), "v 0 x 0\n").unwrap_err();
        assert!(
            error.to_string().starts_with("a.obj:1: expected"),
            "{error}"
        );
    }
}
