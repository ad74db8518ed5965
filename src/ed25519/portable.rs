//! The path for every processor: one addition after the other, in 64-bit arithmetic.

use super::curve::Point;
use super::field::{Field, invert_all};
use super::{Equation, base_comb};

/// s B - h A.
pub(super) fn sum(equation: &Equation<'_>) -> Point {
    let sum = base_comb().add_multiple(Point::IDENTITY, &equation.s);
    equation.comb.add_multiple(sum, &equation.h)
}

/// Whether R is what it must be, for each of up to 64 equations: one inversion for all.
pub(super) fn hold(equations: &[Equation<'_>]) -> u64 {
    let sums: Vec<Point> = equations.iter().map(sum).collect();
    let mut inverses: Vec<Field> = sums.iter().map(|sum| sum.z).collect();
    invert_all(&mut inverses);
    let verdicts = equations.iter().zip(sums).zip(inverses);
    verdicts.rev().fold(0, |mask, ((equation, sum), inverse)| mask << 1 | u64::from(equation.holds(&sum, inverse)))
}
