//! `forward run|start|stop|status`: a tunnel by the API server's port-forward.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::small::{Machine, refused, signal};
use crate::support::faults::{Fault, FaultKind};
use crate::support::sandbox::{eventually, free_port};

/// One request over raw TCP, as curl sends it.
async fn ask(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
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

/// A service whose pod says its name, then everything back in capitals, and `bye` after the client has closed its side.
async fn echo(machine: &Machine, pod: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, name) = (listener.local_addr().unwrap(), pod.to_owned());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let name = name.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 8192];
                stream.write_all(format!("{name}\n").as_bytes()).await.ok();
                while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                    buffer[..count].make_ascii_uppercase();
                    if stream.write_all(&buffer[..count]).await.is_err() {
                        return;
                    }
                }
                stream.write_all(b"bye").await.ok();
            });
        }
    });
    machine.server.forward_pod_to(pod, address);
    ready_pod(machine, pod);
    machine.server.world().put(
        "",
        "services",
        "default",
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "echo", "namespace": "default"},
               "spec": {"selector": {"app": "echo"}, "ports": [{"port": 7, "targetPort": 7007}]}}),
        "test",
    );
    address
}

fn ready_pod(machine: &Machine, pod: &str) {
    machine.server.world().put(
        "",
        "pods",
        "default",
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": "default", "labels": {"app": "echo"}},
               "spec": {"containers": [{"name": "echo"}]},
               "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}),
        "test",
    );
}

const ECHO: &[&str] = &["forward", "start", "--service", "default/echo:7"];

/// Starts a tunnel on a port that no other test is given, and gives the port. Without `--port` every tunnel looks from 8080 upwards,
/// and a tunnel of a test beside this one took the port that had just been closed: "the port is closed" and "again on its port" both
/// failed for nothing.
async fn opened(machine: &Machine, arguments: &[&str]) -> u16 {
    let port = free_port();
    assert_eq!(started(machine, &[arguments, &["--port", &port.to_string()]].concat()).await, port);
    port
}

/// Starts a tunnel and gives its port.
async fn started(machine: &Machine, arguments: &[&str]) -> u16 {
    let output = machine.quickstart(arguments).await.expect(0);
    let address = output.stdout.lines().next().unwrap().strip_prefix("http://127.0.0.1:").unwrap();
    address.split(' ').next().unwrap().parse().unwrap()
}

async fn tunnels(machine: &Machine) -> Vec<Value> {
    let output = machine.quickstart(&["forward", "status", "-o", "json"]).await;
    output.json()["tunnels"].as_array().unwrap().clone()
}

async fn hello(port: u16) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut name = vec![];
    while !name.ends_with(b"\n") {
        name.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(name).unwrap().trim().to_owned())
}

/// Says something and gives what comes back.
async fn said(stream: &mut TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn kill(pid: &Value, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid.as_i64().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
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
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err(), "the port is closed");
}

/// A port that is taken, a service that is not there, a cluster that is not there: each its own ID, in front and in the background.
#[tokio::test]
async fn what_cannot_be_forwarded() {
    let machine = Machine::up_and_running().await;
    let port = machine.port.to_string();
    for how in ["run", "start"] {
        let taken = machine.quickstart(&["forward", how, "--port", &port]).await.expect(3);
        assert!(taken.stderr.contains("error[PORT_BUSY]"), "{}", taken.text());
        let missing = machine.quickstart(&["forward", how, "--service", "default/nobody:80"]).await;
        assert!(missing.code != Some(0) && missing.stderr.contains("nobody"), "{}", missing.text());
    }
    assert!(tunnels(&machine).await.is_empty(), "what did not start is not remembered");
    let machine = Machine::new().await;
    for how in ["run", "start", "stop", "status"] {
        refused(machine.quickstart(&["forward", how]).await, 6, "NOT_RUNNING");
    }
}

/// In the background: it outlives its starter, starts once, counts, and leaves nothing when it is ended.
#[tokio::test]
async fn a_tunnel_in_the_background() {
    let machine = Machine::up_and_running().await;
    let port = opened(&machine, &["forward", "start"]).await;
    assert_eq!(started(&machine, &["forward", "start"]).await, port, "the second start finds the first");
    let other = free_port().to_string();
    let fixed = machine.quickstart(&["forward", "start", "--port", &other]).await;
    refused(fixed, 3, "PORT_FIXED");
    for _ in 0..3 {
        assert!(ask(port).await.starts_with("HTTP/1.1 200"));
    }
    let mut all = tunnels(&machine).await;
    for _ in 0..100 {
        if all[0]["counters"]["connections"] == 3 && all[0]["counters"]["active"] == 0 && all[0]["health"]["ok"] == true {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        all = tunnels(&machine).await;
    }
    assert_eq!((&all[0]["state"], &all[0]["service"]), (&json!("running"), &json!("istio-system/istio-ingressgateway:80")));
    assert_eq!((&all[0]["counters"]["connections"], &all[0]["counters"]["failed"]), (&json!(3), &json!(0)), "{all:?}");
    assert!(all[0]["counters"]["bytes_down"].as_u64().unwrap() > 60 && all[0]["health"]["ok"] == true, "{all:?}");
    let status = machine.quickstart(&["status", "-o", "json"]).await.expect(0).json();
    assert_eq!((&status["ingress"], &status["tunnels"][0]["port"]), (&json!("mapped"), &json!(port)));
    let stopped = machine.quickstart(&["forward", "stop"]).await.expect(0);
    assert!(stopped.stdout.contains(&format!("127.0.0.1:{port}")), "{}", stopped.text());
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err(), "the port is closed");
    let left: Vec<_> = fs_err::read_dir(machine.state_folder()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| name == "forward.log" || !name.to_string_lossy().starts_with("forward")), "{left:?}");
    machine.quickstart(&["forward", "stop"]).await.expect(0);
}

