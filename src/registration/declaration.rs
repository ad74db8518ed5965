//! The health declaration: structured questions of one version, and answers that are checked against them; and the text that is
//! consented to.
//!
//! Source: what is screened for by Decision 2995/QD-BYT of 2021-06-18 as Decision 3445/QD-BYT of 2021-07-15 changed it (allergies and
//! stable chronic illness were added, pregnancy became a reason to wait), put as questions; with the week of pregnancy and what a
//! vaccine contains, as the form of Decision 4355/QD-BYT of 2021-09-10 asks. Age and earlier doses are known without asking, and
//! vital signs are measured at the site. Held against summaries of them (3445: phapluatxahoi.kinhtedothi.vn 248468; 2995:
//! tuvanmienphi.vn 1032, thuvienphapluat.vn headlines 36227; 4355: thuvienphapluat.vn headlines 37555, and a hospital's form,
//! benhvienthucuc.vn); the official forms themselves were not to be had whole, and the sentences are ours.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::record::{InvalidField, bounded, refuse};
use crate::language::Said;
use crate::store::StoreError;

/// A question of the declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its stable word.
    pub id: &'static str,
    /// What is asked.
    pub text: Said,
}

const fn question(id: &'static str, en: &'static str, vi: &'static str) -> Question {
    Question { id, text: Said { en, vi } }
}

/// The version of the questions in force. A change of any of them raises it; those of earlier versions stay known, for what was
/// declared under them is read with them.
pub const VERSION: &str = "2021-07-15";

/// The questions in force, in the order in which they are asked.
pub const QUESTIONS: [Question; 11] = [
    question(
        "anaphylaxis",
        "Have you ever had anaphylaxis of any cause? Say which.",
        "Bạn đã từng bị phản vệ do bất kỳ nguyên nhân nào? Ghi rõ tác nhân.",
    ),
    question("covid19", "Have you had COVID-19 in the past six months?", "Bạn có mắc COVID-19 trong vòng 6 tháng qua?"),
    question(
        "other_vaccine",
        "Have you had any other vaccine in the past 14 days?",
        "Bạn có tiêm vắc xin khác trong 14 ngày qua?",
    ),
    question(
        "immunity",
        "Is your immunity badly weakened: late cancer, decompensated cirrhosis, spleen removed; or were you given immunosuppressants, high-dose corticosteroids, chemotherapy or radiotherapy in the past 14 days?",
        "Bạn có suy giảm miễn dịch nặng: ung thư giai đoạn cuối, xơ gan mất bù, đã cắt lách; hoặc trong 14 ngày qua có dùng thuốc ức chế miễn dịch, corticoid liều cao, hóa trị, xạ trị?",
    ),
    question("acute_illness", "Are you acutely ill or feverish?", "Bạn có đang mắc bệnh cấp tính hoặc sốt?"),
    question(
        "chronic_illness",
        "Do you have an underlying or chronic illness, stable or not: of heart, lungs, kidneys, liver, nerves, or diabetes?",
        "Bạn có bệnh nền, bệnh mạn tính, đã ổn định hay đang tiến triển: tim, phổi, thận, gan, thần kinh hoặc đái tháo đường?",
    ),
    question(
        "bleeding",
        "Did you ever have too few platelets, or a disorder of clotting, or do you take anticoagulants?",
        "Bạn có tiền sử giảm tiểu cầu, rối loạn đông máu, cầm máu hoặc đang dùng thuốc chống đông?",
    ),
    question(
        "allergy",
        "Have you ever been allergic to anything? Say to what.",
        "Bạn có tiền sử dị ứng với bất kỳ dị nguyên nào? Ghi rõ tác nhân.",
    ),
    question(
        "pregnant",
        "Are you pregnant or nursing? Say in which week of pregnancy.",
        "Bạn có đang mang thai hoặc nuôi con bằng sữa mẹ? Ghi rõ tuần thai.",
    ),
    question(
        "consciousness",
        "Is your consciousness or behaviour impaired?",
        "Bạn có rối loạn tri giác hoặc rối loạn hành vi?",
    ),
    question(
        "earlier_reaction",
        "Did you react strongly to an earlier dose of a COVID-19 vaccine, or to anything that such a vaccine contains?",
        "Bạn có phản ứng nặng sau mũi vắc xin COVID-19 trước đây hoặc với thành phần nào của vắc xin?",
    ),
];

/// The version of the text that is consented to.
pub const CONSENT_VERSION: &str = "2021-07";

/// What is consented to.
pub const CONSENT: Said = Said {
    en: "I have been told of the benefits of the vaccine against COVID-19 and of reactions that may follow it, I agree to be \
         vaccinated, and I agree that my data are processed for the vaccination campaign.",
    vi: "Tôi đã được tư vấn về lợi ích của vắc xin phòng COVID-19 và các phản ứng có thể xảy ra sau tiêm, tôi đồng ý tiêm chủng \
         và đồng ý cho xử lý dữ liệu của tôi phục vụ chiến dịch tiêm chủng.",
};

