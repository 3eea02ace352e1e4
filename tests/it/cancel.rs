//! Ctrl-C, kill -9, a power cut: at any instant, and then again.

use std::time::Instant;

use rustix::process::Signal;
use serde_json::json;

use crate::{
    small::{Machine, of, refused, signal},
    support::{
        api_server::Pace,
        faults::{Fault, FaultKind},
        sandbox::eventually,
        workloads::Trouble,
    },
};

/// Ctrl-C: 130 within three seconds, the stages that were at work told; what is there stays, and `up` again goes on.
#[tokio::test]
async fn ctrl_c_in_the_middle() {
    let machine = Machine::new().await;
    machine.server.trouble("istio-system/istiod", Trouble::NeverReady);
    let run = machine.start(&["-o", "json"]);
    eventually("istiod is applied", || machine.server.get("/apis/apps/v1/namespaces/istio-system/deployments/istiod").is_some()).await;
    let asked = Instant::now();
    signal(&run, Signal::INT);
    let output = machine.finish(run, &["up"]).await.expect(130);
    assert!(asked.elapsed().as_secs_f64() < 3.0, "{:?}", asked.elapsed());
    let events = output.events();
    let cancelled: Vec<_> = of(&events, "stage_cancelled").iter().map(|event| event["stage"].clone()).collect();
    assert!(cancelled.contains(&json!("istio")) && cancelled.contains(&json!("predict")), "{cancelled:?}");
    assert_eq!((&events.last().unwrap()["event"], &events.last().unwrap()["exit"]), (&json!("run_finished"), &json!(130)));
    machine.server.heal();
    machine.up(&[]).await.expect(0);
}

/// For a person: which stages were stopped, that nothing is lost, what to do.
#[tokio::test]
async fn ctrl_c_for_a_person() {
    let machine = Machine::new().await;
    machine.server.trouble("kserve/kserve-controller-manager", Trouble::NeverReady);
    let run = machine.start(&[]);
    eventually("the controller is applied", || {
        machine.server.get("/apis/apps/v1/namespaces/kserve/deployments/kserve-controller-manager").is_some()
    })
    .await;
    signal(&run, Signal::INT);
    let output = refused(machine.finish(run, &["up"]).await, 130, "INTERRUPTED");
    assert!(output.stdout.is_empty());
    // The campaign asked: what was it doing?
    for part in [
        "cause: told to stop while at work: ",
        "kserve (",
        "kserve stopped",
        "not started: ",
        "interrupted after",
        "`quickstart up` again goes on from here",
    ] {
        assert!(output.stderr.contains(part), "{part} is missing:\n{}", output.text());
    }
}

/// Ctrl-C while kind creates: the child ends too, and no half-made node is left.
#[tokio::test]
async fn ctrl_c_while_kind_creates() {
    let machine = Machine::new().await;
    machine.kind.hang_create();
    let run = machine.start(&[]);
    eventually("kind creates", || machine.kind.calls().iter().any(|call| call.starts_with("create"))).await;
    let asked = Instant::now();
    signal(&run, Signal::INT);
    machine.finish(run, &["up"]).await.expect(130);
    assert!(asked.elapsed().as_secs_f64() < 3.0, "{:?}", asked.elapsed());
    assert!(machine.kind.calls().last().unwrap().starts_with("delete cluster"), "{:?}", machine.kind.calls());
    machine.kind.heal();
    machine.up(&[]).await.expect(0);
}

/// SIGTERM is a request as well.
#[tokio::test]
async fn sigterm_is_ctrl_c() {
    let machine = Machine::new().await;
    machine.kind.hang_create();
    let run = machine.start(&[]);
    eventually("kind creates", || machine.kind.calls().iter().any(|call| call.starts_with("create"))).await;
    signal(&run, Signal::TERM);
    machine.finish(run, &["up"]).await.expect(130);
}

/// The power goes while kind creates: what it left is ours, and the next run starts over instead of refusing it.
#[tokio::test]
async fn killed_while_kind_creates() {
    let machine = Machine::new().await;
    machine.kind.hang_create();
    let run = machine.start(&[]);
    eventually("kind creates", || machine.kind.calls().iter().any(|call| call.starts_with("create"))).await;
    signal(&run, Signal::KILL);
    machine.finish(run, &["up"]).await;
    machine.kind.heal();
    machine.kind.state.add("quickstart", "kindest/node:v1.34.3");
    let output = machine.up(&[]).await.expect(0);
    assert!(output.stderr.contains("starting over"), "{}", output.text());
    assert!(machine.kind.calls().iter().any(|call| call.starts_with("delete cluster")));
    machine.quickstart(&["down"]).await.expect(0);
    assert!(machine.kind.state.clusters().is_empty());
}

