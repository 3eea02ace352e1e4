//! `up` on a machine that has nothing: what it prints, what it tells programs, what it leaves.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    small::{Machine, of},
    support::sandbox::{Output, eventually},
};

/// From nothing to the prediction; stdout's one block holds the answer, the address, the curl line and the times.
#[tokio::test]
async fn from_nothing_to_a_prediction() {
    let machine = Machine::new().await;
    let output = machine.up(&[]).await.expect(0);
    let url = format!("http://127.0.0.1:{}", machine.port);
    for part in ["[1, 1]", &url, "curl ", "sklearn-iris.kserve-test.example.com", "quickstart status", "quickstart down"] {
        assert!(output.stdout.contains(part), "{part} is missing:\n{}", output.text());
    }
    let stages = [
        "engine-check",
        "fetch",
        "cluster",
        "crds",
        "cert-manager",
        "istio",
        "knative",
        "net-istio",
        "kserve",
        "runtimes",
        "demo",
        "predict",
    ];
    for stage in stages {
        assert!(output.stdout.lines().any(|line| line.trim_start().starts_with(stage)), "no time of {stage}:\n{}", output.text());
    }
    machine.snapshots().bind(|| insta::assert_snapshot!("closing_block", closing(&output)));
    machine.snapshots().bind(|| insta::assert_snapshot!("progress", progress(&output)));
    machine.knows_everything();
    let config = machine.kind.config("quickstart");
    assert!(config.contains("127.0.0.1") && config.contains("31080"), "the ingress listens on localhost only: {config}");
    let loaded = machine.engine.node_images();
    for (_, reference) in crate::support::manifests::images() {
        let whole = if reference.starts_with("kserve/") { format!("docker.io/{reference}") } else { reference };
        assert!(loaded.contains(&whole), "{whole} is not in the node: {loaded:?}");
    }
}

/// stages of the closing block in one order: which of two side by side ends first is chance.
fn closing(output: &Output) -> String {
    let (mut times, mut rest): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for line in output.stdout.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [stage, time] if time.starts_with(|first: char| first.is_ascii_digit()) && time.ends_with('s') => times.push(stage),
            _ => rest.push(line),
        }
    }
    times.sort_unstable();
    format!("{}\n(times of: {})\n", rest.join("\n").replace("\n\n\n", "\n\n"), times.join(", "))
}

/// The lines of talk without their times, sorted: which of two side by side comes first is chance, and so is what was waited for.
fn progress(output: &Output) -> String {
    let told = output.stderr.lines().map(|line| line.split_once("] ").map_or(line, |(_, told)| told));
    let mut lines: Vec<&str> = told.filter(|line| !line.starts_with(['…', '↻', '↓'])).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// A line of curl that is printed is one that works: its words, taken apart as a shell does, are the request that was answered.
#[tokio::test]
async fn the_curl_line_is_the_request_that_was_answered() {
    let machine = Machine::up_and_running().await;
    let asked = machine.gateway.requests();
    assert!(asked.contains(&("sklearn-iris.kserve-test.example.com".into(), "/v1/models/sklearn-iris:predict".into(), 200)), "{asked:?}");
    let again = machine.up(&[]).await.expect(0);
    let curl = again.stdout.lines().find(|line| line.trim_start().starts_with("curl ")).unwrap().trim();
    assert!(curl.contains("-H 'Host: sklearn-iris.kserve-test.example.com'") || curl.contains("-H Host:"), "{curl}");
    assert!(curl.contains(&format!("http://127.0.0.1:{}/v1/models/sklearn-iris:predict", machine.port)), "{curl}");
    assert!(curl.contains("instances"), "{curl}");
}

/// What each stage needs, as `plan -o json` says it.
pub(crate) fn needs(plan: &Value) -> BTreeMap<String, Vec<String>> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let stages = plan["stages"].as_array().unwrap().iter();
    stages.map(|stage| (text(&stage["id"]), stage["needs"].as_array().unwrap().iter().map(text).collect())).collect()
}

/// The stream can be trusted by a program: first the start, last the end, and every stage once and after what it needs.
#[tokio::test]
async fn events_come_in_a_legal_order() {
    let machine = Machine::new().await;
    let plan = machine.quickstart(&["plan", "--bundle", &machine.bundle, "-o", "json"]).await.expect(0).json();
    let output = machine.up(&["-o", "json"]).await.expect(0);
    let events = output.events();
    assert_eq!(events[0]["event"], "run_started");
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["exit"]), (&json!("run_finished"), &json!(0)));
    assert_eq!(last["outcome"]["prediction"], json!({"predictions": [1, 1]}));
    assert_eq!((of(&events, "run_started").len(), of(&events, "run_finished").len()), (1, 1));
    let needs = needs(&plan);
    let mut started = Vec::new();
    let mut ended = Vec::new();
    for event in &events {
        let stage = event["stage"].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str().unwrap() {
            "stage_started" => {
                assert!(!started.contains(&stage), "{stage} started twice");
                let missing: Vec<_> = needs[&stage].iter().filter(|need| !ended.contains(*need)).collect();
                assert!(missing.is_empty(), "{stage} started before {missing:?}");
                started.push(stage);
            }
            "stage_finished" | "stage_skipped" => {
                assert!(started.contains(&stage) && !ended.contains(&stage), "{stage} ended out of turn");
                ended.push(stage);
            }
            "object_applied" | "check_passed" | "check_pending" => {
                assert!(started.contains(&stage) && !ended.contains(&stage), "{stage} is not at work: {event}");
            }
            "stage_failed" | "stage_cancelled" => panic!("{event}"),
            _ => {}
        }
    }
    assert_eq!(ended.len(), needs.len());
    let times: Vec<u64> = events.iter().map(|event| event["elapsed_ms"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "time runs backwards");
    assert!(output.stderr.is_empty(), "with -o json there is no talk:\n{}", output.stderr);
}

