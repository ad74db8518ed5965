use std::io::Write as _;
use std::process::{Command, Stdio};

use qrcode::{EcLevel, QrCode};

use super::*;
use crate::certificate::{Product, Profile, UvciText};

const UVCI: &str = "URN:UVCI:01:VN:FFFE3D31FABD035899134A9D3BAE9BCF";
const LONG_NAME: &str = "Nguyễn Phúc Tằng Tôn Nữ Hoàng Thị Phương Nghiêng Trường Khương Đường Ngưỡng Chuồ";
const LONG_PRODUCT: &str = "COVID-19 Vaccine (Vero Cell), Inactivated, Beijing Institute of Biological Products";

/// 304 alphanumeric characters, version 9 at level M: as dense as an ordinary certificate of ours.
fn qr_text() -> String {
    format!("VN1:{}", "NCFOXN%TS3DH3ZSUZK+.V0ETD%65NL".repeat(10))
}

fn certificate(name: &str, number: u8, series: u8) -> Certificate<'_> {
    Certificate {
        profile: Profile::Compact,
        issuer: Some("VN".into()),
        issued_at: Some(UnixSeconds(1_627_837_200)), // 2021-08-01T17:00:00Z: in Viet Nam the second has begun
        expires_at: Some(UnixSeconds(1_659_373_199)), // 2022-08-01T16:59:59Z: the first, for one more second
        uvci: UvciText::Foreign { text: UVCI.into(), written: None },
        name: name.into(),
        birth: "1983-10-09".parse().expect("a birth date"),
        statement: Statement::Vaccination(Dose {
            number,
            series,
            product: Product::Code("EU/1/21/1529".into()),
            given_on: Date::constant(2021, 7, 30),
        }),
    }
}

fn pdf(certificate: &Certificate, product_name: &str, card: CardColour) -> Result<Vec<u8>, PdfError> {
    let code = QrCode::with_error_correction_level(qr_text(), EcLevel::M).expect("it fits");
    let (width, colours) = (code.width(), code.to_colors());
    let dark = |x: usize, y: usize| colours.get(y * width + x) == Some(&qrcode::Color::Dark);
    render(&Page { certificate, product_name, card, symbol: QrModules { width, dark: &dark } })
}

/// What `program` writes when `input` is piped into it. Its absence fails the test and says what to install.
fn pipe(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let package = if program == "zbarimg" { "zbar-tools" } else { "poppler-utils" };
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} cannot run ({error}); install it: apt-get install {package}"));
    let mut stdin = child.stdin.take().expect("piped above");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().expect("the program ends")
    });
    assert!(output.status.success(), "{program} {args:?} ended with {}", output.status);
    output.stdout
}

