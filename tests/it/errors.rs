//! What goes wrong while the stack comes up: ridden out where it passes by itself, else told in three lines and an exit code.

use serde_json::json;

use crate::{
    rules::three_lines,
    rules_late::{late, until_it_is_named},
    second_up::delete,
    small::{Machine, error_id, of, refused},
    support::{
        api_server::Pace,
        docker_engine::ExecAnswer,
        faults::{Fault, FaultKind},
        sandbox::eventually,
        workloads::Trouble,
    },
};

/// A rate limit is terminal at once, and the three lines say what, why, and the way out; `up` again goes on.
#[tokio::test]
async fn a_pull_rate_limit() {
    let machine = Machine::new().await;
    let text = "failed to pull image: toomanyrequests: You have reached your unauthenticated pull rate limit.";
    machine.server.trouble("istio-system/istiod", Trouble::image_pull(text));
    let output = refused(machine.up(&["-q"]).await, 4, "IMAGE_RATE_LIMIT");
    machine.snapshots().bind(|| insta::assert_snapshot!("rate_limit", output.text()));
    assert_eq!(machine.kind.state.clusters().len(), 1, "the cluster stays for a look");
    machine.server.heal();
    machine.up(&[]).await.expect(0);
    assert_eq!(machine.kind.calls().iter().filter(|call| call.starts_with("create")).count(), 1, "it went on, it did not start over");
}

/// The same failure as events: the stage that failed, those that were stopped, the run's end with the exit code.
#[tokio::test]
async fn a_failure_as_events() {
    let machine = Machine::new().await;
    machine
        .server
        .trouble("kserve/kserve-controller-manager", Trouble::image_pull("manifest for kserve/kserve-controller:v0.20.0 not found"));
    let events = machine.up(&["-o", "json"]).await.expect(4).events();
    let failed = of(&events, "stage_failed");
    assert_eq!((failed.len(), &failed[0]["stage"], &failed[0]["failure"]["id"]), (1, &json!("kserve"), &json!("IMAGE_NOT_FOUND")));
    let cancelled: Vec<_> = of(&events, "stage_cancelled").iter().map(|event| event["stage"].clone()).collect();
    for stage in ["runtimes", "demo", "predict"] {
        assert!(cancelled.contains(&json!(stage)), "{stage}: {cancelled:?}");
    }
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["exit"], &last["failure"]["id"]), (&json!("run_finished"), &json!(4), &json!("IMAGE_NOT_FOUND")));
}

/// An object that the server refuses is named; trying again would not help, and is not done.
#[tokio::test]
async fn an_object_that_is_refused() {
    let machine = Machine::new().await;
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422,
        "message": "Service \"istio-ingressgateway\" is invalid: spec.type: Unsupported value: \"Port\""});
    machine.server.fault(Fault::on("/services/istio-ingressgateway", u32::MAX, FaultKind::Answer(422, body)).method("PATCH"));
    let output = refused(machine.up(&[]).await, 4, "API_REFUSED");
    assert!(
        output.stderr.contains("Service istio-system/istio-ingressgateway") && output.stderr.contains("Unsupported value"),
        "{}",
        output.text()
    );
    let tries = machine
        .server
        .requests()
        .iter()
        .filter(|one| one.method == "PATCH" && one.path.ends_with("/services/istio-ingressgateway"))
        .count();
    assert_eq!(tries, 1);
}

/// After SIGKILL in the middle of a create the next `up` found the node port taken by the Service that was not there yet.
#[tokio::test]
async fn a_node_port_that_is_still_held_is_waited_for() {
    let machine = Machine::new().await;
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422,
        "message": "Service \"istio-ingressgateway\" is invalid: spec.ports[1].nodePort: Invalid value: 31080: provided port is already allocated"});
    machine.server.fault(Fault::on("/services/istio-ingressgateway", 3, FaultKind::Answer(422, body)).method("PATCH"));
    machine.up(&[]).await.expect(0);
}

/// `up` was killed while the API server made the gateway's Service: 31080 stayed taken by nobody for minutes, and no `up` could finish.
/// The first write of that Service is therefore one whose ports the server gives back (kubernetes#73140 and its kin).
#[tokio::test]
async fn a_run_that_is_killed_while_its_service_is_made() {
    let machine = Machine::new().await;
    machine.server.fault(Fault::on("/namespaces/istio-system/services", 1, FaultKind::ClientGone));
    machine.up(&[]).await.expect(0);
    let leaked = &machine.server.world().leaked_ports;
    assert!(leaked.is_empty(), "{leaked:?}");
}

