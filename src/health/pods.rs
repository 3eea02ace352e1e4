//! What a pod's own status says: fine, busy, or in trouble that has a name. No request is made here.

use serde_json::Value;

use crate::plan::Verdict;
use crate::rules::{self, Found, Patience, Source};

/// Reasons of a container that simply has not started yet.
const STARTING: &[&str] = &["", "ContainerCreating", "PodInitializing"];

/// What stands in the way of a pod, by its status alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Not there yet; what it does.
    Busy(String),
    /// Its containers do not start and nobody says why: its events may.
    Starting,
    /// A container ended badly; its log says why.
    Ended {
        /// Container.
        container: String,
        /// Kubernetes' word: `Error`, `OOMKilled`.
        reason: String,
        /// Exit code.
        code: i64,
        /// What the runtime said of it: the reason of one that never started, which has no log.
        message: String,
        /// The log is the one of the instance before.
        previous: bool,
    },
    /// A failure rule fits.
    Trouble(Verdict),
}

/// The verdict of a rule that fits.
pub fn trouble(found: Found, saw: impl Into<String>) -> Verdict {
    Verdict::Trouble {
        id: found.rule.id.to_owned(),
        saw: saw.into(),
        hint: found.rule.hint.to_owned(),
        patience: match found.patience {
            Patience::Seconds(seconds) => Some(seconds),
            Patience::Deadline => None,
        },
    }
}

/// Judges one pod: the first thing that keeps it from being Ready.
pub fn judge(pod: &Value) -> Option<Finding> {
    let name = name(pod);
    let mut mild = None;
    for status in statuses(pod) {
        match container(name, status) {
            Some(severe @ (Finding::Trouble(_) | Finding::Ended { .. })) => return Some(severe),
            found => mild = mild.or(found),
        }
    }
    unscheduled(name, pod).or(mild)
}

/// The pod's name.
pub fn name(pod: &Value) -> &str {
    pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("pod")
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    ["/status/initContainerStatuses", "/status/containerStatuses"]
        .into_iter()
        .filter_map(|pointer| pod.pointer(pointer).and_then(Value::as_array))
        .flatten()
}

fn container(pod: &str, status: &Value) -> Option<Finding> {
    let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let number = |pointer: &str| status.pointer(pointer).and_then(Value::as_i64);
    let container = text("/name");
    let (reason, message) = (text("/state/waiting/reason"), text("/state/waiting/message"));
    if status.get("ready") == Some(&Value::Bool(true)) || number("/state/terminated/exitCode") == Some(0) {
        return None;
    }
    let ended = |at: &str, previous: bool| {
        Some(Finding::Ended {
            container: container.to_owned(),
            reason: text(&format!("{at}/reason")).to_owned(),
            code: number(&format!("{at}/exitCode")).unwrap_or_default(),
            message: text(&format!("{at}/message")).to_owned(),
            previous,
        })
    };
    if status.pointer("/state/terminated").is_some() {
        return ended("/state/terminated", false);
    }
    if !STARTING.contains(&reason) && reason != "CrashLoopBackOff" {
        let image = text("/image");
        let saw =
            format!("pod {pod}: {container} ({image}): {reason}{}{}", if message.is_empty() { "" } else { ": " }, first_line(message));
        return Some(match rules::find(Source::Waiting, reason, message) {
            Some(found) => Finding::Trouble(trouble(found, saw)),
            None => Finding::Busy(saw),
        });
    }
    if status.pointer("/lastState/terminated").is_some() {
        return ended("/lastState/terminated", true);
    }
    if status.pointer("/state/running").is_some() {
        return Some(Finding::Busy(format!("pod {pod}: {container} runs but is not ready yet")));
    }
    Some(Finding::Starting)
}

fn unscheduled(name: &str, pod: &Value) -> Option<Finding> {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array)?;
    let condition = conditions.iter().find(|c| c.get("type").and_then(Value::as_str) == Some("PodScheduled"))?;
    if condition.get("status").and_then(Value::as_str) != Some("False") {
        return None;
    }
    let message = condition.get("message").and_then(Value::as_str).unwrap_or("not scheduled");
    let found = rules::find(Source::Scheduling, "Unschedulable", message)?;
    Some(Finding::Trouble(trouble(found, format!("pod {name}: {message}"))))
}

/// The first line, short enough for a sentence.
pub fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(240).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(status: &Value) -> Value {
        json!({"metadata": {"name": "p"}, "status": {"containerStatuses": [status]}})
    }

    fn waiting(reason: &str, message: &str) -> Value {
        pod(&json!({"name": "c", "image": "i:1", "ready": false, "state": {"waiting": {"reason": reason, "message": message}}}))
    }

    fn id_and_patience(finding: Option<Finding>) -> (String, Option<u64>) {
        match finding {
            Some(Finding::Trouble(Verdict::Trouble { id, patience, .. })) => (id, patience),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pull_that_cannot_succeed_is_given_up_soon_and_a_network_fault_is_not() {
        let limit = judge(&waiting("ImagePullBackOff", "429: toomanyrequests: You have reached your pull rate limit"));
        assert_eq!(id_and_patience(limit), ("IMAGE_RATE_LIMIT".into(), Some(2)));
        let gone = judge(&waiting("ErrImagePull", "rpc error: code = NotFound: docker.io/x/y:1: not found"));
        assert_eq!(id_and_patience(gone), ("IMAGE_NOT_FOUND".into(), Some(2)));
        let network = judge(&waiting("ErrImagePull", "dial tcp: lookup quay.io: no such host"));
        assert_eq!(id_and_patience(network), ("IMAGE_PULL".into(), Some(90)));
    }

    /// "0/1 nodes are available: 1 Insufficient cpu" (kn-plugin-quickstart#359: found only after a long wait).
    #[test]
    fn a_pod_that_fits_nowhere_is_named_at_once() {
        let pod = json!({"metadata": {"name": "p"}, "status": {"conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient cpu."}]}});
        assert_eq!(id_and_patience(judge(&pod)).0, "INSUFFICIENT_CPU");
    }

    /// Between two crashes a container runs for a moment: a crash loop looked like a pod that is merely slow.
    #[test]
    fn a_container_that_ended_before_is_still_in_a_crash_loop_while_it_runs() {
        let last = json!({"terminated": {"reason": "Error", "exitCode": 1}});
        for state in [json!({"running": {}}), json!({"waiting": {"reason": "CrashLoopBackOff"}})] {
            let found = judge(&pod(&json!({"name": "c", "ready": false, "restartCount": 2, "state": state, "lastState": last})));
            assert!(matches!(found, Some(Finding::Ended { code: 1, previous: true, .. })), "{found:?}");
        }
    }

    #[test]
    fn a_healthy_pod_has_no_finding_and_an_init_container_that_is_done_neither() {
        let mut pod = pod(&json!({"name": "c", "ready": true, "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}}));
        assert_eq!(judge(&pod), None);
        pod["status"]["initContainerStatuses"] =
            json!([{"name": "i", "ready": true, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]);
        assert_eq!(judge(&pod), None);
    }
}
