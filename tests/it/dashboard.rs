//! `status --web`: the page of a cluster on 127.0.0.1, for this machine's own browser and nobody else.

use std::process::Stdio;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use crate::{
    small::{Machine, refused, signal},
    support::{sandbox::free_port, workloads::Trouble},
};

/// A page that is served, and ended when the test ends.
struct Page {
    child: Child,
    url: String,
}

impl Page {
    async fn open(machine: &Machine) -> Self {
        let port = free_port().to_string();
        let mut child = machine.command(&["status", "--web", "--port", &port]).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await.unwrap().unwrap().unwrap();
        assert_eq!(url, format!("http://127.0.0.1:{port}/"), "the address is the whole of standard output");
        Self { child, url }
    }

    async fn ask(&self, path: &str, host: Option<&str>) -> Response {
        let mut request = Client::builder().no_proxy().build().unwrap().get(format!("{}{path}", self.url));
        if let Some(host) = host {
            request = request.header("host", host);
        }
        request.send().await.unwrap()
    }

    async fn html(&self) -> String {
        let answer = self.ask("", None).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.unwrap()
    }

    async fn json(&self) -> Value {
        serde_json::from_str(&self.ask("status.json", None).await.text().await.unwrap()).unwrap()
    }
}

fn sample(name: &str, value: &str) -> Value {
    json!({"metric": {"namespace": "kserve-test", "inferenceservice": name, "alertname": "ModelSlow"}, "value": [1, value]})
}

/// Models with what Prometheus counts, components, and the same as JSON.
#[tokio::test]
async fn it_shows_models_figures_and_components() {
    let machine = Machine::new().await;
    machine.up(&["--with", "prometheus", "--no-prefetch"]).await.expect(0);
    machine.model("default", "mine", &json!({})).await;
    for (query, value) in [("kserve:errors", "0.125"), ("kserve:latency", "0.042"), ("kserve:requests", "3.5"), ("ALERTS", "1")] {
        machine.server.world().samples.insert(query.to_owned(), json!([sample("sklearn-iris", value)]));
    }
    let page = Page::open(&machine).await;
    let html = page.html().await;
    for part in [
        "kserve-test/sklearn-iris",
        "default/mine",
        "sklearn-iris.kserve-test.example.com",
        "3.5 a second",
        "42 ms",
        "12.5 %",
        "Prometheus",
        "alert ModelSlow: kserve-test/sklearn-iris",
        "(add-on)",
        "an alert fires, ",
        "2 of 2 models ready",
    ] {
        assert!(html.contains(part) || html.replace("</span>", "").contains(part), "{part}:\n{html}");
    }
    assert!(
        !html.contains("http://") || html.matches("http://").count() == html.matches("http://127.0.0.1").count(),
        "nothing of the page is elsewhere"
    );
    let all = page.json().await;
    assert_eq!(all["status"]["ready"], true);
    let iris = all["serving"]["models"].as_array().unwrap().iter().find(|model| model["name"] == "sklearn-iris").unwrap();
    assert_eq!((&iris["requests"], &iris["errors"]), (&json!(3.5), &json!(0.125)));
    assert!(machine.server.writes().is_empty(), "looking changes nothing");
}

/// A model that fails is named with its reason; without the add-on the page says how to get figures.
#[tokio::test]
async fn it_says_what_is_wrong_and_what_is_missing() {
    let machine = Machine::up_and_running().await;
    machine.server.trouble("istio-system/istiod", Trouble::crash_loop("OOMKilled", 137));
    let page = Page::open(&machine).await;
    let html = page.html().await;
    assert!(html.contains("not as it should be") && html.contains("out of memory"), "{html}");
    assert!(html.contains("up --with prometheus") && !html.contains("<th scope=\"col\">p95</th>"), "{html}");
    fs_err::remove_dir_all(machine.state_folder()).unwrap();
    // A look is kept for two seconds.
    let gone = async {
        while !page.html().await.contains("there is no cluster") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
    assert_eq!(page.ask("status.json", None).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// Another page whose name was made to lead here is turned away, and nobody can change anything.
#[tokio::test]
async fn it_answers_to_this_machines_names_only() {
    let machine = Machine::up_and_running().await;
    let mut page = Page::open(&machine).await;
    let port = page.url.rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1"] {
        let answer = page.ask("", Some(host)).await;
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert!(!answer.text().await.unwrap().contains("sklearn-iris"));
    }
    let answer = page.ask("", Some(&format!("localhost:{port}"))).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert!(
        header("content-security-policy").contains("default-src 'none'")
            && header("content-security-policy").contains("frame-ancestors 'none'")
    );
    assert_eq!((header("cache-control").as_str(), header("x-content-type-options").as_str()), ("no-store", "nosniff"));
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    let client = Client::builder().no_proxy().build().unwrap();
    let written = client.post(&page.url).body("x").send().await.unwrap();
    assert_eq!((written.status(), written.headers()["allow"].to_str().unwrap()), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
    assert_eq!(client.head(&page.url).send().await.unwrap().text().await.unwrap(), "");
    for asset in ["page.js", "page.css"] {
        assert_eq!(page.ask(asset, None).await.status(), StatusCode::OK);
    }
    assert_eq!(page.ask("../etc/passwd", None).await.status(), StatusCode::NOT_FOUND);
    signal(&page.child, Signal::INT);
    let ended = tokio::time::timeout(Duration::from_secs(5), page.child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0), "Ctrl-C is how it ends");
}

/// Without a cluster there is nothing to show, and a port that is taken is said to be.
#[tokio::test]
async fn it_needs_a_cluster_and_a_port() {
    let machine = Machine::new().await;
    refused(machine.quickstart(&["status", "--web"]).await, 6, "NOT_RUNNING");
    refused(machine.quickstart(&["status", "--port", "7000"]).await, 2, "USAGE");
    machine.up(&[]).await.expect(0);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refused(machine.quickstart(&["status", "--web", "--port", &port]).await, 3, "PORT_BUSY");
}