/// A node port that somebody else's Service has stays taken: the port is named, and what to do.
#[tokio::test]
async fn a_node_port_that_stays_held() {
    let machine = Machine::new().await;
    machine.server.world().leaked_ports.push(31080);
    let told = three_lines(&machine.up(&[]).await, 4, "NODE_PORT_HELD");
    assert!(
        told.what.contains("istio-ingressgateway") && told.cause.contains("31080") && told.hint.contains("kubectl get services -A"),
        "{told:?}"
    );
    machine.server.world().leaked_ports.clear();
    machine.up(&[]).await.expect(0);
}

/// What passes by itself: a server that is overloaded, connections that are cut, answers that end in the middle.
#[tokio::test]
async fn transient_answers_are_ridden_out() {
    let machine = Machine::new().await;
    machine.server.fault(Fault::on("/customresourcedefinitions/", 6, FaultKind::Status(503)).method("PATCH"));
    machine.server.fault(Fault::on("/deployments/", 4, FaultKind::Close).method("PATCH"));
    machine.server.fault(Fault::on("/configmaps/", 2, FaultKind::CutBody).method("PATCH"));
    machine.server.fault(Fault::on("/clusterroles", 2, FaultKind::Status(429)).method("PATCH"));
    machine.server.fault(Fault::on("/api/v1/nodes", 2, FaultKind::Close));
    machine.server.fault(Fault::on("/secrets/", 2, FaultKind::Status(504)).method("GET"));
    let output = machine.up(&[]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]"), "{}", output.text());
    let left: u32 = machine.server.world().faults.iter().map(|fault| fault.times).sum();
    assert_eq!(left, 0, "every fault was met");
}

/// A webhook whose pod never gets ready: the deadline of the run ends it, and the Deployment behind it is named.
#[tokio::test]
async fn a_webhook_that_never_comes_up() {
    let machine = Machine::new().await;
    machine.server.trouble("cert-manager/cert-manager-webhook", Trouble::NeverReady);
    let output = refused(machine.up(&["--timeout", "6s"]).await, 5, "DEADLINE");
    assert!(output.stderr.contains("cert-manager"), "{}", output.text());
    assert!(output.stderr.contains("cert-manager-webhook"), "the Deployment behind it is named:\n{}", output.text());
}

/// A Deployment that is Available and a webhook that still does not answer (its certificate, its network): the webhook is named.
#[tokio::test]
async fn a_webhook_that_never_answers() {
    let machine = Machine::new().await;
    machine.server.pace(Pace { crds: 0, deployments: 0, inference_services: 0, nodes: 0, webhook_lag: u32::MAX });
    let output = until_it_is_named(&machine, "WEBHOOK_UNREACHABLE", 4).await;
    late(&output, "WEBHOOK_UNREACHABLE", &["cert-manager/webhook/issuers", "webhook.cert-manager.io"]);
    let model = machine.server.get("/apis/serving.kserve.io/v1beta1/namespaces/kserve-test/inferenceservices/sklearn-iris");
    assert!(model.is_none(), "a model needs all webhooks");
}

/// No room on the node: waiting a little is right, for ever is not.
#[tokio::test]
async fn a_pod_that_does_not_fit() {
    let machine = Machine::new().await;
    machine.server.trouble("knative-serving/activator", Trouble::insufficient_cpu());
    let output = refused(machine.up(&[]).await, 4, "INSUFFICIENT_CPU");
    assert!(output.stderr.contains("activator") && output.stderr.contains("Insufficient cpu"), "{}", output.text());
}

/// kind fails: its own reason is told, the half-made node does not stay in the way, its logs do.
#[tokio::test]
async fn kind_that_fails() {
    let machine = Machine::new().await;
    machine.kind.fail_create("ERROR: failed to create cluster: could not find a log line that matches \"Reached target\"", true);
    let output = refused(machine.up(&[]).await, 4, "KIND_FAILED");
    assert!(output.stderr.contains("could not find a log line"), "{}", output.text());
    assert!(output.stderr.contains("kind-logs"), "{}", output.text());
    assert!(machine.kind.state.clusters().is_empty(), "the node is deleted");
    assert!(!crate::small::files(&machine.state_folder().join("kind-logs")).is_empty(), "its logs were saved before");
    machine.kind.heal();
    machine.up(&[]).await.expect(0);
}

