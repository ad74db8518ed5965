//! Whole files, clean and hostile.

use std::io::Read;

use super::*;
use crate::certificate::UnixSeconds;

/// 2021-09-01.
const NOW: UnixSeconds = UnixSeconds(1_630_454_400);

const HEADINGS: &str = "STT,Số hồ sơ,Họ tên,Ngày sinh,Giới tính,CMND/CCCD,Số điện thoại,Mã xã,Vắc xin,Số lô,Hạn dùng,Ngày tiêm,Mũi số,Mã cơ sở";
const ROW: &str = "1,A1,Nguyễn Thị Phương Thảo,10/10/1983,Nữ,001183012345,0912345678,00001,AstraZeneca,FE8405,31/12/2021,01/08/2021,1,79001";

fn open(text: &str) -> BacklogReader<&[u8]> {
    BacklogReader::open(text.as_bytes(), Media::Guess).unwrap_or_else(|error| panic!("{error}"))
}

fn all<R: Read>(mut reader: BacklogReader<R>) -> Vec<BacklogRow> {
    std::iter::from_fn(|| reader.next().expect("reads")).collect()
}

fn rows(text: &str) -> Vec<BacklogRow> {
    all(open(text))
}

/// The line of each row, and either the name or the first column and code of what is wrong.
fn said(rows: Vec<BacklogRow>) -> Vec<(u64, String)> {
    let say = |row: BacklogRow| match row.record {
        Ok(record) => (row.line, record.person.name),
        Err(errors) => (row.line, format!("{}!{}", errors[0].column, errors[0].code)),
    };
    rows.into_iter().map(say).collect()
}

fn file_error(text: &[u8]) -> (&'static str, Vec<&'static str>) {
    match BacklogReader::open(text, Media::Guess) {
        Err(OpenError::File(error)) => (error.code, error.columns),
        Err(OpenError::Io(error)) => panic!("{error}"),
        Ok(_) => ("", Vec::new()),
    }
}

fn only(text: &str) -> BacklogRow {
    let mut rows = rows(text);
    assert_eq!(rows.len(), 1, "{text}");
    rows.remove(0)
}

/// The row of a file with only what every dose needs.
fn small(row: &str) -> BacklogRow {
    only(&format!("họ tên;ngày sinh;vắc xin;ngày tiêm;mũi số\n{row}\n"))
}

