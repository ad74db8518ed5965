//! Letters on the page: shaping, measuring, and making a text fit its place.

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Face, UnicodeBuffer};

/// Drawn for a letter that the font lacks: glyph 0 of this font is empty, and PDF readers drop its text.
const BOX: char = '□';

/// One weight of our type, as krilla embeds it and as rustybuzz shapes it.
pub(super) struct Typeface {
    pub(super) font: Font,
    face: Face<'static>,
}

/// One shaped line; lengths are in em, so that it can be set in any size.
pub(super) struct Line {
    pub(super) text: String,
    pub(super) glyphs: Vec<KrillaGlyph>,
    pub(super) width_em: f32,
}

/// Lines that fit their place, and the size in points at which they do.
pub(super) struct Block {
    pub(super) size: f32,
    pub(super) lines: Vec<Line>,
}

impl Typeface {
    /// The typeface in one of the embedded files; `None` only if that file is no font.
    pub(super) fn new(bytes: &'static [u8]) -> Option<Typeface> {
        Some(Typeface { font: Font::new(bytes.into(), 0)?, face: Face::from_slice(bytes, 0)? })
    }

    /// `text` as one line. Letters that the font lacks are drawn as a box; selected and copied they are what they were.
    pub(super) fn line(&self, text: &str) -> Line {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        // A page of ours has one direction; a name in a script that we cannot draw must not turn it.
        buffer.set_direction(rustybuzz::Direction::LeftToRight);
        let shaped = rustybuzz::shape(&self.face, &[], buffer);
        let em = self.font.units_per_em();
        let mut glyphs: Vec<KrillaGlyph> = Vec::with_capacity(shaped.len());
        let mut end = text.len();
        // From the end: a cluster reaches to where the next one starts, and glyphs of one cluster share its text.
        for (info, position) in shaped.glyph_infos().iter().zip(shaped.glyph_positions()).rev() {
            let start = info.cluster as usize;
            if let Some(next) = glyphs.last().map(|glyph| glyph.text_range.start).filter(|&next| next > start) {
                end = next;
            }
            if info.glyph_id == 0
                && let Some(boxed) = self.face.glyph_index(BOX)
            {
                let advance = f32::from(self.face.glyph_hor_advance(boxed).unwrap_or_default()) / em;
                glyphs.push(KrillaGlyph::new(GlyphId::new(boxed.0.into()), advance, 0.0, 0.0, 0.0, start..end, None));
                continue;
            }
            let [advance, x, y] = [position.x_advance, position.x_offset, position.y_offset].map(|u| u as f32 / em);
            glyphs.push(KrillaGlyph::new(GlyphId::new(info.glyph_id), advance, x, y, 0.0, start..end, None));
        }
        glyphs.reverse();
        let width_em = glyphs.iter().map(|glyph| glyph.x_advance).sum();
        Line { text: text.to_owned(), glyphs, width_em }
    }

    /// `text` set in the first of `sizes` (points, how many lines are allowed) in which it fits into `width` points.
    ///
    /// If none will do, the last size is used and the text cut, with an ellipsis: it never leaves its place.
    pub(super) fn fit(&self, text: &str, width: f32, sizes: &[(f32, usize)]) -> Block {
        let mut last = Block { size: 1.0, lines: Vec::new() };
        for &(size, allowed) in sizes {
            let mut rows = self.wrap(text, width / size);
            if rows.len() <= allowed {
                return Block { size, lines: rows.iter().map(|row| self.line(row)).collect() };
            }
            rows.truncate(allowed);
            if let Some(row) = rows.last_mut() {
                while self.line(&format!("{row}…")).width_em > width / size && row.pop().is_some() {}
                row.push('…');
            }
            last = Block { size, lines: rows.iter().map(|row| self.line(row)).collect() };
        }
        last
    }

    /// Rows of `text`, each at most `width_em` wide, broken at spaces, and inside a word only if it is wider than a row.
    fn wrap(&self, text: &str, width_em: f32) -> Vec<String> {
        let mut rows = vec![String::new()];
        for word in text.split_whitespace() {
            let row = rows.pop().unwrap_or_default();
            let joined = if row.is_empty() { word.to_owned() } else { format!("{row} {word}") };
            if self.line(&joined).width_em <= width_em {
                rows.push(joined);
                continue;
            }
            if !row.is_empty() {
                rows.push(row);
            }
            rows.extend(self.split_word(word, width_em));
        }
        rows
    }

    /// The pieces of a word, each as long as `width_em` allows, cut only between clusters (a letter and its marks).
    fn split_word(&self, word: &str, width_em: f32) -> Vec<String> {
        let mut pieces = vec![String::new()];
        let (mut width, mut last_start) = (0.0, None);
        for glyph in &self.line(word).glyphs {
            let cluster = word.get(glyph.text_range.clone()).unwrap_or_default();
            if last_start.replace(glyph.text_range.start) != Some(glyph.text_range.start) {
                if width + glyph.x_advance > width_em && width > 0.0 {
                    pieces.push(String::new());
                    width = 0.0;
                }
                if let Some(piece) = pieces.last_mut() {
                    piece.push_str(cluster);
                }
            }
            width += glyph.x_advance;
        }
        pieces
    }
}
