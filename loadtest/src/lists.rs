//! A locality's list at national size: a node of its own over tables that are filled by the database itself, pages asked for
//! over HTTP one after the other, each answer checked.

#![allow(clippy::indexing_slicing, reason = "a JSON value that is indexed by a name it does not have answers null")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use memchr::memmem;
use serde_json::Value;
use thexanh::app::App;
use thexanh::clock::Clock;
use thexanh::config::Config;
use thexanh::http::access::Role;
use thexanh::http::auth::{Grant, TokenKey};
use thexanh::http::{Shared, serve};
use thexanh::keyring::Keyring;
use thexanh::registration::reference::{parts_of, provinces};
use thexanh::sealing::DataKey;
use thexanh::store::{Store, StoreSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::scratch::Scratch;

/// Rows on a page.
const ROWS: usize = 100;
/// Rows written in one statement.
const CHUNK: i64 = 100_000;
/// Pages of one list, so that what comes after a cursor is measured as well.
const PAGES: usize = 4;

/// Fills and asks; gives the figures. `full`: five million registrations, else half a million.
pub fn run(full: bool) -> Result<Vec<String>> {
    let (registrations, lists) = if full { (5_000_000, 300) } else { (500_000, 150) };
    let dir = Scratch::new("lists")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(dir.path(), registrations, lists))
}

async fn measure(dir: &std::path::Path, registrations: i64, lists: usize) -> Result<Vec<String>> {
    let keyring = Arc::new(Keyring::open_or_create(&dir.join("keys"), "for a load test only")?);
    let settings = StoreSettings { url: None, data_dir: dir.to_owned(), connections: 8, schema: None };
    let store = Store::open(&settings).await?;
    store.migrate().await?;
    fill(&store, &DataKey::new(keyring.data_key()), registrations).await?;
    let mut config = Config::default();
    config.http.listen.set_port(0);
    config.http.workers = 1;
    let tokens = Arc::new(TokenKey::from_pkcs8(keyring.token_pkcs8(), &config.tokens)?);
    let clock = Clock::system();
    let grant = Grant {
        role: Role::Ministry,
        subject: "load test".to_owned(),
        facility: None,
        province: None,
        lifetime_s: 24 * 3600,
    };
    let token = tokens.mint(&grant, clock.now())?;
    let app = App::start(config, clock, store, keyring).await?;
    let serving = serve(Shared::new(Arc::clone(&app), tokens))?;
    let mut asker = Asker { stream: TcpStream::connect(serving.address()).await?, token };
    asker.stream.set_nodelay(true)?;
    let districts: Vec<String> = provinces()
        .iter()
        .flat_map(|province| parts_of(&province.code).map(|unit| format!("district={}", unit.code)).collect::<Vec<_>>())
        .collect();
    let whole: Vec<String> = provinces().iter().map(|province| format!("province={}", province.code)).collect();
    let mut figures = Vec::new();
    for (places, median, worst) in
        [(&districts, "list/page", "list/page-p99"), (&whole, "list/province-page", "list/province-page-p99")]
    {
        // A few to warm what is warm in use: connections, statements, the upper pages of the indexes.
        asker.lists(places, 10).await?;
        let taken = asker.lists(places, lists).await?;
        let ms = |quantile| taken.value_at_quantile(quantile) as f64 / 1000.0;
        println!(
            "{} pages of {ROWS} rows of {registrations} registrations, {}: median {:.2} ms, p99 {:.2} ms",
            taken.len(),
            places.first().map_or("", String::as_str),
            ms(0.5),
            ms(0.99)
        );
        figures.push(format!("figure: {median} {:.2} ms", ms(0.5)));
        figures.push(format!("figure: {worst} {:.2} ms", ms(0.99)));
    }
    drop(asker);
    serving.stop().await;
    app.stop().await;
    Ok(figures)
}