fn record(row: BacklogRow) -> DoseRecord {
    row.record.unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[test]
fn a_row_becomes_a_record_that_is_accepted() {
    let row = only(&format!("{HEADINGS}\n{ROW}\n"));
    assert_eq!((row.line, row.facility.as_deref(), row.cells.join(",").as_str()), (2, Some("79001"), ROW));
    let record = record(row);
    let json = serde_json::to_value(&record).expect("is JSON");
    let expected = serde_json::json!({
        "record_no": "A1",
        "person": {"name": "Nguyễn Thị Phương Thảo", "birth": "1983-10-10", "sex": "female", "phone": "0912345678",
                   "identity": "001183012345", "ward": "00001"},
        "product": "EU/1/21/1529", "lot": "FE8405", "lot_expires_on": "2021-12-31",
        "given_at": "2021-08-01T09:00:00+07:00", "number": 1,
    });
    assert_eq!(json, expected);
    assert!(record.check(NOW).is_ok());
}

#[test]
fn every_delimiter_line_end_and_encoding_gives_the_same_rows() {
    let plain = format!("{HEADINGS}\n{ROW}\n{}\n", ROW.replace("A1", "A2"));
    let records = |bytes: &[u8]| -> Vec<String> {
        let reader = BacklogReader::open(bytes, Media::Guess).unwrap_or_else(|error| panic!("{error}"));
        all(reader).into_iter().map(|row| serde_json::to_string(&record(row)).expect("is JSON")).collect()
    };
    let expected = records(plain.as_bytes());
    assert_eq!(expected.len(), 2);
    for delimiter in [",", ";", "\t"] {
        for ends in ["\n", "\r\n", "\r"] {
            for first in
                ["", "sep=;\n", "\"sep=,\"\n"].iter().filter(|first| first.is_empty() || first.contains(delimiter))
            {
                let text = format!("{first}{}", plain.replace(',', delimiter)).replace('\n', ends);
                for mark in ["", "\u{feff}"] {
                    let marked = format!("{mark}{text}");
                    let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
                    let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
                    for bytes in [marked.as_bytes(), &little, &big] {
                        assert_eq!(records(bytes), expected, "{delimiter:?} {ends:?} {first:?} {mark:?}");
                    }
                }
            }
        }
    }
    assert_eq!(records(plain.trim_end().as_bytes()), expected, "without a line end at the end");
}

#[test]
fn says_what_the_file_turned_out_to_be() {
    let text = "\u{feff}STT;Họ và tên;Năm sinh;Dân tộc;Vaccine;Ngày tiêm;Mũi;;dòng_lỗi;lỗi\n";
    let mut reader = open(text);
    assert_eq!(reader.headings().join("|"), "STT|Họ và tên|Năm sinh|Dân tộc|Vaccine|Ngày tiêm|Mũi|");
    let columns = vec![
        None,
        Some(Column::Name),
        Some(Column::Birth),
        None,
        Some(Column::Product),
        Some(Column::GivenAt),
        Some(Column::Number),
        None,
    ];
    let unknown = vec!["Dân tộc".to_owned()];
    assert_eq!(*reader.format(), Format::Sheet { encoding: Encoding::Utf8, delimiter: b';', columns, unknown });
    assert_eq!(reader.bytes_read(), text.len() as u64);
    assert_eq!((reader.column_of("person.birth"), reader.column_of("lot")), ("Năm sinh".into(), "lot".into()));
    assert!(reader.next().expect("reads").is_none());
    assert!(reader.next().expect("reads").is_none(), "and stays at its end");
}

#[test]
fn finds_the_headings_below_titles_and_in_separate_names() {
    let text = "SỞ Y TẾ,,,,,\n\"DANH SÁCH, đợt 3\",,,,,\n,,,,,\nHọ đệm,Tên,Ngày sinh,Vắc xin,Ngày tiêm,Mũi số\n\
                Nguyễn Văn,An,1983,AZ,1/8/2021,1\n,Bình,1983,AZ,1/8/2021,1\n,,,,,\n";
    assert_eq!(said(rows(text)), [(5, "Nguyễn Văn An".into()), (6, "Họ đệm!cell_missing".into())]);
    let english = "Full name\tDate of birth\tGender\tVaccine\tLot number\tVaccination date\tDose\nTran An\t1983\tF\tPfizer\tL1\t2021-08-01\t2\n";
    assert_eq!(said(rows(english)), [(2, "Tran An".into())]);
}

#[test]
fn a_file_that_cannot_be_read_at_all_says_why() {
    assert_eq!(file_error(b""), ("file_empty", vec![]));
    assert_eq!(file_error("\u{feff} \r\n\r\n".as_bytes()), ("file_empty", vec![]));
    assert_eq!(file_error(b"1,2,3\n4,5,6\n"), ("header_missing", vec![]));
    assert_eq!(file_error(&[0; 1000]), ("header_missing", vec![]));
    assert_eq!(file_error(&[b'"'; 100_000]), ("header_missing", vec![]));
    assert_eq!(
        file_error("Họ tên,Số lô,Vắc xin\n".as_bytes()),
        ("columns_missing", vec!["ngay_sinh", "ngay_tiem", "mui_so"])
    );
    assert_eq!(file_error("Tên,Ngày sinh,Vắc xin,Ngày tiêm,Mũi\n".as_bytes()), ("columns_missing", vec!["ho_ten"]));
    let twice = format!("{HEADINGS},Vaccine\n");
    assert_eq!(file_error(twice.as_bytes()), ("columns_repeated", vec!["vac_xin"]));
    assert_eq!(file_error(b"H\xE4 t\xAAn,Ng\xC0y sinh,V\xBEc xin\n"), ("file_encoding", vec![]));
    assert_eq!(file_error(b"PK\x03\x04\x14\0\x06\0\xFF\xFE\xFF"), ("file_workbook", vec![]));
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    assert!(matches!(BacklogReader::open(Broken, Media::Csv), Err(OpenError::Io(_))));
}

#[test]
fn quoted_cells_hold_delimiters_quotes_and_line_ends() {
    let text = "họ tên,ngày sinh,vắc xin,ngày tiêm,mũi số,ghi chú\n\
                \"Nguyễn Văn A\",1983,\"AZ\",1/8/2021,1,\"một, \"\"hai\"\"\r\nba\n\nbốn\"\nTrần B,1983,AZ,1/8/2021,1,\"\"\n";
    let mut rows = rows(text);
    assert_eq!(rows[0].cells[5], "một, \"hai\"\r\nba\n\nbốn");
    assert_eq!(rows[1].line, 6, "lines inside quotes count");
    assert_eq!(record(rows.remove(1)).person.name, "Trần B");
    let lone = "họ tên,ngày sinh,vắc xin,ngày tiêm,mũi số\nLê \"Út\" C,1983,AZ,1/8/2021,1\n";
    assert_eq!(only(lone).cells[0], "Lê \"Út\" C", "a quote inside a cell is a character");
}

#[test]
fn a_quote_that_is_not_closed_costs_its_line_only() {
    let good = "Trần B,1983,AZ,1/8/2021,1\n";
    let bad = "\"Nguyễn A,1983,AZ,1/8/2021,1\n";
    let head = "họ tên,ngày sinh,vắc xin,ngày tiêm,mũi số\n";
    let unclosed = || "!quote_unclosed".to_owned();
    let text = format!("{head}{bad}{good}{good}");
    assert_eq!(said(rows(&text)), [(2, unclosed()), (3, "Trần B".into()), (4, "Trần B".into())]);
    let closed_later = format!("{head}{bad}{good}\"Trần B\",1983,AZ,1/8/2021,1\n{good}");
    let expected = [(2, unclosed()), (3, "Trần B".into()), (4, "Trần B".into()), (5, "Trần B".into())];
    assert_eq!(said(rows(&closed_later)), expected, "another row's quote does not close it");
    let cells = |text: &str| rows(text).swap_remove(0).cells.join("|");
    assert_eq!(cells(&closed_later), "\"Nguyễn A|1983|AZ|1/8/2021|1", "its cells are its own");
    assert_eq!(cells(&format!("{head}\"A,1983\n")), "\"A|1983|||", "and as many as there are headings");
    let many = format!("{head}{bad}{}", good.repeat(10_000));
    let read = said(rows(&many));
    assert_eq!((read.len(), read[0].1.as_str(), read[1].1.as_str()), (10_001, "!quote_unclosed", "Trần B"));
}

#[test]
fn what_is_too_long_costs_its_row_only() {
    let head = "họ tên,ngày sinh,vắc xin,ngày tiêm,mũi số,ghi chú\n";
    let row = |note: &str| format!("Trần B,1983,AZ,1/8/2021,1,{note}\n");
    for (len, expected) in
        [(9_999, "Trần B"), (10_000, "Trần B"), (10_001, "!field_too_long"), (65_000, "!field_too_long")]
    {
        for note in ["x".repeat(len), format!("\"{}\"", "x".repeat(len))] {
            let text = format!("{head}{}{}", row(&note), row(""));
            assert_eq!(said(rows(&text)), [(2, expected.into()), (3, "Trần B".into())], "{len}");
        }
    }
    let start = row("").len() - 1;
    for (len, expected) in [(65_535, "!field_too_long"), (65_536, "!row_too_long"), (65_537, "!row_too_long")] {
        let text = format!("{head}{}{}", row(&"x".repeat(len - start)), row(""));
        assert_eq!(said(rows(&text)), [(2, expected.into()), (3, "Trần B".into())], "{len}");
    }
    let huge = "x".repeat(10_000_000);
    for (note, expected) in [(huge.clone(), "!row_too_long"), (format!("\"{huge}\""), "!quote_unclosed")] {
        let text = format!("{head}{}{}", row(&note), row(""));
        let mut reader = open(&text);
        let first = reader.next().expect("reads").expect("a row");
        assert_eq!(first.cells.len(), 6);
        assert!(first.cells.iter().map(String::len).sum::<usize>() < 1000);
        assert_eq!(said(vec![first]), [(2, expected.into())]);
        assert_eq!(said(all(reader)), [(3, "Trần B".into())]);
    }
}

#[test]
fn hostile_cells_are_refused_by_name_or_kept_as_text() {
    let refusal = |row: &str| -> Vec<(String, &'static str)> {
        let errors = small(row).record.err().unwrap_or_default();
        errors.into_iter().map(|error| (error.column, error.code)).collect()
    };
    assert_eq!(refusal("A\0B;1983;AZ;1/8/2021;1"), [("họ tên".into(), "not_text")]);
    assert_eq!(refusal("A;1983;AZ;1/8/2021;1;;"), []);
    assert_eq!(refusal("A;1983;AZ;1/8/2021;1;extra"), [(String::new(), "too_many_cells")]);
    assert_eq!(small("A;1983;AZ;1/8/2021;1;x;y").cells[4], "1;x;y", "and nothing of it is lost");
    assert_eq!(refusal("A;1983;AZ"), [("ngày tiêm".into(), "cell_missing"), ("mũi số".into(), "cell_missing")]);
    assert_eq!(
        refusal(";31/2/1983;Thuốc;8/25/2021;Mũi cuối"),
        [
            ("họ tên".into(), "cell_missing"),
            ("ngày tiêm".into(), "date_month_first"),
            ("ngày sinh".into(), "date_invalid"),
            ("vắc xin".into(), "product_unknown"),
            ("mũi số".into(), "number_invalid"),
        ]
    );
    let formula = record(small("=cmd|' /C calc'!A0;1983;AZ;1/8/2021;1"));
    assert_eq!(formula.check(NOW).err().map(|error| error.code), Some("name_invalid"));
    let html = record(small("<script>alert(1)</script>;1983;AZ;1/8/2021;1"));
    assert_eq!(html.check(NOW).err().map(|error| error.code), Some("name_invalid"));
    let mut bytes = b"ho ten,ngay sinh,vac xin,ngay tiem,mui so\nNguy".to_vec();
    bytes.extend(b"\xFFn A,1983,AZ,1/8/2021,1\nTran B,1983,AZ,1/8/2021,1\n");
    let reader = BacklogReader::open(&*bytes, Media::Csv).expect("opens");
    assert_eq!(said(all(reader)), [(2, "ho ten!not_text".into()), (3, "Tran B".into())]);
}

#[test]
fn any_bytes_at_all_end_without_a_panic() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let good = format!("{HEADINGS}\n{ROW}\n{ROW}\n{ROW}\n").into_bytes();
    let hostile = b"\"\"\r\n,;\t\0\xFF'=+{}[]0";
    for _ in 0..3_000 {
        let mut bytes = good.clone();
        for _ in 0..random() % 40 {
            let place = random() as usize % bytes.len();
            bytes[place] = hostile[random() as usize % hostile.len()];
        }
        bytes.truncate(random() as usize % (bytes.len() + 1));
        for media in [Media::Guess, Media::Fhir] {
            if let Ok(reader) = BacklogReader::open(&*bytes, media) {
                assert!(all(reader).len() <= bytes.len());
            }
        }
    }
}

