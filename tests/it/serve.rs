//! A bundle for a room: who gets in, what is sent, how it is joined.

use std::process::Stdio;

use reqwest::header::{ETAG, RANGE};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::small::{Machine, refused};
use crate::support::faults::sha256;
use crate::support::sandbox::free_port;

const SECRET: &str = "room-1234";

/// A room that serves the machine's bundle.
struct Room {
    child: tokio::process::Child,
    url: String,
    link: String,
    secret: &'static str,
    client: Client,
}

impl Room {
    async fn open(machine: &Machine) -> Self {
        Self::of(machine, &machine.bundle).await
    }

    async fn of(machine: &Machine, bundle: &str) -> Self {
        Self::with(machine, bundle, SECRET).await
    }

    async fn with(machine: &Machine, bundle: &str, secret: &'static str) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let mut command = machine.command(&["serve", bundle, "--code", secret, "--listen", &listen]);
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let link = loop {
            let line = lines.next_line().await.unwrap().expect("serve ended");
            if let Some((_, rest)) = line.split_once("--join '") {
                break rest.split_once('\'').unwrap().0.to_owned();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, url: format!("http://{listen}"), link, secret, client: Client::builder().no_proxy().build().unwrap() }
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).basic_auth("any", Some(self.secret)).send().await.unwrap()
    }

    async fn page(&self) -> String {
        self.get("/board").await.text().await.unwrap()
    }

    async fn report(&self, body: impl Into<reqwest::Body>) -> StatusCode {
        let request = self.client.post(format!("{}/board/report", self.url)).basic_auth("", Some(self.secret));
        request.body(body).send().await.unwrap().status()
    }

    async fn end(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(20), self.child.wait()).await.expect("it ends").unwrap().code()
    }
}

/// One and the same answer, whatever is asked for and however: no name, no size, not even whether a page is there.
#[tokio::test]
async fn without_the_code_there_is_nothing_but_401() {
    let machine = Machine::new().await;
    let room = Room::open(&machine).await;
    let mut seen = Vec::new();
    for path in [
        "/",
        "/bundle",
        "/board",
        "/board.js",
        "/board?code=wrong-12",
        "/v2/",
        "/v2/_catalog",
        "/v2/x/manifests/1",
        "/v2/x/blobs/sha256:0",
        "/nothing",
    ] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::OPTIONS, Method::DELETE] {
            let answer = room.client.request(method.clone(), format!("{}{path}", room.url)).send().await.unwrap();
            assert_eq!(answer.status(), 401, "{method} {path}");
            let headers: Vec<String> =
                answer.headers().iter().filter(|(name, _)| *name != "date").map(|(name, value)| format!("{name}: {value:?}")).collect();
            seen.push((headers, answer.text().await.unwrap()));
        }
        let head = room.client.head(format!("{}{path}", room.url)).send().await.unwrap();
        assert_eq!((head.status().as_u16(), head.headers().contains_key(ETAG)), (401, false));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    for password in ["room-123", "room-12345", "", "ROOM-1234"] {
        let answer = room.client.get(format!("{}/bundle", room.url)).basic_auth("any", Some(password)).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{password}");
    }
    assert_eq!(room.end().await, Some(0));
}

