//! What people write in a cell, and what it means: phone and identity numbers, products, sexes, dose numbers, codes.
//! A text that may mean two things is refused, never guessed.

pub(super) mod dates;

use std::borrow::Cow;

use crate::language::Said;
use crate::name;
use crate::policy;

/// Why a cell or a row is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registration) struct Refused {
    pub code: &'static str,
    pub reason: Said,
}

pub(in crate::registration) const fn refused(code: &'static str, en: &'static str, vi: &'static str) -> Refused {
    Refused { code, reason: Said { en, vi } }
}

pub(super) const MISSING: Refused = refused("cell_missing", "this cell must not be empty", "ô này không được để trống");
const NOT_TEXT: Refused =
    refused("not_text", "it holds what is no character: a damaged text", "có ký tự hỏng, không đọc được");
const DIGITS_LOST: Refused = refused(
    "digits_lost",
    "a spreadsheet shortened this number, as in 1.18301E+11: its digits are lost",
    "bảng tính đã rút gọn số này (như 1.18301E+11), chữ số đã mất",
);
const PHONE_INVALID: Refused =
    refused("phone_invalid", "expected one Vietnamese phone number", "cần một số điện thoại Việt Nam");
const IDENTITY_INVALID: Refused =
    refused("identity_invalid", "expected nine or twelve digits", "cần chín hoặc mười hai chữ số");
const WARD_INVALID: Refused =
    refused("ward_invalid", "expected the five digits of a commune's code", "cần mã xã, phường gồm năm chữ số");
const PRODUCT_UNKNOWN: Refused =
    refused("product_unknown", "no vaccine of this name is known", "không có vắc xin nào mang tên này");
const PRODUCT_UNCLEAR: Refused =
    refused("product_unclear", "it names several vaccines", "ô này ghi nhiều vắc xin khác nhau");
const SEX_UNCLEAR: Refused =
    refused("sex_unclear", "expected male, female or other (nam, nữ, khác)", "cần nam, nữ hoặc khác");
const NUMBER_UNCLEAR: Refused =
    refused("number_invalid", "expected a dose number from 1 to 9", "cần số mũi tiêm từ 1 đến 9");

/// The text of a cell without white space around it, and without what marks a number as text: `'0912` and `="0912"`.
///
/// Errors: `not_text`.
pub(super) fn text(cell: &str) -> Result<&str, Refused> {
    let text = cell.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let inside = text.strip_prefix("=\"").and_then(|text| text.strip_suffix('"')).filter(|text| !text.contains('"'));
    let text = inside.or_else(|| text.strip_prefix('\'')).unwrap_or(text);
    let damaged = memchr::memchr(0, text.as_bytes()).is_some() || !text.is_ascii() && text.contains('\u{fffd}');
    if damaged { Err(NOT_TEXT) } else { Ok(text) }
}

/// True for what is written into a cell when there is nothing to write.
pub(super) fn says_nothing(text: &str) -> bool {
    const WORDS: [&str; 16] = [
        "-",
        "--",
        "---",
        ".",
        "...",
        "0",
        "k",
        "ko",
        "không",
        "khong",
        "không có",
        "khong co",
        "n/a",
        "na",
        "null",
        "none",
    ];
    match text.as_bytes() {
        [] => true,
        [b'-' | b'.' | b'0' | b'k' | b'K' | b'n' | b'N', ..] if text.len() <= 12 => {
            WORDS.contains(&text.to_lowercase().as_str())
        }
        _ => false,
    }
}

/// A phone number as `0` and nine digits, or ten for old mobile numbers and landlines.
///
/// Errors: `phone_invalid`, `digits_lost`.
pub(super) fn phone(text: &str) -> Result<String, Refused> {
    let kept = number_text(text, PHONE_INVALID)?;
    let national = match kept.strip_prefix('+').or_else(|| kept.strip_prefix("00")) {
        Some(international) => international.strip_prefix("84").ok_or(PHONE_INVALID)?,
        None => kept
            .strip_prefix('0')
            .or_else(|| kept.strip_prefix("84").filter(|rest| rest.trim_start_matches('0').len() >= 9))
            .unwrap_or(&kept),
    };
    let national = national.strip_prefix('0').unwrap_or(national); // +84 (0) 912..
    let begins = national.as_bytes().first();
    let good = match national.len() {
        9 => matches!(begins, Some(b'1'..=b'9')),
        10 => matches!(begins, Some(b'1' | b'2')), // 0168 2345 678 before 2018, and 024 3825 5959
        _ => false,
    };
    if good && all_digits(national) { Ok(format!("0{national}")) } else { Err(PHONE_INVALID) }
}

