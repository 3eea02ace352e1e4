//! Answers on the wire: HTTP of the gateway, of the API server and of the engine, whose streams have frames.
//!
//! The first byte chooses who is asked; the rest is what the server says.
#![no_main]

use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use quickstart::cluster::Cluster;
use quickstart::docker::{Endpoint, Engine};
use quickstart::gateway;
use quickstart_fuzz::{Server, runtime};
use serde_json::json;

struct World {
    server: Server,
    cluster: Cluster,
    engine: Engine,
}

fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// What an engine says before anything is asked of it.
fn polite(head: &str) -> Vec<u8> {
    let path = head.split(' ').nth(1).unwrap_or_default();
    match path {
        _ if path.ends_with("/exec") => ok("{\"Id\":\"e\"}"),
        _ if path.ends_with("/json") => ok("{\"ExitCode\":0,\"Running\":false}"),
        _ => ok("{\"ApiVersion\":\"1.47\",\"Version\":\"28\",\"Arch\":\"amd64\"}"),
    }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let server = Server::start();
        server.answers(polite);
        let address = format!("127.0.0.1:{}", server.port);
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{address}")}}], "users": [{"name": "u", "user": {}}],
        });
        let texts = [("fuzz".to_owned(), config.to_string())];
        let cluster = runtime().block_on(Cluster::from_texts(&texts, None)).expect("a cluster");
        let endpoint = Endpoint { host: format!("tcp://{address}"), source: "fuzz".into(), tls: None };
        let engine = runtime().block_on(Engine::connect(&endpoint)).expect("an engine");
        World { server, cluster, engine }
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((who, answer)) = data.split_first() else { return };
    let World { server, cluster, engine } = world();
    let answer = answer.to_vec();
    let streams = ["/start", "/images/load"];
    server.answers(move |head| {
        let path = head.split(['?', ' ']).nth(1).unwrap_or_default();
        if path.contains("/exec") && !streams.iter().any(|stream| path.ends_with(stream)) { polite(head) } else { answer.clone() }
    });
    runtime().block_on(async {
        match who % 8 {
            0 => drop(gateway::post(server.port, "h", "/p", &json!({})).await),
            1 => drop(gateway::answers(server.port).await),
            2 => drop(cluster.list("/api/v1/pods", "a=b").await),
            3 => drop(cluster.apply("/api/v1/pods/a", b"{}".to_vec()).await),
            4 => drop(cluster.version().await),
            5 => drop(engine.exec("c", &["x"], Duration::from_secs(2)).await),
            6 => drop(engine.load(&b"tar"[..], &|_| {}).await),
            _ => drop(engine.facts().await),
        }
    });
});
