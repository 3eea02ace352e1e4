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
        for sub in ["clusters", "configs", "calls", "script"] {
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
        Some(ClusterRecord { name: name.to_owned(), serial: serial.parse().ok()?, image, config })
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

    /// Back to a program that works.
    pub fn heal(&self) {
        for name in ["fail", "keep", "hang"] {
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
const SCRIPT: &str = r#"#!/bin/sh
state='@STATE@'
server='@SERVER@'
echo "$*" >>"$state/calls/log"

verb="$1 $2"
name="${KIND_CLUSTER_NAME:-kind}" config= kubeconfig= image=kindest/node:v1.34.3 last=
for word in "$@"; do
  case "$last" in
    --name|-n) name=$word ;;
    --config) config=$word ;;
    --kubeconfig) kubeconfig=$word ;;
    --image) image=$word ;;
  esac
  case "$word" in
    --name=*) name=${word#*=} ;;
    --config=*) config=${word#*=} ;;
    --kubeconfig=*) kubeconfig=${word#*=} ;;
    --image=*) image=${word#*=} ;;
  esac
  last=$word
done
first=${KUBECONFIG%%:*}
: "${kubeconfig:=${first:-$HOME/.kube/config}}"
newline='
'
exists() { [ -s "$state/clusters/$1" ]; }

# Copies a kubeconfig without the entries called kind-$name.
without() {
  entry=
  flush() { case "$entry" in *"kind-$name"*) ;; *) printf '%s' "$entry" ;; esac; entry=; }
  while IFS= read -r line || [ -n "$line" ]; do
    case "$line" in
      clusters:*|contexts:*|users:*) flush; echo "${line%%:*}:" ;;
      "current-context: kind-$name") flush ;;
      [a-z]*) flush; echo "$line" ;;
      "- "*|"  - "*) flush; entry="$line$newline" ;;
      *) entry="$entry$line$newline" ;;
    esac
  done
  flush
}

# Adds the entries of this cluster, as far in as those that are there, and makes its context the current one.
export_to() {
  mkdir -p "${1%/*}"
  old= in=
  [ -s "$1" ] && old=$(without <"$1")
  [ -n "$old" ] || old="apiVersion: v1${newline}kind: Config${newline}clusters:${newline}contexts:${newline}users:"
  case "$old" in *"$newline  - "*) in="  " ;; esac
  new=$(echo "$old" | while IFS= read -r line; do
    case "$line" in
      current-context:*) ;;
      clusters:) echo "$line$newline$in- name: kind-$name$newline$in  cluster: {server: \"$server\"}" ;;
      contexts:) echo "$line$newline$in- name: kind-$name$newline$in  context: {cluster: kind-$name, user: kind-$name}" ;;
      users:) echo "$line$newline$in- name: kind-$name$newline$in  user: {token: secret}" ;;
      *) echo "$line" ;;
    esac
  done)
  (umask 077; echo "$new${newline}current-context: kind-$name" >"$1") || { echo "ERROR: failed to write $1" >&2; exit 1; }
}

case "$verb" in
  "version "*|"--version "*) echo "kind v$(cat "$state/script/version") go1.24.6 linux/amd64" ;;
  "create cluster")
    for key in KIND_EXPERIMENTAL_PROVIDER KIND_EXPERIMENTAL_DOCKER_NETWORK DOCKER_HOST HTTP_PROXY HTTPS_PROXY NO_PROXY KUBECONFIG; do
      eval "echo \"$key=\$$key\""
    done >"$state/calls/env"
    if exists "$name"; then
      echo "ERROR: failed to create cluster: node(s) already exist for a cluster with the name \"$name\"" >&2
      exit 1
    fi
    case "$config" in
      "") : >"$state/configs/$name" ;;
      -) cat >"$state/configs/$name" ;;
      *) cat "$config" >"$state/configs/$name" ;;
    esac
    echo "Creating cluster \"$name\" ..." >&2
    echo " • Ensuring node image ($image) 🖼  ..." >&2
    # Until it is healed or the machine is gone: nobody waits for a child of a program that was killed.
    if [ -s "$state/script/hang" ]; then
      while [ -s "$state/script/hang" ]; do sleep 0.05; done
      exit 1
    fi
    serial=0
    if [ -s "$state/calls/serial" ]; then read -r serial <"$state/calls/serial"; fi
    serial=$((serial + 1))
    echo "$serial" >"$state/calls/serial"
    if [ -s "$state/script/fail" ]; then
      if [ -s "$state/script/keep" ]; then echo "$serial $image" >"$state/clusters/$name"; fi
      cat "$state/script/fail" >&2
      exit 1
    fi
    echo "$serial $image" >"$state/clusters/$name"
    export_to "$kubeconfig"
    echo " ✓ Starting control-plane 🕹️" >&2
    ;;
  "delete cluster")
    echo "Deleting cluster \"$name\" ..." >&2
    : >"$state/clusters/$name"
    if [ -s "$kubeconfig" ]; then
      kept=$(without <"$kubeconfig")
      echo "$kept" >"$kubeconfig"
    fi
    ;;
  "get clusters")
    none=1
    for file in "$state"/clusters/*; do
      if [ -s "$file" ]; then echo "${file##*/}"; none=; fi
    done
    if [ -n "$none" ]; then echo "No kind clusters found." >&2; fi
    ;;
  "get nodes") if exists "$name"; then echo "$name-control-plane"; else echo "No kind nodes found for cluster \"$name\"." >&2; fi ;;
  "get kubeconfig"|"export kubeconfig")
    if ! exists "$name"; then echo "ERROR: could not locate any control plane nodes for cluster named '$name'" >&2; exit 1; fi
    if [ "$1" = export ]; then
      export_to "$kubeconfig"
      echo "Set kubectl context to \"kind-$name\"" >&2
    else
      export_to "$state/calls/kubeconfig-$name"
      cat "$state/calls/kubeconfig-$name"
    fi
    ;;
  "export logs")
    folder=logs
    for word in "$@"; do case "$word" in /*) folder=$word ;; esac; done
    mkdir -p "$folder/$name-control-plane"
    echo "kubelet: scripted log" >"$folder/$name-control-plane/kubelet.log"
    echo "$folder"
    ;;
  *) echo "ERROR: unknown command \"$1\" for \"kind\"" >&2; exit 1 ;;
esac
"#;
