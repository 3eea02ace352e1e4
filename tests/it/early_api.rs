//! Definitions go in as soon as the API server answers, while kubeadm still has things to do.

use rustix::process::Signal;

use crate::{
    small::{Machine, signal},
    support::sandbox::eventually,
};

/// What makes pods waits for kind's end, definitions do not; a kubeconfig is written after it.
#[tokio::test]
async fn definitions_do_not_wait_for_kinds_end() {
    let machine = Machine::new().await;
    machine.kind.hold_late();
    let run = machine.start(&["-o", "json"]);
    let wrote = |what: &str| machine.server.writes().iter().any(|request| request.path.contains(what));
    eventually("definitions are there", || wrote("customresourcedefinitions")).await;
    assert!(!wrote("/deployments") && !machine.state()["created"].as_bool().unwrap_or(true));
    machine.kind.release();
    let output = run.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(wrote("/deployments") && machine.state()["created"].as_bool().unwrap_or_default());
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
