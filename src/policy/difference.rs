//! What one version of the rules says otherwise than another, member by member.

use serde::Serialize;
use serde_json::{Map, Value};

use super::RulesDocument;

/// A member that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Where, such as `acceptance.test.max_age_hours`, `products.9` or `certlogic.VR-VN-0001 1.0.0`.
    pub path: String,
    /// What it was; absent if it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it is; absent if it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What `after` says otherwise than `before`, their versions apart.
pub fn differences(before: &RulesDocument, after: &RulesDocument) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", Some(&by_name(before)), Some(&by_name(after)), &mut found);
    found
}

/// By what a row is named.
type Name<'a> = &'a dyn Fn(&Value) -> String;

/// The document with its rows under their names, so that one that was put between others moves none.
fn by_name(document: &RulesDocument) -> Value {
    let mut value = serde_json::to_value(document).expect("rules have text keys");
    let text = |row: &Value, name: &str| match row.get(name) {
        Some(Value::String(text)) => text.clone(),
        other => other.map(Value::to_string).unwrap_or_default(),
    };
    if let Some(members) = value.as_object_mut() {
        members.remove("version");
        let lists: [(&str, Name<'_>); 2] = [
            ("products", &|row| text(row, "number")),
            ("certlogic", &|row| format!("{} {}", text(row, "Identifier"), text(row, "Version"))),
        ];
        for (list, name) in lists {
            if let Some(Value::Array(rows)) = members.remove(list) {
                let named: Map<_, _> = rows.into_iter().map(|row| (name(&row), row)).collect();
                members.insert(list.to_owned(), Value::Object(named));
            }
        }
    }
    value
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let added = other.keys().filter(|name| !one.contains_key(*name));
            for name in one.keys().chain(added) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, one.get(name), other.get(name), found);
            }
        }
        _ => found.push(Difference { path: path.to_owned(), before: before.cloned(), after: after.cloned() }),
    }
}
