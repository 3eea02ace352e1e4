//! A fake Kubernetes API server on 127.0.0.1: the interface for tests, and the handle that they hold.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::Router;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    components, cut,
    faults::{Fault, Logged},
    gateway::Gateway,
    http,
    resources::address,
    store::{Key, World},
    workloads::Trouble,
};
pub use super::{store::Pace, workloads};

/// Tells whether the cluster that this server belongs to is there: its serial number, or `None`.
pub type Alive = Arc<dyn Fn() -> Option<(u64, String)> + Send + Sync>;

struct Inner {
    world: Mutex<World>,
    gateway: Mutex<Option<Gateway>>,
    forward: Mutex<Option<SocketAddr>>,
    pods: Mutex<BTreeMap<String, SocketAddr>>,
    streams: Mutex<CancellationToken>,
    websockets_only: AtomicBool,
    alive: Mutex<Option<Alive>>,
    serial: Mutex<u64>,
}

/// The server; clones are handles to the same one. It stops with the runtime.
#[derive(Clone)]
pub struct ApiServer {
    inner: Arc<Inner>,
    address: SocketAddr,
}

impl std::fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl ApiServer {
    /// A running server with an empty cluster called `quickstart`.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut world = World::default();
        world.reset("quickstart");
        components::settle(&mut world);
        let inner = Arc::new(Inner {
            world: Mutex::new(world),
            gateway: Mutex::default(),
            forward: Mutex::default(),
            pods: Mutex::default(),
            streams: Mutex::default(),
            websockets_only: AtomicBool::new(false),
            alive: Mutex::default(),
            serial: Mutex::default(),
        });
        let server = Self { inner, address };
        let app = Router::new().fallback(http::serve).with_state(server.clone());
        let listener = cut::Cuttable(listener);
        tokio::spawn(async move {
            drop(axum::serve(listener, app.into_make_service_with_connect_info::<cut::Cut>()).await);
        });
        server
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig with this one context.
    pub fn kubeconfig(&self, context: &str) -> String {
        let server = self.url();
        format!(
            "apiVersion: v1\nclusters:\n- cluster:\n    server: {server}\n  name: {context}\ncontexts:\n- context:\n    cluster: {context}\n    user: {context}\n  name: {context}\ncurrent-context: {context}\nkind: Config\nusers:\n- name: {context}\n  user:\n    token: secret\n"
        )
    }