/// The text of the page, every run of white space made one space.
fn text_of(pdf: &[u8]) -> String {
    let text = String::from_utf8(pipe("pdftotext", &["-", "-"], pdf)).expect("UTF-8");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every word on the page with its box (left, top, right, bottom) in points.
fn words_of(pdf: &[u8]) -> Vec<(String, [f32; 4])> {
    let html = String::from_utf8(pipe("pdftotext", &["-bbox", "-", "-"], pdf)).expect("UTF-8");
    let words = html.lines().filter_map(|line| {
        let (head, word) = line.trim().strip_prefix("<word ")?.strip_suffix("</word>")?.split_once('>')?;
        let numbers: Vec<f32> = head.split('"').filter_map(|part| part.parse().ok()).collect();
        Some((word.to_owned(), numbers.try_into().expect("four sides")))
    });
    words.collect()
}

#[test]
fn text_can_be_selected_as_it_was_given() {
    let text = text_of(&pdf(&certificate("Đặng Thị Ngưỡng Ý", 1, 2), "Vero Cell", CardColour::Yellow).expect("a page"));
    for expected in [
        "GIẤY CHỨNG NHẬN TIÊM CHỦNG COVID-19",
        "COVID-19 VACCINATION CERTIFICATE",
        "1/2 MŨI · ĐÃ TIÊM 1 MŨI",
        "PARTIAL COURSE",
        "Đặng Thị Ngưỡng Ý",
        "09/10/1983",
        "Vero Cell",
        "30/07/2021",
        "Bộ Y tế Việt Nam",
        "Ministry of Health of Viet Nam",
        "02/08/2021",
        "01/08/2022",
        UVCI,
    ] {
        assert!(text.contains(expected), "{expected} is not in: {text}");
    }
    let text = text_of(&pdf(&certificate(LONG_NAME, 255, 255), LONG_PRODUCT, CardColour::Green).expect("a page"));
    for expected in ["255/255 MŨI · ĐỦ MŨI", "FULL COURSE", LONG_NAME, LONG_PRODUCT, UVCI] {
        assert!(text.contains(expected), "{expected} is not in: {text}");
    }
}

#[test]
fn it_is_one_a4_page_and_the_same_bytes_each_time() {
    let write = || pdf(&certificate(LONG_NAME, 2, 2), LONG_PRODUCT, CardColour::Green).expect("a page");
    let (bytes, again) = (write(), write());
    assert_eq!(bytes, again);
    assert!(bytes.len() < 60_000, "{} bytes", bytes.len());
    let info = String::from_utf8(pipe("pdfinfo", &["-"], &bytes)).expect("UTF-8");
    let lines: Vec<String> = info.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(lines.iter().any(|line| line == "Pages: 1"), "{info}");
    assert!(lines.iter().any(|line| line.starts_with("Page size:") && line.ends_with("(A4)")), "{info}");
    assert!(!info.contains("Date:"), "a page has no clock: {info}");
}

#[test]
fn the_printed_code_reads_back_in_both_colours_and_in_grey() {
    for (number, card) in [(1, CardColour::Yellow), (2, CardColour::Green)] {
        let bytes = pdf(&certificate("Nguyễn Thị Bưởi", number, 2), "Vero Cell", card).expect("a page");
        for args in [["-r", "150", "-png"], ["-r", "150", "-gray"]] {
            let picture = pipe("pdftoppm", &args, &bytes);
            let read = pipe("zbarimg", &["--quiet", "--raw", "-"], &picture);
            assert_eq!(String::from_utf8(read).expect("UTF-8").trim_end(), qr_text());
        }
    }
}

#[test]
fn the_code_is_60_mm_wide_and_lies_in_one_quarter_of_the_page() {
    for width in (33..=177).step_by(4) {
        let symbol_mm = QR_FIELD * width as f32 / (width + 2 * QUIET_ZONE) as f32;
        assert!(symbol_mm >= 60.0, "{width} modules make {symbol_mm} mm");
    }
    const { assert!(QR_LEFT + QR_FIELD + QR_BORDER < PAGE.0 / 2.0 && QR_TOP - QR_BORDER > PAGE.1 / 2.0) };
}

#[test]
fn names_and_products_of_any_length_stay_in_their_place() {
    let (wide, endless) = ("W".repeat(80), "Ngưỡng ".repeat(200));
    for name in ["Ý", LONG_NAME, &wide, &endless, &"Ộ".repeat(3000)] {
        for product in ["Vero", LONG_PRODUCT, &wide] {
            let bytes = pdf(&certificate(name, 254, 255), product, CardColour::Yellow).expect("a page");
            let words = words_of(&bytes);
            assert!(words.len() > 50);
            for (word, [left, top, right, bottom]) in &words {
                let is_inside = *left >= (LEFT - 0.5) * PT_PER_MM && *right <= (RIGHT + 0.5) * PT_PER_MM;
                assert!(is_inside, "{word} leaves the margins: {left} to {right}");
                for (other, [l, t, r, b]) in &words {
                    let apart = right <= l || r <= left || bottom - 3.0 <= *t || b - 3.0 <= *top;
                    assert!(apart || word == other, "{word} lies on {other}");
                }
            }
        }
    }
}

#[test]
fn letters_that_the_font_lacks_do_not_fail_and_stay_in_the_text() {
    for name in ["Ķeguma Ģirts", "Жанна Ким", "王小明", "عمر", "X Æ \u{1F642} \u{0}", "N\u{303}gu\u{31b}\u{323}", ""]
    {
        let bytes = pdf(&certificate(name, 1, 2), "\u{FEFF}", CardColour::Yellow).expect(name);
        assert!(text_of(&bytes).contains(UVCI));
    }
    let bytes = pdf(&certificate("Жанна Ķ 王小明", 1, 2), "V", CardColour::Yellow).expect("a page");
    assert!(text_of(&bytes).contains("Жанна Ķ 王小明"), "{}", text_of(&bytes));
}

#[test]
fn the_font_has_every_letter_of_vietnamese() {
    let letters = "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY".chars().flat_map(|letter| {
        ["", "\u{300}", "\u{301}", "\u{303}", "\u{309}", "\u{323}"].map(|tone| format!("{letter}{tone}"))
    });
    let letters: Vec<String> = letters.chain(["đ".into(), "Đ".into()]).collect();
    assert_eq!(letters.len(), 24 * 6 + 2);
    for typeface in [REGULAR, BOLD].map(|bytes| Typeface::new(bytes).expect("a font")) {
        let missing = typeface.line("□").glyphs.first().expect("one glyph").glyph_id;
        for letter in &letters {
            let glyphs = typeface.line(letter).glyphs;
            assert!(glyphs.len() == 1 && glyphs.iter().all(|glyph| glyph.glyph_id != missing), "{letter}");
        }
        assert_eq!(typeface.line("王").glyphs.first().map(|glyph| glyph.glyph_id), Some(missing));
    }
}

#[test]
fn birth_dates_are_as_precise_as_they_are_known() {
    for (text, shown) in [("", "—"), ("1983", "1983"), ("1983-10", "10/1983"), ("1983-10-09", "09/10/1983")] {
        assert_eq!(birth(text.parse().expect(text)), shown);
    }
    assert_eq!(instant(None), "—");
}

#[test]
fn refuses_what_this_page_has_no_words_for() {
    let ours = certificate("Nguyễn Thị Bưởi", 2, 2);
    let foreign = Certificate { issuer: Some("FR".into()), ..ours.clone() };
    let test = crate::certificate::Test { negative: true, sampled_at: UnixSeconds(0) };
    let tested = Certificate { statement: Statement::Test(test), ..ours.clone() };
    assert_eq!(pdf(&foreign, "", CardColour::Green), Err(PdfError::ForeignIssuer));
    assert_eq!(pdf(&tested, "", CardColour::Green), Err(PdfError::NotAVaccination));
    for card in [CardColour::Red, CardColour::Amber] {
        assert_eq!(pdf(&ours, "", card), Err(PdfError::CardColour));
    }
    for width in [0, 1, 17, 20, 22, 178, 181, usize::MAX] {
        let symbol = QrModules { width, dark: &|_, _| true };
        let page = Page { certificate: &ours, product_name: "", card: CardColour::Green, symbol };
        assert_eq!(render(&page), Err(PdfError::SymbolWidth));
    }
}

/// WCAG 2.1's contrast ratio, 1 ..= 21.
fn contrast(a: Ink, b: Ink) -> f64 {
    let luminance = |ink| {
        let rgb = match ink {
            Ink::Grey(lightness) => [lightness; 3],
            Ink::Rgb(red, green, blue) => [red, green, blue],
        };
        let [red, green, blue] = rgb.map(|channel| match f64::from(channel) / 255.0 {
            low if low <= 0.03928 => low / 12.92,
            high => ((high + 0.055) / 1.055).powf(2.4),
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05
    };
    let (a, b) = (luminance(a), luminance(b));
    a.max(b) / a.min(b)
}

#[test]
fn letters_stand_out_from_what_they_lie_on() {
    for (ink, ground) in [(INK, YELLOW), (INK, GREEN), (INK, Ink::Grey(255))] {
        assert!(contrast(ink, ground) >= 7.0, "{}", contrast(ink, ground));
    }
}
