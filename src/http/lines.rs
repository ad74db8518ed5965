//! Cutting a stream of bytes into lines, within bounds.

use std::collections::VecDeque;

use actix_web::web::{Bytes, BytesMut};
use memchr::memchr;

/// Cuts a stream of bytes into lines. What a line has above `max_bytes` is dropped, save one byte that shows it was there.
pub struct Lines {
    max_bytes: usize,
    /// The whole lines, each with its end, then the one that has begun.
    buffer: BytesMut,
    /// How long each whole line is, with its end.
    whole: VecDeque<usize>,
    /// How long the line that has begun is so far.
    begun: usize,
}

impl Lines {
    /// Lines of at most `max_bytes` bytes.
    pub fn new(max_bytes: usize) -> Lines {
        Lines { max_bytes, buffer: BytesMut::new(), whole: VecDeque::new(), begun: 0 }
    }

    /// Takes in the next part of the stream.
    pub fn feed(&mut self, mut part: &[u8]) {
        self.buffer.reserve(part.len());
        while let Some((line, rest)) = memchr(b'\n', part).and_then(|end| part.split_at_checked(end)) {
            self.extend(line);
            self.finish();
            part = rest.get(1..).unwrap_or_default();
        }
        self.extend(part);
    }

    fn extend(&mut self, piece: &[u8]) {
        let room = (self.max_bytes + 1).saturating_sub(self.begun);
        let piece = piece.get(..room).unwrap_or(piece);
        self.buffer.extend_from_slice(piece);
        self.begun += piece.len();
    }

    fn finish(&mut self) {
        self.buffer.extend_from_slice(b"\n");
        self.whole.push_back(std::mem::take(&mut self.begun) + 1);
    }

    /// The stream is over: what was begun is a line, unless there is none of it.
    pub fn end(&mut self) {
        if self.begun > 0 {
            self.finish();
        }
    }

    /// How many whole lines there are.
    pub fn len(&self) -> usize {
        self.whole.len()
    }

    /// The next whole lines, at most `count`, each with its end; `None` if there is none.
    pub fn take(&mut self, count: usize) -> Option<Bytes> {
        let len = self.whole.drain(..count.min(self.whole.len())).sum();
        (len > 0).then(|| self.buffer.split_to(len).freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(parts: &[&str]) -> Vec<String> {
        let mut lines = Lines::new(4);
        parts.iter().for_each(|part| lines.feed(part.as_bytes()));
        lines.end();
        let whole = lines.take(99).unwrap_or_default();
        let whole = std::str::from_utf8(&whole).expect("ascii");
        whole.split_terminator('\n').map(str::to_owned).collect()
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
        assert_eq!(lines.len(), 3);
        assert_eq!([lines.take(2), lines.take(2), lines.take(2)], [Some("1\n2\n".into()), Some("3\n".into()), None]);
    }
}
