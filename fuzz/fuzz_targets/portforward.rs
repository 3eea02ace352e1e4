//! What comes back over a port-forward: the frames of the websocket behind the handshake.
#![no_main]

use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use quickstart::cluster::Cluster;
use quickstart_fuzz::{Server, runtime};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tungstenite::handshake::derive_accept_key;

const LIMIT: u64 = 1024 * 1024;

fn world() -> &'static (Server, Cluster) {
    static WORLD: OnceLock<(Server, Cluster)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let server = Server::start();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": format!("http://127.0.0.1:{}", server.port)}}], "users": [{"name": "u", "user": {}}],
        });
        let cluster = runtime().block_on(Cluster::from_texts(&[("fuzz".to_owned(), config.to_string())], None)).expect("a cluster");
        (server, cluster)
    })
}

fn shake(head: &str) -> Vec<u8> {
    let of = |name: &str| head.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name)));
    let key = of("sec-websocket-key").map_or("", |(_, key)| key.trim());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {}\r\n\
         sec-websocket-protocol: v4.channel.k8s.io\r\n\r\n",
        derive_accept_key(key.as_bytes())
    )
    .into_bytes()
}

fuzz_target!(|frames: &[u8]| {
    let (server, cluster) = world();
    let frames = frames.to_vec();
    server.answers(move |head| [&shake(head)[..], &frames[..]].concat());
    runtime().block_on(async {
        let mut forwarder = cluster.port_forward("n", "p", 80).await.expect("the handshake is right");
        let mut stream = forwarder.take_stream(80).expect("the port that was asked for");
        drop(stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await);
        let mut said = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(10), (&mut stream).take(LIMIT).read_to_end(&mut said)).await;
        assert!(read.is_ok(), "the server has gone, and the stream does not end");
        drop(stream);
        let ended = tokio::time::timeout(Duration::from_secs(10), forwarder.join()).await;
        assert!(ended.is_ok(), "the server has gone, and the session does not end");
    });
});
