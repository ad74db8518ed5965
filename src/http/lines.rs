//! Cutting a stream of bytes into lines, within bounds.

use std::collections::VecDeque;

/// Cuts a stream of bytes into lines. What a line has above `max_bytes` is dropped, save one byte that shows it was there.
pub struct Lines {
    max_bytes: usize,
    whole: VecDeque<Vec<u8>>,
    begun: Vec<u8>,
}

impl Lines {
    /// Lines of at most `max_bytes` bytes.
    pub fn new(max_bytes: usize) -> Lines {
        Lines { max_bytes, whole: VecDeque::new(), begun: Vec::new() }
    }

    /// Takes in the next part of the stream.
    pub fn feed(&mut self, part: &[u8]) {
        for piece in part.split_inclusive(|byte| *byte == b'\n') {
            let (piece, ended) = match piece.strip_suffix(b"\n") {
                Some(piece) => (piece, true),
                None => (piece, false),
            };
            let room = (self.max_bytes + 1).saturating_sub(self.begun.len());
            self.begun.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if ended {
                self.whole.push_back(std::mem::take(&mut self.begun));
            }
        }
    }

    /// The stream is over: what was begun is a line, unless there is none of it.
    pub fn end(&mut self) {
        if !self.begun.is_empty() {
            self.whole.push_back(std::mem::take(&mut self.begun));
        }
    }

    /// How many whole lines there are.
    pub fn len(&self) -> usize {
        self.whole.len()
    }

    /// The next whole lines, at most `count`.
    pub fn take(&mut self, count: usize) -> VecDeque<Vec<u8>> {
        let rest = self.whole.split_off(count.min(self.whole.len()));
        std::mem::replace(&mut self.whole, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(parts: &[&str]) -> Vec<String> {
        let mut lines = Lines::new(4);
        parts.iter().for_each(|part| lines.feed(part.as_bytes()));
        lines.end();
        lines.take(99).into_iter().map(|line| String::from_utf8(line).expect("ascii")).collect()
    }

    #[test]
    fn cuts_lines_wherever_the_parts_were_cut() {
        assert_eq!(lines(&["a\nb\n"]), ["a", "b"]);
        assert_eq!(lines(&["a", "a\n", "b", "b"]), ["aa", "bb"]);
        assert_eq!(lines(&["\n\na"]), ["", "", "a"]);
        assert_eq!(lines(&[]), [""; 0]);
    }

    #[test]
    fn an_overlong_line_costs_only_itself() {
        assert_eq!(
            lines(&["123\n1234\n12345\n123456", "7890123456789\nnext\n"]),
            ["123", "1234", "12345", "12345", "next"]
        );
    }

    #[test]
    fn takes_no_more_lines_than_asked_for() {
        let mut lines = Lines::new(4);
        lines.feed(b"1\n2\n3\n");
        assert_eq!((lines.take(2).len(), lines.take(2).len(), lines.take(2).len()), (2, 1, 0));
    }
}