#[test]
fn an_optional_cell_may_say_that_there_is_nothing() {
    let row = ROW.replace("001183012345", "không").replace("0912345678", "-").replace("Nữ", "").replace("00001", "N/A");
    let person = record(only(&format!("{HEADINGS}\n{row}\n"))).person;
    assert_eq!((person.identity, person.phone, person.sex, person.ward), (None, None, None, None));
}

#[test]
fn of_two_identity_columns_the_longer_number_counts_and_of_two_phones_the_first() {
    let head = "họ tên;ngày sinh;CMND;CCCD;SĐT;Điện thoại;vắc xin;ngày tiêm;mũi số";
    let person = |ids: &str| {
        let person = record(only(&format!("{head}\nA;1983;{ids};AZ;1/8/2021;1"))).person;
        (person.identity.unwrap_or_default(), person.phone.unwrap_or_default())
    };
    assert_eq!(person("123456789;001183012345;0912345678;0987654321"), ("001183012345".into(), "0912345678".into()));
    assert_eq!(person("123456789;;;0987654321"), ("123456789".into(), "0987654321".into()));
}

#[test]
fn a_record_without_a_number_gets_one_that_stays() {
    let number = |row: &str| record(small(row)).record_no;
    let first = number("Nguyễn Thị Thảo;10/10/1983;AZ;1/8/2021;1");
    // sha256 of "", NGUYEN<THI<THAO, 1983-10-10, "", "", EU/1/21/1529, 2021-08-01, each with 0x1f behind it
    assert_eq!(first, "h-709e99da240e1b8166b1d62a");
    assert_eq!(number("NGUYEN THI  THAO;1983-10-10;AstraZeneca;01/08/2021 15:30;2"), first, "however it is written");
    for other in [
        "Nguyễn Thị Thảo;10/10/1984;AZ;1/8/2021;1",
        "Nguyễn Thị Thanh;10/10/1983;AZ;1/8/2021;1",
        "Nguyễn Thị Thảo;10/10/1983;Pfizer;1/8/2021;1",
        "Nguyễn Thị Thảo;10/10/1983;AZ;2/8/2021;1",
    ] {
        assert_ne!(number(other), first, "{other}");
    }
    let head = "Họ tên;Năm sinh;CCCD;SĐT;Vắc xin;Ngày tiêm;Mũi số";
    let number = |numbers: &str| record(only(&format!("{head}\nNguyễn Văn A;1950;{numbers};AZ;1/8/2021;1"))).record_no;
    let first = number("001050012345;0912345678");
    assert_eq!(number("1050012345;84912345678"), first, "however its numbers are written");
    assert_ne!(number("001050012346;0912345678"), first, "one who has the same name and was born in the same year");
    assert_ne!(number("001050012345;0912345679"), first);
}

