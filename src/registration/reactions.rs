//! What people feel after a dose; what is severe is a case of the response centre at once.

use uuid::Uuid;

use crate::language::Said;
use crate::store::{Audited, NewTicket, ReportedReaction, StoreError, Tx, Work};

/// A symptom that may be reported.
#[derive(Clone, Copy, Debug)]
pub struct Symptom {
    /// The stable word.
    pub code: &'static str,
    /// What people call it.
    pub name: Said,
}

const fn symptom(code: &'static str, en: &'static str, vi: &'static str) -> Symptom {
    Symptom { code, name: Said { en, vi } }
}

/// Every symptom that may be reported: the common ones first, then those that want help at once. Appended to only.
pub const SYMPTOMS: &[Symptom] = &[
    symptom("pain_at_site", "Pain where the injection was given", "Đau tại chỗ tiêm"),
    symptom("swelling_at_site", "Swelling or redness where the injection was given", "Sưng, đỏ tại chỗ tiêm"),
    symptom("fever", "Fever", "Sốt"),
    symptom("chills", "Chills", "Ớn lạnh"),
    symptom("fatigue", "Fatigue", "Mệt mỏi"),
    symptom("headache", "Headache", "Đau đầu"),
    symptom("muscle_pain", "Muscle pain", "Đau cơ"),
    symptom("joint_pain", "Joint pain", "Đau khớp"),
    symptom("nausea", "Nausea or vomiting", "Buồn nôn, nôn"),
    symptom("diarrhoea", "Diarrhoea", "Tiêu chảy"),
    symptom("rash", "Rash, itching or hives", "Phát ban, ngứa, mề đay"),
    symptom("swollen_nodes", "Swollen lymph nodes", "Nổi hạch"),
    symptom("dizziness", "Dizziness", "Chóng mặt"),
    symptom("palpitations", "Palpitations", "Hồi hộp, đánh trống ngực"),
    symptom("chest_pain", "Chest pain", "Đau ngực"),
    symptom("short_of_breath", "Shortness of breath", "Khó thở"),
    symptom("swollen_face", "Swelling of the face, lips or throat", "Sưng mặt, môi hoặc họng"),
    symptom("fainting", "Fainting", "Ngất"),
    symptom("seizure", "Seizure", "Co giật"),
    symptom("leg_swelling", "Pain or swelling of a leg", "Đau hoặc sưng chân"),
    symptom("vision", "Blurred or double vision", "Nhìn mờ, nhìn đôi"),
    symptom("bleeding", "Unusual bleeding or bruising", "Chảy máu hoặc bầm tím bất thường"),
    symptom("other", "Something else", "Triệu chứng khác"),
];

/// How bad it may be.
pub const SEVERITIES: [&str; 3] = ["mild", "moderate", SEVERE];
/// Bad enough for somebody to call at once.
pub const SEVERE: &str = "severe";

/// A reaction to be written down.
#[derive(Clone, Debug)]
pub struct Reaction {
    /// What is written.
    pub row: ReportedReaction,
    /// The province that the case of a severe one belongs to; empty where none is known.
    pub province: String,
    /// Who, when and why.
    pub audited: Audited,
}

/// What became of a reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reacted {
    /// False if it was there already.
    pub new: bool,
    /// The case that it raised.
    pub ticket: Option<Uuid>,
}

impl Work for Reaction {
    type Output = Reacted;

    async fn run(&self, tx: &Tx<'_>) -> Result<Reacted, StoreError> {
        let row = &self.row;
        let severe = row.severity == SEVERE;
        // A case is named by its reaction, so that it is found when the reaction comes again.
        let ticket = severe.then_some(row.reaction);
        if !tx.insert_reaction(row).await? {
            return Ok(Reacted { new: false, ticket });
        }
        if let Some(ticket) = ticket {
            let new = NewTicket {
                kind: "severe_reaction",
                province: self.province.clone(),
                about: Some(row.person),
                subject_id: Some(row.reaction),
                said: row.symptoms.join(", "),
                made_at: row.made_at,
            };
            tx.raise_ticket_as(ticket, &new).await?;
        }
        tx.audit(&self.audited).await?;
        Ok(Reacted { new: true, ticket })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_symptom_is_there_once_and_named_in_both_languages() {
        let mut codes: Vec<_> = SYMPTOMS.iter().map(|symptom| symptom.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), SYMPTOMS.len());
        assert!(SYMPTOMS.iter().all(|symptom| !symptom.name.en.is_empty() && !symptom.name.vi.is_empty()));
    }
}
