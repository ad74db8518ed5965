//! What a heading means: Vietnamese or English, with or without marks, in any case, spacing and punctuation.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::name;

/// What a column of a backlog file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// The facility's own number of the record.
    RecordNo,
    /// The whole name.
    Name,
    /// Family name and middle names.
    Family,
    /// The given name.
    Given,
    /// The birth date, or the year.
    Birth,
    /// The sex.
    Sex,
    /// The phone number.
    Phone,
    /// The identity number.
    Identity,
    /// The commune's code.
    Ward,
    /// The product.
    Product,
    /// The lot.
    Lot,
    /// The last day on which the lot may be used.
    LotExpiresOn,
    /// The day, and perhaps the time, of the vaccination.
    GivenAt,
    /// Which dose it is.
    Number,
    /// The facility's code.
    Facility,
}

/// What a column is called and where it goes.
struct Named {
    column: Column,
    /// In our template.
    heading: &'static str,
    /// In a dose record.
    field: &'static str,
    /// What people call it, transliterated, with spaces between.
    names: &'static str,
}

const TABLE: [Named; 15] = [
    Named {
        column: Column::RecordNo,
        heading: "so_ho_so",
        field: "record_no",
        names: "MAHOSO SOHOSO MAHS SOHS RECORDNO RECORDNUMBER RECORDID RECORD MABANGHI SOBANGHI",
    },
    Named {
        column: Column::Name,
        heading: "ho_ten",
        field: "person.name",
        names: "HOTEN HOVATEN HOTENNGUOITIEM HOVATENNGUOITIEM HOTENDOITUONG TENDOITUONG TENNGUOITIEM HOTENDAYDU \
                TENDAYDU FULLNAME NAME PATIENTNAME PERSONNAME",
    },
    Named {
        column: Column::Family,
        heading: "ho",
        field: "person.name",
        names: "HO HODEM HOVADEM HOLOT HOVATENDEM HOTENDEM FAMILY FAMILYNAME SURNAME LASTNAME",
    },
    Named {
        column: Column::Given,
        heading: "ten",
        field: "person.name",
        names: "TEN GIVEN GIVENNAME GIVENNAMES FIRSTNAME FIRSTNAMES",
    },
    Named {
        column: Column::Birth,
        heading: "ngay_sinh",
        field: "person.birth",
        names: "NGAYSINH NAMSINH NGAYTHANGNAMSINH SINHNGAY NTNS NGAYNAMSINH NGAYTHANGSINH DATEOFBIRTH DOB BIRTH \
                BIRTHDATE BIRTHDAY YEAROFBIRTH BIRTHYEAR NGAYSINHNAMSINH",
    },
    Named { column: Column::Sex, heading: "gioi_tinh", field: "person.sex", names: "GIOITINH GIOI PHAI SEX GENDER" },
    Named {
        column: Column::Phone,
        heading: "so_dien_thoai",
        field: "person.phone",
        names: "DIENTHOAI SODIENTHOAI SDT SODT DT DTDD DIDONG SODIDONG DIENTHOAIDIDONG DIENTHOAILIENHE \
                SODIENTHOAILIENHE PHONE PHONENUMBER PHONENO MOBILE MOBILENUMBER TELEPHONE TEL",
    },
    Named {
        column: Column::Identity,
        heading: "cmnd_cccd",
        field: "person.identity",
        names: "CMND CCCD CMNDCCCD CCCDCMND SOCMND SOCCCD SOCMNDCCCD SOCCCDCMND CMT SOCMT CMTND CANCUOC \
                CANCUOCCONGDAN SOCANCUOC SOCANCUOCCONGDAN CHUNGMINHNHANDAN SOCHUNGMINHNHANDAN CMNDCCCDHOCHIEU \
                CCCDCMNDHOCHIEU CMNDCCCDHC SOCMNDCCCDHOCHIEU SOCCCDCMNDHOCHIEU CMNDCCCDPASSPORT HOCHIEU SOHOCHIEU \
                DINHDANH SODINHDANH SODINHDANHCANHAN IDENTITY IDENTITYNUMBER IDENTITYNO NATIONALID IDNUMBER IDNO \
                IDCARD GIAYTO SOGIAYTO",
    },
    Named {
        column: Column::Ward,
        heading: "ma_xa",
        field: "person.ward",
        names: "MAXA MAXAPHUONG MAPHUONGXA MAPHUONG MAXAPHUONGTHITRAN WARD WARDCODE COMMUNE COMMUNECODE",
    },
    Named {
        column: Column::Product,
        heading: "vac_xin",
        field: "product",
        names: "VACXIN VACCIN VACCINE VACXINE TENVACXIN TENVACCIN TENVACCINE LOAIVACXIN LOAIVACCIN LOAIVACCINE \
                MAVACXIN MAVACCINE VACXINCOVID VACCINENAME VACCINECODE VACCINETYPE PRODUCT PRODUCTCODE PRODUCTNAME \
                BIETDUOC",
    },
    Named {
        column: Column::Lot,
        heading: "so_lo",
        field: "lot",
        names: "SOLO LO LOVACXIN LOVACCINE SOLOVACXIN SOLOVACCINE LOT LOTNUMBER LOTNO BATCH BATCHNUMBER BATCHNO",
    },
    Named {
        column: Column::LotExpiresOn,
        heading: "han_dung",
        field: "lot_expires_on",
        names: "HANDUNG HSD HANSUDUNG HANDUNGVACXIN NGAYHETHAN HANLO EXPIRY EXPIRYDATE EXPIRES EXPIRATION \
                EXPIRATIONDATE EXPDATE LOTEXPIRESON LOTEXPIRY",
    },
    Named {
        column: Column::GivenAt,
        heading: "ngay_tiem",
        field: "given_at",
        names: "NGAYTIEM NGAYTIEMCHUNG NGAYGIOTIEM NGAYTIEMVACXIN THOIGIANTIEM THOIDIEMTIEM TIEMNGAY \
                VACCINATIONDATE DATEOFVACCINATION VACCINATEDON VACCINATEDAT GIVENAT GIVENON DATEGIVEN DOSEDATE \
                OCCURRENCE OCCURRENCEDATETIME",
    },
    Named {
        column: Column::Number,
        heading: "mui_so",
        field: "number",
        names: "MUISO MUI MUITIEM SOMUI MUITIEMSO MUITHU THUTUMUI THUTUMUITIEM LIEUSO DOSE DOSENUMBER DOSENO \
                NUMBER",
    },
    Named {
        column: Column::Facility,
        heading: "ma_co_so",
        field: "facility",
        names: "MACOSO COSO COSOTIEM COSOTIEMCHUNG MACOSOTIEM MACOSOTIEMCHUNG DONVI MADONVI DONVITIEM MADONVITIEM \
                DIEMTIEM MADIEMTIEM MACSKCB FACILITY FACILITYCODE FACILITYID SITE SITECODE",
    },
];