#[test]
fn a_zero_byte_in_a_heading_goes_no_further() {
    let text = HEADINGS.replace("STT", "a\0b");
    let reader = open(&text);
    assert_eq!(reader.headings().first().map(String::as_str), Some("a\u{fffd}b"));
}

#[test]
fn rejects_can_be_repaired_and_sent_again() {
    let text = format!(
        "{HEADINGS}\n{}\n{}\n",
        ROW.replace("01/08/2021", "8/25/2021").replace("0912345678", "+84912345678").replace("Thảo", "Thảo\""),
        ROW.replace("A1", "\"@A\n1\"").replace("Nữ", "x")
    );
    let mut reader = open(&text);
    let mut rejects = rejects_header(reader.headings());
    while let Some(row) = reader.next().expect("reads") {
        rejects.push_str(&rejects_row(&row.cells, row.line, &row.record.err().unwrap_or_default()));
    }
    assert!(rejects.contains("\"'@A\n1\"") && rejects.contains(",'+84912345678,"), "{rejects}");
    assert!(rejects.contains(",2,date_month_first: Ngày tiêm\r\n"), "{rejects}");
    let repaired = rejects.replace("8/25/2021", "25/8/2021").replace(",x,", ",Nữ,");
    let again = open(&repaired);
    assert_eq!(again.headings().join(","), HEADINGS);
    let mut rows = all(again);
    assert_eq!((rows[0].cells.len(), rows[0].cells[6].as_str()), (14, "+84912345678"));
    assert_eq!(rows[0].cells[2], "Nguyễn Thị Phương Thảo\"");
    let second = record(rows.remove(1));
    assert_eq!((second.record_no.as_str(), second.person.sex.as_deref()), ("@A\n1", Some("female")));
    assert_eq!(record(rows.remove(0)).person.phone.as_deref(), Some("0912345678"));
}

