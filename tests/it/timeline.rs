//! `timeline`: what a run leaves as a picture.

use serde_json::Value;

use crate::small::{Machine, refused};

/// After `up` there is a page, and the same as text, JSON and a trace; `stop` has no stages and changes nothing of it.
#[tokio::test]
async fn the_last_run_as_a_picture() {
    let machine = Machine::up_and_running().await;
    let told: Value = serde_json::from_str(&machine.quickstart(&["timeline", "-o", "json"]).await.expect(0).stdout).unwrap();
    assert_eq!((&told["version"], &told["verb"], &told["exit"]), (&1.into(), &"up".into(), &0.into()), "{told:#}");
    let path: Vec<&str> = told["critical"].as_array().unwrap().iter().map(|link| link["stage"].as_str().unwrap()).collect();
    assert_eq!((path.first(), path.last()), (Some(&"engine-check"), Some(&"predict")), "{path:?}");
    let (mut end, mut sum) = (0, 0);
    for link in told["critical"].as_array().unwrap() {
        assert!(link["from_ms"].as_u64().unwrap() >= end, "each starts when the one before it ended: {told:#}");
        end = link["to_ms"].as_u64().unwrap();
        sum += end - link["from_ms"].as_u64().unwrap();
    }
    let took = told["took_ms"].as_u64().unwrap();
    assert!(sum <= took && sum * 2 > took, "the path is most of the run: {sum} of {took} ms");

    let page = fs_err::read_to_string(machine.state_folder().join("timeline.html")).unwrap();
    for part in ["<!doctype html>", "<svg", "critical path", "cert-manager", "</html>"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script") && !page.contains("http"), "nothing outside of the file is needed");
    let text = machine.quickstart(&["timeline"]).await.expect(0).stdout;
    assert!(text.lines().all(|line| line.chars().count() <= 80) && text.contains("critical path (#)"), "{text}");
    let trace: Value = serde_json::from_str(&machine.quickstart(&["timeline", "-o", "trace"]).await.expect(0).stdout).unwrap();
    let spans = trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["cat"] == "stage").count();
    assert_eq!(spans, told["stages"].as_array().unwrap().iter().filter(|stage| !stage["began_ms"].is_null()).count());

    machine.quickstart(&["stop"]).await.expect(0);
    let again: Value = serde_json::from_str(&machine.quickstart(&["timeline", "-o", "json"]).await.expect(0).stdout).unwrap();
    assert_eq!((&again["verb"], &again["took_ms"]), (&"up".into(), &took.into()));
}

#[tokio::test]
async fn without_a_run_there_is_nothing_to_show() {
    let machine = Machine::new().await;
    refused(machine.quickstart(&["timeline"]).await, 6, "NOT_RUNNING");
}