/// The whole, parts, nothing; over one connection, and with conditions.
#[tokio::test]
async fn ranges_and_conditions_are_honoured() {
    let machine = Machine::new().await;
    let bytes = fs_err::read(&machine.bundle).unwrap();
    let room = Room::open(&machine).await;
    let tag = format!("\"{}\"", sha256(&bytes));
    let ask = |name: &'static str, value: String| {
        room.client.get(format!("{}/bundle", room.url)).basic_auth("any", Some(SECRET)).header(name, value).send()
    };
    let whole = room.get("/bundle").await;
    assert_eq!((whole.status().as_u16(), whole.headers()[ETAG].to_str().unwrap()), (200, tag.as_str()));
    assert!(whole.bytes().await.unwrap() == bytes);
    let half = bytes.len() / 2;
    for (range, part) in [
        (format!("bytes={half}-"), &bytes[half..]),
        ("bytes=5-9".to_owned(), &bytes[5..10]),
        ("bytes=-7".to_owned(), &bytes[bytes.len() - 7..]),
    ] {
        let answer = ask("range", range.clone()).await.unwrap();
        assert_eq!(answer.status(), 206, "{range}");
        assert!(answer.headers()["content-range"].to_str().unwrap().ends_with(&format!("/{}", bytes.len())));
        assert!(answer.bytes().await.unwrap() == part, "{range}");
    }
    let beyond = ask("range", format!("bytes={}-", bytes.len())).await.unwrap();
    assert_eq!(
        (beyond.status().as_u16(), beyond.headers()["content-range"].to_str().unwrap()),
        (416, format!("bytes */{}", bytes.len()).as_str())
    );
    assert_eq!(ask("if-none-match", tag.clone()).await.unwrap().status(), 304);
    let changed = room
        .client
        .get(format!("{}/bundle", room.url))
        .basic_auth("", Some(SECRET))
        .header(RANGE, "bytes=5-")
        .header("if-range", "\"old\"");
    assert_eq!(changed.send().await.unwrap().status(), 200);
    let head = room.client.head(format!("{}/bundle", room.url)).basic_auth("any", Some(SECRET)).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], bytes.len().to_string());
    assert_eq!(room.client.post(format!("{}/bundle", room.url)).basic_auth("", Some(SECRET)).send().await.unwrap().status(), 405);
}

/// A request that comes in two pieces takes the other way to the same bytes.
#[tokio::test]
async fn a_request_in_pieces_is_answered_too() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let machine = Machine::new().await;
    let bytes = fs_err::read(&machine.bundle).unwrap();
    let room = Room::open(&machine).await;
    let mut stream = tokio::net::TcpStream::connect(room.url.trim_start_matches("http://")).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let password = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("x:{SECRET}"));
    stream.write_all(b"GET /bundle HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    stream.write_all(format!("authorization: Basic {password}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(answer.starts_with(b"HTTP/1.1 200") && answer[body..] == bytes);
}

/// What is no bundle, or a damaged one, is not served.
#[tokio::test]
async fn a_damaged_bundle_is_not_served() {
    let machine = Machine::new().await;
    let mut bytes = fs_err::read(&machine.bundle).unwrap();
    let own = machine.home().join("own.tar").display().to_string();
    fs_err::write(&own, &bytes[..bytes.len() / 2]).unwrap();
    refused(machine.quickstart(&["serve", &own]).await, 8, "BUNDLE_DAMAGED");
    let at = bytes.windows(18).position(|window| window == b"not really a model").unwrap();
    bytes[at] ^= 1;
    fs_err::write(&own, &bytes).unwrap();
    refused(machine.quickstart(&["serve", &own]).await, 8, "BUNDLE_DAMAGED");
    refused(machine.quickstart(&["serve", "nowhere.tar"]).await, 2, "BUNDLE_UNREADABLE");
    refused(machine.quickstart(&["serve"]).await, 2, "USAGE");
    refused(machine.quickstart(&["serve", &machine.bundle, "--code", "short"]).await, 2, "USAGE");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let holder = std::net::TcpListener::bind(taken).unwrap();
    let output = refused(machine.quickstart(&["serve", &machine.bundle, "--listen", &taken.to_string()]).await, 3, "SERVE_PORT");
    assert!(output.stderr.contains(&taken.to_string()), "{}", output.text());
    drop(holder);
}

/// `up --join` is `up --bundle` with a file that comes from the room; what was fetched before is not fetched again, and once it is here
/// nobody needs the room.
#[tokio::test]
async fn a_participant_joins_goes_on_and_comes_back() {
    let machine = Machine::new().await;
    let bytes = fs_err::read(&machine.bundle).unwrap();
    let downloads = machine.home().join(".cache/quickstart/downloads");
    fs_err::create_dir_all(&downloads).unwrap();
    let unfinished = downloads.join(format!("{}.part", sha256(&bytes)));
    fs_err::write(&unfinished, &bytes[..bytes.len() - 1000]).unwrap();
    let room = Room::open(&machine).await;
    let (link, port) = (room.link.clone(), machine.port.to_string());
    let output = machine.quickstart(&["up", "--join", &link, "--as", "Ada <b>", "--port", &port]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]"), "{}", output.text());
    let page = room.page().await;
    assert!(page.contains("1000 B sent") || page.contains("1.0 kB sent"), "it went on where it was:\n{page}");
    assert!(page.contains("Ada &lt;b&gt;") && page.contains("1 of 1 ready"), "{page}");
    assert!(!unfinished.exists() && downloads.join(sha256(&bytes)).exists());
    assert_eq!(room.end().await, Some(0));
    let again = machine.quickstart(&["up", "--join", &link]).await.expect(0);
    assert!(again.stderr.contains("here already"), "{}", again.text());
    machine.quickstart(&["down"]).await.expect(0);
}