/// An identity number of nine or twelve digits, with the zeros before it that a spreadsheet took away.
///
/// Errors: `identity_invalid`, `digits_lost`.
pub(super) fn identity(text: &str) -> Result<String, Refused> {
    let kept = number_text(text, IDENTITY_INVALID)?;
    let restored = match kept.len() {
        9 | 12 => kept.into_owned(),
        8 | 11 => format!("0{kept}"),
        10 => format!("00{kept}"),
        _ => return Err(IDENTITY_INVALID),
    };
    // Twelve digits begin with the province of birth, 001 to 096. Source: Circular 07/2016/TT-BCA, FACTS §3.
    let province = restored.get(..3).and_then(|code| code.parse::<u16>().ok()).ok_or(IDENTITY_INVALID)?;
    let lost = restored.len() - text.bytes().filter(u8::is_ascii_digit).count().min(restored.len());
    let plausible = restored.len() == 9 || lost == 0 || (1..=96).contains(&province);
    if plausible && all_digits(&restored) { Ok(restored) } else { Err(IDENTITY_INVALID) }
}

/// A commune's code, with the zeros before it that a spreadsheet took away. Errors: `ward_invalid`.
pub(super) fn ward(text: &str) -> Result<String, Refused> {
    let digits = text.strip_suffix(".0").unwrap_or(text);
    let good = (1..=5).contains(&digits.len()) && all_digits(digits);
    if good { Ok(format!("{digits:0>5}")) } else { Err(WARD_INVALID) }
}

/// `female`, `male` or `other`. Errors: `sex_unclear`; 1 and 0 mean one thing here and another there.
pub(super) fn sex(text: &str) -> Result<&'static str, Refused> {
    let folded = match text {
        "Nam" | "nam" => return Ok("male"),
        "Nữ" | "nữ" => return Ok("female"),
        _ => folded(text),
    };
    Ok(match folded.as_str() {
        "NAM" | "MALE" | "M" | "TRAI" => "male",
        "NU" | "FEMALE" | "F" | "GAI" => "female",
        "KHAC" | "OTHER" => "other",
        _ => return Err(SEX_UNCLEAR),
    })
}

/// A dose number from 1 to 9 out of `1`, `01`, `Mũi 1`, `mũi 2/2`, `1/2`. Errors: `number_invalid`.
pub(super) fn number(text: &str) -> Result<u64, Refused> {
    let start = text.find(|c: char| c.is_ascii_digit()).ok_or(NUMBER_UNCLEAR)?;
    let (word, digits) = text.split_at_checked(start).ok_or(NUMBER_UNCLEAR)?;
    let words = ["MUI", "MUISO", "MUITHU", "MUITIEM", "LIEU", "LAN", "DOSE", "SO"];
    let known = word.trim().is_empty() || !word.contains('-') && words.contains(&folded(word).as_str());
    if !known {
        return Err(NUMBER_UNCLEAR);
    }
    let digits = digits.strip_suffix(".0").unwrap_or(digits);
    let (first, total) = digits.split_once('/').unwrap_or((digits, "1"));
    let one = |digits: &str| {
        let digits = digits.trim();
        let short = digits.len() <= 2 && all_digits(digits);
        digits.parse::<u64>().ok().filter(|number| short && (1..=9).contains(number)).ok_or(NUMBER_UNCLEAR)
    };
    one(total)?;
    one(first)
}

/// The code of the one product that `text` names: `AstraZeneca`, `Vắc xin Pfizer-BioNTech (Comirnaty)`, `EU/1/20/1528`.
///
/// Errors: `product_unknown`, `product_unclear`. Every word of it must be known: names that are nearly right are not guessed.
pub(super) fn product(text: &str) -> Result<&'static str, Refused> {
    let text = text.trim();
    if text.len() > 200 {
        return Err(PRODUCT_UNKNOWN);
    }
    if let Some(row) = policy::products().iter().find(|row| row.code.eq_ignore_ascii_case(text)) {
        return Ok(row.code);
    }
    let mut found = None;
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let number = match product_word(word) {
            Some(0) => continue,
            Some(number) => number,
            None => return Err(PRODUCT_UNKNOWN),
        };
        if found.is_some_and(|other| other != number) {
            return Err(PRODUCT_UNCLEAR);
        }
        found = Some(number);
    }
    found.and_then(policy::product_by_number).map(|row| row.code).ok_or(PRODUCT_UNKNOWN)
}

