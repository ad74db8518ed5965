//! A symbol as SVG: one path of runs in whole numbers, dark on white.

use std::fmt::Write as _;

use crate::codec::qr::{QUIET_ZONE, Symbol};

/// The symbol as an SVG document that scales to any size, its quiet zone included.
///
/// One unit of the view box is one module; unless a page says otherwise it shows at 6 px a module.
pub fn svg(symbol: &Symbol) -> String {
    const SHOWN_PX: usize = 6;
    let side = symbol.width() + 2 * QUIET_ZONE;
    let mut svg = String::with_capacity(16 * 1024);
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{px}\" height=\"{px}\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path fill=\"#000\" d=\"",
        px = side * SHOWN_PX
    );
    for y in 0..symbol.width() {
        for (x, len) in symbol.runs(y) {
            svg.push('M');
            push_number(&mut svg, x + QUIET_ZONE);
            svg.push(' ');
            push_number(&mut svg, y + QUIET_ZONE);
            svg.push('h');
            push_number(&mut svg, len);
            svg.push_str("v1h-");
            push_number(&mut svg, len);
            svg.push('z');
        }
    }
    svg.push_str("\"/></svg>");
    svg
}

/// A number below 1,000 in decimal: the formatter's machinery would be half of this file's time.
fn push_number(out: &mut String, number: usize) {
    let digit = |value: usize| char::from(b'0' + (value % 10) as u8);
    if number >= 100 {
        out.push(digit(number / 100));
    }
    if number >= 10 {
        out.push(digit(number / 10));
    }
    out.push(digit(number));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::qr::Level;

    #[test]
    fn draws_each_dark_module_once_and_a_quiet_zone_of_four() {
        let symbol = Symbol::encode("VN1:GREEN CARD", Level::M).expect("fits");
        let svg = svg(&symbol);
        assert!(svg.contains("viewBox=\"0 0 29 29\"") && symbol.width() == 21);
        assert!(svg.contains("fill=\"#fff\" d=\"M0 0h29v29H0z\""), "white under it");
        let mut drawn = Vec::new();
        let path = svg.split("#000\" d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
        for run in path.split_terminator('z') {
            let numbers: Vec<usize> = run.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
            let [x, y, len, 1, back] = numbers[..] else { panic!("{run}") };
            assert_eq!(len, back);
            drawn.extend((x..x + len).map(|x| (x - 4, y - 4)));
        }
        let dark: Vec<(usize, usize)> =
            (0..21).flat_map(|y| (0..21).map(move |x| (x, y))).filter(|&(x, y)| symbol.dark(x, y)).collect();
        drawn.sort_by_key(|&(x, y)| (y, x));
        assert_eq!(drawn, dark);
    }

    #[test]
    fn writes_numbers_as_the_formatter_does() {
        for number in 0..1000 {
            let mut out = String::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string());
        }
    }
}
