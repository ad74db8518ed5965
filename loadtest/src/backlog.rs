//! A backlog file through `thexanh import`, the program that is shipped, into an embedded database that syncs to disk: how long it
//! takes, how much memory the program itself needs, and whether everything that was in the file is there afterwards.
//!
//! A row is a dose; a file of n rows has n / 2 people, whose second doses follow after all the first ones. One row in twenty is dirty.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use thexanh::registration::reference;
use thexanh::store::{Facility, Store, StoreSettings};

use crate::scratch::Scratch;

const FACILITIES: u64 = 100;
/// The files: the name of the figure, and how many rows.
const SHORT: [(&str, u64); 1] = [("backlog/100k", 100_000)];
const FULL: [(&str, u64); 3] = [("backlog/100k", 100_000), ("backlog/1m", 1_000_000), ("backlog/6.8m", 6_800_000)];

/// What `--backlog` asks for: these rows rather than the usual files.
pub fn figures(full: bool, rows: Option<u64>) -> Result<Vec<String>> {
    let asked = rows.map(|rows| [("backlog/rows", rows)]);
    let files = match (&asked, full) {
        (Some(asked), _) => asked.as_slice(),
        (None, true) => FULL.as_slice(),
        (None, false) => SHORT.as_slice(),
    };
    let mut figures = Vec::new();
    let mut most = 0.0_f64;
    for (name, rows) in files {
        let (seconds, rss_mib) = run(*rows)?;
        most = most.max(rss_mib);
        println!("{name}: {rows} doses of {} people in {seconds:.1} s, {:.0} rows/s", rows / 2, *rows as f64 / seconds);
        figures.push(format!("figure: {name} {seconds:.1} s"));
    }
    figures.push(format!("figure: backlog/rss {most:.0} MiB"));
    Ok(figures)
}

/// Imports a file of `rows` rows and gives the seconds that it took and the most memory of the program, in MiB.
fn run(rows: u64) -> Result<(f64, f64)> {
    let scratch = Scratch::new("backlog")?;
    let dir = scratch.path();
    std::fs::write(dir.join("passphrase"), "for a load test only\n")?;
    let file = dir.join("backlog.csv");
    write(&file, rows).context("writing the backlog")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    // Held open, so that the server runs before the clock does.
    let store = runtime.block_on(async {
        let data_dir = dir.to_owned();
        let store = Store::open(&StoreSettings { url: None, data_dir, connections: 2, schema: None }).await?;
        store.migrate().await?;
        let facility =
            |n| Facility { code: format!("79{n:03}"), name: format!("Trạm {n}"), province: "79".to_owned() };
        store.put_reference(&reference::provinces(), &(0..FACILITIES).map(facility).collect::<Vec<_>>()).await?;
        anyhow::Ok(store)
    })?;
    let first = import(dir, &file)?;
    let count = |said: &Value, member: &str| said[member].as_u64().context("a count");
    let said = &first.said;
    ensure!(count(said, "rows")? == rows, "every row was read: {said}");
    let known = count(said, "known_doses")?;
    ensure!(count(said, "new_doses")? + known + count(said, "rejected")? == rows, "every row was answered: {said}");
    println!("{said}");
    if rows <= 100_000 {
        let again = import(dir, &file)?.said;
        let same = count(&again, "new_doses")? == 0 && count(&again, "rejected")? == count(said, "rejected")?;
        ensure!(same, "the same file again changes nothing: {again}");
    }
    drop(store);
    Ok((first.seconds, first.rss_mib))
}

struct Imported {
    said: Value,
    seconds: f64,
    rss_mib: f64,
}

fn import(dir: &Path, file: &Path) -> Result<Imported> {
    let program = std::env::current_exe()?.with_file_name("thexanh");
    ensure!(program.exists(), "{} is not there: `make build` makes it", program.display());
    let began = Instant::now();
    let mut process = Command::new(program)
        .arg("import")
        .arg(file)
        .arg("--json")
        .env_remove("DATABASE_URL")
        .env("THEXANH_DATA", dir)
        .env("THEXANH_KEYS_PASSPHRASE_FILE", dir.join("passphrase"))
        .stdout(Stdio::piped())
        .spawn()?;
    let status = PathBuf::from(format!("/proc/{}/status", process.id()));
    let watch = std::thread::spawn(move || {
        let mut most = 0.0_f64;
        while let Some(kib) = std::fs::read_to_string(&status).ok().as_deref().and_then(most_kib) {
            most = most.max(kib);
            std::thread::sleep(Duration::from_millis(100));
        }
        most / 1024.0
    });
    let output = BufReader::new(process.stdout.take().context("piped")?);
    let mut last = String::new();
    for line in output.lines() {
        last = line?;
    }
    let ended = process.wait()?;
    let seconds = began.elapsed().as_secs_f64();
    ensure!(matches!(ended.code(), Some(0 | 1)), "the import ended with {ended}");
    let rss_mib = watch.join().map_err(|_| anyhow::anyhow!("the watch on memory ended early"))?;
    Ok(Imported { said: serde_json::from_str(&last)?, seconds, rss_mib })
}

