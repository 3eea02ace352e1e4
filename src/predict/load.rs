//! The same request many times: latencies, errors, and which answers came how often.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Request, said};
use crate::error::Failure;
use crate::gateway::{Caller, GatewayError};

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Requests altogether.
    pub requests: usize,
    /// In flight at once.
    pub parallel: usize,
    /// No request begins after this.
    pub within: Option<Duration>,
}

/// What came of it. Latencies are those of requests that were answered, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Requests that were made.
    pub requests: usize,
    /// Those without a prediction.
    pub errors: usize,
    /// What the first of them said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
    /// All together, in milliseconds.
    pub took_ms: u64,
    /// The fastest.
    pub min_ms: f64,
    /// Half of all were at least as fast.
    pub p50_ms: f64,
    /// 95 of 100.
    pub p95_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// Each different answer as JSON, and how often it came.
    pub answers: BTreeMap<String, usize>,
}

impl Summary {
    /// How many answers were this one.
    pub fn count(&self, answer: &Value) -> usize {
        self.answers.get(&answer.to_string()).copied().unwrap_or_default()
    }
}

/// Sends a request again and again; ends early, with what there is, when told to stop.
pub async fn load(request: &Request, load: Load, cancel: &CancellationToken) -> Result<(Summary, Option<GatewayError>), Failure> {
    let caller = Caller::new(request.authority.as_ref())?;
    let ask = request.ask(request.path())?;
    let one = async || {
        let started = Instant::now();
        let answer = ask.send(&caller).await;
        (started.elapsed(), answer)
    };
    let started = Instant::now();
    let late = || load.within.is_some_and(|within| started.elapsed() >= within);
    let mut flying = FuturesUnordered::new();
    let (mut sent, mut times, mut summary, mut failed) = (0, Vec::new(), Summary::default(), None);
    loop {
        while sent < load.requests && flying.len() < load.parallel.max(1) && !late() {
            flying.push(one());
            sent += 1;
        }
        let done = tokio::select! {
            () = cancel.cancelled() => break,
            done = flying.next() => done,
        };
        let Some((took, answer)) = done else { break };
        summary.requests += 1;
        match answer {
            Ok(answer) => {
                times.push(took);
                *summary.answers.entry(said(&answer).to_string()).or_default() += 1;
            }
            Err(error) => {
                summary.errors += 1;
                failed.get_or_insert(error);
            }
        }
    }
    summary.took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    summary.first_error = failed.as_ref().map(ToString::to_string);
    measure(&mut summary, times);
    Ok((summary, failed))
}

fn measure(summary: &mut Summary, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| -> f64 {
        // The nearest rank: the smallest time that so many of a hundred did not exceed.
        let rank = (times.len() * share).div_ceil(100).max(1) - 1;
        times.get(rank).map_or(0.0, |time| (time.as_secs_f64() * 1e5).round() / 100.0)
    };
    summary.min_ms = at(0);
    (summary.p50_ms, summary.p95_ms, summary.p99_ms, summary.max_ms) = (at(50), at(95), at(99), at(100));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let of = |count: u64| {
            let mut summary = Summary::default();
            measure(&mut summary, (1..=count).rev().map(Duration::from_millis).collect());
            [summary.min_ms, summary.p50_ms, summary.p95_ms, summary.p99_ms, summary.max_ms]
        };
        assert_eq!(of(100).map(|ms| ms.to_string()), ["1", "50", "95", "99", "100"]);
        assert_eq!(of(1).map(|ms| ms.to_string()), ["1"; 5]);
        assert_eq!(of(0).map(|ms| ms.to_string()), ["0"; 5]);
    }
}