/// Two services side by side; one is ended without the other.
#[tokio::test]
async fn two_services() {
    let machine = Machine::up_and_running().await;
    echo(&machine, "echo-1").await;
    let (gateway, echo) = (opened(&machine, &["forward", "start"]).await, opened(&machine, ECHO).await);
    assert_ne!(gateway, echo);
    assert_eq!(hello(echo).await.1, "echo-1");
    assert_eq!(tunnels(&machine).await.len(), 2);
    machine.quickstart(&["forward", "stop", "--service", "default/echo:7"]).await.expect(0);
    assert!(TcpStream::connect(("127.0.0.1", echo)).await.is_err());
    assert!(ask(gateway).await.starts_with("HTTP/1.1 200"));
    machine.quickstart(&["down"]).await.expect(0);
    assert!(TcpStream::connect(("127.0.0.1", gateway)).await.is_err(), "`down` ends it");
}

/// A tunnel that was killed is seen, and started again on its port; its lock is no longer held by anybody.
#[tokio::test]
async fn a_killed_tunnel_is_seen() {
    let machine = Machine::up_and_running().await;
    let port = opened(&machine, &["forward", "start"]).await;
    let pid = tunnels(&machine).await[0]["pid"].clone();
    kill(&pid, rustix::process::Signal::KILL);
    eventually("the port is closed", || std::net::TcpStream::connect(("127.0.0.1", port)).is_err()).await;
    // A process that ends gives up its port before its lock.
    for _ in 0..100 {
        if tunnels(&machine).await[0]["state"] != "running" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let status = machine.quickstart(&["status", "-o", "json"]).await.expect(7).json();
    assert!(status["problems"].to_string().contains("forward start"), "{}", status["problems"]);
    assert_eq!(status["tunnels"][0]["state"], "crashed");
    machine.quickstart(&["forward", "status"]).await.expect(7);
    assert_eq!(started(&machine, &["forward", "start"]).await, port);
    machine.quickstart(&["status"]).await.expect(0);
    machine.quickstart(&["forward", "stop"]).await.expect(0);
}

/// A record that names somebody else's process: that process is not ended.
#[tokio::test]
async fn a_foreign_process_is_left_alone() {
    let machine = Machine::up_and_running().await;
    opened(&machine, &["forward", "start"]).await;
    kill(&tunnels(&machine).await[0]["pid"], rustix::process::Signal::KILL);
    let mut bystander = tokio::process::Command::new("sleep").arg("600").kill_on_drop(true).spawn().unwrap();
    let path = machine.state_folder().join("forward.json");
    let mut record: Value = serde_json::from_str(&fs_err::read_to_string(&path).unwrap()).unwrap();
    record["pid"] = json!(bystander.id().unwrap());
    fs_err::write(&path, record.to_string()).unwrap();
    fs_err::write(machine.state_folder().join("forward.lock"), format!("`quickstart forward run`, process {}\n", bystander.id().unwrap()))
        .unwrap();
    machine.quickstart(&["forward", "stop"]).await.expect(0);
    assert!(bystander.try_wait().unwrap().is_none());
    assert!(!path.exists());
    record["version"] = json!(2);
    fs_err::write(&path, record.to_string()).unwrap();
    refused(machine.quickstart(&["forward", "start"]).await, 3, "STATE_NEWER");
    bystander.kill().await.unwrap();
}

/// What the service says after the client has closed its side arrives, however much it is and however late it comes.
#[tokio::test]
async fn half_close_loses_nothing() {
    for websockets in [false, true] {
        let machine = Machine::up_and_running().await;
        if websockets {
            machine.server.speak_websockets_only();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        echo(&machine, "echo-1").await;
        machine.server.forward_pod_to("echo-1", listener.local_addr().unwrap());
        let sent: Vec<u8> = (0..3_000_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
        let expected = sent.clone();
        let service = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 7];
            stream.read_exact(&mut request).await.unwrap();
            // Longer than containerd waits for the rest after a client's end.
            tokio::time::sleep(Duration::from_millis(900)).await;
            stream.write_all(&expected).await.unwrap();
            request
        });
        let port = started(&machine, ECHO).await;
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(b"request").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        assert_eq!(&service.await.unwrap(), b"request");
        assert!(got == sent, "{} of {} bytes, websockets: {websockets}", got.len(), sent.len());
        machine.quickstart(&["forward", "stop"]).await.expect(0);
    }
}

