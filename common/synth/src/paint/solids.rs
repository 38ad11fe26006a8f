//! All solid things of a scene as one mesh, and how its surface looks.

use crate::figure::{Chart, KEYPOINTS, Layer, Posed, Triangle, normals};
use crate::light::Shadows;
use crate::material::Material;
use crate::noise::noise;
use crate::scene::{Block, Person, Scene};
use glam::{Quat, Vec3};

/// All solid things of a scene, in scene space.
pub(super) struct Solids {
    pub(super) positions: Vec<Vec3>,
    pub(super) normals: Vec<Vec3>,
    rest: Vec<Vec3>,
    charts: Vec<Chart>,
    pub(super) ambient: Vec<Vec3>,
    pub(super) corners: Vec<[u32; 3]>,
    pub(super) owners: Vec<Owner>,
}

#[derive(Clone, Copy)]
pub(super) enum Owner {
    Person {
        index: usize,
        layer: Layer,
        cut: bool,
    },
    Block {
        index: usize,
    },
}

const NOWHERE: Chart = Chart {
    torso: 0.0,
    arm: 0.0,
    leg: 0.0,
    head: Vec3::ZERO,
};

impl Solids {
    /// Builds all meshes; also the keypoints of every person in scene space.
    pub(super) fn of(scene: &Scene) -> (Solids, Vec<[Vec3; KEYPOINTS]>) {
        let mut solids = Solids {
            positions: Vec::new(),
            normals: Vec::new(),
            rest: Vec::new(),
            charts: Vec::new(),
            ambient: Vec::new(),
            corners: Vec::new(),
            owners: Vec::new(),
        };
        let mut people = Vec::new();
        for (index, person) in scene.people.iter().enumerate() {
            let posed = person.figure.posed(&person.pose);
            people.push(solids.add_person(index, person, posed));
        }
        for (index, block) in scene.blocks.iter().enumerate() {
            solids.add_block(index, block);
        }
        (solids, people)
    }

    fn add_person(&mut self, index: usize, person: &Person, posed: Posed) -> [Vec3; KEYPOINTS] {
        let first = self.positions.len() as u32;
        let figure = &person.figure;
        let outfit = &person.outfit;
        let turn = Quat::from_rotation_y(person.heading);
        let place = |p: Vec3| turn * p + person.at;
        // Only what the outfit shows.
        let shown: Vec<(Triangle, bool)> = figure
            .triangles
            .iter()
            .filter_map(|&triangle| {
                let corners = triangle.corners.map(|k| &figure.vertices[k as usize]);
                let covered = corners.map(|v| outfit.covers(triangle.layer, &v.chart, v.rest));
                let hidden = triangle.layer == Layer::Skin
                    && corners.iter().all(|v| outfit.hides_skin(&v.chart));
                let any = covered.iter().any(|&c| c);
                let all = covered.iter().all(|&c| c);
                (any && !hidden).then_some((triangle, !all))
            })
            .collect();
        let mut layers = vec![Layer::Skin; figure.vertices.len()];
        for triangle in &figure.triangles {
            for k in triangle.corners {
                layers[k as usize] = triangle.layer;
            }
        }
        let mut positions = posed.positions;
        let smooth = normals(&positions, &figure.triangles);
        for (k, vertex) in figure.vertices.iter().enumerate() {
            let off = outfit.offset(layers[k], vertex)
                + outfit.fold(layers[k], &vertex.chart, vertex.rest);
            positions[k] += smooth[k] * off;
        }
        positions.iter_mut().for_each(|p| *p = place(*p));
        self.normals.extend(normals(&positions, &figure.triangles));
        self.positions.extend(positions);
        for vertex in &figure.vertices {
            self.rest.push(vertex.rest);
            self.charts.push(vertex.chart);
        }
        for (triangle, cut) in shown {
            self.corners.push(triangle.corners.map(|k| k + first));
            self.owners.push(Owner::Person {
                index,
                layer: triangle.layer,
                cut,
            });
        }
        posed.keypoints.map(place)
    }

    fn add_block(&mut self, index: usize, block: &Block) {
        let turn = Quat::from_rotation_y(block.heading);
        for axis in 0..3 {
            for sign in [-1.0, 1.0] {
                let first = self.positions.len() as u32;
                let mut normal = Vec3::ZERO;
                normal[axis] = sign;
                for (a, b) in [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
                    let mut corner = Vec3::ZERO;
                    corner[axis] = sign;
                    corner[(axis + 1) % 3] = a * sign;
                    corner[(axis + 2) % 3] = b;
                    self.positions
                        .push(turn * (corner * block.half) + block.center);
                    self.normals.push(turn * normal);
                    self.rest.push(corner * block.half);
                    self.charts.push(NOWHERE);
                }
                for k in [1, 2] {
                    self.corners.push([first, first + k, first + k + 1]);
                    self.owners.push(Owner::Block { index });
                }
            }
        }
    }

    pub(super) fn place(&self, triangle: &[u32; 3], w: [f32; 3]) -> (Chart, Vec3) {
        let [a, b, c] = triangle.map(|k| k as usize);
        let chart = Chart::mix(&self.charts[a], &self.charts[b], &self.charts[c], w);
        (chart, mix(&self.rest, triangle, w))
    }

    pub(super) fn shade(&self, scene: &Scene, shadows: &Shadows, id: usize, w: [f32; 3]) -> Vec3 {
        let triangle = &self.corners[id];
        let (chart, rest) = self.place(triangle, w);
        let point = mix(&self.positions, triangle, w);
        let view = (scene.camera.eye - point).normalize_or(Vec3::Z);
        let mut normal = mix(&self.normals, triangle, w).normalize_or(Vec3::Y);
        let material = match self.owners[id] {
            Owner::Person { index, layer, .. } => {
                scene.people[index].outfit.material(layer, &chart, rest)
            }
            Owner::Block { index } => Material {
                albedo: scene.blocks[index].color * (1.0 + 0.06 * noise(rest * 25.0, 3)),
                gloss: 0.03,
                exponent: 12.0,
                wrap: 0.0,
                bump: Vec3::ZERO,
            },
        };
        // Inside of a sleeve or of hair: seen from behind.
        if normal.dot(view) < -0.2 {
            normal = -normal;
        }
        let bumped = (normal + material.bump).normalize_or(normal);
        let half = (view + shadows.light().sun).normalize_or(normal);
        let cosine = bumped.dot(half);
        // Below, even the widest highlight is darker than a step of an 8-bit picture.
        let shine = if cosine < 0.5 {
            0.0
        } else {
            material.gloss * libm::powf(cosine, material.exponent) * (material.exponent + 2.0) / 8.0
        };
        let sun = shadows.direct(point, normal, material.wrap);
        // The bump changes the light's angle, the map its visibility.
        let plain = (normal.dot(shadows.light().sun) + material.wrap).max(0.05);
        let tilt = (bumped.dot(shadows.light().sun) + material.wrap).max(0.0) / plain;
        let ambient = mix(&self.ambient, triangle, w) * (1.0 + 0.5 * (bumped.y - normal.y));
        material.albedo * (sun * tilt.min(2.0) + ambient) + sun * shine
    }
}

fn mix(values: &[Vec3], triangle: &[u32; 3], w: [f32; 3]) -> Vec3 {
    let [a, b, c] = triangle.map(|k| values[k as usize]);
    a * w[0] + b * w[1] + c * w[2]
}
