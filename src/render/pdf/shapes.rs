//! Outlines added to a path, in millimetres from the top left of the page.

use krilla::geom::{PathBuilder, Rect};

use super::PT_PER_MM;

/// A rectangle between two corners.
pub(super) fn rectangle(path: &mut PathBuilder, left: f32, top: f32, right: f32, bottom: f32) {
    let [left, top, right, bottom] = [left, top, right, bottom].map(|mm| mm * PT_PER_MM);
    if let Some(rect) = Rect::from_ltrb(left, top, right, bottom) {
        path.push_rect(rect);
    }
}

/// A quarter of a circle as a Bézier curve: its handles' length in radii.
const QUARTER: f32 = 0.552_285;

/// A rectangle with round corners; to the right and down from `x`, `y`.
pub(super) fn rounded(path: &mut PathBuilder, x: f32, y: f32, width: f32, height: f32, radius: f32) {
    let [l, t, r, b] = [x, y, x + width, y + height].map(|mm| mm * PT_PER_MM);
    let radius = radius * PT_PER_MM;
    let handle = radius * (1.0 - QUARTER);
    path.move_to(l + radius, t);
    path.line_to(r - radius, t);
    path.cubic_to(r - handle, t, r, t + handle, r, t + radius);
    path.line_to(r, b - radius);
    path.cubic_to(r, b - handle, r - handle, b, r - radius, b);
    path.line_to(l + radius, b);
    path.cubic_to(l + handle, b, l, b - handle, l, b - radius);
    path.line_to(l, t + radius);
    path.cubic_to(l, t + handle, l + handle, t, l + radius, t);
    path.close();
}

/// A circle about `x`, `y`.
pub(super) fn circle(path: &mut PathBuilder, x: f32, y: f32, radius: f32) {
    rounded(path, x - radius, y - radius, 2.0 * radius, 2.0 * radius, radius);
}

/// The left half of a circle about `x`, `y`.
pub(super) fn half_circle(path: &mut PathBuilder, x: f32, y: f32, radius: f32) {
    let [x, y, radius] = [x, y, radius].map(|mm| mm * PT_PER_MM);
    let handle = radius * QUARTER;
    path.move_to(x, y - radius);
    path.cubic_to(x - handle, y - radius, x - radius, y - handle, x - radius, y);
    path.cubic_to(x - radius, y + handle, x - handle, y + radius, x, y + radius);
    path.close();
}