/// Columns that are there and say nothing of the dose.
const IGNORED: [&str; 8] = ["STT", "NO", "TT", "SOTT", "SOTHUTU", "GHICHU", "NOTE", "NOTES"];

/// Columns that our rejects add.
const OF_REJECTS: [&str; 2] = ["DONGLOI", "LOI"];

impl Column {
    /// What `heading` means; `None` if that is not known.
    pub fn of(heading: &str) -> Option<Column> {
        let known = |key: &str| TABLE.iter().find(|named| named.names.split(' ').any(|name| name == key));
        let found = known(&key(heading)).or_else(|| {
            // `Ngày sinh (dd/mm/yyyy)`
            let (before, _) = heading.split_once(['(', '['])?;
            known(&key(before))
        });
        found.map(|named| named.column)
    }

    /// Its heading in our template: `ho_ten`.
    pub fn heading(self) -> &'static str {
        self.named().map_or("", |named| named.heading)
    }

    /// Its field in a dose record: `person.name`; the facility is `facility`.
    pub(super) fn field(self) -> &'static str {
        self.named().map_or("", |named| named.field)
    }

    fn named(self) -> Option<&'static Named> {
        TABLE.iter().find(|named| named.column == self)
    }
}

/// True for the headings that our rejects add, of which what they say is not read again.
pub(super) fn is_of_rejects(heading: &str) -> bool {
    OF_REJECTS.contains(&&*key(heading))
}

/// True for a heading under which nothing is looked for: a serial number, a note.
pub(super) fn is_ignored(heading: &str) -> bool {
    IGNORED.contains(&&*key(heading))
}

/// The columns that every dose needs and that are not among `columns`. The facility may be known otherwise.
pub(super) fn missing(columns: &[Option<Column>]) -> Vec<&'static str> {
    let has = |column: Column| columns.contains(&Some(column));
    let needed = [Column::Name, Column::Birth, Column::Product, Column::GivenAt, Column::Number];
    let named_in_parts = has(Column::Family) && has(Column::Given);
    let has = |column: Column| has(column) || column == Column::Name && named_in_parts;
    needed.into_iter().filter(|&column| !has(column)).map(Column::heading).collect()
}

