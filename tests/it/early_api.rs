//! Definitions go in as soon as the API server answers, while kubeadm still has things to do.

use rustix::process::Signal;

use crate::{
    small::{Machine, signal},
    support::{api_server::Pace, docker_engine::ExecAnswer, sandbox::eventually},
};

/// Nothing waits for kind's end but the user's kubeconfig, and the run's own end.
#[tokio::test]
async fn only_the_kubeconfig_waits_for_kinds_end() {
    let machine = Machine::new().await;
    machine.kind.hold_late();
    let run = machine.start(&["-o", "json"]);
    let wrote = |what: &str| machine.server.writes().iter().any(|request| request.path.contains(what));
    eventually("the demo is there", || wrote("/inferenceservices/")).await;
    assert!(!machine.state()["created"].as_bool().unwrap_or(true) && !machine.home().join(".kube/config").exists());
    machine.kind.release();
    let output = run.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(machine.state()["created"].as_bool().unwrap_or_default());
    assert!(machine.home().join(".kube/config").exists());
}

/// A kind that fails after its API server answered is a failure like any other: its node goes, and the next `up` starts over.
#[tokio::test]
async fn a_kind_that_fails_late_leaves_no_node() {
    let machine = Machine::new().await;
    machine.kind.hold_late();
    let run = machine.start(&["-o", "json"]);
    eventually("definitions are there", || !machine.server.writes().is_empty()).await;
    machine.kind.fail_late("ERROR: failed to create cluster: failed to apply overlay network: exit status 1");
    machine.kind.release();
    let output = run.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(machine.kind.state.clusters().is_empty());
    machine.kind.heal();
    machine.up(&[]).await.expect(0);
}

/// Ctrl-C while kind finishes its node ends kind too.
#[cfg(unix)]
#[tokio::test]
async fn it_can_be_stopped_meanwhile() {
    let machine = Machine::new().await;
    machine.kind.hold_late();
    let run = machine.start(&["-o", "json"]);
    eventually("definitions are there", || !machine.server.writes().is_empty()).await;
    signal(&run, Signal::INT);
    let output = run.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    machine.kind.heal();
    machine.up(&[]).await.expect(0);
}

/// kube-proxy counts as ready before its rules are there, and pods that began in between ended: some other machine had answered them at
/// 10.96.0.1. kubeadm's step for it is run as soon as the API server answers; where that does not work, kubeadm comes to it by itself.
#[tokio::test]
async fn kube_proxy_is_made_early_and_its_routes_are_proven() {
    let machine = Machine::new().await;
    machine.engine.on_exec("addon kube-proxy", ExecAnswer::failed(1, "error: cannot get the configuration\n"));
    machine.up(&[]).await.expect(0);
    let ran: Vec<String> = machine.engine.ran().iter().map(|ran| ran.argv.join(" ")).collect();
    let at = |what: &str| ran.iter().position(|argv| argv.contains(what)).unwrap_or_else(|| panic!("{what} was not run: {ran:?}"));
    assert!(at("kubeadm init phase addon kube-proxy --config /kind/kubeadm.conf") < at("ask 10.96.0.1 443"));
    assert!(ran.iter().any(|argv| argv.contains("--cacert /etc/kubernetes/pki/ca.crt")), "any answer would do: {ran:?}");
}

/// A claim that kube-controller-manager had looked at before it knew the volume stayed unbound for 15 s more, and the model's pod with it.
#[tokio::test]
async fn a_claim_that_is_not_bound_is_touched() {
    let machine = Machine::new().await;
    machine.server.pace(Pace { crds: 0, deployments: 0, inference_services: 0, nodes: 3, webhook_lag: 0 });
    machine.up(&[]).await.expect(0);
    let claim = "/api/v1/namespaces/kserve-test/persistentvolumeclaims/sklearn-iris";
    assert!(machine.server.writes().iter().any(|one| one.path == claim && one.content_type == "application/merge-patch+json"));
    assert_eq!(machine.server.get(claim).unwrap()["status"]["phase"], "Bound");
}
