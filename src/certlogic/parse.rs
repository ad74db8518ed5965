//! From a rule's JSON to an expression, or to every fault in it, worded as the EU's own validator words them.

use serde_json::Value;

use super::{Expression, Node, Order, Unit};

/// A fault of a rule's logic.
#[derive(Clone, Debug, PartialEq)]
pub struct Issue {
    /// The part that is at fault.
    pub expr: Value,
    /// What is wrong with it.
    pub message: String,
}

/// How deep logic may be nested: the deepest of the rules that were ever published has less than half of it.
const MAX_DEPTH: usize = 64;

impl Expression {
    /// The expression in `logic`. Errors: every [`Issue`] that was found.
    pub fn parse(logic: &Value) -> Result<Expression, Vec<Issue>> {
        let mut issues = Vec::new();
        let node = parse(logic, MAX_DEPTH, &mut issues);
        match node {
            Some(node) if issues.is_empty() => Ok(Expression(node)),
            _ => Err(issues),
        }
    }
}

/// The node of `logic`; `None` with at least one more issue than there was.
fn parse(logic: &Value, depth: usize, issues: &mut Vec<Issue>) -> Option<Node> {
    let mut wrong = |message: String| {
        issues.push(Issue { expr: logic.clone(), message });
        None
    };
    let Some(depth) = depth.checked_sub(1) else { return wrong("nested too deep".to_owned()) };
    match logic {
        Value::Bool(_) | Value::String(_) => Some(Node::Literal(logic.clone())),
        Value::Number(number) if number.is_i64() => Some(Node::Literal(logic.clone())),
        Value::Number(number) => wrong(format!("{number} is a non-integer number")),
        Value::Null => wrong("invalid CertLogic expression".to_owned()),
        Value::Array(items) => Some(Node::Array(all(items, depth, issues)?)),
        Value::Object(members) => match members.iter().next() {
            Some((operator, operands)) if members.len() == 1 => operation(logic, operator, operands, depth, issues),
            _ => wrong(format!("expression object must have exactly one key, but it has {}", members.len())),
        },
    }
}

/// Every node of `items`, or none with the issues of all.
fn all(items: &[Value], depth: usize, issues: &mut Vec<Issue>) -> Option<Vec<Node>> {
    let nodes: Vec<Option<Node>> = items.iter().map(|item| parse(item, depth, issues)).collect();
    nodes.into_iter().collect()
}