/// The columns that are there twice and must not be: it could not be said which one is true.
pub(super) fn repeated(columns: &[Option<Column>]) -> Vec<&'static str> {
    // CMND beside CCCD, a second phone number and the year beside the day of birth are usual.
    let may = [Column::Identity, Column::Phone, Column::Birth];
    let times = |column: Column| columns.iter().filter(|&&other| other == Some(column)).count();
    let twice = TABLE.iter().filter(|named| !may.contains(&named.column) && times(named.column) > 1);
    twice.map(|named| named.heading).collect()
}

/// Letters A to Z and digits only: what is the same however a heading is written.
fn key(heading: &str) -> String {
    let letters = |c: &char| c.is_alphabetic() || is_combining_mark(*c);
    let text: String = heading.nfc().filter(letters).take(name::MAX_NAME_CHARS).collect();
    name::transliterate(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    #[test]
    fn knows_headings_in_both_languages_however_they_are_written() {
        for (texts, column) in [
            ("Họ tên|ho_ten|HỌ VÀ TÊN|Họ và tên người tiêm|Full name|full-name", Column::Name),
            ("Họ|Họ đệm|ho|Family name|Surname", Column::Family),
            ("Tên|ten|Given name|First name", Column::Given),
            (
                "Ngày sinh|năm sinh|NGAY_SINH|Date of birth|DOB|Ngày sinh (dd/mm/yyyy)|Ngày, tháng, năm sinh",
                Column::Birth,
            ),
            ("Giới tính|gioi_tinh|Sex|gender", Column::Sex),
            ("CMND|cccd|CMND/CCCD|cmnd_cccd|Số CMND/CCCD|Số CCCD/CMND/Hộ chiếu|identity|Hộ chiếu", Column::Identity),
            ("Điện thoại|SĐT|so_dien_thoai|Số điện thoại|phone|Phone No.", Column::Phone),
            ("Mã xã|ma_xa|ward|Mã xã/phường", Column::Ward),
            ("Vắc xin|vac_xin|Vắc-xin|vaccine|Tên vắc xin|Loại vắc xin|Tên vaccine", Column::Product),
            ("Số lô|so_lo|lot|batch|Lot number|Lô vắc xin", Column::Lot),
            ("Hạn dùng|han_dung|HSD|expiry", Column::LotExpiresOn),
            ("Ngày tiêm|ngay_tiem|NGÀY TIÊM CHỦNG|vaccination date|Ngày, giờ tiêm", Column::GivenAt),
            ("Mũi số|mui_so|Mũi tiêm|dose|Dose number|Mũi tiêm số", Column::Number),
            ("Mã cơ sở|ma_co_so|Đơn vị|Cơ sở tiêm|facility", Column::Facility),
            ("Số hồ sơ|so_ho_so|Mã hồ sơ|record no|Record No.", Column::RecordNo),
        ] {
            for text in texts.split('|') {
                assert_eq!(Column::of(text), Some(column), "{text}");
                assert_eq!(Column::of(&format!("  {} ", text.to_uppercase())), Some(column), "{text} in capitals");
                let decomposed: String = text.nfd().collect();
                assert_eq!(Column::of(&decomposed), Some(column), "{text} decomposed");
            }
        }
        for text in ["", "STT", "No.", "Ghi chú", "Dân tộc", "x", "名前", "dòng_lỗi", "lỗi"] {
            assert_eq!(Column::of(text), None, "{text}");
        }
        assert!(is_ignored("STT") && is_ignored("No.") && !is_ignored("Dân tộc"));
        assert!(is_of_rejects("dòng_lỗi") && is_of_rejects("lỗi") && is_of_rejects("dong_loi") && !is_of_rejects("Lô"));
    }

    #[test]
    fn every_heading_of_the_template_means_its_column_and_no_name_means_two() {
        let mut seen = Vec::new();
        for Named { column, heading, names, .. } in TABLE {
            assert_eq!(Column::of(heading), Some(column), "{heading}");
            for name in names.split(' ') {
                assert!(!seen.contains(&name), "{name} stands twice");
                assert_eq!(key(name), name, "{name} is no key");
                seen.push(name);
            }
        }
    }
}