/// An address had to be typed, and typed again when the teacher's laptop got another one: in the same network the code is enough.
#[tokio::test]
async fn the_code_alone_finds_the_room() {
    let mut machine = Machine::new().await;
    machine.env("QUICKSTART_MDNS", "127.0.0.1");
    // Another class, with the same bundle and a secret of its own.
    let next_door = Room::with(&machine, &machine.bundle, "next-door").await;
    let room = Room::with(&machine, &machine.bundle, "alone-1234").await;
    let code = room.link.split_once('#').unwrap().1.to_owned();
    let port = machine.port.to_string();
    let output = machine.quickstart(&["up", "--join", &code, "--as", "ada", "--port", &port]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]") && output.stderr.contains(&room.url), "{}", output.text());
    assert!(room.page().await.contains("1 of 1 ready"));
    assert_eq!((room.end().await, next_door.end().await), (Some(0), Some(0)));
    // The room is closed and the bundle is here: nobody is looked for.
    let again = machine.quickstart(&["up", "--join", &format!("#{code}")]).await.expect(0);
    assert!(again.stderr.contains("here already") && !again.stderr.contains("looking"), "{}", again.text());
    machine.quickstart(&["down"]).await.expect(0);
}

/// A room with another bundle is not taken for the code's, and a network that forbids multicast is told apart from an empty one.
#[tokio::test]
async fn a_code_that_nobody_announces_is_told() {
    let mut machine = Machine::new().await;
    machine.env("QUICKSTART_MDNS", "127.0.0.1");
    let room = Room::open(&machine).await;
    let other = format!("{SECRET}.{}", "0123456789abcdef".repeat(2));
    let output = machine.quickstart(&["up", "--join", &other]).await;
    assert!(output.stderr.contains("ask for the whole link"), "{}", output.text());
    refused(output, 3, "JOIN_UNREACHABLE");
    let code = room.link.split_once('#').unwrap().1.to_owned();
    machine.env("QUICKSTART_MDNS", "off");
    refused(machine.quickstart(&["up", "--join", &code]).await, 2, "JOIN_CODE");
    machine.env("QUICKSTART_MDNS", "wlan0");
    refused(machine.quickstart(&["up", "--join", &code]).await, 2, "USAGE");
    assert!(machine.kind.state.clusters().is_empty());
}

/// Each way not to get in has its own name; nothing is left of any of them.
#[tokio::test]
async fn a_link_that_does_not_lead_to_its_bundle_is_refused() {
    let machine = Machine::new().await;
    let room = Room::open(&machine).await;
    let (address, code) = room.link.split_once('#').unwrap();
    let (_, digest) = code.split_once('.').unwrap();
    let up = async |link: String| machine.quickstart(&["up", "--join", &link]).await;
    refused(up(address.to_owned()).await, 2, "JOIN_CODE");
    refused(up(format!("{address}#other-code.{digest}")).await, 3, "JOIN_CODE");
    let other = digest.chars().rev().collect::<String>();
    refused(up(format!("{address}#{SECRET}.{other}")).await, 8, "JOIN_BUNDLE");
    refused(up(format!("http://127.0.0.1:{}/#{code}", free_port())).await, 3, "JOIN_UNREACHABLE");
    refused(machine.quickstart(&["up", "--as", "ada"]).await, 2, "USAGE");
    refused(machine.quickstart(&["up", "--join", &room.link, "--bundle", "x"]).await, 2, "USAGE");
    assert!(!machine.home().join(".cache/quickstart/downloads").exists());
}

