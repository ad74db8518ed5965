//! What a checked expression says of one certificate's data.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use super::{Budget, Data, Expression, Node, instant};

/// The data are not what the logic expects: a rule that cannot be asked is not met. Never repeats any of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// An operand of a comparison or a sum is no whole number.
    #[error("an operand is no whole number")]
    NotANumber,
    /// An operand of a comparison of times is no instant.
    #[error("an operand is no instant")]
    NotAnInstant,
    /// A text is no date that the logic can read.
    #[error("a text is no date")]
    NotADate,
    /// What is looked in, or reduced, is no array.
    #[error("an operand is no array")]
    NotAnArray,
    /// What should be a text is none.
    #[error("an operand is no text")]
    NotAText,
    /// A sum, or a date, is further away than can be written.
    #[error("a result is out of range")]
    OutOfRange,
    /// The budget is used up.
    #[error("it takes more steps than a rule may take")]
    TooMuch,
}

/// A value while logic is evaluated: instants are no JSON.
#[derive(Clone, Debug)]
enum Datum<'a> {
    Json(Cow<'a, Value>),
    Instant(Timestamp),
}

impl Expression {
    /// What the expression says of `data`; an instant is given as its RFC 3339 text. Errors: [`EvaluationError`].
    pub fn evaluate(&self, data: Data<'_>, budget: &Budget) -> Result<Value, EvaluationError> {
        let scope = Scope { data, budget };
        scope.owned(self.0.evaluate(scope)?)
    }

    /// True if the rule is met by `data`. Errors: [`EvaluationError`].
    pub fn is_met(&self, data: Data<'_>, budget: &Budget) -> Result<bool, EvaluationError> {
        Ok(self.0.evaluate(Scope { data, budget })?.is_truthy())
    }
}

/// What a node is evaluated with.
#[derive(Clone, Copy)]
struct Scope<'a> {
    data: Data<'a>,
    budget: &'a Budget,
}

impl Scope<'_> {
    /// The datum as a value that borrows nothing.
    fn owned(self, datum: Datum<'_>) -> Result<Value, EvaluationError> {
        match datum {
            Datum::Json(Cow::Borrowed(value)) => self.budget.copy(value),
            Datum::Json(Cow::Owned(value)) => Ok(value),
            Datum::Instant(instant) => Ok(instant.to_string().into()),
        }
    }
}

impl Datum<'_> {
    /// An empty text, array or object, 0, false and null are not. Source: CertLogic, "truthy and falsy".
    fn is_truthy(&self) -> bool {
        match self {
            Datum::Instant(_) => true,
            Datum::Json(value) => match &**value {
                Value::Null => false,
                Value::Bool(truth) => *truth,
                Value::Number(number) => number.as_f64() != Some(0.0),
                Value::String(text) => !text.is_empty(),
                Value::Array(items) => !items.is_empty(),
                Value::Object(members) => !members.is_empty(),
            },
        }
    }

    fn integer(&self) -> Result<i64, EvaluationError> {
        match self {
            Datum::Json(value) => value.as_i64().ok_or(EvaluationError::NotANumber),
            Datum::Instant(_) => Err(EvaluationError::NotANumber),
        }
    }

    fn instant(&self) -> Result<Timestamp, EvaluationError> {
        match self {
            Datum::Instant(instant) => Ok(*instant),
            Datum::Json(_) => Err(EvaluationError::NotAnInstant),
        }
    }

    fn text(&self) -> Result<&str, EvaluationError> {
        match self {
            Datum::Json(value) => value.as_str().ok_or(EvaluationError::NotAText),
            Datum::Instant(_) => Err(EvaluationError::NotAText),
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Datum::Json(value) if value.is_null())
    }

    /// One value, of one type: nothing is converted, and arrays and objects equal nothing.
    fn equals(&self, other: &Datum<'_>) -> bool {
        match (self, other) {
            (Datum::Instant(one), Datum::Instant(other)) => one == other,
            (Datum::Json(one), Datum::Json(other)) => !one.is_array() && !one.is_object() && one == other,
            _ => false,
        }
    }
}

fn json<'a>(value: impl Into<Value>) -> Datum<'a> {
    Datum::Json(Cow::Owned(value.into()))
}

