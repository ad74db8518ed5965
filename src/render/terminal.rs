//! A symbol for the terminal: two modules a character cell, black on white whatever the terminal's colours are.

use crate::codec::qr::{QUIET_ZONE, Symbol};

/// The symbol as lines of half blocks with ANSI colours, its quiet zone included.
pub fn terminal(symbol: &Symbol) -> String {
    const BLACK_ON_WHITE: &str = "\x1b[38;2;0;0;0;48;2;255;255;255m";
    const RESET: &str = "\x1b[0m";
    let side = symbol.width() + 2 * QUIET_ZONE;
    // Coordinates inside the quiet zone wrap far outside the symbol, where everything is light.
    let dark = |x: usize, y: usize| symbol.dark(x.wrapping_sub(QUIET_ZONE), y.wrapping_sub(QUIET_ZONE));
    let mut text = String::new();
    for y in (0..side).step_by(2) {
        text.push_str(BLACK_ON_WHITE);
        text.extend((0..side).map(|x| match (dark(x, y), dark(x, y + 1)) {
            (false, false) => ' ',
            (true, false) => '▀',
            (false, true) => '▄',
            (true, true) => '█',
        }));
        text.push_str(RESET);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::qr::Level;

    #[test]
    fn shows_each_module_once_with_a_quiet_zone() {
        let symbol = Symbol::encode("VN1:GREEN CARD", Level::M).expect("fits");
        let text = terminal(&symbol);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 15, "29 modules, two a line");
        for (line, cells) in lines.iter().enumerate() {
            let cells = cells.strip_prefix("\x1b[38;2;0;0;0;48;2;255;255;255m").expect("dark on white");
            let cells: Vec<char> = cells.strip_suffix("\x1b[0m").expect("resets").chars().collect();
            assert_eq!(cells.len(), 29);
            for (x, cell) in cells.into_iter().enumerate() {
                let shown = [matches!(cell, '▀' | '█'), matches!(cell, '▄' | '█')];
                for (half, shown) in shown.into_iter().enumerate() {
                    let y = line * 2 + half;
                    let dark = x >= 4 && y >= 4 && symbol.dark(x - 4, y - 4);
                    assert_eq!(shown, dark, "module {x}, {y}");
                }
            }
        }
    }
}