/// The number of the product that `word` is part of the name of; 0 for a word that is part of any.
fn product_word(word: &str) -> Option<u64> {
    let ascii = word.is_ascii() && word.len() <= 24;
    let folded = if ascii { word.to_ascii_uppercase() } else { folded(word) };
    Some(match folded.as_str() {
        "ASTRAZENECA" | "ASTRA" | "ZENECA" | "AZ" | "VAXZEVRIA" | "AZD1222" | "CHADOX1" => 1,
        "SPUTNIK" | "SPUTNIKV" | "V" | "GAM" | "GAMALEYA" => 2,
        "VERO" | "CELL" | "VEROCELL" | "SINOPHARM" | "BBIBP" | "CORV" => 3,
        "PFIZER" | "BIONTECH" | "PFIZERBIONTECH" | "COMIRNATY" | "BNT162B2" => 4,
        "MODERNA" | "SPIKEVAX" | "1273" => 5,
        "JANSSEN" | "JCOVDEN" | "JOHNSON" | "J" | "JJ" => 6,
        "HAYAT" | "VAX" | "HAYATVAX" => 7,
        "ABDALA" => 8,
        "VACXIN" | "VAC" | "XIN" | "VACCINE" | "VACCIN" | "COVID" | "COVID19" | "19" | "MRNA" => 0,
        _ => return None,
    })
}

/// `A-Z` only: what is the same with and without marks, in any case and spacing.
fn folded(text: &str) -> String {
    let letters: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | '#')).take(40).collect();
    name::transliterate(&letters).unwrap_or_default()
}