/// The pod goes and another comes: new connections get there, also while none is there; live ones of the old pod are not touched.
#[tokio::test]
async fn a_pod_is_replaced() {
    let machine = Machine::up_and_running().await;
    echo(&machine, "echo-1").await;
    let port = started(&machine, ECHO).await;
    let (mut old, name) = hello(port).await;
    assert_eq!(name, "echo-1");
    crate::second_up::delete(&machine, "/api/v1/namespaces/default/pods/echo-1").await;
    let waiting = tokio::spawn(hello(port));
    echo(&machine, "echo-2").await;
    assert_eq!(waiting.await.unwrap().1, "echo-2");
    assert_eq!(said(&mut old, "still").await, "STILL");
    let mut reconnects = 0;
    for _ in 0..100 {
        reconnects = tunnels(&machine).await[0]["counters"]["reconnects"].as_u64().unwrap();
        if reconnects > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(reconnects > 0);
    machine.quickstart(&["forward", "stop"]).await.expect(0);
}

/// The API server breaks every stream and refuses for a while: what was open is reset, what comes next is held until there is a way.
#[tokio::test]
async fn the_api_server_restarts() {
    let machine = Machine::up_and_running().await;
    echo(&machine, "echo-1").await;
    let port = started(&machine, ECHO).await;
    let (mut before, _) = hello(port).await;
    assert_eq!(said(&mut before, "abc").await, "ABC");
    machine.server.fault(Fault::on("/", 6, FaultKind::Close));
    machine.server.cut_streams();
    let broken = before.read_u8().await.unwrap_err();
    assert_eq!(broken.kind(), std::io::ErrorKind::ConnectionReset, "an ordinary end would look like a whole answer");
    let (mut after, _) = hello(port).await;
    assert_eq!(said(&mut after, "abc").await, "ABC");
    drop(after);
    machine.server.heal();
    let record = &tunnels(&machine).await[0];
    assert_eq!(record["state"], "running");
    machine.quickstart(&["forward", "stop"]).await.expect(0);
}

/// Connections are used again: a hundred clients one after another need no hundred upgrades. On the real cluster every connection that its
/// client closed was kept until the kubelet had done with it, a second later: 39 new connections a second, where kubectl had 296.
#[tokio::test]
async fn connections_to_the_api_server_are_used_again() {
    let machine = Machine::up_and_running().await;
    echo(&machine, "echo-1").await;
    let port = started(&machine, ECHO).await;
    for number in 0..100 {
        let (mut stream, _) = hello(port).await;
        assert_eq!(said(&mut stream, "word").await, "WORD", "{number}");
        if number % 2 == 0 {
            stream.shutdown().await.unwrap();
        }
    }
    let upgrades = machine.server.requests().iter().filter(|request| request.path.ends_with("/portforward")).count();
    assert!(upgrades < 20, "{upgrades} upgrades");
    machine.quickstart(&["forward", "stop"]).await.expect(0);
}

/// `up --forward tunnel`: kind maps nothing, the stage starts the tunnel, the prediction goes through it; a second `up` finds it, and
/// one after a crash starts it again.
#[tokio::test]
async fn up_through_a_tunnel() {
    let machine = Machine::new().await;
    let port = machine.port;
    machine.up(&["--forward", "tunnel"]).await.expect(0);
    assert_eq!(machine.kind.state.clusters()[0].ports().count(), 0);
    let status = machine.quickstart(&["status", "-o", "json"]).await.expect(0).json();
    assert_eq!((&status["ingress"], &status["ingress_ready"]), (&json!("tunnel"), &json!(true)));
    assert_eq!(status["url"], format!("http://127.0.0.1:{port}"));
    let pid = status["tunnels"][0]["pid"].clone();
    let table = machine.quickstart(&["status"]).await.expect(0);
    assert!(table.stdout.contains("through a tunnel"), "{}", table.text());
    machine.quickstart(&["up"]).await.expect(0);
    assert_eq!(tunnels(&machine).await[0]["pid"], pid, "it was left as it was");
    kill(&pid, rustix::process::Signal::KILL);
    machine.quickstart(&["up"]).await.expect(0);
    assert_ne!(tunnels(&machine).await[0]["pid"], pid);
    assert!(ask(port).await.starts_with("HTTP/1.1 200"));
    machine.quickstart(&["down"]).await.expect(0);
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    assert!(!machine.state_folder().exists());
}

/// The folder of a cluster is removed by hand: its tunnel ends by itself, and writes nothing where it was.
#[tokio::test]
async fn a_tunnel_without_a_cluster_ends() {
    let machine = Machine::up_and_running().await;
    let port = opened(&machine, &["forward", "start"]).await;
    fs_err::remove_dir_all(machine.state_folder()).unwrap();
    eventually("the port is closed", || std::net::TcpStream::connect(("127.0.0.1", port)).is_err()).await;
    assert!(!machine.state_folder().exists());
}