/// Killed after so many requests, and run again: it converges from every one of these places.
#[tokio::test]
async fn killed_anywhere_it_converges() {
    let machine = Machine::new().await;
    machine.server.pace(Pace { crds: 1, deployments: 1, inference_services: 1, nodes: 0, webhook_lag: 1 });
    for requests in [1, 25, 60, 90, 120, 150, 180] {
        machine.server.forget_requests();
        let run = machine.start(&[]);
        let mut ended = false;
        eventually("so many requests", || {
            ended = machine.server.requests().iter().any(|one| one.path.contains("/inferenceservices/sklearn-iris") && one.method == "GET");
            ended || machine.server.requests().len() >= requests
        })
        .await;
        signal(&run, Signal::KILL);
        machine.finish(run, &["up"]).await;
    }
    let output = machine.up(&[]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]"), "{}", output.text());
    assert_eq!(machine.kind.calls().iter().filter(|call| call.starts_with("create")).count(), 1);
    machine.quickstart(&["status"]).await.expect(0);
    machine.quickstart(&["down"]).await.expect(0);
    assert!(machine.kind.state.clusters().is_empty());
}

/// Killed while the bundle is unpacked or images are loaded: nothing half-written is believed afterwards.
#[tokio::test]
async fn killed_before_the_cluster() {
    let machine = Machine::new().await;
    for _ in 0..3 {
        let run = machine.start(&[]);
        eventually("the engine is asked", || !machine.engine.state().log.is_empty()).await;
        signal(&run, Signal::KILL);
        machine.finish(run, &["up"]).await;
        machine.engine.state().log.clear();
    }
    machine.up(&[]).await.expect(0);
}

/// Ctrl-C while the engine says nothing took 15 s: the stage that waited for an answer was only given up when the run's patience ended.
#[tokio::test]
async fn ctrl_c_while_the_engine_says_nothing() {
    for place in ["/info", "/containers/json"] {
        let machine = Machine::new().await;
        machine.engine.fault(Fault::on(place, u32::MAX, FaultKind::Hang));
        let run = machine.start(&[]);
        eventually("the engine is asked", || machine.engine.state().log.iter().any(|one| one.path.contains(place))).await;
        let asked = Instant::now();
        signal(&run, Signal::INT);
        refused(machine.finish(run, &["up"]).await, 130, "INTERRUPTED");
        assert!(asked.elapsed().as_secs_f64() < 8.0, "{place}: {:?}", asked.elapsed());
    }
}

/// Ctrl-C while waiting for the lock ended with exit 3 and "wait for it to end": it is an interruption like any other.
#[tokio::test]
async fn ctrl_c_while_waiting_for_the_lock() {
    let machine = Machine::new().await;
    machine.kind.hang_create();
    let first = machine.start(&[]);
    eventually("kind creates", || machine.kind.calls().iter().any(|call| call.starts_with("create"))).await;
    let mut second = machine.start(&[]);
    let mut said = tokio::io::BufReader::new(second.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting") {
        line.clear();
        assert!(tokio::io::AsyncBufReadExt::read_line(&mut said, &mut line).await.unwrap() > 0, "it says that it waits");
    }
    signal(&second, Signal::INT);
    machine.finish(second, &["up"]).await.expect(130);
    let mut rest = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut said, &mut rest).await.unwrap();
    assert!(rest.contains("error[INTERRUPTED]") && rest.contains("hint: "), "{rest}");
    signal(&first, Signal::INT);
    machine.finish(first, &["up"]).await.expect(130);
}

/// After kill -9 kind goes on by itself: the next run saw no node, and then failed because a cluster of that name was there.
#[tokio::test]
async fn killed_while_kind_goes_on_alone() {
    let machine = Machine::new().await;
    let creates = || machine.kind.calls().iter().filter(|call| call.starts_with("create")).count();
    machine.kind.hold_create();
    let run = machine.start(&[]);
    eventually("kind creates", || creates() == 1).await;
    signal(&run, Signal::KILL);
    machine.finish(run, &["up"]).await;
    let again = machine.start(&[]);
    eventually("the next kind creates too", || creates() == 2).await;
    machine.kind.state.add("quickstart", "kindest/node:v1.34.3");
    machine.kind.release();
    let output = machine.finish(again, &["up"]).await.expect(0);
    assert!(output.stderr.contains("starting over") && output.stdout.contains("[1, 1]"), "{}", output.text());
    assert_eq!(machine.kind.state.clusters().len(), 1);
}

/// Ctrl-C was not heard by `down`: with an engine that says nothing it sat there for half a minute.
#[tokio::test]
async fn ctrl_c_while_down_waits_for_the_engine() {
    let machine = Machine::up_and_running().await;
    machine.engine.state().log.clear();
    machine.engine.fault(Fault::on("/containers/", u32::MAX, FaultKind::Hang));
    let run = machine.spawn(&["down"]);
    eventually("the engine is asked", || machine.engine.state().log.iter().any(|one| one.path.contains("/containers/"))).await;
    let asked = Instant::now();
    signal(&run, Signal::INT);
    refused(machine.finish(run, &["down"]).await, 130, "INTERRUPTED");
    assert!(asked.elapsed().as_secs_f64() < 8.0, "{:?}", asked.elapsed());
    machine.engine.state().faults.clear();
    machine.quickstart(&["down"]).await.expect(0);
    assert!(machine.kind.state.clusters().is_empty());
}
