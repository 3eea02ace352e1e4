//! A fake `kind`: a shell script that records what it is told, keeps clusters as files, and writes kubeconfigs for the fake API server.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::faults::sha256;

/// The folder that `kind` and the fake engine share.
#[derive(Clone, Debug)]
pub struct KindState(PathBuf);

/// A cluster that `kind` has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRecord {
    /// Its name.
    pub name: String,
    /// Counts every creation.
    pub serial: u64,
    /// Node image.
    pub image: String,
    /// The configuration it was made from.
    pub config: String,
    /// The API server's port on the host.
    pub api: u16,
}

impl ClusterRecord {
    /// The node's container.
    pub fn node(&self) -> String {
        format!("{}-control-plane", self.name)
    }

    /// The node container's ID.
    pub fn id(&self) -> String {
        sha256(format!("{} {}", self.name, self.serial).as_bytes())
    }

    /// The node's volume.
    pub fn volume(&self) -> String {
        sha256(format!("volume of {}", self.id()).as_bytes())
    }

    /// Mapped ports: inside, outside.
    pub fn ports(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        numbers(&self.config, "containerPort").into_iter().zip(numbers(&self.config, "hostPort"))
    }

    /// All that the engine publishes: the mapped ports and the API server's, which kind adds.
    pub fn published(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        self.ports().chain([(6443, self.api)])
    }
}

/// Every number that stands behind a key, in YAML or JSON.
fn numbers(text: &str, key: &str) -> Vec<u16> {
    text.split(key)
        .skip(1)
        .filter_map(|rest| {
            let rest = rest.trim_start_matches(['"', ':', ' ']);
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        })
        .collect()
}

impl KindState {
    /// Makes the folder.
    pub fn new(folder: &Path) -> Self {
        for sub in ["clusters", "configs", "calls", "script", "servers"] {
            fs_err::create_dir_all(folder.join(sub)).unwrap();
        }
        Self(folder.to_owned())
    }

    /// Clusters that exist.
    pub fn clusters(&self) -> Vec<ClusterRecord> {
        let mut found: Vec<ClusterRecord> = fs_err::read_dir(self.0.join("clusters"))
            .unwrap()
            .filter_map(|entry| self.cluster(&entry.unwrap().file_name().into_string().unwrap()))
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// One cluster.
    pub fn cluster(&self, name: &str) -> Option<ClusterRecord> {
        // The script empties the file instead of removing it, and writes it in one piece.
        let text = fs_err::read_to_string(self.0.join("clusters").join(name)).ok().filter(|text| text.ends_with('\n'))?;
        let (serial, image) = text.trim_end().split_once(' ')?;
        let config = fs_err::read_to_string(self.0.join("configs").join(name)).unwrap_or_default();
        let configured =
            config.split("image").nth(1).and_then(|rest| rest.trim_start_matches(['"', ':', ' ']).split(['"', '\n', ',']).next());
        let image = configured.unwrap_or(image).to_owned();
        let server = fs_err::read_to_string(self.0.join("servers").join(name)).or_else(|_| fs_err::read_to_string(self.0.join("server")));
        let server = server.unwrap_or_default();
        let api = server.rsplit(':').next().and_then(|port| port.trim().parse().ok()).unwrap_or_default();
        Some(ClusterRecord { name: name.to_owned(), serial: serial.parse().ok()?, image, config, api })
    }

    /// The cluster of this name has an API server of its own.
    pub fn serve(&self, name: &str, server: &str) {
        fs_err::write(self.0.join("servers").join(name), server).unwrap();
    }

    /// Whether it has one.
    pub fn has_own_server(&self, name: &str) -> bool {
        self.0.join("servers").join(name).exists()
    }

    /// Takes a cluster away, as removing its containers would.
    pub fn forget(&self, name: &str) {
        fs_err::write(self.0.join("clusters").join(name), "").unwrap();
    }

    /// A cluster that somebody else has made.
    pub fn add(&self, name: &str, image: &str) {
        fs_err::write(self.0.join("clusters").join(name), format!("{} {image}\n", 900 + self.clusters().len())).unwrap();
    }
}

/// The program and its scripts.
#[derive(Clone, Debug)]
pub struct KindProgram {
    /// What it keeps.
    pub state: KindState,
    /// The executable.
    pub path: PathBuf,
}

impl KindProgram {
    /// Writes `kind` into a folder of programs; it keeps its state in `state` and points kubeconfigs at `server`.
    pub fn install(bin: &Path, state: &Path, server: &str) -> Self {
        let path = bin.join("kind");
        let this = Self { state: KindState::new(state), path };
        let script = SCRIPT.replace("@STATE@", &state.display().to_string()).replace("@SERVER@", server);
        fs_err::write(&this.path, script).unwrap();
        fs_err::write(state.join("server"), server).unwrap();
        fs_err::set_permissions(&this.path, std::fs::Permissions::from_mode(0o755)).unwrap();
        this.version("0.30.0");
        this
    }

    /// What `kind version` says.
    pub fn version(&self, version: &str) {
        self.script("version", version);
    }

    /// `kind create cluster` fails with this text; with `keep_node` the container is there afterwards, as with `--retain`.
    pub fn fail_create(&self, stderr: &str, keep_node: bool) {
        self.script("fail", stderr);
        self.script("keep", if keep_node { "yes" } else { "" });
    }

    /// `kind create cluster` never ends.
    pub fn hang_create(&self) {
        self.script("hang", "yes");
    }

    /// `kind create cluster` waits, until [`KindProgram::release`], before it makes anything.
    pub fn hold_create(&self) {
        self.script("hold", "yes");
    }

    /// `kind create cluster` waits, until [`KindProgram::release`], after the API server of its node answers.
    pub fn hold_late(&self) {
        self.script("late", "yes");
    }

    /// `kind create cluster` fails with this text after the API server of its node answers.
    pub fn fail_late(&self, stderr: &str) {
        self.script("fail-late", stderr);
    }

    /// Those who wait go on.
    pub fn release(&self) {
        self.script("hold", "");
        self.script("late", "");
    }

    /// Back to a program that works.
    pub fn heal(&self) {
        for name in ["fail", "keep", "hang", "hold", "late", "fail-late"] {
            self.script(name, "");
        }
    }

    fn script(&self, name: &str, text: &str) {
        fs_err::write(self.state.0.join("script").join(name), text).unwrap();
    }

    /// Every call so far: the arguments, joined by blanks.
    pub fn calls(&self) -> Vec<String> {
        let text = fs_err::read_to_string(self.state.0.join("calls/log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The environment variables that `kind create cluster` saw, as `NAME=value`; only those that matter to kind.
    pub fn environment(&self) -> Vec<String> {
        let text = fs_err::read_to_string(self.state.0.join("calls/env")).unwrap_or_default();
        text.lines().filter(|line| !line.ends_with('=')).map(str::to_owned).collect()
    }

    /// The configuration that the last `create cluster --name NAME` was given.
    pub fn config(&self, name: &str) -> String {
        fs_err::read_to_string(self.state.0.join("configs").join(name)).unwrap_or_default()
    }
}

/// POSIX sh; `cat`, `mkdir` and `sleep` are the only programs it needs.
const SCRIPT: &str = include_str!("fake-kind");
