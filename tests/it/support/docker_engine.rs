//! A fake Docker Engine API on a unix socket. Node containers come from the state folder that the fake `kind` writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::{Value, json};
use tokio::net::UnixListener;

pub use super::docker_exec::{ExecAnswer, Ran, certificates};
use super::{
    docker_archive::{self, Image},
    docker_exec::{self, Exec, NodeImages},
    docker_images::{find_image, images},
    docker_once::{self, Stores, store_of},
    docker_views::{info, inspect, summary},
    faults::{Fault, FaultKind, Logged, take},
    kind_program::{ClusterRecord, KindState},
    wire::{self, Got, Reply, pairs},
};

/// What the engine holds.
#[derive(Debug, Default)]
pub struct Engine {
    /// `NCPU`, `MemTotal` in bytes, `Architecture` as `uname -m` says it, `DockerRootDir`; merged over `/info`.
    pub info: BTreeMap<String, Value>,
    /// Images.
    pub images: Vec<Image>,
    /// Images that a pull finds.
    pub pullable: BTreeSet<String>,
    /// Images in each node.
    pub node_images: BTreeMap<String, NodeImages>,
    /// Image stores that outlive their nodes.
    pub stores: Stores,
    /// Containers that are not running, by name: `exited` or `paused`.
    pub states: BTreeMap<String, String>,
    /// When a container was started last, by name; the beginning of 2026 where nothing is said.
    pub started: BTreeMap<String, String>,
    /// Address of a container, by name; 172.18.0.2 where nothing is said.
    pub addresses: BTreeMap<String, String>,
    /// Containers that end as soon as they are started.
    pub dies: BTreeSet<String>,
    /// Containers that are not kind's, as `containers/json` shows them.
    pub foreign: Vec<Value>,
    /// Volumes that belong to no node; a node's own goes with it.
    pub volumes: BTreeSet<String>,
    /// Scripted answers: a command whose text contains the key. The first that fits wins.
    pub exec_script: Vec<(String, ExecAnswer)>,
    /// Commands that ran in containers.
    pub ran: Vec<Ran>,
    /// Archives put into containers: container, folder, path inside the archive, sha256 of the file.
    pub copied: Vec<(String, String, String, String)>,
    /// Scripted faults.
    pub faults: Vec<Fault>,
    /// Requests so far.
    pub log: Vec<Logged>,
    /// Requests that the fake does not know; a test that ends with one here lacks a piece of the fake.
    pub unknown: Vec<String>,
    execs: BTreeMap<String, Exec>,
}

/// The engine; clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct DockerEngine {
    engine: Arc<Mutex<Engine>>,
    kind: KindState,
    socket: PathBuf,
}

