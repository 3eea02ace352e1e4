//! The cluster, once there is one: its node, its API server, and everything that `status` finds wrong.

use super::check::CheckResult;
use crate::docker::Node;
use crate::error::Failure;
use crate::state::State;
use crate::status::Report;

/// What was found of a cluster. An engine that does not answer leaves `nodes` at `None`.
pub(super) struct Found<'a> {
    /// Cluster name.
    pub(super) name: &'a str,
    /// Ours, where it is one.
    pub(super) state: Option<&'a State>,
    /// kind's containers of that name.
    pub(super) nodes: Option<&'a [Node]>,
    /// The API server's answer, where it was asked.
    pub(super) api: Option<Result<String, Failure>>,
    /// What `status` says, where the API server answered.
    pub(super) status: Option<&'a Report>,
}

/// No checks where there is no such cluster.
pub(super) fn cluster(found: &Found<'_>) -> Vec<CheckResult> {
    let Some(state) = found.state else { return foreign(found).into_iter().collect() };
    let mut checks = Vec::new();
    if state.target == "kind" {
        if !state.created {
            checks.push(unfinished(state));
            return checks;
        }
        checks.extend(found.nodes.map(|nodes| node(found.name, nodes)));
    }
    let (id, title) = ("cluster-api", "the API server answers");
    match &found.api {
        Some(Ok(version)) => checks.push(CheckResult::ok(id, title, format!("Kubernetes {version}"))),
        Some(Err(failure)) => checks.push(CheckResult::failed(id, title, failure).settling()),
        None => {}
    }
    checks.extend(found.status.into_iter().flat_map(problems));
    checks
}

fn foreign(found: &Found<'_>) -> Option<CheckResult> {
    let containers: Vec<&str> = found.nodes?.iter().map(|node| node.name.as_str()).collect();
    if containers.is_empty() {
        return None;
    }
    let hint = format!("take another name with --name, or take that one away with `kind delete cluster --name {}`", found.name);
    let saw = format!("container {} is there, and quickstart did not make it", containers.join(", "));
    Some(CheckResult::error("cluster-name", "the cluster's name is free", saw, hint).named("CLUSTER_FOREIGN"))
}

fn unfinished(state: &State) -> CheckResult {
    let saw =
        if state.creating { "an earlier `up` was stopped while it made the node" } else { "an earlier `up` ended before it made the node" };
    CheckResult::warning("cluster-node", "the node's container runs", saw, "`quickstart up` starts over, `quickstart down` takes it away")
}

fn node(name: &str, nodes: &[Node]) -> CheckResult {
    let (id, title) = ("cluster-node", "the node's container runs");
    if nodes.is_empty() {
        let saw = format!("the engine has no container of cluster {name}");
        return CheckResult::error(id, title, saw, "`quickstart up` makes it again; is this the engine it was made with?")
            .named("CLUSTER_GONE")
            .settling();
    }
    let stopped: Vec<String> =
        nodes.iter().filter(|node| !node.is_running()).map(|node| format!("{} is {}", node.name, node.state)).collect();
    if stopped.is_empty() {
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        return CheckResult::ok(id, title, format!("{} running", names.join(", ")));
    }
    CheckResult::error(id, title, stopped.join(", "), "`quickstart up` starts it again").named("NOT_RUNNING").settling()
}

