//! How well people are matched: a synthetic backlog through the plan that the service makes, in memory, and the truth beside it.

use std::time::Instant;

use anyhow::{Result, ensure};
use thexanh::synth::rows::Settings;
use thexanh::synth::trial;

/// Scores a backlog of 100,000 people, or of 1,000,000 rows, with 5 % dirt, and prints the figures. Wrong merges fail the run.
pub fn run(full: bool) -> Result<()> {
    let (people, rows) = if full { (1_000_000, 1_000_000) } else { (100_000, usize::MAX) };
    let settings = Settings { people, seed: 1, dirt_percent: 5 };
    let began = Instant::now();
    let trial = trial::run(settings, rows, |_| {})?;
    let score = &trial.score;
    println!(
        "matched {} rows of {} people in {:.1} s; {} refused, {} under another name or birth date; precision {:.6}, recall {:.6}",
        score.rows,
        score.people,
        began.elapsed().as_secs_f64(),
        trial.refused,
        trial.differing,
        score.precision,
        score.recall
    );
    let queued = trial.queued_by_dirt.iter().map(|(word, rows)| {
        let word = if word.is_empty() { "clean" } else { word };
        format!("{word} {rows}")
    });
    println!("queued: {}", queued.collect::<Vec<_>>().join(", "));
    trial.wrong.iter().for_each(|rows| println!("made one: {rows}"));
    println!("figure: match/wrong-per-100k {:.2} people", score.wrong_per_100k());
    println!("figure: match/missed-percent {:.3} %", score.missed_percent());
    println!("figure: match/queued-percent {:.3} %", score.queued_percent());
    ensure!(trial.wrongly_judged == 0, "{} rows were refused or taken that should not be", trial.wrongly_judged);
    ensure!(score.wrong_merges == 0, "{} pairs of people were made one", score.wrong_merges);
    ensure!(score.missed_percent() < 2.0, "too many are missed");
    ensure!(score.queued_percent() < 3.0, "too many are queued");
    Ok(())
}
