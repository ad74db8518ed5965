//! A window over a file's text: what is ahead, at least a whole row of it, in memory that does not grow.

use std::io::{self, Read};

use super::encoding::{Decoder, Encoding};

/// The longest row, in bytes of UTF-8, quotes and delimiters included.
pub(super) const MAX_ROW_BYTES: usize = 64 * 1024;

/// A row, and the two bytes that tell how it ends.
const NEEDED: usize = MAX_ROW_BYTES + 2;

pub(in crate::registration) struct Window<R> {
    decoder: Decoder<R>,
    text: String,
    at: usize,
    ended: bool,
    line: u64,
    eight_bit: bool,
}

impl<R: Read> Window<R> {
    /// The window at the beginning of `source`.
    pub fn open(source: R) -> io::Result<Self> {
        let decoder = Decoder::open(source)?;
        let eight_bit = decoder.is_eight_bit();
        let mut window = Window { decoder, text: String::new(), at: 0, ended: false, line: 1, eight_bit };
        window.fill()?;
        Ok(window)
    }

    /// True if the file is written in an old character set.
    pub fn is_eight_bit(&self) -> bool {
        self.eight_bit
    }

    pub fn encoding(&self) -> Encoding {
        self.decoder.encoding()
    }

    pub fn bytes_read(&self) -> u64 {
        self.decoder.bytes_read()
    }

    /// The line that is ahead, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// True if what is ahead is the rest of the file.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// The text ahead: more than [`MAX_ROW_BYTES`] of it, or the rest of the file.
    pub fn ahead(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Moves `bytes` on, over `lines` line ends.
    pub fn advance(&mut self, bytes: usize, lines: u64) -> io::Result<()> {
        self.at = (self.at + bytes).min(self.text.len());
        self.line += lines;
        self.fill()
    }

    /// Moves to the beginning of the next line, however long this one is.
    pub fn skip_line(&mut self) -> io::Result<()> {
        while !self.ahead().is_empty() {
            if let Some((_, next)) = line_end(self.ahead().as_bytes()) {
                return self.advance(next, 1);
            }
            self.advance(self.ahead().len(), 0)?;
        }
        Ok(())
    }

    fn fill(&mut self) -> io::Result<()> {
        while !self.ended && self.text.len() - self.at < NEEDED {
            self.text.drain(..self.at);
            self.at = 0;
            self.ended = !self.decoder.read_into(&mut self.text)?;
        }
        Ok(())
    }
}

/// Where the first line in `bytes` ends, and where the next one begins: LF, CR LF and CR end a line.
pub(in crate::registration) fn line_end(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = memchr::memchr2(b'\n', b'\r', bytes)?;
    let pair = bytes.get(end..end + 2) == Some(b"\r\n");
    Some((end, end + if pair { 2 } else { 1 }))
}
