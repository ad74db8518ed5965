//! CertLogic: the EU's language for rules about certificates, a small part of JsonLogic without its surprises. Uses nothing
//! of ours.
//!
//! [`Expression::parse`] checks a rule's logic once, when it is loaded, and [`Expression::evaluate`] asks it about one
//! certificate's data. Both are bounded by the size of what they are given: there are no loops but over an array of the data.
//! Source: ehn-dcc-development/dgc-business-rules, certlogic/specification, version 1.3.

mod evaluate;
mod instant;
mod parse;

use serde_json::Value;

pub use evaluate::EvaluationError;
pub use parse::Issue;

/// Logic that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression(Node);

/// An expression whose operands have been checked as far as they can be without data.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// A truth, a whole number or a text.
    Literal(Value),
    Array(Vec<Node>),
    /// Where in the data, step by step; no step is the data itself.
    Var(Vec<String>),
    If(Box<[Node; 3]>),
    And(Vec<Node>),
    Not(Box<Node>),
    Equal(Box<[Node; 2]>),
    In(Box<[Node; 2]>),
    Plus(Box<[Node; 2]>),
    /// Two or three whole numbers.
    Compare(Order, Vec<Node>),
    /// Two or three instants.
    CompareTimes(Order, Vec<Node>),
    PlusTime(Box<Node>, i64, Unit),
    /// Operand, what is done with each, what it begins with.
    Reduce(Box<[Node; 3]>),
    ExtractFromUvci(Box<Node>, i64),
    DccDateOfBirth(Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds<T: PartialOrd>(self, left: T, right: T) -> bool {
        match self {
            Order::Less => left < right,
            Order::LessOrEqual => left <= right,
            Order::Greater => left > right,
            Order::GreaterOrEqual => left >= right,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Year,
    Month,
    Day,
    Hour,
}