fn immunization(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut resource = serde_json::json!({
        "resourceType": "Immunization", "id": "x", "status": "completed", "meta": {"anything": [1, 2]},
        "identifier": [{"system": "https://bvx.vn", "value": "A1"}],
        "vaccineCode": {"coding": [{"system": "http://snomed.info/sct", "code": "1"}, {"code": "EU/1/20/1528"}], "text": "?"},
        "patient": {"reference": "#p"},
        "contained": [
            {"resourceType": "Location", "id": "l", "name": "Trạm y tế"},
            {"resourceType": "Patient", "id": "p", "name": [{"family": "Nguyễn", "given": ["Thị", "Thảo"]}],
             "birthDate": "1983-10", "gender": "female", "telecom": [{"system": "email", "value": "a@b"}, {"system": "phone", "value": "+84912345678"}],
             "identifier": [{"system": "urn:mrn", "value": "77"}, {"type": {"coding": [{"code": "NI"}]}, "value": "001183012345"}]},
        ],
        "occurrenceDateTime": "2021-08-01T02:15:00Z", "lotNumber": "FE8405", "expirationDate": "2021-12-31",
        "protocolApplied": [{"doseNumberPositiveInt": 2}],
        "location": {"identifier": {"value": "79001"}},
    });
    change(&mut resource);
    resource.to_string()
}

