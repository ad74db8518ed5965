//! CertLogic: the EU's own test suite and validation suite, every case that they do not skip themselves.

use serde_json::{Value, json};
use thexanh::certlogic::{Budget, Data, Expression};

use super::{array, corpus, text};

/// The suites in a directory of the specification, by name.
fn suites(of: &str) -> Option<Vec<(String, Value)>> {
    let dir = corpus("certlogic")?.join("certlogic/specification").join(of);
    let mut files: Vec<_> =
        std::fs::read_dir(&dir).expect("a directory").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let name = |path: &std::path::Path| path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
    Some(files.iter().map(|path| (name(path), super::json(path))).collect())
}

fn skipped(part: &Value) -> bool {
    part["directive"] == "skip"
}

#[test]
fn evaluates_every_case_of_the_official_suite() {
    let Some(suites) = suites("testSuite") else { return };
    let (mut run, mut skips) = (0, Vec::new());
    for (name, suite) in &suites {
        for case in array(&suite["cases"]) {
            for assertion in array(&case["assertions"]) {
                // The suite of reduce with `data` is skipped by its authors, whose evaluators lack it. Ours has it.
                let ours_too = name == "patched-reduce";
                if !ours_too && [suite, case, assertion].into_iter().any(skipped) {
                    skips.push(name.as_str());
                    continue;
                }
                let logic = [case, assertion].into_iter().find_map(|part| part.get("certLogicExpression"));
                let logic = logic.expect("an expression");
                let expression =
                    Expression::parse(logic).unwrap_or_else(|issues| panic!("{name}: {logic}: {issues:?}"));
                let (data, expected) = (&assertion["data"], &assertion["expected"]);
                assert_eq!(
                    expression.evaluate(Data::Json(data), &Budget::new(1000)).as_ref(),
                    Ok(expected),
                    "{name}: {logic} on {data}"
                );
                run += 1;
            }
        }
    }
    assert_eq!((suites.len(), run, skips), (14, 228, vec!["ins-with-nulls"; 4]));
}

#[test]
fn finds_every_fault_of_the_official_validation_suite() {
    let Some(suites) = suites("validation-testSuite") else { return };
    let mut run = 0;
    for (name, suite) in &suites {
        for case in array(&suite["cases"]) {
            let logic = &case["certLogicExpression"];
            let issues = Expression::parse(logic).err().unwrap_or_default();
            let issues: Vec<Value> =
                issues.iter().map(|issue| json!({"expr": issue.expr, "message": issue.message})).collect();
            assert_eq!(issues, array(&case["issues"]), "{name}: {logic}");
            run += 1;
        }
        assert!(!text(&suite["name"]).is_empty());
    }
    assert_eq!(run, 23);
}
