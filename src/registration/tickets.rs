//! The response centre's cases: raised, assigned, answered, closed; each step kept, and none lost to another made at once.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::store::{Audited, NewTicket, StoreError, TicketRow, Tx, Work};

/// The words for how a case stands.
pub const STATUSES: [&str; 3] = ["open", "assigned", "closed"];
/// The most steps that a case may have: whatever needs more is not solved by writing.
pub const MAX_STEPS: usize = 200;

/// A case to be raised under an id: false if there is one already.
#[derive(Clone, Debug)]
pub struct Raise {
    /// Its id.
    pub ticket: Uuid,
    /// What it is.
    pub new: NewTicket,
    /// Who, when and why.
    pub audited: Audited,
}

impl Work for Raise {
    type Output = bool;

    async fn run(&self, tx: &Tx<'_>) -> Result<bool, StoreError> {
        let raised = tx.raise_ticket_as(self.ticket, &self.new).await?;
        if raised {
            tx.audit(&self.audited).await?;
        }
        Ok(raised)
    }
}

/// What is done with a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It is this person's to answer from now on.
    Assign(String),
    /// Something was said or found; the case stands as it stood.
    Answer,
    /// It is done with.
    Close,
}

/// Why a step is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoStep {
    /// It is closed.
    Closed,
    /// It has [`MAX_STEPS`].
    TooMany,
}

/// `row` after a deed by whoever `by` names.
pub fn stepped(mut row: TicketRow, deed: &Deed, note: &str, by: &Audited) -> Result<TicketRow, NoStep> {
    let Value::Array(steps) = &mut row.steps else { return Err(NoStep::TooMany) };
    if row.status == "closed" {
        return Err(NoStep::Closed);
    }
    if steps.len() >= MAX_STEPS {
        return Err(NoStep::TooMany);
    }
    let (what, to) = match deed {
        Deed::Assign(to) => ("assigned", Some(to.as_str())),
        Deed::Answer => ("answered", None),
        Deed::Close => ("closed", None),
    };
    let (at, who, role) = (by.at.0, &by.subject, &by.role);
    let mut step = json!({"at": at, "by": who, "role": role, "what": what, "note": note});
    if let (Some(to), Some(members)) = (to, step.as_object_mut()) {
        members.insert("to".to_owned(), to.into());
    }
    steps.push(step);
    match deed {
        Deed::Assign(to) => {
            row.status = "assigned".to_owned();
            row.assigned_to = Some(to.clone());
        }
        Deed::Answer => {}
        Deed::Close => {
            row.status = "closed".to_owned();
            row.closed_at = Some(by.at);
        }
    }
    row.version += 1;
    Ok(row)
}

/// A case to be written back after a step: false if another was faster.
#[derive(Clone, Debug)]
pub struct Step {
    /// The case after the step.
    pub row: TicketRow,
    /// Who, when and why.
    pub audited: Audited,
}

impl Work for Step {
    type Output = bool;

    async fn run(&self, tx: &Tx<'_>) -> Result<bool, StoreError> {
        let stepped = tx.step_ticket(&self.row).await?;
        if stepped {
            tx.audit(&self.audited).await?;
        }
        Ok(stepped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::UnixSeconds;

    fn ticket(steps: usize) -> TicketRow {
        TicketRow {
            ticket: Uuid::nil(),
            kind: "call".to_owned(),
            status: "open".to_owned(),
            province: "79".to_owned(),
            about: None,
            subject_id: None,
            assigned_to: None,
            said: "asks".to_owned(),
            steps: vec![json!({}); steps].into(),
            version: 1,
            made_at: UnixSeconds(1),
            closed_at: None,
        }
    }

    fn by() -> Audited {
        let text = |text: &str| text.to_owned();
        Audited {
            at: UnixSeconds(2),
            role: text("response"),
            subject: text("an"),
            place: String::new(),
            action: "ticket.step",
            about: None,
            why: String::new(),
        }
    }

    #[test]
    fn a_case_takes_so_many_steps_and_none_once_it_is_closed() {
        for (steps, taken) in [(MAX_STEPS - 1, true), (MAX_STEPS, false), (MAX_STEPS + 1, false)] {
            assert_eq!(stepped(ticket(steps), &Deed::Answer, "", &by()).is_ok(), taken, "{steps}");
        }
        let assigned = stepped(ticket(0), &Deed::Assign("binh".to_owned()), "", &by()).expect("a step");
        assert_eq!((assigned.status.as_str(), assigned.version), ("assigned", 2));
        let closed = stepped(assigned, &Deed::Close, "done", &by()).expect("a step");
        assert_eq!((closed.closed_at, closed.steps[0]["to"].as_str()), (Some(UnixSeconds(2)), Some("binh")));
        assert_eq!(stepped(closed, &Deed::Answer, "", &by()), Err(NoStep::Closed));
    }
}
