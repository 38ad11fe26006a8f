//! The text files of keypoint sets: the shipped ones, and what is said about bad ones.

#![allow(clippy::unwrap_used)]

use pose::{Bone, FlipAxis, FlipPair, KeypointSet, Rgb, TextFile};

fn parse(classes: &str, match_points: &str, skeleton: &str) -> Result<KeypointSet, String> {
    let file = |path, text| TextFile { path, text };
    KeypointSet::parse(
        "test",
        file("c.txt", classes),
        Some(file("m.txt", match_points)),
        Some(file("s.txt", skeleton)),
    )
    .map_err(|error| error.to_string())
}

const CLASSES: &str = "a\nb\nc\n";

#[test]
fn shipped_sets_have_the_sizes_of_the_reference() {
    let sizes = [
        ("mpii", 16, 6, 15),
        ("coco", 17, 8, 19),
        ("lsp", 14, 6, 14),
        ("animal_pose", 20, 8, 15),
    ];
    for (name, keypoints, pairs, bones) in sizes {
        let set = KeypointSet::builtin(name).unwrap();
        assert_eq!(set.name, name);
        assert_eq!(
            (set.len(), set.flip_pairs.len(), set.skeleton.len()),
            (keypoints, pairs, bones),
            "{name}"
        );
    }
    assert_eq!(KeypointSet::BUILTIN, sizes.map(|s| s.0));
    assert_eq!(KeypointSet::builtin("hand"), None);
    assert_eq!(KeypointSet::mpii().keypoints[6], "plevis");
}

/// The permutation that the reference states for MPII.
#[test]
fn mpii_mirror_permutation() {
    let permutation = KeypointSet::mpii().mirror_permutation(FlipAxis::Horizontal);
    assert_eq!(
        permutation,
        [5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10]
    );
    let vertical = KeypointSet::mpii().mirror_permutation(FlipAxis::Vertical);
    assert_eq!(vertical, (0..16).collect::<Vec<_>>());
}

#[test]
fn left_and_right_swap_in_every_shipped_set() {
    for name in KeypointSet::BUILTIN {
        let set = KeypointSet::builtin(name).unwrap();
        let permutation = set.mirror_permutation(FlipAxis::Horizontal);
        for (i, keypoint) in set.keypoints.iter().enumerate() {
            let partner = match keypoint.split_once('_') {
                Some(("left", part)) => format!("right_{part}"),
                Some(("right", part)) => format!("left_{part}"),
                _ => keypoint.clone(),
            };
            assert_eq!(set.keypoints[permutation[i]], partner);
            assert_eq!(permutation[permutation[i]], i);
        }
    }
}

#[test]
fn sets_map_by_name_and_alias() {
    let (mpii, lsp, coco) = (KeypointSet::mpii(), KeypointSet::lsp(), KeypointSet::coco());
    assert_eq!(mpii.index_of("pelvis"), Some(6));
    assert_eq!(lsp.index_of("neck"), Some(12));
    assert_eq!(mpii.index_of("tail"), None);
    let from_lsp = mpii.map_from(&lsp);
    assert_eq!(
        from_lsp[..8],
        [
            Some(0),
            Some(1),
            Some(2),
            Some(3),
            Some(4),
            Some(5),
            None,
            None
        ]
    );
    assert_eq!(from_lsp[8..], [12, 13, 6, 7, 8, 9, 10, 11].map(Some));
    let from_coco = mpii.map_from(&coco);
    assert_eq!(from_coco[6..10], [None; 4]);
    assert_eq!(from_coco[0], Some(16));
    let named = parse("neck\npelvis\n", "", "").unwrap();
    assert_eq!(mpii.map_from(&named)[6..9], [Some(1), None, Some(0)]);
}

#[test]
fn white_space_blank_lines_and_windows_line_ends() {
    let set = parse(
        "\u{feff}a\r\n\r\n  b \r\nc",
        "\n a , b ,h\r\na,c,v\n",
        "a,b,r\n\nb, c, g\nc,a,b",
    )
    .unwrap();
    assert_eq!(set.keypoints, ["a", "b", "c"]);
    assert_eq!(
        set.flip_pairs,
        [
            FlipPair {
                first: 0,
                second: 1,
                axis: FlipAxis::Horizontal
            },
            FlipPair {
                first: 0,
                second: 2,
                axis: FlipAxis::Vertical
            },
        ]
    );
    let bone = |start, end, r, g, b| Bone {
        start,
        end,
        color: Rgb::new(r, g, b),
    };
    assert_eq!(
        set.skeleton,
        [
            bone(0, 1, 255, 0, 0),
            bone(1, 2, 0, 255, 0),
            bone(2, 0, 0, 0, 255)
        ]
    );
}

#[test]
fn errors_name_file_line_and_word() {
    for (classes, match_points, skeleton, expected) in [
        (
            "\n \n",
            "",
            "",
            "c.txt: no keypoint name found; write one name on each line",
        ),
        (
            "a\nb\n\na\n",
            "",
            "",
            "c.txt:4: the keypoint `a` is already on line 1; names must be unique",
        ),
        (
            "a\nb c\n",
            "",
            "",
            "c.txt:2: `b c` is not a keypoint name; expected one name without spaces and commas",
        ),
        (
            "a\nb,c\n",
            "",
            "",
            "c.txt:2: `b,c` is not a keypoint name; expected one name without spaces and commas",
        ),
        (
            CLASSES,
            "a,b\n",
            "",
            "m.txt:1: expected 3 fields separated by commas (name,name,h or v), found 2 in `a,b`",
        ),
        (
            CLASSES,
            "\na,b,h,v\n",
            "",
            "m.txt:2: expected 3 fields separated by commas (name,name,h or v), found 4 in `a,b,h,v`",
        ),
        (
            CLASSES,
            "a,d,h\n",
            "",
            "m.txt:1: unknown keypoint `d`; `test` has: a, b, c",
        ),
        (
            CLASSES,
            "a,b,x\n",
            "",
            "m.txt:1: unknown letter `x`; expected h (left-right) or v (top-bottom)",
        ),
        (
            CLASSES,
            "a,b,h\nc,b,h\n",
            "",
            "m.txt:2: `b` is already paired on this axis, or paired with itself; each keypoint has one partner",
        ),
        (
            CLASSES,
            "a,a,h\n",
            "",
            "m.txt:1: `a` is already paired on this axis, or paired with itself; each keypoint has one partner",
        ),
        (
            CLASSES,
            "",
            "a,b,r\nnose,b,r\n",
            "s.txt:2: unknown keypoint `nose`; `test` has: a, b, c",
        ),
        (
            CLASSES,
            "",
            "a,b,red\n",
            "s.txt:1: unknown letter `red`; expected r (red), g (green) or b (blue)",
        ),
        (
            CLASSES,
            "",
            "a b r\n",
            "s.txt:1: expected 3 fields separated by commas (start,end,r or g or b), found 1 in `a b r`",
        ),
    ] {
        assert_eq!(
            parse(classes, match_points, skeleton),
            Err(expected.to_owned())
        );
    }
}
