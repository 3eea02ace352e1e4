//! A whole machine for one test: home folder, engine, `kind`, cluster, gateway; and the real program to run in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{io::AsyncWriteExt as _, process::Command};

use super::{
    api_server::ApiServer,
    bundle_spec,
    docker_engine::DockerEngine,
    filters,
    gateway::Gateway,
    kind_program::{KindProgram, KindState},
};

/// How long a run of the program may take before the test fails.
const GUARD: Duration = Duration::from_mins(1);

/// What a run left.
#[derive(Clone, Debug)]
pub struct Output {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Everything at once, for one snapshot.
    pub fn text(&self) -> String {
        let code = self.code.map_or("signal".to_owned(), |code| code.to_string());
        format!("exit: {code}\n----- stdout -----\n{}----- stderr -----\n{}", self.stdout, self.stderr)
    }

    /// The lines of `-o json`.
    pub fn events(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    /// The one document of `-o json`.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}:\n{}", self.text()))
    }

    /// Fails with everything that was printed unless the exit code is this.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.text());
        self
    }
}

/// The machine. Everything is gone when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    folder: tempfile::TempDir,
    /// The engine.
    pub engine: DockerEngine,
    /// The fake `kind`, first in PATH.
    pub kind: KindProgram,
    /// The cluster's API server; it answers while the cluster is there.
    pub server: ApiServer,
    /// The ingress gateway, on the port that `kind` was told to map.
    pub gateway: Gateway,
    /// A free port of this test's own, for `--port`.
    pub port: u16,
    env: BTreeMap<String, String>,
    watch: tokio::task::JoinHandle<()>,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl Sandbox {
    /// A machine with an engine, `kind` 0.30.0 and nothing else.
    pub async fn new() -> Self {
        // reqwest has no provider of its own, neither in the program nor here.
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = tempfile::Builder::new().prefix("quickstart-test-").tempdir().unwrap();
        let root = folder.path().to_owned();
        for sub in ["home", "bin", "run", "tmp"] {
            fs_err::create_dir_all(root.join(sub)).unwrap();
        }
        for program in ["sh", "cat", "mkdir", "sleep"] {
            let found = ["/bin", "/usr/bin"].iter().map(|dir| Path::new(dir).join(program)).find(|path| path.exists()).unwrap();
            fs_err::os::unix::fs::symlink(found, root.join("bin").join(program)).unwrap();
        }
        let server = ApiServer::start().await;
        let kind = KindProgram::install(&root.join("bin"), &root.join("kind"), &server.url());
        let engine = DockerEngine::start(&root.join("run/docker.sock"), kind.state.clone());
        // There is one server: it belongs to the cluster with a mapped port, not to one that a test has only put beside it.
        // A node that is stopped serves nothing.
        let power = engine.clone();
        let mapped = move |state: &KindState| {
            let mut clusters = state.clusters();
            clusters.retain(|cluster| !power.state().states.contains_key(&cluster.node()) && !state.has_own_server(&cluster.name));
            let first = clusters.iter().position(|cluster| cluster.ports().next().is_some()).unwrap_or_default();
            (!clusters.is_empty()).then(|| clusters.swap_remove(first))
        };
        let mapped = Arc::new(mapped);
        let (state, of_gateway) = (kind.state.clone(), Arc::clone(&mapped));
        let gateway = Gateway::new(Arc::new(move || Some(of_gateway(&state)?.ports().next()?.1)));
        server.attach_gateway(gateway.clone());
        let state = kind.state.clone();
        server.live_with(Arc::new(move || mapped(&state).map(|cluster| (cluster.serial, cluster.name))));
        let watched = server.clone();
        // `kind delete` is a separate program: the ports that went with the node close a moment later, as with Docker's own proxy.
        let watch = tokio::spawn(async move {
            loop {
                watched.sync_gateway().await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let mut env = BTreeMap::new();
        let mut set = |key: &str, value: String| drop(env.insert(key.to_owned(), value));
        set("HOME", root.join("home").display().to_string());
        set("XDG_CACHE_HOME", root.join("home/.cache").display().to_string());
        set("XDG_STATE_HOME", root.join("home/.local/state").display().to_string());
        set("XDG_CONFIG_HOME", root.join("home/.config").display().to_string());
        set("XDG_RUNTIME_DIR", root.join("run").display().to_string());
        set("TMPDIR", root.join("tmp").display().to_string());
        set("PATH", root.join("bin").display().to_string());
        set("DOCKER_HOST", engine.host());
        set("TERM", "dumb".to_owned());
        // No test speaks to the network that the machine is in.
        set("QUICKSTART_MDNS", "off".to_owned());
        Self { folder, engine, kind, server, gateway, port: free_port(), env, watch }
    }

    /// The temporary folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The home folder.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Sets an environment variable of every later run.
    pub fn env(&mut self, key: &str, value: &str) {
        self.env.insert(key.to_owned(), value.to_owned());
    }

    /// Removes an environment variable of every later run.
    pub fn env_remove(&mut self, key: &str) {
        self.env.remove(key);
    }

    /// No `kind` in PATH.
    pub fn remove_kind(&self) {
        fs_err::remove_file(&self.kind.path).unwrap();
    }

    /// Writes the small stack's manifests, model and `kind` to disk, puts its images into the engine, and returns the bundle spec's path.
    pub fn bundle_spec(&self) -> PathBuf {
        bundle_spec::write(&self.path().join("spec"), &self.engine, &self.kind.path)
    }

    /// A bundle of the small stack, made by the program itself; afterwards the engine has no images, as on a machine that only has the file.
    pub async fn bundle(&self) -> PathBuf {
        let (spec, out) = (self.bundle_spec(), self.path().join("small.tar"));
        self.quickstart(&["bundle", "create", "--from", &spec.display().to_string(), &out.display().to_string()]).await.expect(0);
        let mut engine = self.engine.state();
        engine.images.clear();
        engine.log.clear();
        drop(engine);
        out
    }

    /// The program with this machine's environment and nothing of the test's own.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
        command.args(args).env_clear().envs(&self.env).current_dir(self.home()).stdin(Stdio::null()).kill_on_drop(true);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub async fn quickstart(&self, args: &[&str]) -> Output {
        self.finish(self.spawn(args), args).await
    }

    /// Runs the program with this on its standard input.
    pub async fn quickstart_with_input(&self, args: &[&str], input: &str) -> Output {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        self.finish(child, args).await
    }

    /// Starts the program, for tests that send signals (`rustix::process::kill_process`) or read while it runs.
    pub fn spawn(&self, args: &[&str]) -> tokio::process::Child {
        self.command(args).spawn().unwrap()
    }

    /// Waits for a program that was started.
    pub async fn finish(&self, child: tokio::process::Child, args: &[&str]) -> Output {
        self.finish_within(GUARD, child, args).await
    }

    /// The same with another patience.
    pub async fn finish_within(&self, guard: Duration, child: tokio::process::Child, args: &[&str]) -> Output {
        let waited = tokio::time::timeout(guard, child.wait_with_output()).await;
        let Ok(output) = waited else {
            let last: Vec<String> = self.server.requests().iter().rev().take(15).map(super::faults::Logged::line).collect();
            panic!("quickstart {args:?} did not end in {guard:?}; the API server's last requests, newest first:\n{}", last.join("\n"));
        };
        let output = output.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// insta settings with this machine's paths filtered; use as `sandbox.snapshots().bind(|| assert_snapshot!(…))`.
    pub fn snapshots(&self) -> insta::Settings {
        let mut settings = insta::Settings::clone_current();
        for (pattern, replacement) in filters::filters(self.path()) {
            settings.add_filter(&pattern, replacement);
        }
        settings
    }

    /// A kubeconfig in the home folder with one context `mine`, as a user might have one.
    pub fn users_kubeconfig(&self) -> PathBuf {
        let path = self.home().join(".kube/config");
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(
            &path,
            "apiVersion: v1\nclusters:\n- cluster:\n    server: https://192.0.2.1:6443\n  name: mine\ncontexts:\n- context:\n    cluster: mine\n    user: mine\n  name: mine\ncurrent-context: mine\nkind: Config\npreferences: {}\nusers:\n- name: mine\n  user:\n    token: secret\n",
        )
        .unwrap();
        path
    }
}

/// A port of 127.0.0.1 that nobody uses and that no other test of this process gets; below the ports that the kernel gives to
/// outgoing connections, one of which could otherwise take it before the gateway does.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap();
    let start = 20_000 + u16::try_from(std::process::id() % 100).unwrap() * 100;
    let free = |port: &u16| !given.contains(port) && std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let port = (start..32_000).find(free).unwrap();
    given.insert(port);
    port
}

/// Asks until the condition holds, for at most 30 seconds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("in 30 seconds this did not come true: {what}");
}
