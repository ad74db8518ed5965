//! The examples of README's "For verifier apps": from nothing to a verdict off line, in Python and in TypeScript.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::app::dose_of;
use crate::cli::{Place, Service};
use crate::client::Connection;

/// What README's curl commands fetch into a directory.
async fn fetch(issuer: &Service, dir: &Path) {
    let mut connection = Connection::open(issuer.address).await;
    let mut get = async |path: &str, accept: &str| {
        let answer = connection.request("GET", path, &[("accept", accept)], b"").await;
        assert_eq!(answer.status, 200, "{path}");
        answer.body
    };
    for resource in ["trust-list", "revocations"] {
        let bytes = get(&format!("/v1/{resource}"), "application/cose").await;
        std::fs::write(dir.join(format!("{resource}.cose")), bytes).expect("writes");
    }
    let index: Value = serde_json::from_slice(&get("/v1/revocations", "application/json").await).expect("JSON");
    std::fs::create_dir_all(dir.join("slices")).expect("makes");
    for layer in index["layers"].as_array().expect("layers") {
        for piece in layer["full"].as_array().expect("pieces") {
            let id = piece["id"].as_str().expect("an id");
            let bytes = get(&format!("/v1/revocations/{id}"), "*/*").await;
            std::fs::write(dir.join("slices").join(id), bytes).expect("writes");
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The commands that run the examples. TypeScript is made JavaScript by the pages' own compiler.
fn examples(dir: &Path) -> [Command; 2] {
    let python = std::env::var("INTEROP_PYTHON").unwrap_or_else(|_| "target/interop/bin/python".to_owned());
    let mut in_python = Command::new(root().join(python));
    in_python.arg(root().join("examples/verify.py"));
    let made: PathBuf = dir.join("verify.mjs");
    let script = "const ts = require(process.argv[1]), fs = require('fs'); \
                  const module = ts.ModuleKind.ESNext, target = ts.ScriptTarget.ES2022; \
                  const text = fs.readFileSync(process.argv[2], 'utf8'); \
                  fs.writeFileSync(process.argv[3], ts.transpileModule(text, {compilerOptions: {module, target}}).outputText)";
    let mut compile = Command::new(root().join(".ci/node"));
    compile.args(["node", "-e", script]).arg(root().join("src/web/node_modules/typescript"));
    let compiled = compile.arg(root().join("examples/verify.ts")).arg(&made).status().expect("starts");
    assert!(compiled.success(), "run `make web` first: it brings the compiler");
    let mut in_typescript = Command::new(root().join(".ci/node"));
    in_typescript.arg("node").arg(made);
    [in_python, in_typescript]
}

/// What the examples say of a text: on standard output for a yes, on standard error for a no.
fn say(dir: &Path, text: &str) -> [String; 2] {
    examples(dir).map(|mut command| {
        let output = command.arg(dir).arg(text).output().expect("starts");
        let said = if output.status.success() { output.stdout } else { output.stderr };
        String::from_utf8(said).expect("text").trim().to_owned()
    })
}

#[test]
fn both_examples_take_a_developer_to_a_verdict_off_line() {
    let place = Place::new("examples");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let issuer = place.serve();
    let bearer = place.bearer();
    let dir = place.0.join("known");
    std::fs::create_dir_all(&dir).expect("makes");
    let anchor = dir.join("anchor.pem");
    assert_eq!(place.json(&["keys", "anchor", "--out", anchor.to_str().expect("a path")]).0, 0);
    let recorded = |n: u32| {
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        let dose = dose_of(n).to_string();
        let answer = runtime.block_on(async {
            Connection::open(issuer.address).await.request("POST", "/v1/doses", &headers, dose.as_bytes()).await.json()
        });
        let text = |member: &str| answer[member].as_str().expect("a certificate").to_owned();
        (text("uvci"), text("text"))
    };
    let ((uvci, first), (_, second)) = (recorded(1), recorded(2));
    runtime.block_on(fetch(&issuer, &dir));
    let yes = "accepted: Nguyễn Thị Phương Thảo 1/2";
    assert_eq!(say(&dir, &first), [yes, yes]);

    assert_eq!(place.json(&["revoke", &uvci, "--why", "a test"]).0, 0);
    let began = std::time::Instant::now();
    while say(&dir, &first) != ["rejected: revoked"; 2] {
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "{:?}", say(&dir, &first));
        runtime.block_on(fetch(&issuer, &dir));
    }
    assert_eq!(say(&dir, &second), [yes, yes]);

    // One character of the signature changed.
    let mut forged = second.into_bytes();
    let last = forged.last_mut().expect("a text");
    *last = if *last == b'0' { b'1' } else { b'0' };
    let no = "rejected: no key that may sign this has signed it";
    assert_eq!(say(&dir, &String::from_utf8(forged).expect("ASCII")), [no, no]);
    issuer.end(rustix::process::Signal::TERM);
}