#[test]
fn reads_fhir_immunizations_one_a_line() {
    let text = format!("{}\r\n\n{}\n", immunization(|_| ()), immunization(|it| it["status"] = "not-done".into()));
    let reader = open(&text);
    assert_eq!(*reader.format(), Format::Fhir);
    assert_eq!(reader.column_of("person.birth"), "Patient.birthDate");
    let mut rows = all(reader);
    assert_eq!((rows.len(), rows[1].line), (2, 3));
    assert_eq!(rows[1].record.as_ref().err().map(|errors| errors[0].code), Some("not_completed"));
    assert_eq!(rows[0].facility.as_deref(), Some("79001"));
    let record = record(rows.remove(0));
    let person = &record.person;
    assert_eq!(
        (record.record_no.as_str(), person.name.as_str(), person.birth.as_str()),
        ("A1", "Nguyễn Thị Thảo", "1983-10")
    );
    assert_eq!((person.phone.as_deref(), person.identity.as_deref()), (Some("0912345678"), Some("001183012345")));
    assert_eq!((record.product.as_str(), record.number), ("EU/1/20/1528", 2));
    assert_eq!(
        (record.given_at.as_str(), record.lot_expires_on.as_deref()),
        ("2021-08-01T09:15:00+07:00", Some("2021-12-31"))
    );
    assert!(record.check(NOW).is_ok());
}

#[test]
fn fhir_that_is_wrong_costs_its_line_and_names_its_path() {
    let refusal =
        |line: &str| said(all(BacklogReader::open(line.as_bytes(), Media::Fhir).expect("opens")))[0].1.clone();
    assert_eq!(refusal("{\"resourceType\":"), "!json_invalid");
    assert_eq!(refusal("[]"), "!json_invalid");
    assert_eq!(refusal(&"[".repeat(60_000)), "!json_invalid");
    assert_eq!(refusal("{\"resourceType\":\"Patient\"}"), "!resource_unknown");
    let of = |change: fn(&mut serde_json::Value)| refusal(&immunization(change));
    assert_eq!(of(|it| it["patient"]["reference"] = "#other".into()), "Patient.name!cell_missing");
    assert_eq!(of(|it| it["contained"][1]["birthDate"] = "1983-02-30".into()), "Patient.birthDate!date_invalid");
    assert_eq!(
        of(|it| it["vaccineCode"] = serde_json::json!({"text": "?"})),
        "Immunization.vaccineCode!product_unknown"
    );
    assert_eq!(of(|it| it["occurrenceDateTime"] = "2021".into()), "Immunization.occurrenceDateTime!date_incomplete");
    assert_eq!(
        of(|it| it["protocolApplied"] = serde_json::json!([])),
        "Immunization.protocolApplied[0].doseNumberPositiveInt!cell_missing"
    );
    assert_eq!(of(|it| it["vaccineCode"] = serde_json::json!({"text": "Vero Cell"})), "Nguyễn Thị Thảo");
    let long = immunization(|it| it["note"] = "x".repeat(10_000_000).into());
    let text = format!("{long}\n{}", immunization(|_| ()));
    assert_eq!(said(rows(&text)), [(1, "!row_too_long".into()), (2, "Nguyễn Thị Thảo".into())]);
}

#[test]
fn fhir_rejects_are_a_sheet_that_can_be_sent_again() {
    let text = immunization(|it| it["vaccineCode"] = serde_json::json!({"text": "Pfizzer"}));
    let reader = open(&text);
    let mut rejects = rejects_header(reader.headings());
    for row in all(reader) {
        rejects.push_str(&rejects_row(&row.cells, row.line, &row.record.err().unwrap_or_default()));
    }
    let row = only(&rejects.replace("Pfizzer", "Pfizer"));
    assert_eq!(row.facility.as_deref(), Some("79001"));
    assert!(record(row).check(NOW).is_ok());
}