/// A health declaration: one answer to each question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// The version of the questions that were answered.
    #[schema(example = "2021-07-15")]
    pub version: String,
    /// The answers, in any order.
    pub answers: Vec<DeclaredAnswer>,
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredAnswer {
    /// The question's word.
    #[schema(example = "allergy")]
    pub question: String,
    /// Yes or no.
    pub yes: bool,
    /// More on it, at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

impl Declaration {
    /// As it is kept, in JSON: without the answers that say no and nothing more. Those are nearly all of nearly all
    /// declarations, and more to write down than the rest of a registration.
    pub(super) fn kept(&self) -> String {
        let says_more = |answer: &&DeclaredAnswer| answer.yes || answer.details.is_some();
        let answers = self.answers.iter().filter(says_more).cloned().collect();
        let kept = Declaration { version: self.version.clone(), answers };
        serde_json::to_string(&kept).expect("texts and truths are JSON")
    }

    /// The declaration that was kept so, each question answered.
    ///
    /// Errors: [`StoreError::Unreadable`] if it is none, or of a version whose questions are not known.
    pub fn of_kept(json: &str) -> Result<Declaration, StoreError> {
        let unreadable = StoreError::Unreadable("registration");
        let Ok(kept) = serde_json::from_str::<Declaration>(json) else { return Err(unreadable) };
        if kept.version != VERSION {
            return Err(unreadable);
        }
        let answer = |asked: &Question| {
            let said = kept.answers.iter().find(|answer| answer.question == asked.id).cloned();
            said.unwrap_or_else(|| DeclaredAnswer { question: asked.id.to_owned(), yes: false, details: None })
        };
        Ok(Declaration { answers: QUESTIONS.iter().map(answer).collect(), version: kept.version })
    }

    /// The declaration in the order of the questions, each answered once.
    pub(super) fn check(mut self) -> Result<Declaration, InvalidField> {
        if self.version != VERSION {
            return Err(refuse(
                "declaration.version",
                "version_unknown",
                "expected the version that /v1/reference/declaration shows",
                "cần phiên bản ở /v1/reference/declaration",
            ));
        }
        let place = |id: &str| QUESTIONS.iter().position(|question| question.id == id);
        self.answers.sort_by_key(|answer| place(&answer.question));
        let each_once = self.answers.iter().map(|answer| &*answer.question).eq(QUESTIONS.iter().map(|asked| asked.id));
        if !each_once {
            return Err(refuse(
                "declaration.answers",
                "answers_incomplete",
                "each question of /v1/reference/declaration needs one answer",
                "mỗi câu hỏi ở /v1/reference/declaration cần một câu trả lời",
            ));
        }
        for answer in &mut self.answers {
            if let Some(details) = answer.details.take() {
                answer.details = Some(bounded(details, MAX_DETAILS_CHARS).ok_or(refuse(
                    "declaration.answers",
                    "text_invalid",
                    "details are 1 to 500 characters without control characters",
                    "chi tiết gồm 1 đến 500 ký tự, không có ký tự điều khiển",
                ))?);
            }
        }
        Ok(self)
    }
}

const MAX_DETAILS_CHARS: usize = 500;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every question answered with no.
    pub fn healthy() -> Declaration {
        let no = |question: &Question| DeclaredAnswer { question: question.id.to_owned(), yes: false, details: None };
        Declaration { version: VERSION.to_owned(), answers: QUESTIONS.iter().map(no).collect() }
    }

    fn refused(change: impl FnOnce(&mut Declaration)) -> Option<&'static str> {
        let mut declaration = healthy();
        change(&mut declaration);
        declaration.check().err().map(|error| error.code)
    }

    #[test]
    fn each_question_is_answered_once_in_any_order() {
        let mut reversed = healthy();
        reversed.answers.reverse();
        assert_eq!(reversed.check(), Ok(healthy()));
        assert_eq!(refused(|declaration| drop(declaration.answers.pop())), Some("answers_incomplete"));
        assert_eq!(refused(|declaration| declaration.answers.extend(healthy().answers)), Some("answers_incomplete"));
        assert_eq!(refused(|declaration| declaration.answers[0].question = "age".into()), Some("answers_incomplete"));
        assert_eq!(refused(|declaration| declaration.version = "1999-01".into()), Some("version_unknown"));
    }

    #[test]
    fn what_is_kept_is_what_says_more_than_no_and_reads_as_all_of_it() {
        let mut declared = healthy();
        declared.answers[7] =
            DeclaredAnswer { question: "allergy".into(), yes: true, details: Some("penicillin".into()) };
        declared.answers[9].details = Some("không rõ".into());
        assert_eq!(Declaration::of_kept(&declared.kept()).expect("reads"), declared);
        assert_eq!(declared.kept().matches("question").count(), 2);
        assert_eq!(healthy().kept(), r#"{"version":"2021-07-15","answers":[]}"#);
        assert_eq!(Declaration::of_kept(&healthy().kept()).expect("reads"), healthy());
        for unreadable in ["", "{}", r#"{"version":"1999-01","answers":[]}"#] {
            assert!(Declaration::of_kept(unreadable).is_err(), "{unreadable}");
        }
    }

    #[test]
    fn details_may_be_as_long_as_the_limit_and_not_one_character_longer() {
        for (len, code) in [(499, None), (500, None), (501, Some("text_invalid")), (0, Some("text_invalid"))] {
            assert_eq!(refused(|declaration| declaration.answers[0].details = Some("ạ".repeat(len))), code, "{len}");
        }
    }
}