/// A bundle that is cut or changed on its way is not used.
#[tokio::test]
async fn what_is_not_the_codes_bundle_at_its_end_is_refused() {
    let machine = Machine::new().await;
    let bytes = fs_err::read(&machine.bundle).unwrap();
    let sum = sha256(&bytes);
    for cut in [false, true] {
        let mut wrong = bytes.clone();
        *wrong.last_mut().unwrap() ^= 1;
        let (tag, size) = (format!("\"{sum}\""), bytes.len());
        let content = if cut { wrong[..size / 2].to_vec() } else { wrong };
        // A server that promises the right bundle.
        let head = move || async move { ([("etag", tag), ("content-length", size.to_string())], "") };
        let router = axum::Router::new().route("/bundle", axum::routing::get(move || async move { content }).head(head));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let output = machine.quickstart(&["up", "--join", &format!("http://{address}/#{SECRET}.{}", &sum[..32])]).await;
        refused(output, 8, "CHECKSUM");
        server.abort();
        assert!(!machine.home().join(".cache/quickstart/downloads").join(&sum).exists());
    }
    assert!(machine.kind.state.clusters().is_empty());
}

/// A board that takes connections and never answers is nobody's trouble.
#[tokio::test]
async fn a_silent_board_does_not_hold_up() {
    let machine = Machine::new().await;
    let bytes = fs_err::read(&machine.bundle).unwrap();
    let sum = sha256(&bytes);
    let tag = format!("\"{sum}\"");
    let silent = || async { std::future::pending::<()>().await };
    let router = axum::Router::new()
        .route("/bundle", axum::routing::get(move || async move { ([("etag", tag)], bytes) }))
        .route("/board/report", axum::routing::post(silent));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = format!("http://{}/#{SECRET}.{}", listener.local_addr().unwrap(), &sum[..32]);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let port = machine.port.to_string();
    machine.quickstart(&["up", "--join", &link, "--as", "ada", "--port", &port]).await.expect(0);
    machine.quickstart(&["down"]).await.expect(0);
    server.abort();
}

/// Every image can be pulled: each digest is that of what is sent for it.
#[tokio::test]
async fn nodes_can_pull_every_image() {
    let machine = Machine::new().await;
    let summary = machine.quickstart(&["bundle", "inspect", "-o", "json", &machine.bundle]).await.expect(0).json();
    let room = Room::open(&machine).await;
    assert_eq!(room.get("/v2/").await.status(), 200);
    let mut pulled = 0;
    let references: Vec<String> =
        strings(&summary).into_iter().filter(|text| text.contains(".io/") && text.contains(':') && !text.contains("://")).collect();
    for reference in references {
        let (host, rest) = reference.split_once('/').unwrap();
        let (name, tag) = rest.rsplit_once(':').unwrap();
        let mirror = room.get(&format!("/v2/{name}/manifests/{tag}?ns={host}")).await;
        assert_eq!(mirror.status(), 200, "{reference}");
        let digest = mirror.headers()["docker-content-digest"].to_str().unwrap().to_owned();
        let text = mirror.bytes().await.unwrap();
        assert_eq!(digest, format!("sha256:{}", sha256(&text)));
        assert!(room.get(&format!("/v2/{host}/{name}/manifests/{tag}")).await.bytes().await.unwrap() == text);
        assert!(room.get(&format!("/v2/{name}/manifests/{digest}")).await.bytes().await.unwrap() == text);
        let manifest: Value = serde_json::from_slice(&text).unwrap();
        for blob in manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]) {
            let answer = room.get(&format!("/v2/{name}/blobs/{}", blob["digest"].as_str().unwrap())).await;
            assert_eq!(answer.status(), 200);
            let bytes = answer.bytes().await.unwrap();
            assert_eq!(
                (format!("sha256:{}", sha256(&bytes)), json!(bytes.len())),
                (blob["digest"].as_str().unwrap().to_owned(), blob["size"].clone())
            );
        }
        pulled += 1;
    }
    assert!(pulled > 5, "{summary}");
    for path in ["/v2/no/such/manifests/1", "/v2/no/blobs/sha256:00", "/v2/_catalog"] {
        let answer = room.get(path).await;
        assert_eq!(answer.status(), 404, "{path}");
        assert!(serde_json::from_slice::<Value>(&answer.bytes().await.unwrap()).unwrap()["errors"][0]["code"].is_string());
    }
    let push = room.client.put(format!("{}/v2/x/manifests/1", room.url)).basic_auth("", Some(SECRET)).body("{}").send().await.unwrap();
    assert_eq!(push.status(), 405);
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// The board's link brings the code once; afterwards a cookie opens, which no script reads and no other page sends.
#[tokio::test]
async fn the_boards_link_opens_it() {
    let machine = Machine::new().await;
    let room = Room::open(&machine).await;
    let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let opened = client.get(format!("{}/board?code={SECRET}", room.url)).send().await.unwrap();
    assert_eq!((opened.status().as_u16(), opened.headers()["location"].to_str().unwrap()), (303, "board"));
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let page = client.get(format!("{}/board", room.url)).header("cookie", cookie.split(';').next().unwrap()).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    for path in ["/board.js", "/board.css"] {
        assert_eq!(room.get(path).await.status(), 200);
    }
}

