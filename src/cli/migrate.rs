//! `thexanh migrate`: brings the schema and the reference data up to date, as `serve` does when it starts.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Answer, Context, Failure};

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Spread the tables over the servers of the Citus cluster whose coordinator DATABASE_URL names; they stay spread
    #[arg(long, value_enum)]
    engine: Option<On>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum On {
    Citus,
}

pub(super) async fn run(context: &Context, migrate: Migrate) -> Result<Answer, Failure> {
    match migrate.engine {
        None => {
            context.store().await?;
            context.say("the schema is up to date", &json!({"schema": "up_to_date"}))?;
        }
        Some(On::Citus) => {
            context.store_on_citus().await?;
            let plain = "the schema is up to date, and its tables are spread over the cluster";
            context.say(plain, &json!({"schema": "up_to_date", "engine": "citus"}))?;
        }
    }
    Ok(Answer::Yes)
}
