//! One A4 page to print and carry: the QR code, its colour said in words and in a shape, and what it states, in Vietnamese
//! and English. The same input gives the same bytes; only the QR code proves anything.

mod shapes;
mod typeset;

use jiff::civil::Date;
use krilla::Document;
use krilla::color::{luma, rgb};
use krilla::geom::{Path, PathBuilder, Point};
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;

use self::shapes::{circle, half_circle, rectangle, rounded};
use self::typeset::{Block, Line, Typeface};
use crate::certificate::{BirthDate, CardColour, Certificate, Dose, Statement, UnixSeconds};
use crate::policy::COUNTRY;

static REGULAR: &[u8] = include_bytes!("../../assets/fonts/BeVietnamPro-Regular.ttf");
static BOLD: &[u8] = include_bytes!("../../assets/fonts/BeVietnamPro-Bold.ttf");

/// The modules of a QR code, without its quiet zone.
#[derive(Clone, Copy)]
pub struct QrModules<'a> {
    /// Modules on a side: 21 ..= 177 in steps of 4. Source: ISO/IEC 18004 §6.3.1.
    pub width: usize,
    /// True where the module in that column (`x`) and row (`y`), both from 0 at the top left, is dark.
    pub dark: &'a dyn Fn(usize, usize) -> bool,
}

/// What is printed.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    /// The statement; a vaccination of ours.
    pub certificate: &'a Certificate<'a>,
    /// The product as people know it, such as "COVID-19 Vaccine AstraZeneca".
    pub product_name: &'a str,
    /// What `policy` says of the certificate: yellow or green.
    pub card: CardColour,
    /// The QR code of the certificate.
    pub symbol: QrModules<'a>,
}

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PdfError {
    /// A test or a recovery: this page has words for a dose only.
    #[error("only vaccination certificates are printed")]
    NotAVaccination,
    /// The page names our issuer, so it is not drawn for another's certificate.
    #[error("only certificates issued by Viet Nam are printed")]
    ForeignIssuer,
    /// Red and amber are answers of a verifier, not certificates.
    #[error("only yellow and green cards are printed")]
    CardColour,
    /// No QR code has such a width.
    #[error("not a QR code: it has 21 to 177 modules on a side, in steps of 4")]
    SymbolWidth,
    /// The PDF library refused what we drew.
    #[error("the page could not be written")]
    Writing,
}

impl PdfError {
    /// The word for it in answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            PdfError::NotAVaccination => "pdf_not_a_vaccination",
            PdfError::ForeignIssuer => "pdf_foreign_issuer",
            PdfError::CardColour => "pdf_card_colour",
            PdfError::SymbolWidth => "pdf_symbol_width",
            PdfError::Writing => "pdf_writing",
        }
    }
}

// Measures in millimetres from the top left of A4. People fold a page in four: the code lies inside one quarter.
const PT_PER_MM: f32 = 72.0 / 25.4;
const PAGE: (f32, f32) = (210.0, 297.0);
const LEFT: f32 = 25.0;
const RIGHT: f32 = 185.0;
const QR_FIELD: f32 = 76.0; // with the quiet zone; the code alone is 60 mm wide from version 4 on
const QR_LEFT: f32 = LEFT + 1.0;
const QR_BORDER: f32 = 1.0;
const QR_TOP: f32 = 153.0;
const COLUMN: f32 = 113.0;
const LEADING: f32 = 1.25; // line to line, in letter sizes: Vietnamese stacks two marks on a capital
const QUIET_ZONE: usize = 4; // modules; ISO/IEC 18004 §9.1

// All letters are pure black, written as grey: a cheap printer would turn small grey letters into dots, or mix its colours
// for them. Rank shows in size and weight. Either tone is light enough to be read on: contrast 7 or more.
const INK: Ink = Ink::Grey(0);
const YELLOW: Ink = Ink::Rgb(255, 209, 62);
const GREEN: Ink = Ink::Rgb(142, 211, 157);

#[derive(Clone, Copy)]
enum Ink {
    Grey(u8),
    Rgb(u8, u8, u8),
}