/// kind says nothing for minutes but what it is at: that is told, while it runs.
#[tokio::test]
async fn kind_at_work_says_at_what() {
    let machine = Machine::new().await;
    machine.kind.hang_create();
    let mut run = machine.start(&["-o", "json"]);
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(run.stdout.take().unwrap()));
    let mut seen = Vec::new();
    while seen.last().is_none_or(|saw: &String| !saw.contains("Ensuring node image (kindest/node:v1.34.3)")) {
        let event: serde_json::Value = serde_json::from_str(&lines.next_line().await.unwrap().expect("it tells what kind does")).unwrap();
        if event["check"] == "cluster/kind" && event["event"] == "check_pending" {
            seen.push(event["saw"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(seen[0], "kind starts");
    let rest = tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
    machine.kind.heal();
    machine.finish(run, &["up"]).await;
    rest.await.unwrap();
}

/// An object that the API server does not answer for is waited for aloud: the line names it, five seconds later.
#[tokio::test]
async fn an_apply_without_an_answer_is_told() {
    let machine = Machine::new().await;
    machine.server.fault(Fault::on("/configmaps/config-features", u32::MAX, FaultKind::Hang).method("PATCH"));
    let mut run = machine.start(&[]);
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(run.stderr.take().unwrap()));
    let wanted = "crds waits for apply ConfigMap knative-serving/config-features: no answer yet (";
    loop {
        let line = lines.next_line().await.unwrap().expect("it says what it waits for");
        if line.contains(wanted) {
            break;
        }
    }
    crate::small::signal(&run, rustix::process::Signal::INT);
    let rest = tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
    machine.finish(run, &["up"]).await.expect(130);
    rest.await.unwrap();
}

/// An inotify limit is a thing of the machine: exit 3 with the command that mends it.
#[tokio::test]
async fn kind_that_says_why() {
    for (said, id) in [
        (
            "ERROR: failed to create cluster: command \"docker run\" failed with error: exit status 125: too many open files",
            "INOTIFY_LIMIT",
        ),
        ("ERROR: failed to create cluster: Bind for 127.0.0.1:8080 failed: port is already allocated", "PORT_BUSY"),
        ("ERROR: failed to create cluster: write /var/lib/docker/x: no space left on device", "NO_SPACE"),
    ] {
        let machine = Machine::new().await;
        machine.kind.fail_create(said, false);
        refused(machine.up(&[]).await, 3, id);
    }
}

/// A kind of PATH that is too old is said to be, and the bundle's is taken instead.
#[tokio::test]
async fn a_kind_that_is_too_old() {
    let machine = Machine::new().await;
    let own = machine.bundle().await.display().to_string();
    fs_err::write(&machine.kind.path, "#!/bin/sh\necho kind v0.20.0 go1.20.4 linux/amd64\n").unwrap();
    let output = machine.quickstart(&["up", "--bundle", &own, "--port", &machine.port.to_string()]).await.expect(0);
    assert!(output.stderr.contains("0.20.0 of PATH is older than 0.30.0"), "{}", output.text());
    assert_eq!(error_id(&output), None, "{}", output.text());
}

/// Without kind and without a bundle: a program whose checksum nobody knows is not run, and the hint says what to do.
#[tokio::test]
async fn a_kind_that_is_missing() {
    let machine = Machine::new().await;
    let stateless = machine.without_kind_in_bundle().await;
    machine.remove_kind();
    let output = machine.quickstart(&["up", "--bundle", &stateless, "--port", &machine.port.to_string()]).await;
    let output = refused(output, 3, "KIND_MISSING");
    assert!(output.stderr.contains("--accept-unpinned") && output.stderr.contains("install kind"), "{}", output.text());
}

/// Images that the node cannot take (its disk is full) fail the stage with the node's own words.
#[tokio::test]
async fn an_import_that_fails() {
    let machine = Machine::new().await;
    machine.engine.on_exec("images import", ExecAnswer::failed(1, "ctr: write /var/lib/containerd: no space left on device"));
    let output = machine.up(&[]).await;
    assert!(refused(output, 4, "NO_SPACE").stderr.contains("no space left on device"));
}

/// The engine goes away in the middle and comes back: `up` goes on where it was.
#[tokio::test]
async fn what_was_deleted_in_between_is_put_back() {
    let machine = Machine::new().await;
    machine.server.trouble("kserve/kserve-controller-manager", Trouble::crash_loop("Error", 1));
    let first = machine.start(&["--timeout", "60s"]);
    eventually("KServe's controller is applied", || {
        machine.server.get("/apis/apps/v1/namespaces/kserve/deployments/kserve-controller-manager").is_some()
    })
    .await;
    crate::small::signal(&first, rustix::process::Signal::INT);
    machine.finish(first, &["up"]).await.expect(130);
    machine.server.heal();
    delete(&machine, "/apis/apps/v1/namespaces/cert-manager/deployments/cert-manager").await;
    machine.up(&[]).await.expect(0);
}

/// The API server is away for a moment while checks are asked: a check says what it sees, and goes on.
#[tokio::test]
async fn an_api_server_that_restarts() {
    let machine = Machine::new().await;
    let run = machine.start(&[]);
    eventually("objects are applied", || machine.server.requests().iter().filter(|one| one.method == "PATCH").count() > 40).await;
    machine.server.fault(Fault::on("/", 60, FaultKind::Close));
    machine.finish(run, &["up"]).await.expect(0);
}
