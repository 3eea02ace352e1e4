//! A container registry on the loopback address: manifests, indexes, blobs with ranges, tokens as Docker Hub gives them, uploads, faults.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::Engine as _;
use serde_json::{Value, json};

use super::faults::sha256;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What goes wrong with requests of a path.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// This code with this error code of the specification; `Retry-After: 0` is with it.
    Refuse(u16, &'static str),
    /// The head and half of the body.
    Cut,
    /// One byte of the body is another one.
    Wrong,
}

/// The registry; it stops with the runtime.
#[derive(Clone, Debug)]
pub struct Registry {
    address: SocketAddr,
    store: Arc<Mutex<Store>>,
}

/// What it has and what it saw.
#[derive(Debug, Default)]
pub struct Store {
    /// By digest: media type and bytes.
    pub blobs: BTreeMap<String, (String, Vec<u8>)>,
    /// `repository:tag` → digest.
    pub tags: BTreeMap<String, String>,
    /// Path contains → how often → what.
    pub troubles: Vec<(String, u32, Trouble)>,
    /// `GET /v2/… bytes=5-` of every request.
    pub log: Vec<String>,
    /// User and password without which there is no token; none: everybody gets one.
    pub login: Option<(String, String)>,
    /// Tokens are asked for at all.
    pub tokens: bool,
    uploads: BTreeMap<String, Vec<u8>>,
    sessions: usize,
    address: String,
}

impl Registry {
    /// An empty registry that wants tokens, which everybody gets.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let store = Arc::new(Mutex::new(Store { tokens: true, address: address.to_string(), ..Store::default() }));
        let router = Router::new().fallback(serve).with_state(store.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, store }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its contents.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }

    /// Requests whose line contains this.
    pub fn asked(&self, part: &str) -> Vec<String> {
        self.store().log.iter().filter(|line| line.contains(part)).cloned().collect()
    }

    /// From now on, `times` requests whose path contains this fail.
    pub fn trouble(&self, path: &str, times: u32, trouble: Trouble) {
        self.store().troubles.push((path.to_owned(), times, trouble));
    }
}

impl Store {
    fn put(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let digest = format!("sha256:{}", sha256(&bytes));
        let descriptor = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
        self.blobs.insert(digest, (media_type.to_owned(), bytes));
        descriptor
    }

