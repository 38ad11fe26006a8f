//! One file for each format: its reader and, where there is one, its writer.

pub(crate) mod animal_pose;
pub(crate) mod annotations;
pub(crate) mod coco;
pub(crate) mod htf;
pub(crate) mod labelme;
pub(crate) mod leeds;
pub(crate) mod mpii_h5;
pub(crate) mod mpii_mat;
pub(crate) mod table;
pub(crate) mod yolo;