fn operation(logic: &Value, operator: &str, operands: &Value, depth: usize, issues: &mut Vec<Issue>) -> Option<Node> {
    let mut wrong = |message: String| {
        issues.push(Issue { expr: logic.clone(), message });
        None
    };
    if operator == "var" {
        return match operands {
            Value::String(path) => match steps(path) {
                Some(steps) => Some(Node::Var(steps)),
                None => wrong(format!("data access path doesn't have a valid format: {path}")),
            },
            _ => wrong(r#"not of the form { "var": "<path>" }"#.to_owned()),
        };
    }
    let Value::Array(operands) = operands else {
        return wrong(r#"operation not of the form { "<operator>": [ <values...> ] }"#.to_owned());
    };
    let Some((least, most)) = arity(operator) else { return wrong(format!("unrecognised operator: \"{operator}\"")) };
    if !(least..=most).contains(&operands.len()) {
        let expected = match (least, most) {
            (least, usize::MAX) => format!("at least {least}"),
            (least, most) if least == most => format!("exactly {least}"),
            (least, most) => format!("{least} to {most}"),
        };
        let count = operands.len();
        return wrong(format!("an \"{operator}\"-operation must have {expected} operands, but it has {count}"));
    }
    // What is no expression but a constant of the operation.
    match (operator, operands.as_slice()) {
        ("plusTime", [of, amount, unit]) => {
            let unit = match unit.as_str() {
                Some("year") => Some(Unit::Year),
                Some("month") => Some(Unit::Month),
                Some("day") => Some(Unit::Day),
                Some("hour") => Some(Unit::Hour),
                _ => None,
            };
            match (amount.as_i64(), unit) {
                (Some(amount), Some(unit)) => Some(Node::PlusTime(Box::new(parse(of, depth, issues)?), amount, unit)),
                (None, _) => wrong("\"amount\" argument (#2) of \"plusTime\" must be an integer".to_owned()),
                (_, None) => {
                    wrong("\"unit\" argument (#3) of \"plusTime\" must be year, month, day or hour".to_owned())
                }
            }
        }
        ("extractFromUVCI", [of, index]) => match index.as_i64() {
            Some(index) => Some(Node::ExtractFromUvci(Box::new(parse(of, depth, issues)?), index)),
            None => wrong("\"index\" argument (#2) of \"extractFromUVCI\" must be an integer".to_owned()),
        },
        _ => node(operator, all(operands, depth, issues)?),
    }
}

/// How many operands an operator has, at least and at most; `None` if there is no such operator.
fn arity(operator: &str) -> Option<(usize, usize)> {
    Some(match operator {
        "!" | "dccDateOfBirth" => (1, 1),
        "===" | "in" | "+" | "extractFromUVCI" => (2, 2),
        "if" | "plusTime" | "reduce" => (3, 3),
        "and" => (2, usize::MAX),
        "<" | ">" | "<=" | ">=" | "after" | "before" | "not-after" | "not-before" => (2, 3),
        _ => return None,
    })
}

/// The operation on `operands`, of which there are as many as [`arity`] says.
fn node(operator: &str, operands: Vec<Node>) -> Option<Node> {
    Some(match operator {
        "and" => Node::And(operands),
        "if" => Node::If(boxed(operands)?),
        "===" => Node::Equal(boxed(operands)?),
        "in" => Node::In(boxed(operands)?),
        "+" => Node::Plus(boxed(operands)?),
        "reduce" => Node::Reduce(boxed(operands)?),
        "<" => Node::Compare(Order::Less, operands),
        "<=" => Node::Compare(Order::LessOrEqual, operands),
        ">" => Node::Compare(Order::Greater, operands),
        ">=" => Node::Compare(Order::GreaterOrEqual, operands),
        "before" => Node::CompareTimes(Order::Less, operands),
        "not-after" => Node::CompareTimes(Order::LessOrEqual, operands),
        "after" => Node::CompareTimes(Order::Greater, operands),
        "not-before" => Node::CompareTimes(Order::GreaterOrEqual, operands),
        "!" => Node::Not(Box::new(operands.into_iter().next()?)),
        "dccDateOfBirth" => Node::DccDateOfBirth(Box::new(operands.into_iter().next()?)),
        _ => return None,
    })
}

fn boxed<const N: usize>(operands: Vec<Node>) -> Option<Box<[Node; N]>> {
    <[Node; N]>::try_from(operands).ok().map(Box::new)
}

/// The steps of `a.0.b`; none for an empty path. `None` if a step is empty.
fn steps(path: &str) -> Option<Vec<String>> {
    match path {
        "" => Some(Vec::new()),
        path => path.split('.').map(|step| Some(step.to_owned()).filter(|step| !step.is_empty())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn messages(logic: &Value) -> Vec<String> {
        Expression::parse(logic).err().into_iter().flatten().map(|issue| issue.message).collect()
    }

    #[test]
    fn every_fault_is_named_not_only_the_first() {
        let logic = json!({"and": [{"var": "x."}, {"foo": []}, null, {"if": [true]}]});
        let found = messages(&logic);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[3].contains("exactly 3 operands, but it has 1"));
        assert_eq!(messages(&json!({"plusTime": [{"var": ""}, "1", "day"]})).len(), 1);
        assert_eq!(messages(&json!({"plusTime": [{"var": ""}, 1, "week"]})).len(), 1);
        assert_eq!(messages(&json!({"extractFromUVCI": [{"var": ""}, 1.5]})).len(), 1);
    }

    #[test]
    fn logic_nested_too_deep_is_refused() {
        let nested = |depth: usize| (0..depth).fold(json!(true), |inner, _| json!({"!": [inner]}));
        assert_eq!([62, 63, 64].map(|depth| messages(&nested(depth)).is_empty()), [true, true, false]);
    }
}