impl Node {
    fn evaluate<'a>(&'a self, data: Scope<'a>) -> Result<Datum<'a>, EvaluationError> {
        data.budget.spend(1)?;
        Ok(match self {
            Node::Literal(value) => Datum::Json(Cow::Borrowed(value)),
            Node::Array(items) => array(items, data)?,
            Node::Var(steps) => match steps.iter().try_fold(data.data, |data, step| data.step(step)) {
                None => json(Value::Null),
                Some(Data::Json(found)) => Datum::Json(Cow::Borrowed(found)),
                Some(members) => json(members.to_value(data.budget)?),
            },
            Node::If(operands) => {
                let [condition, then, otherwise] = &**operands;
                if condition.evaluate(data)?.is_truthy() { then.evaluate(data)? } else { otherwise.evaluate(data)? }
            }
            Node::And(operands) => {
                let mut last = json(true);
                for operand in operands {
                    last = operand.evaluate(data)?;
                    if !last.is_truthy() {
                        break;
                    }
                }
                last
            }
            Node::Not(operand) => json(!operand.evaluate(data)?.is_truthy()),
            Node::Equal(operands) => {
                let [one, other] = &**operands;
                json(one.evaluate(data)?.equals(&other.evaluate(data)?))
            }
            Node::In(operands) => {
                let [wanted, among] = &**operands;
                let (wanted, among) = (wanted.evaluate(data)?, among.evaluate(data)?);
                let Datum::Json(among) = &among else { return Err(EvaluationError::NotAnArray) };
                let items = among.as_array().ok_or(EvaluationError::NotAnArray)?;
                data.budget.spend(items.len() / 8)?;
                json(items.iter().any(|item| wanted.equals(&Datum::Json(Cow::Borrowed(item)))))
            }
            Node::Plus(operands) => {
                let [one, other] = &**operands;
                let (one, other) = (one.evaluate(data)?.integer()?, other.evaluate(data)?.integer()?);
                json(one.checked_add(other).ok_or(EvaluationError::OutOfRange)?)
            }
            Node::Compare(order, operands) => compare(operands, data, Datum::integer, |a, b| order.holds(a, b))?,
            Node::CompareTimes(order, operands) => compare(operands, data, Datum::instant, |a, b| order.holds(a, b))?,
            Node::PlusTime(operand, amount, unit) => {
                let begin = match operand.evaluate(data)? {
                    Datum::Instant(instant) => instant,
                    text => instant::read(text.text()?).ok_or(EvaluationError::NotADate)?,
                };
                Datum::Instant(instant::plus(begin, *amount, *unit).ok_or(EvaluationError::OutOfRange)?)
            }
            Node::Reduce(operands) => reduce(operands, data)?,
            Node::ExtractFromUvci(operand, index) => {
                let uvci = operand.evaluate(data)?;
                if uvci.is_null() { json(Value::Null) } else { json(part_of_uvci(uvci.text()?, *index)) }
            }
            Node::DccDateOfBirth(operand) => {
                let text = operand.evaluate(data)?;
                Datum::Instant(instant::birth(text.text()?).ok_or(EvaluationError::NotADate)?)
            }
        })
    }
}

fn array<'a>(items: &'a [Node], data: Scope<'a>) -> Result<Datum<'a>, EvaluationError> {
    let values = items.iter().map(|item| data.owned(item.evaluate(data)?));
    Ok(json(values.collect::<Result<Vec<Value>, _>>()?))
}

/// Whether each operand stands to the next as `holds` says.
fn compare<'a, T: Copy>(
    operands: &'a [Node],
    data: Scope<'a>,
    read: impl Fn(&Datum<'a>) -> Result<T, EvaluationError>,
    holds: impl Fn(T, T) -> bool,
) -> Result<Datum<'a>, EvaluationError> {
    let values = operands.iter().map(|operand| read(&operand.evaluate(data)?)).collect::<Result<Vec<T>, _>>()?;
    Ok(json(values.iter().zip(values.iter().skip(1)).all(|(one, next)| holds(*one, *next))))
}

