//! How large the codes are that people must carry: measured over names as they are, beside the EU's and the published sample.

use std::collections::BTreeMap;

use thexanh::certificate::{BirthDate, Dose, Product, Profile, Uvci};
use thexanh::codec::qr::{Level, Symbol};
use thexanh::issue::{Subject, issue};
use thexanh::keys::Algorithm;
use thexanh::name::PersonName;

use crate::app::NOW;
use crate::texts::{expires_at, key};

const FAMILY: [&str; 20] = [
    "Nguyễn",
    "Trần",
    "Lê",
    "Phạm",
    "Hoàng",
    "Huỳnh",
    "Phan",
    "Vũ",
    "Võ",
    "Đặng",
    "Bùi",
    "Đỗ",
    "Hồ",
    "Ngô",
    "Dương",
    "Lý",
    "Trương",
    "Nguyễn Hoàng",
    "Tôn Nữ",
    "Trịnh",
];
const MIDDLE: [&str; 15] = [
    "Thị",
    "Văn",
    "Đức",
    "Minh",
    "Ngọc",
    "Hữu",
    "Thị Phương",
    "Quốc",
    "Xuân",
    "Thị Hồng",
    "Thị Thanh",
    "Hoàng Phương",
    "Công Tằng",
    "",
    "Nguyễn Khánh",
];
const GIVEN: [&str; 16] = [
    "Thảo",
    "Anh",
    "Hùng",
    "Dũng",
    "Hương",
    "Lan",
    "Tuấn",
    "Thuỷ",
    "Phúc",
    "Trang",
    "Khánh",
    "Ngân",
    "Đạt",
    "Quỳnh Trâm",
    "Bảo",
    "Phương Uyên",
];

/// 1,000 names, none twice, the longest combinations among them.
fn names() -> Vec<String> {
    let mut names = Vec::new();
    for n in 0..FAMILY.len() * MIDDLE.len() * GIVEN.len() {
        let at = n * 7919 % (FAMILY.len() * MIDDLE.len() * GIVEN.len()); // a prime step visits all in a mixed order
        let (family, rest) = (at % FAMILY.len(), at / FAMILY.len());
        let parts = [FAMILY[family], MIDDLE[rest % MIDDLE.len()], GIVEN[rest / MIDDLE.len()]];
        names.push(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "));
    }
    names.truncate(1000);
    names
}

#[test]
fn an_ordinary_name_fits_version_9_and_99_of_100_names_version_10() {
    let (home, travel) = (key(Algorithm::EdDsa), key(Algorithm::Es256));
    let symbol = |name: &str, profile: Profile| {
        let name = PersonName::parse(name).expect("a name");
        let product = Product::Code("EU/1/20/1528".into());
        let dose = Dose { number: 2, series: 2, product, given_on: "2021-08-01".parse().expect("a date") };
        let birth = BirthDate::Day("1983-10-10".parse().expect("a date"));
        let subject = Subject { uvci: Uvci(*b"0123456789abcdef"), name: &name, birth, dose: &dose };
        let key = if profile == Profile::Compact { &home } else { &travel };
        let text = issue(&subject, profile, key, NOW, expires_at()).expect("issues").text;
        (Symbol::encode(&text, Level::M).expect("fits").version(), text.len())
    };
    let names = names();
    let mut sizes: BTreeMap<&str, Vec<(u8, usize)>> = BTreeMap::new();
    for name in &names {
        sizes.entry("compact").or_default().push(symbol(name, Profile::Compact));
    }
    for name in names.iter().step_by(10) {
        sizes.entry("hc1 (EU DCC)").or_default().push(symbol(name, Profile::Hc1));
    }
    for (profile, sizes) in &mut sizes {
        sizes.sort_unstable();
        let at = |percent: usize| sizes[(sizes.len() - 1) * percent / 100];
        println!(
            "{profile}, level M, {} names: (version, characters) median {:?}, 99 % {:?}, largest {:?}",
            sizes.len(),
            at(50),
            at(99),
            at(100)
        );
    }
    println!(
        "the published Vietnamese sample, RSA: 825 characters, version 16 at level L, 19 at level M (see corpora::dcc_vn)"
    );
    assert!(symbol("Nguyễn Thị Phương Thảo", Profile::Compact).0 <= 9);
    let compact = &sizes["compact"];
    assert_eq!(compact.len(), 1000);
    assert!(compact[499].0 <= 9, "half of all: {:?}", compact[499]);
    assert!(compact[989].0 <= 10, "99 of 100: {:?}", compact[989]);
    assert!(sizes["hc1 (EU DCC)"][0].0 > 10, "what the compact profile is for");
}
