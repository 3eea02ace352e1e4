//! `forward run`: a tunnel by the API server's port-forward.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use crate::small::{Machine, refused, signal};

/// One request over raw TCP, as curl sends it.
async fn ask(port: u16) -> String {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let body = r#"{"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}"#;
    let request = format!(
        "POST /v1/models/sklearn-iris:predict HTTP/1.1\r\nHost: sklearn-iris.kserve-test.example.com\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let mut buffer = [0; 4096];
    while !answer.ends_with('}') {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the tunnel was closed after: {answer}");
        answer.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    answer
}

/// The printed address answers, several times and side by side; Ctrl-C ends it with 0.
#[tokio::test]
async fn the_tunnel_answers_until_it_is_ended() {
    let machine = Machine::up_and_running().await;
    let mut child = machine.spawn(&["forward", "run"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    let port: u16 = first.strip_prefix("http://127.0.0.1:").unwrap().split(' ').next().unwrap().parse().unwrap();
    let curl = lines.next_line().await.unwrap().unwrap();
    assert!(curl.starts_with("curl ") && curl.contains(&format!("127.0.0.1:{port}")), "{curl}");
    for answer in futures_util::future::join_all((0..4).map(|_| ask(port))).await {
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(r#"{"predictions":[1,1]}"#), "{answer}");
    }
    signal(&child, rustix::process::Signal::INT);
    machine.finish(child, &["forward", "run"]).await.expect(0);
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err(), "the port is closed");
}

/// A port that is taken, a service that is not there, a cluster that is not there: each its own ID.
#[tokio::test]
async fn what_cannot_be_forwarded() {
    let machine = Machine::up_and_running().await;
    let port = machine.port.to_string();
    let taken = machine.quickstart(&["forward", "run", "--port", &port]).await.expect(3);
    assert!(taken.stderr.contains("error[PORT_BUSY]"), "{}", taken.text());
    let missing = machine.quickstart(&["forward", "run", "--service", "default/nobody:80"]).await;
    assert!(missing.code != Some(0) && missing.stderr.contains("nobody"), "{}", missing.text());
    let machine = Machine::new().await;
    refused(machine.quickstart(&["forward", "run"]).await, 6, "NOT_RUNNING");
}
