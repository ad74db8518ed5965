use super::super::declaration::tests::healthy;
use super::*;

/// 2021-08-01T02:15:00Z, 09:15 in Viet Nam.
const NOW: UnixSeconds = UnixSeconds(1_627_784_100);

/// A whole registration of somebody of age.
pub fn sample() -> Application {
    Application {
        name: "Nguyễn Thị Phương Thảo".into(),
        birth: "1983-10-10".into(),
        sex: "female".into(),
        phone: Some("0912345678".into()),
        identity: Some("001183012345".into()),
        ward: "00001".into(),
        address: "12 Phố Phúc Xá".into(),
        occupation: "Giáo viên".into(),
        priority: 8,
        declaration: healthy(),
        consent: Some(Consent { version: CONSENT_VERSION.into(), by: "self".into() }),
        guardian: None,
    }
}

fn refused(change: impl FnOnce(&mut Application)) -> Option<(&'static str, &'static str)> {
    let mut application = sample();
    change(&mut application);
    application.check(NOW).err().map(|error| (error.field, error.code))
}

fn mother() -> Guardian {
    Guardian { name: "Lê Thị Mai".into(), relation: "mother".into(), phone: "0987654321".into() }
}

#[test]
fn a_whole_registration_is_taken_with_its_numbers_as_they_are_kept() {
    let checked = sample().check(NOW).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((checked.phone.as_deref(), checked.rank), (Some("+84912345678"), 8));
    assert_eq!((checked.place.ward, checked.place.district), ("00001", "001"));
}

#[test]
fn every_refusal_names_its_field() {
    assert_eq!(refused(|it| it.name = "1".into()), Some(("name", "name_invalid")));
    assert_eq!(refused(|it| it.birth = "2021-02-30".into()), Some(("birth", "date_invalid")));
    assert_eq!(refused(|it| it.birth = String::new()), Some(("birth", "date_missing")));
    assert_eq!(refused(|it| it.birth = "2021-08-02".into()), Some(("birth", "date_in_the_future")));
    assert_eq!(refused(|it| it.sex = "F".into()), Some(("sex", "word_unknown")));
    assert_eq!(refused(|it| it.phone = Some("113".into())), Some(("phone", "phone_invalid")));
    assert_eq!(refused(|it| it.identity = Some("1".into())), Some(("identity", "identity_invalid")));
    assert_eq!(refused(|it| it.ward = "99999".into()), Some(("ward", "ward_unknown")));
    assert_eq!(refused(|it| it.ward = "001".into()), Some(("ward", "ward_unknown")), "a district's");
    assert_eq!(refused(|it| it.occupation = "\u{202e}x".into()), Some(("occupation", "text_invalid")));
    assert_eq!(refused(|it| it.consent = None), Some(("consent", "consent_missing")));
    assert_eq!(refused(|it| it.declaration.version = "1".into()), Some(("declaration.version", "version_unknown")));
    let old = Consent { version: "2020-01".into(), by: "self".into() };
    assert_eq!(refused(|it| it.consent = Some(old)), Some(("consent.version", "version_unknown")));
    assert_eq!(refused(|it| (it.phone, it.identity) = (None, None)), Some(("phone", "phone_missing")));
    for (priority, code) in [(15, None), (16, None), (17, Some(("priority", "group_unknown")))] {
        assert_eq!(refused(|it| it.priority = priority), code, "{priority}");
    }
    for (len, code) in [(199, None), (200, None), (201, Some(("address", "text_invalid")))] {
        assert_eq!(refused(|it| it.address = "đ".repeat(len)), code, "{len}");
    }
}

#[test]
fn nobody_registers_alone_before_the_day_they_turn_eighteen() {
    for (birth, code) in [
        ("2003-07-31", None),
        ("2003-08-01", None),
        ("2003-08-02", Some(("guardian", "guardian_missing"))),
        ("2003", None),
        ("2004", Some(("guardian", "guardian_missing"))),
    ] {
        assert_eq!(refused(|it| it.birth = birth.into()), code, "{birth}");
    }
    let child = |by: &str, guardian: Option<Guardian>| {
        refused(|it| {
            (it.birth, it.phone, it.identity) = ("2010-01-01".into(), None, None);
            it.consent = Some(Consent { version: CONSENT_VERSION.into(), by: by.into() });
            it.guardian = guardian;
        })
    };
    assert_eq!(child("guardian", Some(mother())), None);
    assert_eq!(child("self", Some(mother())), Some(("consent.by", "consent_invalid")));
    assert_eq!(child("guardian", None), Some(("guardian", "guardian_missing")));
    let neighbour = Guardian { relation: "neighbour".into(), ..mother() };
    assert_eq!(child("guardian", Some(neighbour)), Some(("guardian.relation", "word_unknown")));
    assert_eq!(
        refused(|it| it.consent = Some(Consent { version: CONSENT_VERSION.into(), by: "guardian".into() })),
        Some(("consent.by", "consent_invalid"))
    );
}
