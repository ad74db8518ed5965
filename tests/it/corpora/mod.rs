//! The public corpora, one file each: vectors of others, found by `VECTORS_DIR` and never copied into this repository.

mod base45;
mod cbor;
mod certlogic;
mod cose_wg;
mod dcc_vn;
mod dgc_testdata;
mod ed25519_edges;
mod wycheproof;

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, Once};

use serde_json::Value;
use thexanh::ed25519;

/// Where the corpora lie: `VECTORS_DIR`, else beside this checkout.
fn vectors_dir() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors");
    std::env::var_os("VECTORS_DIR").map_or_else(beside, PathBuf::from)
}

/// The directory of one corpus; `None`, said once and aloud, where there are no corpora at all.
///
/// One that is missing among others is a failure: a test that quietly ran nothing would look like one that passed.
pub fn corpus(name: &str) -> Option<PathBuf> {
    let vectors = vectors_dir();
    if !vectors.is_dir() {
        say_that_nothing_was_run();
        return None;
    }
    let dir = vectors.join(name);
    assert!(dir.is_dir(), "VECTORS_DIR holds corpora, but not {name}");
    Some(dir)
}

fn say_that_nothing_was_run() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        // Not eprintln!, which the harness keeps to itself when a test passes.
        let _ = writeln!(
            std::io::stderr(),
            "\n*** The public corpora were NOT run: set VECTORS_DIR to the directory that holds dgc-testdata, Wycheproof, CCTV, \
             ed25519-speccheck, the cose-wg examples, the Base45 cases of RFC 9285 and others, the not-well-formed CBOR and \
             the Vietnamese DCC ***"
        );
    });
}

/// A JSON file of a corpus.
pub fn json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The elements of a JSON array.
pub fn array(value: &Value) -> &[Value] {
    value.as_array().expect("an array in the corpus's format")
}

/// A JSON text.
pub fn text(value: &Value) -> &str {
    value.as_str().expect("a text in the corpus's format")
}

/// The bytes of a JSON text in hexadecimal digits.
pub fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).expect("hexadecimal digits in the corpus's format")
}

/// A key for every path that this processor has, each with its comb.
type Prepared = Vec<(Arc<ed25519::Engine>, ed25519::Key)>;

/// Whether `signature` is `key`'s over `message`, which every path must answer alike, alone and among others.
///
/// `key`: a point, that is, one which the trust list's gate would see.
pub fn verifies_on_every_path(key: &[u8; 32], signature: &[u8], message: &[u8]) -> bool {
    static ENGINES: LazyLock<Vec<Arc<ed25519::Engine>>> = LazyLock::new(|| {
        if !ed25519::Path::available().contains(&ed25519::Path::Vector) {
            let _ = writeln!(std::io::stderr(), "\n*** Ed25519 in lanes was NOT run: no AVX-512 IFMA here ***");
        }
        ed25519::Path::available().iter().map(|&path| ed25519::Engine::within(path, 1 << 30)).collect()
    });
    static KEYS: LazyLock<Mutex<HashMap<[u8; 32], Arc<Prepared>>>> = LazyLock::new(Mutex::default);
    let prepare = |engine: &Arc<ed25519::Engine>| {
        let mut key = ed25519::Key::from_bytes(key).expect("a point");
        engine.prepare(&mut key);
        engine.warm(&key);
        (Arc::clone(engine), key)
    };
    let make = || Arc::new(ENGINES.iter().map(prepare).collect());
    let prepared = Arc::clone(KEYS.lock().expect("no panic").entry(*key).or_insert_with(make));
    let write = |tbs: &mut Vec<u8>| tbs.extend_from_slice(message);
    let verdicts = prepared.iter().flat_map(|(engine, key)| {
        let mut batch = engine.batch();
        (0..9).for_each(|_| batch.push(key, signature, write));
        let together = batch.verify();
        assert!(together == 0 || together == (1 << 9) - 1, "one verdict in every lane");
        [engine.verifies(key, signature, write), together != 0]
    });
    let verdicts: Vec<bool> = verdicts.collect();
    assert!(verdicts.windows(2).all(|pair| pair[0] == pair[1]), "{verdicts:?}");
    verdicts[0]
}
