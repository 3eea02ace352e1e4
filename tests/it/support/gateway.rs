//! A fake istio-ingressgateway: predictions for InferenceServices that are Ready in the fake API server.
//!
//! It listens on its published port only while its Deployment is available, so a port check before `up` sees a free port.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{
    api_server::{ApiServer, workloads::condition},
    components, gateway_tls,
    grpc::{self, GrpcReply},
    store::{Key, World},
    wire::{self, Got, Reply},
};

/// Says which port of 127.0.0.1 is mapped to the gateway, once that is known.
pub type Port = Arc<dyn Fn() -> Option<u16> + Send + Sync>;

struct Inner {
    port: Port,
    up: tokio::sync::Mutex<Option<tokio::task::JoinHandle<()>>>,
    inside: tokio::sync::Mutex<BTreeMap<bool, SocketAddr>>,
    tls: Mutex<TlsAcceptor>,
    requests: Mutex<Vec<(String, String, u16)>>,
    script: Mutex<Vec<(u16, Value)>>,
    grpc: Mutex<Vec<GrpcReply>>,
    http1_only: AtomicBool,
    split: Mutex<u64>,
}

/// The gateway; clones are handles to the same one.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Gateway").field(&self.requests()).finish()
    }
}

impl Gateway {
    /// A gateway that does not listen yet.
    pub fn new(port: Port) -> Self {
        let (up, inside) = (tokio::sync::Mutex::default(), tokio::sync::Mutex::default());
        let (requests, script, grpc, split) = (Mutex::default(), Mutex::default(), Mutex::default(), Mutex::default());
        let tls = Mutex::new(gateway_tls::acceptor("gateway"));
        Self(Arc::new(Inner { port, up, inside, tls, requests, script, grpc, http1_only: AtomicBool::default(), split }))
    }

    /// A gateway on a fixed port.
    pub fn on(port: u16) -> Self {
        Self::new(Arc::new(move || Some(port)))
    }

    /// Listens, or stops listening.
    pub async fn set(&self, up: bool, server: &ApiServer) {
        let mut task = self.0.up.lock().await;
        match (up, task.is_some()) {
            (true, false) => {
                let Some(port) = (self.0.port)() else { return };
                let listener = TcpListener::bind(("127.0.0.1", port))
                    .await
                    .unwrap_or_else(|error| panic!("the gateway cannot have port {port}: {error}"));
                *task = Some(tokio::spawn(accept(listener, self.clone(), server.clone(), None)));
            }
            (false, true) => {
                if let Some(task) = task.take() {
                    task.abort();
                    drop(task.await);
                }
            }
            _ => {}
        }
    }

    /// From now on it shows a certificate that another authority signed.
    pub fn pretend(&self) {
        *self.0.tls.lock().unwrap() = gateway_tls::acceptor("engine-server");
    }