/// The page as a PDF of about 30 kB, its text selectable; the same bytes for the same input.
///
/// A name or product too long for its place is set smaller, then on several lines. Letters that the font lacks appear as
/// a box, and copied they are what they were. Errors: [`PdfError`].
pub fn render(page: &Page<'_>) -> Result<Vec<u8>, PdfError> {
    let Statement::Vaccination(dose) = &page.certificate.statement else {
        return Err(PdfError::NotAVaccination);
    };
    if page.certificate.issuer.as_deref() != Some(COUNTRY) {
        return Err(PdfError::ForeignIssuer);
    }
    let card = match page.card {
        CardColour::Yellow => Card { tone: YELLOW, is_full: false },
        CardColour::Green => Card { tone: GREEN, is_full: true },
        CardColour::Red | CardColour::Amber => return Err(PdfError::CardColour),
    };
    if !(21..=177).contains(&page.symbol.width) || page.symbol.width % 4 != 1 {
        return Err(PdfError::SymbolWidth);
    }
    let mut document = Document::new();
    document.set_metadata(
        Metadata::new()
            .title("Giấy chứng nhận tiêm chủng COVID-19".into())
            .language("vi".into())
            .creator("thexanh".into()),
    );
    let settings = PageSettings::from_wh(PAGE.0 * PT_PER_MM, PAGE.1 * PT_PER_MM).ok_or(PdfError::Writing)?;
    let mut sheet = document.start_page_with(settings);
    let regular = Typeface::new(REGULAR).ok_or(PdfError::Writing)?;
    let bold = Typeface::new(BOLD).ok_or(PdfError::Writing)?;
    draw(Canvas { surface: sheet.surface(), regular, bold }, page, card, dose);
    sheet.finish();
    document.finish().map_err(|_| PdfError::Writing)
}

fn draw(mut canvas: Canvas<'_>, page: &Page<'_>, card: Card, dose: &Dose) {
    canvas.frame(card);
    canvas.heading();
    canvas.band(card, dose);
    canvas.holder(page.certificate, dose);
    canvas.symbol(page.symbol, card);
    canvas.facts(page, dose);
    canvas.foot(&page.certificate.uvci);
}

#[derive(Clone, Copy)]
struct Card {
    tone: Ink,
    is_full: bool,
}

/// A value under its label.
struct Field<'a> {
    vietnamese: &'a str,
    english: &'a str,
    value: &'a str,
    /// The value in English below it, where that differs.
    english_value: &'a str,
}

impl<'a> Field<'a> {
    fn new(vietnamese: &'a str, english: &'a str, value: &'a str) -> Field<'a> {
        Field { vietnamese, english, value, english_value: "" }
    }
}

/// The page being drawn: millimetres for places, points for letters.
struct Canvas<'s> {
    surface: Surface<'s>,
    regular: Typeface,
    bold: Typeface,
}

#[derive(Clone, Copy)]
enum Weight {
    Regular,
    Bold,
}

