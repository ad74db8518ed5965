//! CertLogic: the EU's language for rules about certificates, a small part of JsonLogic without its surprises. Uses nothing
//! of ours.
//!
//! [`Expression::parse`] checks a rule's logic once, when it is loaded, and [`Expression::is_met`] asks it about one
//! certificate's data. There are no loops but over an array of the data; a [`Budget`] bounds what they may do.
//! Source: ehn-dcc-development/dgc-business-rules, certlogic/specification, version 1.3.

mod data;
mod evaluate;
mod instant;
mod parse;

use serde_json::Value;

pub use data::{Budget, Data};
pub use evaluate::EvaluationError;
pub use parse::Issue;

/// Logic that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression(Node);

impl Expression {
    /// How many operations and literals it is made of.
    pub fn size(&self) -> usize {
        let mut size = 0;
        self.0.each(&mut |_| size += 1);
        size
    }

    /// The name behind `beginning` of every path that begins so, such as the value sets behind `external.valueSets`.
    ///
    /// Paths within `reduce` see the whole as `data`, and are found behind that too.
    pub fn names_behind(&self, beginning: &[&str]) -> Vec<&str> {
        let mut names = Vec::new();
        self.0.each(&mut |node| {
            let Node::Var(steps) = node else { return };
            let inner = steps.iter().skip_while(|step| *step == "data");
            let mut steps = inner.map(String::as_str);
            if beginning.iter().all(|step| steps.next() == Some(step)) {
                names.extend(steps.next());
            }
        });
        names
    }
}

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

impl Node {
    /// Calls `visit` with this node and every one below it.
    fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        visit(self);
        let below: &[Node] = match self {
            Node::Literal(_) | Node::Var(_) => &[],
            Node::Array(nodes) | Node::And(nodes) | Node::Compare(_, nodes) | Node::CompareTimes(_, nodes) => nodes,
            Node::If(nodes) | Node::Reduce(nodes) => &nodes[..],
            Node::Equal(nodes) | Node::In(nodes) | Node::Plus(nodes) => &nodes[..],
            Node::Not(node)
            | Node::PlusTime(node, ..)
            | Node::ExtractFromUvci(node, _)
            | Node::DccDateOfBirth(node) => std::slice::from_ref(node),
        };
        below.iter().for_each(|node| node.each(visit));
    }
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