/// The digits of a number, and a plus sign before them, without what people write between them.
fn number_text(text: &str, otherwise: Refused) -> Result<Cow<'_, str>, Refused> {
    if text.len() > 40 {
        return Err(otherwise);
    }
    if all_digits(text) {
        return Ok(Cow::Borrowed(text));
    }
    // 1.18301E+11, 1,18301E+11: what a spreadsheet shows of a long number.
    let is_shortened = |(before, after): (&str, &str)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b"+-.,".contains(&b));
        digits(before) && digits(after)
    };
    if text.split_once(['E', 'e']).is_some_and(is_shortened) {
        return Err(DIGITS_LOST);
    }
    // 912345678.0: what a program writes that took the number for one.
    let text = text.strip_suffix(".0").filter(|whole| all_digits(whole)).unwrap_or(text);
    let between = |c: &char| matches!(c, ' ' | '.' | '-' | '(' | ')' | '\u{a0}' | '\u{2011}' | '\u{2013}');
    Ok(Cow::Owned(text.chars().filter(|c| !between(c)).collect()))
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(read: Result<T, Refused>) -> Option<&'static str> {
        read.err().map(|refused| refused.code)
    }

    #[test]
    fn reads_phone_numbers_as_people_and_spreadsheets_write_them() {
        for text in [
            "0912345678",
            "84912345678",
            "+84912345678",
            "+84 (0) 912 345 678",
            "840912345678",
            "0084912345678",
            "912.345.678",
            "0912-345-678",
            "912345678",
            "912345678.0",
            "0912\u{a0}345\u{a0}678",
            "84 912 345 678",
        ] {
            assert_eq!(phone(text).as_deref(), Ok("0912345678"), "{text}");
        }
        assert_eq!(phone("01682345678").as_deref(), Ok("01682345678"), "an old mobile number");
        assert_eq!(phone("1682345678").as_deref(), Ok("01682345678"), "and without its zero");
        assert_eq!(phone("841682345678").as_deref(), Ok("01682345678"));
        assert_eq!(phone("02438255959").as_deref(), Ok("02438255959"));
        assert_eq!(phone("845678912").as_deref(), Ok("0845678912"), "084 without its zero is no country");
        for text in [
            "",
            "12345",
            "09123456",
            "091234567",
            "09123456789",
            "+1 202 555 0100",
            "0912345abc",
            "000000000",
            "0912345678/0987654321",
        ] {
            assert_eq!(code(phone(text)), Some("phone_invalid"), "{text}");
        }
        assert_eq!(code(phone("9.12346E+08")), Some("digits_lost"));
        assert_eq!(code(phone(&"9".repeat(10_000))), Some("phone_invalid"));
    }

    #[test]
    fn reads_identity_numbers_and_gives_back_lost_zeros() {
        assert_eq!(identity("001183012345").as_deref(), Ok("001183012345"));
        assert_eq!(identity("001 183 012.345").as_deref(), Ok("001183012345"));
        assert_eq!(identity("1183012345").as_deref(), Ok("001183012345"), "two zeros lost: Hà Nội is 001");
        assert_eq!(identity("79183012345").as_deref(), Ok("079183012345"));
        assert_eq!(identity("79183012345.0").as_deref(), Ok("079183012345"));
        assert_eq!(identity("96183012345").as_deref(), Ok("096183012345"));
        assert_eq!(code(identity("97183012345")), Some("identity_invalid"), "there is no province 097");
        assert_eq!(code(identity("0183012345")), Some("identity_invalid"), "nor 000");
        assert_eq!(identity("12345678").as_deref(), Ok("012345678"));
        assert_eq!(identity("123456789").as_deref(), Ok("123456789"));
        for text in ["", "1234567", "1234567890123", "B1234567", "00118301234x", "１２３４５６７８９"] {
            assert_eq!(code(identity(text)), Some("identity_invalid"), "{text}");
        }
        for text in ["1.18301E+11", "1,18301E+11", "1.18E11", "1e+11"] {
            assert_eq!(code(identity(text)), Some("digits_lost"), "{text}");
        }
    }

    #[test]
    fn reads_products_by_the_names_in_use() {
        for (names, expected) in [
            (
                "AstraZeneca|AZ|Astra|astra zeneca|Vaxzevria|COVID-19 Vaccine AstraZeneca|EU/1/21/1529|eu/1/21/1529",
                "EU/1/21/1529",
            ),
            (
                "Pfizer|Comirnaty|BioNTech|Pfizer-BioNTech (Comirnaty)|Vắc xin Pfizer|vac-xin PFIZER|EU/1/20/1528",
                "EU/1/20/1528",
            ),
            ("Moderna|Spikevax|mRNA-1273|Moderna (Spikevax)", "EU/1/20/1507"),
            ("Vero Cell|VeroCell|Vero-cell|Sinopharm|Vero Cell (Sinopharm)|BBIBP-CorV", "BBIBP-CorV"),
            ("Sputnik V|Sputnik-V|sputnik", "Sputnik-V"),
            ("Janssen|J&J|Johnson & Johnson|Jcovden", "EU/1/20/1525"),
            ("Hayat-Vax|Hayat Vax|HayatVax", "Hayat-Vax"),
            ("Abdala|ABDALA", "Abdala"),
        ] {
            for name in names.split('|') {
                assert_eq!(product(name), Ok(expected), "{name}");
            }
        }
        for row in policy::products() {
            assert_eq!(product(row.name), Ok(row.code), "{}", row.name);
        }
        for name in ["", "Vắc xin", "Pfizzer", "Nanocovax", "1", "COVID-19", "=AZ()+cmd"] {
            assert_eq!(code(product(name)), Some("product_unknown"), "{name}");
        }
        assert_eq!(code(product("AstraZeneca/Pfizer")), Some("product_unclear"));
        assert_eq!(code(product(&"AZ ".repeat(100))), Some("product_unknown"));
    }

    #[test]
    fn reads_sexes_and_dose_numbers_that_are_clear() {
        for (words, expected) in
            [("Nam|nam|NAM|male|M|Trai", "male"), ("Nữ|nữ|nu|NỮ|Female|f", "female"), ("Khác|other", "other")]
        {
            for word in words.split('|') {
                assert_eq!(sex(word), Ok(expected), "{word}");
            }
        }
        for word in ["1", "0", "x", "", "nam nữ"] {
            assert_eq!(code(sex(word)), Some("sex_unclear"), "{word}");
        }
        for (texts, expected) in [
            ("1|01|1.0|Mũi 1|mũi 1/2|1/2|Mũi số 1|Dose 1|lần 1|Mũi: 1", 1),
            ("2|Mũi 2|mũi 2/2|MUI 2|2 / 2", 2),
            ("9", 9),
        ] {
            for text in texts.split('|') {
                assert_eq!(number(text), Ok(expected), "{text}");
            }
        }
        for text in ["", "0", "10", "Mũi nhắc lại", "1/0", "-1", "1.5", "01-02", "999999999999999999999", "2021-02-01"]
        {
            assert_eq!(code(number(text)), Some("number_invalid"), "{text}");
        }
    }

    #[test]
    fn reads_codes_of_communes_and_cells_that_say_nothing() {
        assert_eq!(ward("00001").as_deref(), Ok("00001"));
        assert_eq!(ward("1").as_deref(), Ok("00001"));
        assert_eq!(ward("26734.0").as_deref(), Ok("26734"));
        for text in ["", "000001", "Phúc Xá", "-1"] {
            assert_eq!(code(ward(text)), Some("ward_invalid"), "{text}");
        }
        for text in ["", "-", "0", "Không", "KHÔNG CÓ", "N/A", "null"] {
            assert!(says_nothing(text), "{text}");
        }
        assert!(!says_nothing("1") && !says_nothing("Kông"));
        assert_eq!(text(" a\u{a0}"), Ok("a"));
        for marked in ["'0912", "=\"0912\"", " =\"0912\""] {
            assert_eq!(text(marked), Ok("0912"), "{marked}");
        }
        for kept in ["=\"a\"&\"b\"", "=\"", "=1+1", "\"0912\""] {
            assert_eq!(text(kept), Ok(kept));
        }
        assert_eq!(code(text("a\u{fffd}")), Some("not_text"));
        assert_eq!(code(text("a\0")), Some("not_text"));
    }
}
