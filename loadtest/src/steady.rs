//! A fixed arrival rate: requests are due at their instants whether or not the node keeps up, and are timed from then.

use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;
use tokio::task::LocalSet;

use crate::client::{Load, Path};

/// Connections that take turns; a request waits, and its time counts, when all are busy.
const CONNECTIONS: u32 = 64;
/// One text in so many is a cold one.
const COLD: u32 = 10;

/// Sends `rate` texts a second for `length`, one in ten of them cold, and prints how long the answers took.
pub async fn run(load: &Load, rate: f64, length: Duration) -> Result<()> {
    let lanes = LocalSet::new();
    let began = Instant::now() + Duration::from_millis(50);
    let interval = Duration::from_secs_f64(1.0 / rate);
    let lane = |load: Load, lane: u32| async move {
        let mut connection = load.connect().await?;
        let mut micros = Histogram::<u64>::new(3)?;
        for turn in 0_u32.. {
            let due = began + interval * (turn * CONNECTIONS + lane);
            if due > began + length {
                break;
            }
            tokio::time::sleep_until(due.into()).await;
            let path = if turn % COLD == lane % COLD { Path::Cold } else { Path::Cached };
            let Some(numbers) = load.next(path) else { break };
            connection.ask(path, numbers).await?;
            micros.record(due.elapsed().as_micros() as u64)?;
        }
        Ok::<_, anyhow::Error>(micros)
    };
    let running: Vec<_> = (0..CONNECTIONS).map(|at| lanes.spawn_local(lane(load.clone(), at))).collect();
    lanes.await;
    let mut micros = Histogram::<u64>::new(3)?;
    for lane in running {
        micros.add(lane.await??)?;
    }
    let achieved = micros.len() as f64 / began.elapsed().as_secs_f64();
    let at = |quantile| micros.value_at_quantile(quantile);
    println!(
        "steady: {rate:.0} texts/s asked for, {achieved:.0} answered, one in {COLD} cold: p50 {} us, p99 {} us, p99.9 {} us; \
         every answer was right",
        at(0.5),
        at(0.99),
        at(0.999)
    );
    Ok(())
}