/// All of it is also in a file, for whoever is asked for help later.
#[tokio::test]
async fn what_it_remembers_is_private_and_versioned() {
    use std::os::unix::fs::PermissionsExt as _;
    let machine = Machine::up_and_running().await;
    let folder = machine.state_folder();
    let state = machine.state();
    assert_eq!((&state["version"], &state["created"], &state["creating"]), (&json!(1), &json!(true), &json!(false)));
    assert_eq!(state["port"], machine.port);
    let kubeconfig = fs_err::metadata(folder.join("kubeconfig")).unwrap();
    assert_eq!(kubeconfig.permissions().mode() & 0o777, 0o600, "a kubeconfig is a key");
    let log = fs_err::read_to_string(folder.join("events.jsonl")).unwrap();
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "run_finished");
}

/// A second `up` beside the first one waits, says for whom, and finds everything done.
#[tokio::test]
async fn two_at_once_the_second_waits_for_the_first() {
    let machine = Machine::new().await;
    machine.kind.hang_create();
    let first = machine.start(&[]);
    eventually("the first run creates the cluster", || machine.kind.calls().iter().any(|call| call.starts_with("create cluster"))).await;
    let mut second = machine.start(&[]);
    let mut said = String::new();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(second.stderr.take().unwrap()));
    while !said.contains("waiting") {
        said = lines.next_line().await.unwrap().expect("the second run says that it waits");
    }
    assert!(said.contains("up") && said.contains("at work"), "{said}");
    let talk = tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
    // The first one is killed as by a power cut: its lock ends with it, and the second takes over.
    crate::small::signal(&first, rustix::process::Signal::KILL);
    machine.finish(first, &["up"]).await;
    machine.kind.heal();
    let second = machine.finish(second, &["up"]).await.expect(0);
    talk.await.unwrap();
    assert!(second.stdout.contains("[1, 1]"), "{}", second.text());
}

/// Started in the same instant, both end well, and there is one cluster.
#[tokio::test]
async fn two_at_once_make_one_cluster() {
    let machine = Machine::new().await;
    let (one, two) = (machine.start(&[]), machine.start(&[]));
    let (one, two) = tokio::join!(machine.finish(one, &["up"]), machine.finish(two, &["up"]));
    for output in [one, two] {
        assert!(output.expect(0).stdout.contains("[1, 1]"));
    }
    assert_eq!(machine.kind.calls().iter().filter(|call| call.starts_with("create")).count(), 1);
}

/// `--without-demo` leaves a cluster without a model, and claims no prediction.
#[tokio::test]
async fn without_the_demo_no_prediction_is_claimed() {
    let machine = Machine::new().await;
    let output = machine.up(&["--without-demo"]).await.expect(0);
    assert!(!output.stdout.contains("curl") && !output.stdout.contains("prediction"), "{}", output.text());
    assert!(machine.server.objects().iter().all(|object| !object.starts_with("inferenceservices")));
}

/// KServe without Knative: nothing of serverless is installed, and the same model answers.
#[tokio::test]
async fn the_raw_profile_needs_no_knative() {
    let machine = Machine::new().await;
    let plan = machine.quickstart(&["plan", "--bundle", &machine.bundle, "--profile", "raw", "-o", "json"]).await.expect(0).json();
    assert!(!needs(&plan).contains_key("knative") && !needs(&plan).contains_key("net-istio"), "{plan}");
}

/// `--keep-context` adds the context and leaves the current one alone.
#[tokio::test]
async fn the_current_context_is_switched_unless_it_is_kept() {
    let current = |path: &std::path::Path| kube::config::Kubeconfig::read_from(path).unwrap().current_context;
    let machine = Machine::new().await;
    let theirs = machine.users_kubeconfig();
    machine.up(&["--keep-context"]).await.expect(0);
    assert_eq!(current(&theirs).as_deref(), Some("mine"));
    let machine = Machine::new().await;
    let theirs = machine.users_kubeconfig();
    machine.up(&[]).await.expect(0);
    assert_eq!(current(&theirs).as_deref(), Some("kind-quickstart"));
}

/// A kubeconfig that nobody may write must not cost a cluster that works: the run succeeds and says what to use instead.
#[tokio::test]
async fn a_kubeconfig_that_cannot_be_written_is_told_and_not_fatal() {
    let machine = Machine::new().await;
    // A folder in its place refuses writers, root included.
    fs_err::create_dir_all(machine.home().join(".kube/config")).unwrap();
    let output = machine.up(&[]).await.expect(0);
    let private = machine.state_folder().join("kubeconfig").display().to_string();
    assert!(output.stderr.contains("was not changed") && output.stderr.contains(&private), "{}", output.text());
    assert!(output.stdout.contains("[1, 1]"), "{}", output.text());
}