    /// An image of these layers for each architecture, under an index; returns the digest of the index.
    pub fn add(&mut self, name: &str, architectures: &[&str], layers: &[&[u8]]) -> String {
        let mut entries = Vec::new();
        for architecture in architectures {
            let mut descriptor = self.single(name, architecture, layers);
            descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
            entries.push(descriptor);
        }
        let mut record = self.put(MANIFEST, b"how it was built".to_vec());
        record["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        entries.push(record);
        let index = self.put(INDEX, json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string().into_bytes());
        let digest = index["digest"].as_str().unwrap().to_owned();
        self.tags.insert(name.to_owned(), digest.clone());
        digest
    }

    /// An image of one platform without an index.
    pub fn single(&mut self, name: &str, architecture: &str, layers: &[&[u8]]) -> Value {
        // Two architectures have two layers of their own beside the common ones.
        let own = format!("{name} for {architecture}");
        let all: Vec<&[u8]> = layers.iter().copied().chain([own.as_bytes()]).collect();
        let ids: Vec<String> = all.iter().map(|layer| format!("sha256:{}", sha256(layer))).collect();
        let config = json!({"architecture": architecture, "os": "linux", "config": {"Labels": {"made-for": name}}, "rootfs": {"type": "layers", "diff_ids": ids}});
        let config = self.put("application/vnd.oci.image.config.v1+json", config.to_string().into_bytes());
        let layers: Vec<Value> = all.iter().map(|layer| self.put("application/vnd.oci.image.layer.v1.tar+gzip", layer.to_vec())).collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        let descriptor = self.put(MANIFEST, manifest.to_string().into_bytes());
        self.tags.insert(name.to_owned(), descriptor["digest"].as_str().unwrap().to_owned());
        descriptor
    }

    fn trouble(&mut self, line: &str) -> Option<Trouble> {
        let (_, times, trouble) = self.troubles.iter_mut().find(|(path, times, _)| *times > 0 && line.contains(path.as_str()))?;
        *times = times.saturating_sub(u32::from(*times != u32::MAX));
        Some(trouble.clone())
    }
}

fn refuse(code: u16, name: &str) -> Response {
    let body = json!({"errors": [{"code": name, "message": name.to_lowercase().replace('_', " ")}]}).to_string();
    (StatusCode::from_u16(code).unwrap(), [(header::CONTENT_TYPE, "application/json"), (header::RETRY_AFTER, "0")], body).into_response()
}

async fn serve(State(store): State<Arc<Mutex<Store>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    let text = |headers: &HeaderMap, name: header::HeaderName| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (range, authorization) = (text(&parts.headers, header::RANGE), text(&parts.headers, header::AUTHORIZATION));
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let line = format!("{method} {path} {range}").trim().to_owned();
    let mut store = store.lock().unwrap();
    store.log.push(line.clone());
    let trouble = store.trouble(&line);
    if let Some(Trouble::Refuse(code, name)) = trouble {
        return refuse(code, name);
    }
    if path == "/token" {
        return token(&store, &authorization, &query);
    }
    if store.tokens && !authorization.starts_with("Bearer good-") {
        let challenge = format!("Bearer realm=\"http://{}/token\",service=\"registry\"", store.address);
        let mut refused = refuse(401, "UNAUTHORIZED");
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.parse().unwrap());
        return refused;
    }
    let Some(rest) = path.strip_prefix("/v2/") else { return refuse(404, "NOT_FOUND") };
    if rest.is_empty() {
        return "{}".into_response();
    }
    let Some((repository, kind, name)) = split(rest) else { return refuse(404, "NAME_UNKNOWN") };
    // A token is for one repository.
    if store.tokens && authorization != format!("Bearer good-{repository}") {
        return refuse(401, "UNAUTHORIZED");
    }
    match (method.as_str(), kind) {
        ("GET" | "HEAD", "manifests") => manifest(&store, &method, repository, name, trouble.as_ref()),
        ("GET" | "HEAD", "blobs") => match store.blobs.get(name) {
            Some((_, bytes)) => blob(&method, bytes, &range, trouble.as_ref()),
            None => refuse(404, "BLOB_UNKNOWN"),
        },
        ("PUT", "manifests") => {
            let digest = format!("sha256:{}", sha256(&body));
            let media_type = text(&parts.headers, header::CONTENT_TYPE);
            store.blobs.insert(digest.clone(), (media_type, body.to_vec()));
            store.tags.insert(format!("{repository}:{name}"), digest.clone());
            (StatusCode::CREATED, [(header::LOCATION, format!("/v2/{repository}/manifests/{digest}"))]).into_response()
        }
        (_, "uploads") => upload(&mut store, &method, repository, name, &query, &body),
        _ => refuse(405, "UNSUPPORTED"),
    }
}

/// `a/b/manifests/1` → (`a/b`, `manifests`, `1`); uploads have a kind of their own.
fn split(rest: &str) -> Option<(&str, &str, &str)> {
    if let Some((repository, session)) = rest.split_once("/blobs/uploads") {
        return Some((repository, "uploads", session.trim_start_matches('/')));
    }
    ["manifests", "blobs"].into_iter().find_map(|kind| {
        let (repository, name) = rest.split_once(&format!("/{kind}/"))?;
        Some((repository, kind, name))
    })
}

fn token(store: &Store, authorization: &str, query: &str) -> Response {
    if let Some((user, password)) = &store.login {
        let wanted = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        if authorization != format!("Basic {wanted}") {
            return refuse(401, "UNAUTHORIZED");
        }
    }
    let scope = query.split('&').find_map(|pair| pair.strip_prefix("scope=")).unwrap_or_default().replace("%3A", ":").replace("%2F", "/");
    let repository = scope.split(':').nth(1).unwrap_or_default();
    axum::Json(json!({"token": format!("good-{repository}"), "expires_in": 300})).into_response()
}

