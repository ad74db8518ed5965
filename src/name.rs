//! Names: Unicode, the transliteration of ICAO 9303, and so the key that people are matched on. Uses nothing of ours.
//!
//! `Thuỳ` and `Thùy`, `NGUYỄN` composed and decomposed, `Đ` and the mistyped Eth `Ð` are one name each: they have one transliteration.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest name, in characters, written or transliterated. Source: DCC schema 1.3 (`maxLength` of `fn`, `fnt`).
pub const MAX_NAME_CHARS: usize = 80;

/// Why a text is not a name that can be certified. The text itself is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is left once spaces and marks are gone.
    #[error("the name is empty")]
    Empty,
    /// Longer than [`MAX_NAME_CHARS`], written or transliterated.
    #[error("the name is longer than {MAX_NAME_CHARS} characters")]
    TooLong,
    /// A letter without a transliteration: the machine-readable name would lose it.
    #[error("the name has a letter that cannot be transliterated")]
    LostLetter,
    /// A digit, a symbol or a control character.
    #[error("the name has a character that belongs in no name")]
    NotAName,
}

impl NameError {
    /// The stable word for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            NameError::Empty => "name_empty",
            NameError::TooLong => "name_too_long",
            NameError::LostLetter => "name_loses_a_letter",
            NameError::NotAName => "name_invalid",
        }
    }
}

/// A name as it is written (NFC, single spaces, family name first) and as machines read it.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName {
    text: String,
    transliterated: String,
}

impl PersonName {
    /// The name in `text`, which may be decomposed (NFD) and spaced anyhow.
    ///
    /// Errors: every [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.len() > 8 * MAX_NAME_CHARS {
            return Err(NameError::TooLong); // bounds the work below; eight bytes a character is more than any name needs
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let text: String = words.join(" ").nfc().collect();
        if text.chars().count() > MAX_NAME_CHARS {
            return Err(NameError::TooLong);
        }
        let transliterated = transliterate(&text)?;
        Ok(PersonName { text, transliterated })
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `A-Z` and `<`: what two spellings of one name share. Source: ICAO 9303-3 §6.
    pub fn matching_key(&self) -> &str {
        &self.transliterated
    }

    /// Family name (họ): the first word.
    pub fn family(&self) -> &str {
        self.text.split_once(' ').map_or(&self.text, |(family, _)| family)
    }

    /// Given names: the rest; `None` for a name of one word.
    pub fn given(&self) -> Option<&str> {
        self.text.split_once(' ').map(|(_, given)| given)
    }
}

impl std::fmt::Debug for PersonName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonName(REDACTED)")
    }
}

/// `text` in `A-Z` with `<` between words (spaces and hyphens); apostrophes and full stops are dropped.
///
/// Đ, đ and the mistyped Eth become D; letters of other alphabets follow ICAO 9303's table; all other marks, the horn
/// included, are dropped. Errors: [`NameError`]. Source: ICAO 9303-3 §6 A (Latin) and B (Cyrillic), FACTS of the Vietnamese letters.
pub fn transliterate(text: &str) -> Result<String, NameError> {
    let mut out = String::with_capacity(text.len());
    // Composed first, so that U and a diaeresis are seen as the one letter that the table holds.
    for c in text.nfc() {
        if c.is_whitespace() || is_hyphen(c) {
            separate(&mut out);
        } else if is_dropped(c) {
        } else if let Some(letters) = tabled(c) {
            out.push_str(letters);
        } else {
            strip_marks(c, &mut out)?;
        }
    }
    while out.ends_with('<') {
        out.pop();
    }
    match out.len() {
        0 => Err(NameError::Empty),
        1..=MAX_NAME_CHARS => Ok(out),
        _ => Err(NameError::TooLong),
    }
}

fn separate(out: &mut String) {
    if !out.is_empty() && !out.ends_with('<') {
        out.push('<');
    }
}

fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ad}')
}

