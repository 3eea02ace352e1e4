//! Why a workload is not ready: its pods, and where they do not say enough, their events and the end of their logs.

use std::time::Duration;

use serde_json::Value;

use super::pods::{self, Finding};
use crate::cluster::{Cluster, ClusterError};
use crate::plan::Verdict;
use crate::rules::{self, Source};

/// A pod that starts says nothing for a moment; its events are asked for when that lasts.
const QUIET: Duration = Duration::from_secs(5);
/// Lines and bytes of a log that are read for its last words.
const LOG: (u32, u32) = (30, 8192);
/// How many of its last lines are shown.
const SHOWN: usize = 3;

/// The worst that the pods of a selector are in; `None` when they are fine. `waited`: how long somebody has been waiting for them.
pub(super) async fn explain(cluster: &Cluster, namespace: &str, selector: &str, waited: Duration) -> Result<Option<Verdict>, ClusterError> {
    let pods = cluster.list(&format!("/api/v1/namespaces/{namespace}/pods"), selector).await?;
    let mut worst: Option<Verdict> = None;
    for pod in pods.iter().filter(|pod| pod.pointer("/metadata/deletionTimestamp").is_none()) {
        let Some(verdict) = one(cluster, namespace, pod, waited).await? else { continue };
        if worst.as_ref().is_none_or(|worst| severity(&verdict) > severity(worst)) {
            worst = Some(verdict);
        }
    }
    Ok(worst)
}

fn severity(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Ready => 0,
        Verdict::Pending(_) => 1,
        Verdict::Trouble { patience: None, .. } => 2,
        Verdict::Trouble { patience: Some(_), .. } => 3,
    }
}

async fn one(cluster: &Cluster, namespace: &str, pod: &Value, waited: Duration) -> Result<Option<Verdict>, ClusterError> {
    let name = pods::name(pod);
    Ok(match pods::judge(pod) {
        None => None,
        Some(Finding::Trouble(verdict)) => Some(verdict),
        Some(Finding::Busy(saw)) => Some(Verdict::Pending(saw)),
        Some(Finding::Starting) if waited >= QUIET => {
            Some(events(cluster, namespace, name).await?.unwrap_or_else(|| Verdict::Pending(format!("pod {name} starts"))))
        }
        Some(Finding::Starting) => Some(Verdict::Pending(format!("pod {name} starts"))),
        Some(Finding::Ended { container, reason, code, message, previous }) => {
            let log = format!("{}\n{message}", log(cluster, namespace, name, &container, previous).await);
            let last = last_words(&log);
            let how = if reason == "OOMKilled" { "was killed: out of memory".to_owned() } else { format!("ends with code {code}") };
            let words = if last.is_empty() { String::new() } else { format!("; its last words: {last}") };
            let saw = format!("pod {name}: {container} {how}{words}");
            Some(match rules::find(Source::Ended, &reason, &format!("{container}\n{log}")) {
                Some(found) => pods::trouble(found, saw),
                None => Verdict::Pending(saw),
            })
        }
    })
}

/// The last lines that say something, in one.
fn last_words(log: &str) -> String {
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let shown = lines.iter().skip(lines.len().saturating_sub(SHOWN));
    shown.map(|line| pods::first_line(line)).collect::<Vec<_>>().join(" | ")
}

/// The newest warning of a pod that a rule knows, else the newest warning.
async fn events(cluster: &Cluster, namespace: &str, pod: &str) -> Result<Option<Verdict>, ClusterError> {
    let path = format!("/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.name%3D{pod}");
    let list = cluster.get(&path).await?;
    let events = list.get("items").and_then(Value::as_array);
    let mut plain = None;
    for event in events.into_iter().flatten().rev() {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if text("/type") != "Warning" || text("/involvedObject/name") != pod {
            continue;
        }
        let (reason, message) = (text("/reason"), text("/message"));
        let saw = format!("pod {pod}: {reason}: {}", pods::first_line(message));
        match rules::find(Source::Event, reason, message) {
            Some(found) => return Ok(Some(pods::trouble(found, saw))),
            None => plain = plain.or(Some(Verdict::Pending(saw))),
        }
    }
    Ok(plain)
}

/// The end of a container's log; empty where there is none (any more).
async fn log(cluster: &Cluster, namespace: &str, pod: &str, container: &str, previous: bool) -> String {
    let (lines, bytes) = LOG;
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&previous={previous}&tailLines={lines}&limitBytes={bytes}"
    );
    cluster.text(&path).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_three_lines_are_the_last_words() {
        assert_eq!(last_words("a\nb\n\nc \n  d\n\n"), "b | c | d");
        assert_eq!(last_words("\n\n"), "");
    }
}