fn manifest(store: &Store, method: &str, repository: &str, name: &str, trouble: Option<&Trouble>) -> Response {
    let digest = if name.starts_with("sha256:") { Some(name) } else { store.tags.get(&format!("{repository}:{name}")).map(String::as_str) };
    let Some((digest, (media_type, bytes))) = digest.and_then(|digest| Some((digest, store.blobs.get(digest)?))) else {
        return refuse(404, "MANIFEST_UNKNOWN");
    };
    let mut bytes = bytes.clone();
    if matches!(trouble, Some(Trouble::Wrong)) {
        bytes.push(b' ');
    }
    let length = bytes.len().to_string();
    let head = [
        (header::CONTENT_TYPE, media_type.clone()),
        (header::CONTENT_LENGTH, length),
        ("docker-content-digest".parse().unwrap(), digest.to_owned()),
    ];
    (head, if method == "HEAD" { Body::empty() } else { Body::from(bytes) }).into_response()
}

fn blob(method: &str, bytes: &[u8], range: &str, trouble: Option<&Trouble>) -> Response {
    let from: usize = range.strip_prefix("bytes=").and_then(|range| range.split('-').next()?.parse().ok()).unwrap_or(0);
    let status = if range.is_empty() { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT };
    let mut part = bytes[from.min(bytes.len())..].to_vec();
    let length = part.len();
    let content_range = format!("bytes {from}-{}/{}", bytes.len().saturating_sub(1), bytes.len());
    let body = match trouble {
        _ if method == "HEAD" => Body::empty(),
        Some(Trouble::Cut) => {
            part.truncate(length / 2);
            let end = async {
                // The server drops what it has not written yet when a body fails.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                Err(std::io::Error::other("cut"))
            };
            let whole = futures_util::stream::once(async { Ok(Bytes::from(part)) });
            Body::from_stream(futures_util::StreamExt::chain(whole, futures_util::stream::once(end)))
        }
        Some(Trouble::Wrong) => {
            if let Some(last) = part.last_mut() {
                *last ^= 1;
            }
            Body::from(part)
        }
        _ => Body::from(part),
    };
    let mut response =
        (status, [(header::CONTENT_LENGTH, length.to_string()), (header::CONTENT_TYPE, "application/octet-stream".into())], body)
            .into_response();
    if status == StatusCode::PARTIAL_CONTENT {
        response.headers_mut().insert(header::CONTENT_RANGE, content_range.parse().unwrap());
    }
    response
}

fn upload(store: &mut Store, method: &str, repository: &str, session: &str, query: &str, body: &[u8]) -> Response {
    let session = if session.is_empty() {
        // Counted, not the number of those that are open: two at a time got one name when a third had just ended, and 400 for mixed bytes.
        store.sessions += 1;
        format!("session-{}", store.sessions)
    } else {
        session.to_owned()
    };
    let received = store.uploads.entry(session.clone()).or_default();
    received.extend_from_slice(body);
    let (end, location) = (received.len().saturating_sub(1), format!("/v2/{repository}/blobs/uploads/{session}"));
    let digest = query.split('&').find_map(|pair| pair.strip_prefix("digest=")).map(|digest| digest.replace("%3A", ":"));
    match (method, digest) {
        ("PUT", Some(digest)) => {
            let bytes = store.uploads.remove(&session).unwrap_or_default();
            if digest != format!("sha256:{}", sha256(&bytes)) {
                return refuse(400, "DIGEST_INVALID");
            }
            store.blobs.insert(digest.clone(), ("application/octet-stream".to_owned(), bytes));
            (StatusCode::CREATED, [(header::LOCATION, format!("/v2/{repository}/blobs/{digest}"))]).into_response()
        }
        ("POST" | "PATCH", _) => {
            (StatusCode::ACCEPTED, [(header::LOCATION, location), (header::RANGE, format!("0-{end}"))]).into_response()
        }
        _ => refuse(405, "UNSUPPORTED"),
    }
}