    /// Its address inside the cluster, where port-forwards to its port for HTTP or for HTTPS lead.
    pub async fn inside(&self, server: &ApiServer, tls: bool) -> SocketAddr {
        let mut inside = self.0.inside.lock().await;
        if let Some(address) = inside.get(&tls) {
            return *address;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(accept(listener, self.clone(), server.clone(), Some(tls)));
        inside.insert(tls, address);
        address
    }

    /// Whether the published port listens.
    pub async fn listens(&self) -> bool {
        self.0.up.lock().await.is_some()
    }

    /// `(host, path, code)` of each request.
    pub fn requests(&self) -> Vec<(String, String, u16)> {
        self.0.requests.lock().unwrap().clone()
    }

    /// The next answers, before the ordinary ones: code and body.
    pub fn answer_next(&self, code: u16, body: Value) {
        self.0.script.lock().unwrap().push((code, body));
    }

    /// The next answer to a gRPC request, before the ordinary ones.
    pub fn answer_grpc_next(&self, reply: GrpcReply) {
        self.0.grpc.lock().unwrap().push(reply);
    }

    /// From now on HTTP/2 is a bad request.
    pub fn speak_http1_only(&self) {
        self.0.http1_only.store(true, Relaxed);
    }

    /// What the model of this request says: by turns the new one's word and the one's before, as the traffic is split.
    fn model(&self, world: &World, key: &Key) -> u64 {
        let (known, rolled_out) = world.revisions.get(&format!("{}/{}", key.namespace, key.name)).cloned().unwrap_or_default();
        let traffic = world.get(key).map(|object| object["status"]["components"]["predictor"]["traffic"].clone()).unwrap_or_default();
        let percent = traffic[0]["percent"].as_u64().unwrap_or(100);
        let mut turn = self.0.split.lock().unwrap();
        *turn += 1;
        let newest = *turn * percent / 100 != (*turn - 1) * percent / 100;
        let model = known.get(if newest { known.len().saturating_sub(1) } else { rolled_out });
        let second = model.is_some_and(|model| model.to_string().contains("/second/"));
        if second { 11 } else { 1 }
    }

    fn answer(&self, server: &ApiServer, got: &Got) -> (u16, Value) {
        let mut script = self.0.script.lock().unwrap();
        if !script.is_empty() {
            return script.remove(0);
        }
        let world = server.world();
        let Some(key) = routed(&world, got) else { return (404, Value::Null) };
        // HTTP to a gRPC server: Knative's queue-proxy and Envoy alone put it differently.
        if speaks_grpc(&world, &key) {
            return if components::raw(&world, &key.namespace, &key.name) {
                (503, json!("upstream connect error or disconnect/reset before headers. reset reason: remote reset"))
            } else {
                (502, json!("stream error: stream ID 1007; INTERNAL_ERROR; received from peer"))
            };
        }
        let body: Value = serde_json::from_slice(&got.body).unwrap_or_default();
        let (v1, v2) = (format!("/v1/models/{}:predict", key.name), format!("/v2/models/{}/infer", key.name));
        match (got.method.as_str(), got.path.as_str()) {
            ("POST", path) if path == v1 => match body["instances"].as_array() {
                Some(rows) => (200, json!({"predictions": vec![self.model(&world, &key); rows.len()]})),
                None => (400, json!({"error": "Expected \"instances\" to be a list"})),
            },
            ("POST", path) if path == v2 => {
                let rows = body["inputs"][0]["shape"][0].as_u64().unwrap_or(0);
                let data = vec![1; usize::try_from(rows).unwrap_or(0)];
                (
                    200,
                    json!({"model_name": key.name, "outputs": [{"name": "output-0", "shape": [rows], "datatype": "INT32", "data": data}]}),
                )
            }
            ("GET", path) if path == v1.trim_end_matches(":predict") => (200, json!({"name": key.name, "ready": true})),
            _ => (404, json!({"error": "Model with such a name does not exist"})),
        }
    }

    fn answer_grpc(&self, server: &ApiServer, got: &Got) -> GrpcReply {
        let mut script = self.0.grpc.lock().unwrap();
        if !script.is_empty() {
            return script.remove(0);
        }
        let world = server.world();
        // Envoy's 404 to a gRPC request: a status without a message.
        let Some(key) = routed(&world, got) else { return GrpcReply::Status(12, String::new()) };
        if !speaks_grpc(&world, &key) {
            return GrpcReply::Http(404, "application/json", br#"{"detail":"Not Found"}"#.to_vec());
        }
        if got.path != grpc::METHOD || got.header("content-type") != "application/grpc" || got.header("te") != "trailers" {
            return GrpcReply::Status(12, "Method not found!".into());
        }
        grpc::infer(&key.name, &got.body)
    }
}

/// The InferenceService that a request's host leads to, once it is ready.
fn routed(world: &World, got: &Got) -> Option<Key> {
    let host = got.header("host").split(':').next().unwrap_or_default();
    let found = world
        .keys("serving.kserve.io", "inferenceservices")
        .into_iter()
        .find(|key| !world.stale_routes && components::host(world, &key.namespace, &key.name) == host);
    found.filter(|key| world.get(key).is_some_and(|object| condition(object, "Ready") == Some("True")))
}

/// The container's port says it: Knative sends HTTP/2 to one that is named h2c only, KServe's raw Services carry the name on.
fn speaks_grpc(world: &World, key: &Key) -> bool {
    let port = world.get(key).map(|object| object["spec"]["predictor"]["model"]["ports"][0].clone()).unwrap_or_default();
    port["name"] == "h2c" && port["containerPort"] == 8081
}

/// `tls` of `None`: what the mapped node port leads to says it.
async fn accept(listener: TcpListener, gateway: Gateway, server: ApiServer, tls: Option<bool>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (gateway, server) = (gateway.clone(), server.clone());
        connections.spawn(async move {
            let answer_grpc = {
                let (gateway, server) = (gateway.clone(), server.clone());
                move |got: Got| {
                    let reply = gateway.answer_grpc(&server, &got);
                    let code = if let GrpcReply::Http(code, ..) = &reply { *code } else { 200 };
                    gateway.0.requests.lock().unwrap().push((got.header("host").to_owned(), got.path.clone(), code));
                    std::future::ready(reply)
                }
            };
            let answer = |got: Got| {
                let (code, body) = gateway.answer(&server, &got);
                gateway.0.requests.lock().unwrap().push((got.header("host").to_owned(), got.path.clone(), code));
                let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
                async move { Reply::Full(code, "application/json", bytes) }
            };
            if !tls.unwrap_or_else(|| gateway_tls::is_mapped(&server.world())) {
                if !gateway.0.http1_only.load(Relaxed) && grpc::begins_http2(&stream).await {
                    return grpc::serve(stream, answer_grpc).await;
                }
                return wire::serve(stream, answer).await;
            }
            // Envoy opens no port for a Gateway whose Secret is not there.
            if !gateway_tls::is_open(&server.world()) {
                return;
            }
            let acceptor = gateway.0.tls.lock().unwrap().clone();
            let Ok(stream) = acceptor.accept(stream).await else { return };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                grpc::serve(stream, answer_grpc).await;
            } else {
                wire::serve(stream, answer).await;
            }
        });
    }
}