/// People, their registrations and their places in the lists, spread over all communes, every tenth in each priority group's turn.
async fn fill(store: &Store, key: &DataKey, registrations: i64) -> Result<()> {
    let server = store.embedded().context("an embedded server")?;
    let mut config = tokio_postgres::Config::new();
    config.host_path(server.socket_dir()).port(server.port()).user(server.user()).dbname(server.database());
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    let districts: Vec<&str> = provinces()
        .iter()
        .flat_map(|province| parts_of(&province.code).map(|unit| unit.code).collect::<Vec<_>>())
        .collect();
    let wards: Vec<(&str, &str)> =
        districts.iter().flat_map(|district| parts_of(district).map(move |ward| (*district, ward.code))).collect();
    let (districts, wards): (Vec<&str>, Vec<&str>) = wards.into_iter().unzip();
    let phones: Vec<Vec<u8>> = (0..1000).map(|n| key.seal("phone", &format!("+849{n:08}"))).collect();
    // The same id for the same number, scattered as random ones are.
    let person = "md5(n::text)::uuid";
    let place = "1 + (n * 7919) % cardinality($3::text[])";
    let rank = "CASE WHEN n % 10 < 7 THEN 99 ELSE 1 + n % 16 END";
    let insert_people = format!(
        "INSERT INTO person (person_id, name, name_key, birth, sex, ward_code, phone, created_at)
         SELECT {person}, 'Nguyễn Văn ' || n, 'NGUYEN<VAN', '1980-01-01', 'male', ($3::text[])[{place}],
                ($4::bytea[])[1 + n % 1000], now() FROM generate_series($1::bigint, $2::bigint) AS n"
    );
    let insert_registrations = format!(
        "INSERT INTO registration (person_id, account_id, district_code, priority, address, occupation, declaration,
                                   declared_at, consent, status, created_at, updated_at)
         SELECT {person}, {person}, ($4::text[])[{place}], {rank}, '12 Lê Lợi', 'farmer',
                '{{\"version\": 1, \"answers\": {{}}}}', now(), '{{\"version\": 1}}', 'registered', now(), now()
         FROM generate_series($1::bigint, $2::bigint) AS n WHERE cardinality($3::text[]) > 0"
    );
    let insert_places = format!(
        "INSERT INTO registration_by_district (district_code, priority, person_id, ward_code, status)
         SELECT ($4::text[])[{place}], {rank}, {person}, ($3::text[])[{place}], 'registered'
         FROM generate_series($1::bigint, $2::bigint) AS n"
    );
    let began = Instant::now();
    for first in (1..=registrations).step_by(CHUNK as usize) {
        let last = (first + CHUNK - 1).min(registrations);
        client.execute(&insert_people, &[&first, &last, &wards, &phones]).await?;
        client.execute(&insert_registrations, &[&first, &last, &wards, &districts]).await?;
        client.execute(&insert_places, &[&first, &last, &wards, &districts]).await?;
    }
    for table in ["person", "registration", "registration_by_district"] {
        client.batch_execute(&format!("VACUUM ANALYZE {table}")).await?;
        let count: i64 = client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?.get(0);
        ensure!(count == registrations, "{table} holds {count} rows");
    }
    client.batch_execute("CHECKPOINT").await?;
    println!("{registrations} registrations filled in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// One connection that asks page after page.
struct Asker {
    stream: TcpStream,
    token: String,
}

impl Asker {
    /// Asks for the first pages of so many lists, in turn, and gives how long each took in microseconds.
    async fn lists(&mut self, places: &[String], lists: usize) -> Result<Histogram<u64>> {
        let mut taken = Histogram::new(3)?;
        // A step that shares no factor with their number, so that neighbours are not asked after each other.
        for place in places.iter().cycle().step_by(101).take(lists) {
            let mut after = String::new();
            for _ in 0..PAGES {
                let (page, time) = self.page(&format!("{place}&limit={ROWS}{after}")).await?;
                taken.record(time.as_micros().try_into()?)?;
                let Some(next) = check(&page, place)? else { break };
                after = format!("&after={next}");
            }
        }
        Ok(taken)
    }

    async fn page(&mut self, query: &str) -> Result<(Vec<u8>, Duration)> {
        let request = format!(
            "GET /v1/registrations?purpose=load+test&{query} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {}\r\n\r\n",
            self.token
        );
        let began = Instant::now();
        self.stream.write_all(request.as_bytes()).await?;
        let mut read = Vec::with_capacity(64 * 1024);
        loop {
            ensure!(self.stream.read_buf(&mut read).await? > 0, "the node closed the connection");
            let Some(end) = memmem::find(&read, b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(read.get(..end).unwrap_or_default())?;
            ensure!(head.starts_with("HTTP/1.1 200"), "answered {}", head.lines().next().unwrap_or_default());
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).context("a length")?;
            if read.len() == end + 4 + length.parse::<usize>()? {
                return Ok((read.split_off(end + 4), began.elapsed()));
            }
        }
    }
}

/// A whole page of the place's, in the order of groups, each with a phone. Gives where the next begins.
fn check(page: &[u8], place: &str) -> Result<Option<String>> {
    let page: Value = serde_json::from_slice(page)?;
    let rows = page["registrations"].as_array().context("rows")?;
    let next = page["next"].as_str().map(str::to_owned);
    ensure!(rows.len() == ROWS || next.is_none(), "{} rows and more to come", rows.len());
    let group = |row: &Value| match row["group"].as_i64() {
        Some(0) | None => i64::MAX,
        Some(group) => group,
    };
    ensure!(rows.iter().map(group).is_sorted(), "the groups are not in order");
    let district = place.strip_prefix("district=");
    for row in rows {
        ensure!(district.is_none_or(|code| row["district"] == code), "another district's");
        ensure!(row["phone"].as_str().is_some_and(|phone| phone.starts_with("+849")), "no phone");
    }
    Ok(next)
}
