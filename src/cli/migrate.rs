//! `thexanh migrate`: brings the schema and the reference data up to date, as `serve` does when it starts.

use serde_json::json;

use super::{Answer, Context, Failure};

pub(super) async fn run(context: &Context) -> Result<Answer, Failure> {
    context.store().await?;
    context.say("the schema is up to date", &json!({"schema": "up_to_date"}))?;
    Ok(Answer::Yes)
}