impl Canvas<'_> {
    fn frame(&mut self, card: Card) {
        let mut ring = PathBuilder::new();
        rounded(&mut ring, 10.0, 10.0, 190.0, 277.0, 6.0);
        rounded(&mut ring, 15.0, 15.0, 180.0, 267.0, 3.0);
        self.fill(ring.finish(), card.tone);
    }

    fn heading(&mut self) {
        let middle = PAGE.0 / 2.0;
        self.centred("BỘ Y TẾ VIỆT NAM", Weight::Bold, 10.0, middle, 28.5);
        self.centred("MINISTRY OF HEALTH OF VIET NAM", Weight::Regular, 8.5, middle, 33.5);
        self.centred("GIẤY CHỨNG NHẬN TIÊM CHỦNG COVID-19", Weight::Bold, 19.0, middle, 47.5);
        self.centred("COVID-19 VACCINATION CERTIFICATE", Weight::Regular, 12.0, middle, 54.5);
    }

    /// The colour said twice more: in words and in a shape, for those who see no colours and printers that have none.
    fn band(&mut self, card: Card, dose: &Dose) {
        let (top, height) = (63.0, 26.0);
        let mut band = PathBuilder::new();
        rounded(&mut band, LEFT, top, RIGHT - LEFT, height, 3.0);
        self.fill(band.finish(), card.tone);
        self.shape(card, LEFT + 17.0, top + height / 2.0, 8.5);
        let count = format!("{}/{} MŨI", dose.number, dose.series);
        let (vietnamese, english) = match card.is_full {
            true => (format!("{count} · ĐỦ MŨI"), "FULL COURSE"),
            false => (format!("{count} · ĐÃ TIÊM {} MŨI", dose.number), "PARTIAL COURSE"),
        };
        let words = LEFT + 33.0;
        let block = self.bold.fit(&vietnamese, (RIGHT - 3.0 - words) * PT_PER_MM, &[(23.0, 1), (18.0, 1)]);
        self.block(&block, Weight::Bold, words, top + 13.5);
        self.text(english, Weight::Bold, 12.0, words, top + 20.5);
    }

    /// A full circle with a check, or a circle whose left half is full.
    fn shape(&mut self, card: Card, x: f32, y: f32, radius: f32) {
        let mut disc = PathBuilder::new();
        circle(&mut disc, x, y, radius);
        if card.is_full {
            self.fill(disc.finish(), INK);
            let mut check = PathBuilder::new();
            check.move_to((x - 0.46 * radius) * PT_PER_MM, (y + 0.02 * radius) * PT_PER_MM);
            check.line_to((x - 0.10 * radius) * PT_PER_MM, (y + 0.38 * radius) * PT_PER_MM);
            check.line_to((x + 0.50 * radius) * PT_PER_MM, (y - 0.34 * radius) * PT_PER_MM);
            self.stroke(check.finish(), 0.20 * radius, card.tone);
            return;
        }
        let inner = radius - 1.3;
        circle(&mut disc, x, y, inner);
        self.fill(disc.finish(), INK);
        let mut half = PathBuilder::new();
        half_circle(&mut half, x, y, inner + 0.1);
        self.fill(half.finish(), INK);
    }

    fn holder(&mut self, certificate: &Certificate<'_>, dose: &Dose) {
        self.label("Họ và tên", "Name", LEFT, 100.0);
        let sizes = [(24.0, 1), (21.0, 1), (18.0, 1), (18.0, 2), (15.0, 2), (12.0, 3), (9.0, 4)];
        let block = self.bold.fit(&certificate.name, (RIGHT - LEFT) * PT_PER_MM, &sizes);
        self.block(&block, Weight::Bold, LEFT, 103.0 + block.size * 0.92 / PT_PER_MM);
        let birth = birth(certificate.birth);
        let dose = format!("{}/{}", dose.number, dose.series);
        for (field, x) in
            [(Field::new("Ngày sinh", "Date of birth", &birth), LEFT), (Field::new("Mũi tiêm", "Dose", &dose), COLUMN)]
        {
            self.field(&field, x, 129.0);
        }
    }

    /// Dark modules as runs in one path, so that no hairlines show between them, on white with its quiet zone.
    fn symbol(&mut self, symbol: QrModules<'_>, card: Card) {
        let mut border = PathBuilder::new();
        let side = QR_FIELD + 2.0 * QR_BORDER;
        rounded(&mut border, QR_LEFT - QR_BORDER, QR_TOP - QR_BORDER, side, side, 2.0);
        self.fill(border.finish(), card.tone);
        let mut field = PathBuilder::new();
        rectangle(&mut field, QR_LEFT, QR_TOP, QR_LEFT + QR_FIELD, QR_TOP + QR_FIELD);
        self.fill(field.finish(), Ink::Grey(255));
        let module = QR_FIELD / (symbol.width + 2 * QUIET_ZONE) as f32;
        let at = |start: f32, modules: usize| start + (modules + QUIET_ZONE) as f32 * module;
        let mut runs = PathBuilder::new();
        for row in 0..symbol.width {
            let mut column = 0;
            while column < symbol.width {
                let length = (column..symbol.width).take_while(|&x| (symbol.dark)(x, row)).count();
                if length > 0 {
                    let (left, right) = (at(QR_LEFT, column), at(QR_LEFT, column + length));
                    rectangle(&mut runs, left, at(QR_TOP, row), right, at(QR_TOP, row + 1));
                }
                column += length.max(1);
            }
        }
        self.fill(runs.finish(), INK);
    }

    /// The column beside the code, spread over its height, however many lines the product takes.
    fn facts(&mut self, page: &Page<'_>, dose: &Dose) {
        let certificate = page.certificate;
        let days = [day(dose.given_on), instant(certificate.issued_at), instant(certificate.expires_at)];
        let [given, issued, expires] = &days;
        let fields = [
            Field::new("Vắc xin", "Vaccine", page.product_name),
            Field::new("Ngày tiêm", "Date given", given),
            Field {
                english_value: "Ministry of Health of Viet Nam",
                ..Field::new("Cơ quan cấp", "Issuer", "Bộ Y tế Việt Nam")
            },
            Field::new("Ngày cấp", "Issued", issued),
            Field::new("Ngày hết hạn", "Expires", expires),
        ];
        let heights: Vec<f32> = fields.iter().map(|field| self.set(field).1).collect();
        let gap = (QR_FIELD - heights.iter().sum::<f32>()) / (fields.len() - 1) as f32;
        let mut y = QR_TOP + 2.2; // the first label's capitals begin where the code's field does
        for (field, height) in fields.iter().zip(heights) {
            self.field(field, COLUMN, y);
            y += height + gap;
        }
    }

    fn foot(&mut self, uvci: &str) {
        let width = (RIGHT - LEFT) * PT_PER_MM;
        self.label("Mã chứng nhận", "UVCI", LEFT, 241.0);
        let block = self.regular.fit(uvci, width, &[(11.5, 1), (9.0, 1), (9.0, 2), (7.0, 2)]);
        self.block(&block, Weight::Regular, LEFT, 247.0);
        let mut rule = PathBuilder::new();
        rectangle(&mut rule, LEFT, 253.0, RIGHT, 253.12);
        self.fill(rule.finish(), INK);
        let vietnamese = "Cách kiểm tra: quét mã QR bằng ứng dụng xác minh rồi đối chiếu họ tên, ngày sinh với giấy tờ tùy thân; \
                          màu sắc và chữ in không thay được chữ ký trong mã.";
        let english = "How to check: scan the QR code with a verifier, then compare name and birth date with an identity \
                       document; colours and print do not replace the signature in the code.";
        for (words, y) in [(vietnamese, 259.0), (english, 268.8)] {
            let block = self.regular.fit(words, width, &[(9.0, 2)]);
            self.block(&block, Weight::Regular, LEFT, y);
        }
    }

    /// A field's value set in the column's width, and the millimetres from the label's top to the last line's foot.
    fn set(&self, field: &Field<'_>) -> (Block, f32) {
        let width = (RIGHT - COLUMN) * PT_PER_MM;
        let block = self.bold.fit(field.value, width, &[(13.0, 1), (11.5, 1), (11.5, 2), (9.0, 3), (7.0, 4)]);
        let more = block.lines.len().saturating_sub(1) as f32 * block.size * LEADING / PT_PER_MM;
        let english = if field.english_value.is_empty() { 0.0 } else { 4.5 };
        (block, 8.2 + more + english)
    }

    fn field(&mut self, field: &Field<'_>, x: f32, y: f32) {
        self.label(field.vietnamese, field.english, x, y);
        let (block, _) = self.set(field);
        let y = self.block(&block, Weight::Bold, x, y + 6.0);
        self.text(field.english_value, Weight::Regular, 9.0, x, y - 0.8);
    }

    /// Draws the lines one below the other, the first on `y`; gives the `y` that a next one would have.
    fn block(&mut self, block: &Block, weight: Weight, x: f32, mut y: f32) -> f32 {
        for line in &block.lines {
            self.line(line, weight, block.size, x, y);
            y += block.size * LEADING / PT_PER_MM;
        }
        y
    }

    fn label(&mut self, vietnamese: &str, english: &str, x: f32, y: f32) {
        let line = self.regular.line(&format!("{vietnamese} / {english}"));
        self.line(&line, Weight::Regular, 9.0, x, y);
    }

    fn text(&mut self, text: &str, weight: Weight, size: f32, x: f32, y: f32) {
        let line = self.typeface(weight).line(text);
        self.line(&line, weight, size, x, y);
    }

    fn centred(&mut self, text: &str, weight: Weight, size: f32, x: f32, y: f32) {
        let line = self.typeface(weight).line(text);
        self.line(&line, weight, size, x - line.width_em * size / PT_PER_MM / 2.0, y);
    }

    fn line(&mut self, line: &Line, weight: Weight, size: f32, x: f32, y: f32) {
        let font = self.typeface(weight).font.clone();
        self.surface.set_fill(Some(INK.fill()));
        self.surface.set_stroke(None);
        let start = Point::from_xy(x * PT_PER_MM, y * PT_PER_MM);
        self.surface.draw_glyphs(start, &line.glyphs, font, &line.text, size, false);
    }

    fn typeface(&self, weight: Weight) -> &Typeface {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }

    fn fill(&mut self, path: Option<Path>, ink: Ink) {
        self.surface.set_fill(Some(ink.fill()));
        self.surface.set_stroke(None);
        if let Some(path) = path {
            self.surface.draw_path(&path);
        }
    }

    fn stroke(&mut self, path: Option<Path>, width: f32, ink: Ink) {
        self.surface.set_fill(None);
        self.surface.set_stroke(Some(Stroke {
            paint: ink.fill().paint,
            width: width * PT_PER_MM,
            ..Stroke::default()
        }));
        if let Some(path) = path {
            self.surface.draw_path(&path);
        }
    }
}

impl Ink {
    /// Even-odd, so that a shape inside another is a hole.
    fn fill(self) -> Fill {
        let paint = match self {
            Ink::Grey(lightness) => luma::Color::new(lightness).into(),
            Ink::Rgb(red, green, blue) => rgb::Color::new(red, green, blue).into(),
        };
        Fill { paint, rule: krilla::paint::FillRule::EvenOdd, ..Fill::default() }
    }
}

fn day(date: Date) -> String {
    format!("{:02}/{:02}/{:04}", date.day(), date.month(), date.year())
}

fn instant(at: Option<UnixSeconds>) -> String {
    at.map_or_else(|| "—".to_owned(), |at| day(at.vietnamese_date()))
}

fn birth(date: BirthDate) -> String {
    match date {
        BirthDate::Unknown => "—".to_owned(),
        BirthDate::Year(year) => format!("{year:04}"),
        BirthDate::YearMonth(year, month) => format!("{month:02}/{year:04}"),
        BirthDate::Day(date) => day(date),
    }
}

#[cfg(test)]
mod tests;
