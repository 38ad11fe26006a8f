//! Affine maps, rectangles and crops against their closed forms.

#![allow(clippy::unwrap_used)]

use pose::{Affine, Crop, Point, Rect, Size};
use std::f32::consts::{FRAC_PI_2, FRAC_PI_6};

fn near(a: Point, b: Point) {
    assert!(a.distance(b) < 1e-3, "{a:?} {b:?}");
}

#[test]
fn maps_compose_and_invert() {
    let a = Affine::rotation(0.7)
        .then(&Affine::scale_xy(3.0, 0.5))
        .then(&Affine::translation(1000.0, -3.0));
    let p = Point::new(12.5, -7.25);
    let (sin, cos) = 0.7f32.sin_cos();
    let turned = Point::new(cos * p.x - sin * p.y, sin * p.x + cos * p.y);
    near(
        a.apply(p),
        Point::new(3.0 * turned.x + 1000.0, 0.5 * turned.y - 3.0),
    );
    near(a.inverse().unwrap().apply(a.apply(p)), p);
    assert!((a.scale_factor() - 1.5f32.sqrt()).abs() < 1e-6);
    // Clockwise on the screen: to the right becomes down.
    near(
        Affine::rotation(FRAC_PI_2).apply(Point::new(1.0, 0.0)),
        Point::new(0.0, 1.0),
    );
    assert_eq!(Affine::scale_xy(0.0, 1.0).inverse(), None);
    assert_eq!(Affine { m: [f32::NAN; 6] }.inverse(), None);
}

#[test]
fn rectangles() {
    let r = Rect::from_points([
        Point::new(3.0, 8.0),
        Point::new(f32::NAN, 0.0),
        Point::new(-1.0, 2.0),
    ]);
    assert_eq!(r, Some(Rect::new(-1.0, 2.0, 4.0, 6.0)));
    assert_eq!(Rect::from_points([]), None);
    let r = Rect::new(0.0, 0.0, 10.0, 20.0);
    assert_eq!(r.scaled(0.5), Rect::new(2.5, 5.0, 5.0, 10.0));
    assert_eq!(
        r.union(&Rect::new(8.0, -5.0, 4.0, 4.0)),
        Rect::new(0.0, -5.0, 12.0, 25.0)
    );
    assert!(r.contains(Point::new(0.0, 19.9)) && !r.contains(Point::new(10.0, 1.0)));
}

#[test]
fn a_letterbox_holds_the_whole_frame_in_the_middle() {
    let input = Size::square(192);
    let map = Crop::letterbox(Size::new(640, 480), input).to_input(input);
    // 640 → 192: 0.3; 480 → 144, with 24 above and below.
    near(map.apply(Point::new(0.0, 0.0)), Point::new(0.0, 24.0));
    near(
        map.apply(Point::new(640.0, 480.0)),
        Point::new(192.0, 168.0),
    );
    let map =
        Crop::letterbox(Size::new(100, 400), Size::new(256, 128)).to_input(Size::new(256, 128));
    near(map.apply(Point::new(0.0, 0.0)), Point::new(112.0, 0.0));
    near(
        map.apply(Point::new(100.0, 400.0)),
        Point::new(144.0, 128.0),
    );
}

#[test]
fn a_crop_around_a_box_leaves_the_margin() {
    let crop = Crop::around(Rect::new(100.0, 50.0, 40.0, 80.0), 1.25, Size::square(192));
    assert_eq!(crop, Crop::square(Point::new(120.0, 90.0), 100.0));
    let crop = Crop::around(
        Rect::new(100.0, 50.0, 40.0, 80.0),
        1.25,
        Size::new(128, 192),
    );
    assert!(
        (crop.height - 100.0).abs() < 1e-4 && (crop.width - 100.0 * 128.0 / 192.0).abs() < 1e-4
    );
    let crop = Crop::around(Rect::new(5.0, 5.0, 0.0, 0.0), 1.25, Size::square(64));
    assert!(crop.to_frame(Size::square(64)).inverse().is_some());
}

#[test]
fn rotation_and_flip_go_the_way_they_say() {
    let input = Size::square(100);
    let crop = Crop {
        rotation: FRAC_PI_6,
        ..Crop::square(Point::new(300.0, 200.0), 50.0)
    };
    let to_frame = crop.to_frame(input);
    near(to_frame.apply(Point::new(50.0, 50.0)), crop.center);
    // The view's right edge points 30° below the frame's x axis.
    let (sin, cos) = FRAC_PI_6.sin_cos();
    near(
        to_frame.apply(Point::new(100.0, 50.0)),
        Point::new(300.0 + 25.0 * cos, 200.0 + 25.0 * sin),
    );
    // Mirrored, it is the left edge that does.
    let flipped = Crop { flip: true, ..crop };
    near(
        flipped.to_frame(input).apply(Point::new(0.0, 50.0)),
        Point::new(300.0 + 25.0 * cos, 200.0 + 25.0 * sin),
    );
    for (x, y) in [(0.0, 0.0), (13.0, 77.0)] {
        let p = Point::new(x, y);
        near(
            flipped.to_frame(input).apply(Point::new(100.0 - x, y)),
            to_frame.apply(p),
        );
        near(
            flipped
                .to_input(input)
                .apply(flipped.to_frame(input).apply(p)),
            p,
        );
        let cell = Point::new(x / 4.0, y / 4.0);
        near(
            crop.cells_to_frame(input, 4.0).apply(cell),
            to_frame.apply(p),
        );
    }
}

#[test]
fn a_crop_without_an_area_maps_to_the_middle() {
    let crop = Crop::square(Point::new(3.0, 4.0), 0.0);
    near(
        crop.to_input(Size::new(64, 32)).apply(Point::new(9.0, 9.0)),
        Point::new(32.0, 16.0),
    );
}