/// The most resident memory that a process had. Source: proc(5), VmHWM; a process that has ended has none.
fn most_kib(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// SplitMix64: the same file for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.get((self.next() % words.len() as u64) as usize).copied().unwrap_or_default()
    }
}

const FAMILY: [(&str, &str); 8] = [
    ("Nguyễn", "Nguyen"),
    ("Trần", "Tran"),
    ("Lê", "Le"),
    ("Phạm", "Pham"),
    ("Huỳnh", "Huynh"),
    ("Võ", "Vo"),
    ("Đặng", "Dang"),
    ("Bùi", "Bui"),
];
const MIDDLE: [(&str, &str); 6] =
    [("Thị", "Thi"), ("Văn", "Van"), ("Phương", "Phuong"), ("Hữu", "Huu"), ("Ngọc", "Ngoc"), ("Đức", "Duc")];
const GIVEN: [(&str, &str); 10] = [
    ("Thảo", "Thao"),
    ("Hùng", "Hung"),
    ("Linh", "Linh"),
    ("Thủy", "Thuy"),
    ("Dũng", "Dung"),
    ("Hạnh", "Hanh"),
    ("Tuấn", "Tuan"),
    ("Đạt", "Dat"),
    ("Mai", "Mai"),
    ("Sơn", "Son"),
];

/// A whole name, with its marks or without.
fn name(random: &mut Random, marks: bool) -> String {
    let at = random.next();
    let word = |words: &[(&'static str, &'static str)], by: u64| {
        let (with, without) = words.get((at / by % words.len() as u64) as usize).copied().unwrap_or_default();
        if marks { with } else { without }
    };
    format!("{} {} {}", word(&FAMILY, 1), word(&MIDDLE, 8), word(&GIVEN, 48))
}

fn write(path: &Path, rows: u64) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(
        file,
        "\u{feff}Mã hồ sơ;Họ và tên;Ngày sinh;Giới tính;SĐT;CCCD;Mã xã;Vắc xin;Số lô;Hạn dùng;Ngày tiêm;Mũi số;Mã cơ sở"
    )?;
    let mut dirt = Random(7);
    for row in 0..rows {
        let (person, number) = (row % (rows / 2).max(1), 1 + row / (rows / 2).max(1));
        // What a person is depends on the person alone, so that the second dose finds the first.
        let mut random = Random(person);
        let dirty = if dirt.next().is_multiple_of(20) { dirt.next() % 6 } else { 6 };
        let marks = dirty != 0;
        let name = name(&mut random, marks);
        let birth =
            format!("{:02}/{:02}/{}", 1 + random.next() % 28, 1 + random.next() % 12, 1930 + random.next() % 75);
        let birth = if dirty == 1 { birth.get(6..).unwrap_or_default().to_owned() } else { birth };
        let sex = random.pick(&["Nam", "Nữ"]);
        let phone = format!("09{:08}", person % 100_000_000);
        let phone = match dirty {
            2 => format!("+84 {}", phone.get(1..).unwrap_or_default()),
            3 => String::new(),
            _ => phone,
        };
        let identity = if dirty == 4 { String::new() } else { format!("079{:09}", person * 97 % 1_000_000_000) };
        let lot = if dirty == 5 { "FE 8405" } else { "FE8405" };
        let day = if number == 1 { "06/06/2021" } else { "04/07/2021" };
        let facility = person % FACILITIES;
        writeln!(
            file,
            "HS-{row};{name};{birth};{sex};{phone};{identity};00001;EU/1/20/1528;{lot};31/12/2021;{day};{};79{facility:03}",
            number.min(2)
        )?;
    }
    file.flush()?;
    Ok(())
}