/// One check for each thing that is wrong, or one that nothing is.
fn problems(report: &Report) -> Vec<CheckResult> {
    let title = "everything that was installed is ready";
    if report.problems.is_empty() {
        let count = report.components.len();
        return vec![CheckResult::ok("cluster-ready", title, format!("{count} components of {}", report.set))];
    }
    let hint = "`quickstart status` shows the whole picture; `quickstart up` goes on where it stopped";
    let numbered = report.problems.iter().zip(1..);
    numbered
        .map(|(problem, number)| {
            CheckResult::error(&format!("cluster-problem-{number}"), title, problem, hint).named("NOT_READY").settling()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::Outcome;
    use crate::error::Exit;

    fn state(created: bool) -> State {
        serde_json::from_value(json!({"version": 1, "name": "quickstart", "created_by": "quickstart 0.1.0", "target": "kind",
            "profile": "serverless", "set": "kserve-0.20", "components": {}, "port": 8080, "node_image": null,
            "creating": !created, "created": created}))
        .unwrap()
    }

    fn container(state: &str) -> Node {
        Node {
            id: "1".into(),
            name: "quickstart-control-plane".into(),
            state: state.into(),
            image: String::new(),
            image_id: String::new(),
            role: "control-plane".into(),
            volumes: Vec::new(),
            ports: Vec::new(),
            labels: std::collections::BTreeMap::new(),
            created: String::new(),
            started: String::new(),
            address: None,
        }
    }

    fn report(problems: &[&str]) -> Report {
        Report {
            ingress: crate::config::Ingress::Mapped,
            tunnels: Vec::new(),
            version: 1,
            cluster: "quickstart".into(),
            running: true,
            ready: problems.is_empty(),
            exit: 0,
            set: "kserve-0.20".into(),
            profile: "serverless".into(),
            kubernetes: None,
            nodes: Vec::new(),
            url: None,
            ingress_ready: None,
            load_balancer: None,
            adopted: Vec::new(),
            components: Vec::new(),
            demo: None,
            patches: Vec::new(),
            problems: problems.iter().map(|problem| (*problem).to_owned()).collect(),
        }
    }

    fn found<'a>(state: Option<&'a State>, nodes: Option<&'a [Node]>) -> Found<'a> {
        Found { name: "quickstart", state, nodes, api: None, status: None }
    }

    #[test]
    fn without_a_cluster_nothing_is_checked_and_a_foreign_one_is_named() {
        assert!(cluster(&found(None, Some(&[]))).is_empty());
        assert!(cluster(&found(None, None)).is_empty());
        let checks = cluster(&found(None, Some(&[container("running")])));
        assert_eq!((checks[0].result, checks[0].error_id.as_deref()), (Outcome::Error, Some("CLUSTER_FOREIGN")));
    }

    #[test]
    fn a_node_that_is_gone_or_stopped_is_an_error_with_the_way_back() {
        let state = state(true);
        for (nodes, id) in [(vec![], "CLUSTER_GONE"), (vec![container("exited")], "NOT_RUNNING")] {
            let checks = cluster(&found(Some(&state), Some(&nodes)));
            assert_eq!((checks[0].result, checks[0].error_id.as_deref()), (Outcome::Error, Some(id)));
            assert!(checks[0].hint.as_deref().unwrap().contains("quickstart up"));
        }
        assert_eq!(cluster(&found(Some(&state), Some(&[container("running")])))[0].result, Outcome::Ok);
    }

    #[test]
    fn a_half_made_cluster_is_a_warning() {
        let state = state(false);
        let checks = cluster(&found(Some(&state), Some(&[container("running")])));
        assert_eq!((checks.len(), checks[0].result), (1, Outcome::Warning));
    }

    #[test]
    fn each_problem_of_status_is_a_check() {
        let (state, bad, good) = (state(true), report(&["kserve/kserve-controller-manager: 0/1", "node x is not Ready"]), report(&[]));
        let with = |status| Found { api: Some(Ok("v1.34.0".into())), status: Some(status), ..found(Some(&state), None) };
        let checks = cluster(&with(&bad));
        assert_eq!(checks.iter().filter(|check| check.result == Outcome::Error).count(), 2);
        assert_eq!(checks[2].saw, "node x is not Ready");
        assert!(cluster(&with(&good)).iter().all(|check| check.result == Outcome::Ok));
        let silent = Found { api: Some(Err(Failure::new("API_UNREACHABLE", Exit::NotRunning, "refused"))), ..found(Some(&state), None) };
        assert_eq!(cluster(&silent)[0].error_id.as_deref(), Some("API_UNREACHABLE"));
    }
}