    /// The state, to look at or to change.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.inner.world.lock().unwrap()
    }

    /// Sets how fast things happen.
    pub fn pace(&self, pace: Pace) {
        let mut world = self.world();
        world.pace = pace;
        world.dirty = true;
    }

    /// Adds a fault; several are tried in the order in which they were added.
    pub fn fault(&self, fault: Fault) {
        self.world().faults.push(fault);
    }

    /// Takes all faults back.
    pub fn heal(&self) {
        let mut world = self.world();
        world.faults.clear();
        world.troubles.clear();
        world.dirty = true;
        components::settle(&mut world);
    }

    /// From now on the pods of `namespace/name` (a Deployment or an InferenceService) do not start, for this reason.
    pub fn trouble(&self, workload: &str, trouble: Trouble) {
        let mut world = self.world();
        world.troubles.insert(workload.to_owned(), trouble);
        world.dirty = true;
        components::settle(&mut world);
    }

    /// Where the port-forward of every pod leads; without one the gateway, if there is one.
    pub fn forward_to(&self, address: SocketAddr) {
        *self.inner.forward.lock().unwrap() = Some(address);
    }

    /// Where the port-forward of one pod leads.
    pub fn forward_pod_to(&self, pod: &str, address: SocketAddr) {
        self.inner.pods.lock().unwrap().insert(pod.to_owned(), address);
    }

    /// SPDY is not spoken, as behind some proxies.
    pub fn speak_websockets_only(&self) {
        self.inner.websockets_only.store(true, Ordering::SeqCst);
    }

    /// Whether SPDY is not spoken.
    pub fn speaks_websockets_only(&self) -> bool {
        self.inner.websockets_only.load(Ordering::SeqCst)
    }

    /// Every port-forward breaks, as when the API server's process ends.
    pub fn cut_streams(&self) {
        std::mem::take(&mut *self.inner.streams.lock().unwrap()).cancel();
    }

    /// Cancelled when the streams of now break.
    pub fn streams(&self) -> CancellationToken {
        self.inner.streams.lock().unwrap().clone()
    }

    /// The gateway that starts to listen when Deployment istio-system/istio-ingressgateway, or Kourier's, is available.
    pub fn attach_gateway(&self, gateway: Gateway) {
        *self.inner.gateway.lock().unwrap() = Some(gateway);
    }

    /// Ties the server to a cluster that comes and goes: it cuts connections while there is none, and starts empty with each new one.
    pub fn live_with(&self, alive: Alive) {
        *self.inner.alive.lock().unwrap() = Some(alive);
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Logged> {
        self.world().log.clone()
    }

    /// Requests that wrote, whether or not something changed; dry runs are not writes.
    pub fn writes(&self) -> Vec<Logged> {
        self.requests()
            .into_iter()
            .filter(|one| {
                one.method != "GET" && one.code < 300 && one.code > 0 && !one.query.contains("dryRun") && !one.path.ends_with("reviews")
            })
            .collect()
    }

    /// Requests that changed what is stored.
    pub fn changes(&self) -> Vec<Logged> {
        self.requests().into_iter().filter(|one| one.changed).collect()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.world().log.clear();
    }

    /// Every object as `plural.group namespace/name`, sorted.
    pub fn objects(&self) -> Vec<String> {
        let name = |group: &str| if group.is_empty() { String::new() } else { format!(".{group}") };
        self.world().objects.keys().map(|key| format!("{}{} {}/{}", key.plural, name(&key.group), key.namespace, key.name)).collect()
    }

    /// The object at an API path such as `/apis/apps/v1/namespaces/x/deployments/y`; this is not a read in the sense of [`Pace`].
    pub fn get(&self, path: &str) -> Option<Value> {
        let world = self.world();
        let at = address(&world, path).ok()?;
        let namespace = at.namespace.unwrap_or_default();
        world.shown(&Key::new(&at.resource.group, &at.resource.plural, &namespace, &at.name?))
    }

    /// Writes an object as some other manager's update, as `kubectl edit` would.
    pub fn edit(&self, path: &str, manager: &str, change: impl FnOnce(&mut Value)) {
        let mut world = self.world();
        let at = address(&world, path).unwrap_or_else(|_| panic!("{path} is not served"));
        let key = Key::new(&at.resource.group, &at.resource.plural, &at.namespace.unwrap_or_default(), &at.name.unwrap());
        world.edit(&key, manager, change);
        components::settle(&mut world);
    }

    /// False when there is no cluster now; a new one starts empty.
    pub fn check_alive(&self) -> bool {
        let Some(alive) = self.inner.alive.lock().unwrap().clone() else { return true };
        let Some((serial, name)) = alive() else { return false };
        let mut seen = self.inner.serial.lock().unwrap();
        if *seen != serial {
            *seen = serial;
            let mut world = self.world();
            world.reset(&name);
            components::settle(&mut world);
        }
        true
    }

    /// Starts or stops the gateway as its Deployment says.
    pub async fn sync_gateway(&self) {
        let gateway = self.inner.gateway.lock().unwrap().clone();
        let Some(gateway) = gateway else { return };
        let alive = self.check_alive();
        let up = alive && {
            let world = self.world();
            let kourier = || {
                workloads::ready(&world, "kourier-system", "3scale-kourier-gateway")
                    && workloads::ready(&world, "knative-serving", "net-kourier-controller")
            };
            workloads::ready(&world, "istio-system", "istio-ingressgateway") || kourier()
        };
        gateway.set(up, self).await;
    }

    /// Where a port-forward to this port of a pod leads now.
    pub async fn forward_target(&self, pod: &str, port: u16) -> Option<SocketAddr> {
        if let Some(address) = self.inner.pods.lock().unwrap().get(pod) {
            return Some(*address);
        }
        let set = *self.inner.forward.lock().unwrap();
        let gateway = self.inner.gateway.lock().unwrap().clone();
        match (set, gateway) {
            (Some(address), _) => Some(address),
            (None, Some(gateway)) => Some(gateway.inside(self, port == 8443).await),
            (None, None) => None,
        }
    }
}
