//! What logic looks at, without a copy of it, and the budget that bounds how long it looks.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::EvaluationError;

/// The data of one evaluation: a value, or an object whose members are at hand in several places.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// A value as it is.
    Json(&'a Value),
    /// An object with these members.
    Members(&'a [(&'a str, Data<'a>)]),
}

impl<'a> Data<'a> {
    /// The member or the item that one step of a path names.
    pub(super) fn step(self, step: &str) -> Option<Data<'a>> {
        match self {
            Data::Members(members) => members.iter().find(|(name, _)| *name == step).map(|(_, data)| *data),
            Data::Json(Value::Object(members)) => members.get(step).map(Data::Json),
            Data::Json(Value::Array(items)) => items.get(step.parse::<usize>().ok()?).map(Data::Json),
            Data::Json(_) => None,
        }
    }

    /// The data as a value of their own.
    pub(super) fn to_value(self, budget: &Budget) -> Result<Value, EvaluationError> {
        match self {
            Data::Json(value) => budget.copy(value),
            Data::Members(members) => {
                budget.spend(members.len())?;
                let member = |(name, data): &(&str, Data<'_>)| Ok(((*name).to_owned(), data.to_value(budget)?));
                Ok(Value::Object(members.iter().map(member).collect::<Result<Map<_, _>, _>>()?))
            }
        }
    }
}

/// How much more may be done: rules are data, and one that never ends must not stop the one who asks it.
#[derive(Debug)]
pub struct Budget(Cell<u32>);

impl Budget {
    /// Room for so many steps: an operation looked at, a value copied, eight values compared.
    pub fn new(steps: u32) -> Budget {
        Budget(Cell::new(steps))
    }

    /// Takes `steps`. Errors: [`EvaluationError::TooMuch`] if there are not as many left.
    pub(super) fn spend(&self, steps: usize) -> Result<(), EvaluationError> {
        let left = u32::try_from(steps).ok().and_then(|steps| self.0.get().checked_sub(steps));
        self.0.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(EvaluationError::TooMuch)
    }

    /// A copy of `value`, paid for by its size before it is made.
    pub(super) fn copy(&self, value: &Value) -> Result<Value, EvaluationError> {
        self.pay_for(value)?;
        Ok(value.clone())
    }

    fn pay_for(&self, value: &Value) -> Result<(), EvaluationError> {
        self.spend(1)?;
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| self.pay_for(item)),
            Value::Object(members) => members.values().try_for_each(|member| self.pay_for(member)),
            _ => Ok(()),
        }
    }
}