impl DockerEngine {
    /// A running engine with 4 CPUs, 8 GiB and no images, on this socket.
    pub fn start(socket: &Path, kind: KindState) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let this = Self { engine: Arc::default(), kind, socket: socket.to_owned() };
        let server = this.clone();
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let server = server.clone();
                tokio::spawn(async move { wire::serve(stream, |got| std::future::ready(server.serve(&got))).await });
            }
        });
        this
    }

    /// For `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// The state, to look at or to change.
    pub fn state(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap()
    }

    /// Puts an image of this architecture (GOARCH) into the engine, unless one of that name is there.
    pub fn add_image(&self, reference: &str, architecture: &str) {
        let mut engine = self.state();
        if find_image(&engine, reference).is_none() {
            engine.images.push(Image::new(reference, architecture));
        }
    }

    /// A fault.
    pub fn fault(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// From now on a command whose text (arguments joined by blanks) contains this answers so.
    pub fn on_exec(&self, contains: &str, answer: ExecAnswer) {
        self.state().exec_script.insert(0, (contains.to_owned(), answer));
    }

    /// Commands that ran in containers so far.
    pub fn ran(&self) -> Vec<Ran> {
        self.state().ran.clone()
    }

    /// Names of the images in the only node, sorted.
    pub fn node_images(&self) -> Vec<String> {
        self.state().node_images.values().flat_map(|images| images.keys().cloned()).collect()
    }

    fn serve(&self, got: &Got) -> Reply {
        let mut engine = self.state();
        let path = unversioned(&got.path);
        engine.log.push(Logged::new(&got.method, &path, &got.query, got.header("content-type"), &got.body));
        let mut slow = None;
        match take(&mut engine.faults, &got.method, &format!("{path}?{}", got.query)) {
            Some(FaultKind::Status(code)) => return Reply::json(code, &json!({"message": "scripted failure"})),
            Some(FaultKind::Answer(code, body)) => return Reply::json(code, &body),
            Some(FaultKind::Hang) => return Reply::Hang,
            Some(FaultKind::Close | FaultKind::ClientGone) => return Reply::Close,
            Some(FaultKind::SlowBody(pause)) => slow = Some(Some(pause)),
            Some(FaultKind::CutBody) => slow = Some(None),
            None => {}
        }
        let reply = self.answer(&mut engine, got, &path);
        match (slow, reply) {
            (Some(pause), Reply::Full(code, kind, body)) => Reply::Slow(code, kind, body, pause),
            (_, reply) => reply,
        }
    }

    fn answer(&self, engine: &mut Engine, got: &Got, path: &str) -> Reply {
        let query = pairs(&got.query);
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let method = if got.method == "HEAD" { "GET" } else { got.method.as_str() };
        match (method, parts.as_slice()) {
            ("GET", ["_ping"]) => Reply::Full(200, "text/plain", b"OK".to_vec()),
            ("GET", ["version"]) => Reply::json(
                200,
                &json!({"Version": "28.0.0", "ApiVersion": "1.48", "MinAPIVersion": "1.24", "Os": "linux", "Arch": architecture(engine),
                "KernelVersion": "6.1.0", "GitCommit": "fake", "GoVersion": "go1.24", "Components": [{"Name": "Engine", "Version": "28.0.0", "Details": {}}]}),
            ),
            ("GET", ["info"]) => Reply::json(200, &info(engine)),
            ("GET", ["system", "df"]) => {
                Reply::json(200, &json!({"LayersSize": 0, "Images": [], "Containers": [], "Volumes": [], "BuildCache": []}))
            }
            ("GET", ["networks"]) => Reply::json(
                200,
                &json!([{"Name": "kind", "Id": "net0", "Driver": "bridge", "IPAM": {"Config": [{"Subnet": "172.18.0.0/16"}]}}]),
            ),
            ("GET", ["volumes"]) => {
                let own: Vec<String> = self.clusters().iter().map(ClusterRecord::volume).collect();
                let all: Vec<Value> = own.iter().chain(&engine.volumes).map(|name| volume(name)).collect();
                Reply::json(200, &json!({"Volumes": all}))
            }
            ("POST", ["volumes", "create"]) => {
                let body: Value = serde_json::from_slice(&got.body).unwrap_or_default();
                let name = body["Name"].as_str().unwrap_or_default().to_owned();
                engine.volumes.insert(name.clone());
                Reply::json(201, &volume(&name))
            }
            ("GET", ["volumes", name]) => {
                let own = self.clusters().iter().any(|cluster| cluster.volume() == *name);
                if own || engine.volumes.contains(*name) { Reply::json(200, &volume(name)) } else { missing("volume", name) }
            }
            ("DELETE", ["volumes", name]) => Reply::empty(if engine.volumes.remove(*name) { 204 } else { 404 }),
            ("POST", ["commit"]) => docker_once::commit(engine, got, &query),
            ("GET", ["containers", "json"]) => self.list(engine, &query),
            (_, ["containers", rest @ ..]) if let Some(reply) = docker_once::containers(engine, got, method, rest) => reply,
            (_, ["containers", id, rest @ ..]) => match self.clusters().into_iter().find(|one| one.node() == *id || one.id() == *id) {
                Some(cluster) => self.container(engine, got, method, &cluster, rest),
                None => missing("container", id),
            },
            (_, ["exec", id, rest @ ..]) => self.exec(engine, method, id, rest),
            _ if parts.first() == Some(&"images") => images(engine, got, method, path, &query),
            _ => unknown(engine, method, path),
        }
    }

    fn clusters(&self) -> Vec<ClusterRecord> {
        self.kind.clusters()
    }

    fn list(&self, engine: &mut Engine, query: &BTreeMap<String, String>) -> Reply {
        let filters: Value = query.get("filters").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let all = query.get("all").is_some_and(|value| value == "true" || value == "1") || !filters["status"].is_null();
        let own: Vec<Value> = self.clusters().iter().map(|cluster| summary(engine, cluster)).collect();
        let wanted = |key: &str| -> Vec<String> {
            match &filters[key] {
                Value::Array(list) => list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
                Value::Object(map) => map.keys().cloned().collect(),
                _ => Vec::new(),
            }
        };
        let found: Vec<Value> = own
            .into_iter()
            .chain(engine.foreign.clone())
            .chain(engine.stores.summaries())
            .filter(|one| all || one["State"] == "running")
            .filter(|one| {
                wanted("label").iter().all(|label| match label.split_once('=') {
                    Some((key, value)) => one["Labels"][key] == value,
                    None => !one["Labels"][label].is_null(),
                })
            })
            .filter(|one| {
                let names = wanted("name");
                names.is_empty()
                    || names.iter().any(|name| one["Names"][0].as_str().unwrap_or_default().contains(name.trim_matches(['^', '$'])))
            })
            .filter(|one| wanted("status").is_empty() || wanted("status").iter().any(|status| one["State"] == json!(status)))
            .collect();
        Reply::json(200, &json!(found))
    }

    fn container(&self, engine: &mut Engine, got: &Got, method: &str, cluster: &ClusterRecord, rest: &[&str]) -> Reply {
        let node = cluster.node();
        let running = !engine.states.contains_key(&node);
        match (method, rest) {
            ("GET", ["json"]) => Reply::json(200, &inspect(engine, cluster)),
            ("DELETE", []) => {
                self.kind.forget(&cluster.name);
                engine.states.remove(&node);
                let images = engine.node_images.remove(&node);
                if let (Some(store), Some(images)) = (store_of(cluster), images) {
                    engine.stores.nodes.insert(store, images);
                }
                Reply::empty(204)
            }
            ("POST", ["start"]) if engine.states.get(&node).is_some_and(|state| state == "paused") => {
                Reply::json(409, &json!({"message": "cannot start a paused container, try unpause instead"}))
            }
            ("POST", ["start" | "unpause" | "restart"]) => {
                if !engine.dies.contains(&node) {
                    engine.states.remove(&node);
                }
                Reply::empty(204)
            }
            ("POST", [verb @ ("stop" | "kill" | "pause")]) => {
                engine.states.insert(node, if *verb == "pause" { "paused" } else { "exited" }.to_owned());
                Reply::empty(204)
            }
            ("GET", ["logs"]) => {
                Reply::Full(200, "application/vnd.docker.multiplexed-stream", ExecAnswer::ok("Reached target multi-user.target\n").frames())
            }
            ("PUT", ["archive"]) => {
                let folder = pairs(&got.query).get("path").cloned().unwrap_or_default();
                match docker_archive::files(&got.body) {
                    Ok(files) => engine.copied.extend(files.into_iter().map(|(path, sum)| (node.clone(), folder.clone(), path, sum))),
                    Err(error) => return Reply::json(400, &json!({"message": error})),
                }
                Reply::empty(200)
            }
            ("POST", ["exec"]) if !running => Reply::json(409, &json!({"message": format!("container {node} is not running")})),
            ("POST", ["exec"]) => {
                let body: Value = serde_json::from_slice(&got.body).unwrap_or_default();
                let argv = body["Cmd"].as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect();
                let id = format!("{:064x}", engine.execs.len() + 1);
                engine.execs.insert(id.clone(), Exec { container: node, argv, stdin: body["AttachStdin"] == true, code: None });
                Reply::json(201, &json!({"Id": id}))
            }
            _ => unknown(engine, method, &got.path),
        }
    }

    fn exec(&self, engine: &mut Engine, method: &str, id: &str, rest: &[&str]) -> Reply {
        let Some(exec) = engine.execs.get(id).cloned() else { return missing("exec instance", id) };
        match (method, rest) {
            ("GET", ["json"]) => Reply::json(
                200,
                &json!({"ID": id, "Running": exec.code.is_none(), "ExitCode": exec.code, "ContainerID": exec.container,
                "ProcessConfig": {"entrypoint": exec.argv.first(), "arguments": exec.argv.get(1..)}}),
            ),
            ("POST", ["start"]) => {
                let (this, id) = (self.clone(), id.to_owned());
                Reply::Upgrade { read: exec.stdin, finish: Box::new(move |stdin| this.run(&id, &exec, &stdin).frames()) }
            }
            ("POST", ["resize"]) => Reply::empty(200),
            _ => unknown(engine, method, &rest.join("/")),
        }
    }

    fn run(&self, id: &str, exec: &Exec, stdin: &[u8]) -> ExecAnswer {
        let mut engine = self.state();
        let text = exec.argv.join(" ");
        let scripted = engine.exec_script.iter().find(|(contains, _)| text.contains(contains)).map(|(_, answer)| answer.clone());
        let cluster = self.clusters().into_iter().find(|cluster| cluster.node() == exec.container);
        let stored = cluster.as_ref().and_then(store_of).and_then(|store| engine.stores.nodes.get(&store).cloned()).unwrap_or_default();
        let images = engine.node_images.entry(exec.container.clone()).or_insert(stored);
        let answer = scripted.unwrap_or_else(|| docker_exec::run(images, &exec.argv, stdin));
        engine.ran.push(docker_exec::ran(exec, stdin, answer.code));
        if let Some(exec) = engine.execs.get_mut(id) {
            exec.code = Some(answer.code);
        }
        answer
    }
}

/// `/volumes/NAME`.
fn volume(name: &str) -> Value {
    json!({"Name": name, "Driver": "local", "Mountpoint": format!("/var/lib/docker/volumes/{name}/_data"), "Scope": "local",
        "CreatedAt": "2026-01-01T00:00:00Z", "Labels": {}, "Options": {}})
}

/// GOARCH, as `/version` has it, of what `/info` says.
fn architecture(engine: &Engine) -> &'static str {
    if info(engine)["Architecture"] == "aarch64" { "arm64" } else { "amd64" }
}

/// The path without `/v1.NN`.
fn unversioned(path: &str) -> String {
    let rest = path.strip_prefix("/v1.").and_then(|rest| rest.split_once('/'));
    rest.map_or_else(|| path.to_owned(), |(_, rest)| format!("/{rest}"))
}

/// 404.
pub fn missing(what: &str, name: &str) -> Reply {
    Reply::json(404, &json!({"message": format!("No such {what}: {name}")}))
}

/// Something the fake lacks; it is kept for the test to see.
pub fn unknown(engine: &mut Engine, method: &str, path: &str) -> Reply {
    engine.unknown.push(format!("{method} {path}"));
    Reply::json(501, &json!({"message": format!("the fake engine does not know {method} {path}")}))
}