/// Apostrophes as keyboards and files have them, full stops, commas, the Catalan middle dot.
fn is_dropped(c: char) -> bool {
    matches!(
        c,
        '\'' | '`' | '\u{b4}' | '\u{2bb}'
            ..='\u{2bd}' | '\u{2b9}' | '\u{2018}' | '\u{2019}' | '\u{201b}' | '.' | ',' | '\u{b7}'
    )
}

/// Pushes `c` without its marks if that leaves `A-Z`. Compatibility forms (full-width letters, ligatures) are opened.
fn strip_marks(c: char, out: &mut String) -> Result<(), NameError> {
    if is_combining_mark(c) {
        return Ok(());
    }
    for base in std::iter::once(c).nfkd().filter(|&part| !is_combining_mark(part)) {
        for upper in base.to_uppercase() {
            match upper {
                'A'..='Z' => out.push(upper),
                _ if is_dropped(upper) || is_combining_mark(upper) => {}
                _ => match tabled(upper) {
                    Some(letters) => out.push_str(letters),
                    None if upper.is_alphabetic() => return Err(NameError::LostLetter),
                    None => return Err(NameError::NotAName),
                },
            }
        }
    }
    Ok(())
}

/// The letters that ICAO 9303-3 §6 writes otherwise than by dropping their marks, and those that have no mark to drop.
fn tabled(c: char) -> Option<&'static str> {
    Some(match c.to_uppercase().next().unwrap_or(c) {
        'Đ' | 'Ð' | 'Ɖ' => "D",
        'Ä' | 'Æ' | 'Ǽ' => "AE",
        'Å' => "AA",
        'Ö' | 'Ø' | 'Ǿ' | 'Œ' => "OE",
        'Ü' => "UE",
        'ẞ' => "SS",
        'S' if c == 'ß' => "SS",
        'Þ' => "TH",
        'Ħ' => "H",
        'ĸ' => "K",
        'Ł' => "L",
        'Ŋ' => "N",
        'Ŧ' => "T",
        'Ƀ' => "B",
        'Ɨ' => "I",
        'Ə' | 'Ɛ' => "E",
        'А' => "A",
        'Б' => "B",
        'В' => "V",
        'Г' | 'Ґ' | 'Ѓ' => "G",
        'Д' | 'Ԁ' => "D",
        'Е' | 'Ё' | 'Э' | 'Ѐ' => "E",
        'Ж' => "ZH",
        'З' => "Z",
        'И' | 'І' | 'Ї' | 'Й' | 'Ѝ' => "I",
        'К' | 'Ќ' => "K",
        'Л' => "L",
        'М' => "M",
        'Н' => "N",
        'О' => "O",
        'П' => "P",
        'Р' => "R",
        'С' => "S",
        'Т' => "T",
        'У' | 'Ў' => "U",
        'Ф' => "F",
        'Х' => "KH",
        'Ц' => "TS",
        'Ч' => "CH",
        'Ш' => "SH",
        'Щ' => "SHCH",
        'Ъ' | 'Є' => "IE",
        'Ы' => "Y",
        'Ь' => "",
        'Ю' => "IU",
        'Я' => "IA",
        'Ѕ' | 'Џ' => "DZ",
        'Ј' => "J",
        'Љ' => "LJ",
        'Њ' => "NJ",
        'Ђ' => "D",
        'Ћ' => "C",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 67 accented Vietnamese letters by the letter they are written on; with their capitals 134.
    const VIETNAMESE: [(&str, &str); 7] = [
        ("A", "àáảãạăằắẳẵặâầấẩẫậ"),
        ("D", "đ"),
        ("E", "èéẻẽẹêềếểễệ"),
        ("I", "ìíỉĩị"),
        ("O", "òóỏõọôồốổỗộơờớởỡợ"),
        ("U", "ùúủũụưừứửữự"),
        ("Y", "ỳýỷỹỵ"),
    ];

    #[test]
    fn transliterates_all_134_accented_vietnamese_letters_in_both_normal_forms() {
        let mut seen = 0;
        for (plain, letters) in VIETNAMESE {
            for letter in letters.chars().flat_map(|c| [c.to_string(), c.to_uppercase().to_string()]) {
                let nfd: String = letter.nfd().collect();
                assert_eq!(transliterate(&letter).as_deref(), Ok(plain), "{letter}");
                assert_eq!(transliterate(&nfd).as_deref(), Ok(plain), "{letter} decomposed");
                seen += 1;
            }
        }
        assert_eq!(seen, 134);
    }

    #[test]
    fn two_spellings_of_one_name_have_one_matching_key() {
        let key = |text: &str| PersonName::parse(text).expect(text).matching_key().to_owned();
        assert_eq!(key("Nguyễn Thị Thuỳ"), key("NGUYỄN  THỊ THÙY "));
        assert_eq!(key("Ðặng Văn Ðức"), key("Đặng Văn Đức"));
        assert_eq!(key("Trần Ánh-Tuyết"), "TRAN<ANH<TUYET");
        assert_eq!(key("H'Hen Niê"), "HHEN<NIE");
        assert_eq!(key("K’Brếp"), "KBREP");
        assert_eq!(key("\u{a0}Lê\u{3000}An"), "LE<AN");
    }

    #[test]
    fn splits_the_family_name_off_and_keeps_one_word_whole() {
        let name = PersonName::parse("Nguyễn Thị Phương Thảo").expect("a name");
        assert_eq!((name.family(), name.given()), ("Nguyễn", Some("Thị Phương Thảo")));
        let name = PersonName::parse("Ysiêm").expect("a name");
        assert_eq!((name.family(), name.given()), ("Ysiêm", None));
    }

    #[test]
    fn writes_foreign_letters_by_the_icao_table() {
        for (text, expected) in [
            ("Müller Jürgen", "MUELLER<JUERGEN"),
            ("Mu\u{308}ller", "MUELLER"),
            ("Gößinger", "GOESSINGER"),
            ("Ødegård", "OEDEGAARD"),
            ("Þórsdóttir Æsa", "THORSDOTTIR<AESA"),
            ("Łukasz Żółć", "LUKASZ<ZOLC"),
            ("D’Červenková Panklová", "DCERVENKOVA<PANKLOVA"),
            ("İpek Işık", "IPEK<ISIK"),
            ("Щербакова Юлия", "SHCHERBAKOVA<IULIIA"),
            ("Ｎｇｕｙｅｎ", "NGUYEN"),
            ("ŒUVRÉ", "OEUVRE"),
        ] {
            assert_eq!(transliterate(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_names_that_lose_a_letter_or_are_none() {
        assert_eq!(transliterate("王小明"), Err(NameError::LostLetter));
        assert_eq!(transliterate("Nguyễn ก"), Err(NameError::LostLetter));
        assert_eq!(transliterate("Nguyễn 2"), Err(NameError::NotAName));
        assert_eq!(transliterate("=cmd()"), Err(NameError::NotAName));
        assert_eq!(transliterate("<script>"), Err(NameError::NotAName));
        assert_eq!(transliterate(" - ' "), Err(NameError::Empty));
        assert_eq!(transliterate("Lê\0"), Err(NameError::NotAName));
    }

    #[test]
    fn holds_names_to_80_characters() {
        let name = |n: usize| format!("Lê {}", "a".repeat(n - 3));
        assert!(PersonName::parse(&name(79)).is_ok() && PersonName::parse(&name(80)).is_ok());
        assert_eq!(PersonName::parse(&name(81)), Err(NameError::TooLong));
        assert_eq!(transliterate(&"Щ".repeat(21)), Err(NameError::TooLong));
        assert_eq!(PersonName::parse(&"e\u{301}".repeat(10_000)), Err(NameError::TooLong));
    }
}