/// What participants send is bounded and stays text.
#[tokio::test]
async fn reports_are_bounded() {
    let machine = Machine::new().await;
    let room = Room::open(&machine).await;
    let report = |name: &str, error: Option<&str>| json!({"name": name, "stage": "istio", "done": 3, "of": 19, "error": error}).to_string();
    assert_eq!(room.report(report("Ada", None)).await, 200);
    assert_eq!(room.report(report("<script>alert(1)</script>", Some("PORT_BUSY"))).await, 200);
    assert_eq!(room.report(report("", None)).await, 422);
    assert_eq!(room.report("x").await, 400);
    assert_eq!(room.report(r#"{"name":"a","stage":"b","done":1,"of":2,"more":3}"#).await, 400);
    assert_eq!(room.report("x".repeat(100_000)).await, 413);
    let page = room.page().await;
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"), "{page}");
    assert!(page.contains("PORT_BUSY</code><p>a port of localhost is taken"), "{page}");
    assert!(page.contains("0 of 2 ready, 1 working, 1 stuck"), "{page}");
    let from_browser = room.client.post(format!("{}/board/report", room.url)).header("cookie", format!("quickstart-code={SECRET}"));
    assert_eq!(from_browser.body(report("c", None)).send().await.unwrap().status(), 200, "SameSite keeps other pages out");
}

/// HTTP/2 without a handshake before it: the same doors, the same bytes, several at once over one connection.
#[tokio::test]
async fn http2_is_spoken_too() {
    use http_body_util::{BodyExt as _, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let machine = Machine::new().await;
    let bytes = fs_err::read(&machine.bundle).unwrap();
    let room = Room::open(&machine).await;
    let stream = tokio::net::TcpStream::connect(room.url.trim_start_matches("http://")).await.unwrap();
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let password = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("x:{SECRET}"));
    let ask = |method: Method, path: &str, secret: bool, range: Option<&str>, body: &'static str| {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", room.url));
        if secret {
            request = request.header("authorization", format!("Basic {password}"));
        }
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let mut sender = sender.clone();
        let request = request.body(Full::new(bytes::Bytes::from_static(body.as_bytes()))).unwrap();
        async move {
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!(answer.version(), http::Version::HTTP_2);
            (answer.status().as_u16(), answer.into_body().collect().await.unwrap().to_bytes())
        }
    };
    let closed = ask(Method::GET, "/bundle", false, None, "").await;
    assert_eq!((closed.0, closed.1.as_ref()), (401, b"this needs the code of the room\n".as_slice()));
    let (whole, part, again, registry, heard) = tokio::join!(
        ask(Method::GET, "/bundle", true, None, ""),
        ask(Method::GET, "/bundle", true, Some("bytes=5-9"), ""),
        ask(Method::GET, "/bundle", true, None, ""),
        ask(Method::GET, "/v2/", true, None, ""),
        ask(Method::POST, "/board/report", true, None, r#"{"name": "ann", "stage": "istio", "done": 3, "of": 19}"#),
    );
    assert!(whole.0 == 200 && whole.1 == bytes && again.1 == bytes);
    assert_eq!((part.0, part.1.as_ref()), (206, &bytes[5..10]));
    assert_eq!((registry.0, heard.0), (200, 200), "{heard:?}");
    assert!(room.page().await.contains("ann"));
}
