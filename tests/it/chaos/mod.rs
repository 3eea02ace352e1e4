//! Seeded faults at the wire: each case is a run in which something goes wrong, the run that heals, and one that finds nothing to do.
//!
//! `CHAOS_SEED=n` repeats one case; `make chaos-wire SEEDS=300` runs a campaign and prints a table, which `CHAOS_TABLE=FILE` also
//! keeps while it grows.

mod act;
mod case;
mod script;
mod seed;
mod table;
mod verdict;
mod wrong;

use std::{sync::Arc, time::Instant};

use futures_util::{StreamExt as _, stream};

use self::{
    case::{Done, Reference},
    script::Script,
    wrong::Wrong,
};

/// Machines at once; each of them is a few processes that mostly wait.
const AT_ONCE: usize = 4;

/// Runs these seeds; answers what went as it must, and what did not.
async fn seeds(all: impl IntoIterator<Item = u64>) -> (Vec<Done>, Vec<String>) {
    let reference = Arc::new(Reference::take().await);
    let cases = stream::iter(all).map(|seed| {
        let reference = Arc::clone(&reference);
        async move {
            let script = Script::of(seed);
            let told = format!("CHAOS_SEED={seed} {:?}", script.wrongs);
            // A task of its own: a fake that panics is this seed's failure and no other's.
            match tokio::spawn(async move { case::run(&script, &reference).await }).await {
                Ok(Ok(done)) => Ok(done),
                Ok(Err(why)) => Err(format!("{told}\n{why}\n")),
                Err(panic) => Err(format!("{told}\n{panic}\n")),
            }
        }
    });
    let mut ended = std::pin::pin!(cases.buffer_unordered(AT_ONCE));
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    while let Some(one) = ended.next().await {
        match one {
            Ok(one) => done.push(one),
            Err(why) => failed.push(why),
        }
        if let Some(file) = std::env::var_os("CHAOS_TABLE") {
            fs_err::write(std::path::PathBuf::from(file), format!("{}\n{}", table::table(&done), failed.join("\n"))).unwrap();
        }
    }
    (done, failed)
}

/// Every fault ends with the outcome that belongs to it, and the next `up` brings the cluster to a prediction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_seeds() {
    // A cluster that is there first costs a run more: of those, some. The ping of an engine that hangs takes its bound of 15 s.
    let slow = |wrong: &Wrong| matches!(wrong, Wrong::EngineHangs { on: "_ping" });
    let cheap = (1..).filter(|seed| {
        let script = Script::of(*seed);
        (seed % 4 == 0 || !script.wrongs.iter().any(Wrong::needs_cluster)) && !script.wrongs.iter().any(slow)
    });
    let (done, failed) = seeds(cheap.take(24)).await;
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), failed.len() + done.len(), failed.join("\n"));
}

/// The campaign: `CHAOS_SEEDS` cases, or the one of `CHAOS_SEED`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: make chaos-wire"]
#[expect(clippy::print_stdout, reason = "its table is what it is run for")]
async fn campaign() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, last) = match number("CHAOS_SEED") {
        Some(seed) => (seed, seed),
        None => (1, number("CHAOS_SEEDS").unwrap_or(300)),
    };
    let started = Instant::now();
    let (done, failed) = seeds(first..=last).await;
    println!("{}", table::table(&done));
    println!("{} cases in {:.0} s, {} not as expected", done.len() + failed.len(), started.elapsed().as_secs_f64(), failed.len());
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}