/// The lambda sees `current`, `accumulator` and, as `data`, what the whole sees.
fn reduce<'a>(operands: &'a [Node; 3], data: Scope<'a>) -> Result<Datum<'a>, EvaluationError> {
    let [operand, lambda, initial] = operands;
    let mut accumulator = data.owned(initial.evaluate(data)?)?;
    let operand = operand.evaluate(data)?;
    let items = match &operand {
        Datum::Json(items) if items.is_null() => return Ok(json(accumulator)),
        Datum::Json(items) => items.as_array().ok_or(EvaluationError::NotAnArray)?,
        Datum::Instant(_) => return Err(EvaluationError::NotAnArray),
    };
    for current in items {
        let members =
            [("accumulator", Data::Json(&accumulator)), ("current", Data::Json(current)), ("data", data.data)];
        let inner = Scope { data: Data::Members(&members), budget: data.budget };
        let next = inner.owned(lambda.evaluate(inner)?)?;
        accumulator = next;
    }
    Ok(json(accumulator))
}

/// The part of a UVCI between `/`, `#` and `:`, its prefix apart. Source: CertLogic, "extractFromUVCI".
fn part_of_uvci(uvci: &str, index: i64) -> Option<String> {
    let rest = uvci.strip_prefix("URN:UVCI:").unwrap_or(uvci);
    rest.split(['/', '#', ':']).nth(usize::try_from(index).ok()?).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(logic: Value, data: Value) -> Result<Value, EvaluationError> {
        let logic = Expression::parse(&logic).unwrap_or_else(|issues| panic!("{issues:?}"));
        logic.evaluate(Data::Json(&data), &Budget::new(1000))
    }

    #[test]
    fn what_cannot_be_asked_is_an_error_and_not_a_yes() {
        let cases = [
            (json!({"<": [{"var": "x"}, 1]}), EvaluationError::NotANumber),
            (json!({"+": [i64::MAX, 1]}), EvaluationError::OutOfRange),
            (json!({"after": ["2021-01-01", "2020-01-01"]}), EvaluationError::NotAnInstant),
            (json!({"plusTime": ["someday", 1, "day"]}), EvaluationError::NotADate),
            (json!({"plusTime": [{"var": "x"}, 1, "day"]}), EvaluationError::NotAText),
            (json!({"in": [1, {"var": "x"}]}), EvaluationError::NotAnArray),
            (json!({"reduce": [1, 2, 3]}), EvaluationError::NotAnArray),
            (json!({"dccDateOfBirth": ["2004-01-01T00:00:00Z"]}), EvaluationError::NotADate),
        ];
        for (logic, error) in cases {
            assert_eq!(ask(logic.clone(), json!({})), Err(error), "{logic}");
        }
    }

    #[test]
    fn instants_are_instants_until_they_leave() {
        let logic = json!({"plusTime": [{"plusTime": ["2021-01-01", 1, "day"]}, 1, "hour"]});
        assert_eq!(ask(logic, json!(null)), Ok(json!("2021-01-02T01:00:00Z")));
    }
    #[test]
    fn logic_that_would_go_on_ends_with_its_budget() {
        // Twice as long each time: 2^30 values.
        let doubling = json!({"reduce": [{"var": ""}, [{"var": "accumulator"}, {"var": "accumulator"}], 1]});
        assert_eq!(ask(doubling, json!(vec![0; 30])), Err(EvaluationError::TooMuch));
        let within = |items: usize| {
            let logic = Expression::parse(&json!({"in": [1, {"var": "x"}]})).expect("logic");
            let data = json!({"x": vec![0; items]});
            logic.is_met(Data::Json(&data), &Budget::new(13))
        };
        // Three nodes, and an eighth of the items.
        assert_eq!([79, 87, 88].map(within), [Ok(false), Ok(false), Err(EvaluationError::TooMuch)]);
    }

    #[test]
    fn members_are_data_as_an_object_is() {
        let (one, two) = (json!({"b": [1, 2]}), json!("two"));
        let members = [("a", Data::Json(&one)), ("c", Data::Json(&two))];
        let ask = |path: &str| {
            let logic = Expression::parse(&json!({"var": path})).expect("logic");
            logic.evaluate(Data::Members(&members), &Budget::new(100)).expect("a value")
        };
        assert_eq!(ask("a.b.1"), json!(2));
        assert_eq!(ask("c"), json!("two"));
        assert_eq!(ask("d"), json!(null));
        assert_eq!(ask(""), json!({"a": {"b": [1, 2]}, "c": "two"}));
    }
}
