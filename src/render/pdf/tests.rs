use std::path::PathBuf;
use std::process::Command;

use qrcode::{EcLevel, QrCode};

use super::*;
use crate::certificate::{Product, Profile};

/// 300 alphanumeric characters: as dense as an ordinary certificate of ours.
fn qr_text() -> String {
    format!("VN1:{}", "NCFOXN%TS3DH3ZSUZK+.V0ETD%65NL".repeat(10))
}

fn certificate(name: &str, number: u8, series: u8) -> Certificate {
    Certificate {
        profile: Profile::Compact,
        issuer: Some("VN".into()),
        issued_at: Some(UnixSeconds(1_627_837_200)), // 2021-08-01T17:00:00Z, in Viet Nam already the second
        expires_at: Some(UnixSeconds(1_659_373_200)),
        uvci: "URN:UVCI:01:VN:FFFE3D31FABD035899134A9D3BAE9BCF".into(),
        name: name.into(),
        birth: "1983-10-09".parse().expect("a birth date"),
        statement: Statement::Vaccination(Dose {
            number,
            series,
            product: Product::Code("EU/1/21/1529".into()),
            given_on: Date::constant(2021, 8, 1),
        }),
    }
}

fn pdf(certificate: &Certificate, product_name: &str, card: CardColour) -> Result<Vec<u8>, PdfError> {
    let code = QrCode::with_error_correction_level(qr_text(), EcLevel::M).expect("it fits");
    let width = code.width();
    let colors = code.to_colors();
    let dark = |x: usize, y: usize| colors.get(y * width + x) == Some(&qrcode::Color::Dark);
    render(&Page { certificate, product_name, card, symbol: QrModules { width, dark: &dark } })
}

#[test]
fn writes_samples() {
    let long = "Nguyễn Phúc Tằng Tôn Nữ Hoàng Thị Phương Nghiêng Trường Khương Đường Ngưỡng Chuồng";
    for (file, name, number, product, card) in [
        ("green-short", "Nguyễn Thị Bưởi", 2, "COVID-19 Vaccine AstraZeneca", CardColour::Green),
        ("yellow-short", "Đặng Văn Ý", 1, "Vero Cell (Sinopharm)", CardColour::Yellow),
        ("green-long", long, 2, "COVID-19 Vaccine (Vero Cell), Inactivated, Beijing Institute of Biological Products", CardColour::Green),
        ("yellow-long", &"W".repeat(80), 1, "Gam-COVID-Vac (Sputnik V)", CardColour::Yellow),
    ] {
        let bytes = pdf(&certificate(name, number, 2), product, card).expect("a page");
        std::fs::write(format!("/tmp/pdfout/{file}.pdf"), bytes).expect("written");
    }
    let _ = (PathBuf::new(), Command::new("true"));
}
