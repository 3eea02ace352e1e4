//! `docker exec` into the fake node: what `ctr` and `crictl` answer, and what was asked.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{docker_archive, faults::sha256};

/// A command that ran in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The container's name.
    pub container: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// sha256 of what it was given on standard input, in hexadecimal.
    pub stdin: String,
    /// Bytes of it.
    pub stdin_len: usize,
    /// Exit code.
    pub code: i64,
}

/// What a command answers.
#[derive(Clone, Debug, Default)]
pub struct ExecAnswer {
    /// Exit code.
    pub code: i64,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl ExecAnswer {
    /// Success with this output.
    pub fn ok(stdout: &str) -> Self {
        Self { stdout: stdout.to_owned(), ..Self::default() }
    }

    /// A failure with this text on standard error.
    pub fn failed(code: i64, stderr: &str) -> Self {
        Self { code, stderr: stderr.to_owned(), ..Self::default() }
    }

    /// The frames of Docker's multiplexed stream.
    pub fn frames(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (stream, text) in [(1_u8, &self.stdout), (2, &self.stderr)] {
            if !text.is_empty() {
                out.extend([stream, 0, 0, 0]);
                out.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                out.extend(text.as_bytes());
            }
        }
        out
    }
}

/// An exec that was created.
#[derive(Clone, Debug, Default)]
pub struct Exec {
    /// In which container.
    pub container: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Whether it wants standard input.
    pub stdin: bool,
    /// Set when it has ended.
    pub code: Option<i64>,
}

/// Images of the node: name → ID.
pub type NodeImages = BTreeMap<String, String>;

/// As kubeadm writes it, with the node's own address; the fake API server speaks plain HTTP.
const ADMINISTRATOR: &str = r#"apiVersion: v1
kind: Config
clusters: [{name: here, cluster: {server: "http://here-control-plane:6443"}}]
contexts: [{name: admin@here, context: {cluster: here, user: admin}}]
current-context: admin@here
users: [{name: admin, user: {token: secret}}]
"#;

/// What `argv` does to a node and answers, unless the test has scripted it.
pub fn run(images: &mut NodeImages, argv: &[String], stdin: &[u8]) -> ExecAnswer {
    let has = |word: &str| argv.iter().any(|one| one == word);
    let positional: Vec<&String> = argv.iter().filter(|one| !one.starts_with('-')).collect();
    let list = |images: &NodeImages| lines(images.keys());
    if let [shell, flag, script, _, pairs @ ..] = argv
        && (shell.as_str(), flag.as_str()) == ("sh", "-c")
        && script.contains("images tag")
    {
        return tag_pairs(images, pairs);
    }
    if has("/etc/kubernetes/admin.conf") {
        return ExecAnswer::ok(ADMINISTRATOR);
    }
    if has("kubeadm") && has("check-expiration") {
        return ExecAnswer::ok(&certificates("2099-01-01T00:00:00Z", "2109-01-01T00:00:00Z"));
    }
    if has("ctr") && has("import") {
        return match docker_archive::load(stdin) {
            Err(error) => ExecAnswer::failed(1, &format!("ctr: {error}\n")),
            Ok(loaded) => {
                let mut said = Vec::new();
                for image in loaded {
                    for tag in &image.tags {
                        let name = docker_archive::full_name(tag);
                        said.push(format!("unpacking {name} ({})...done", image.id()));
                        images.insert(name, image.id());
                    }
                }
                ExecAnswer::ok(&lines(&said))
            }
        };
    }
    if has("ctr") && has("tag") {
        let Some(at) = positional.iter().position(|one| *one == "tag") else { return ExecAnswer::default() };
        let names = &positional[at + 1..];
        let Some(id) = names.first().and_then(|source| images.get(source.as_str()).cloned()) else {
            return ExecAnswer::failed(1, &format!("ctr: image \"{}\": not found\n", names.first().map_or("", |one| one)));
        };
        for name in &names[1..] {
            if images.contains_key(name.as_str()) && !has("--force") {
                return ExecAnswer::failed(1, &format!("ctr: image \"{name}\": already exists\n"));
            }
            images.insert((*name).clone(), id.clone());
        }
        return ExecAnswer::ok(&lines(names[1..].iter().copied()));
    }
    if has("ctr") && (has("rm") || has("remove")) {
        for name in &positional {
            images.remove(name.as_str());
        }
        return ExecAnswer::default();
    }
    if has("ctr") && (has("ls") || has("list")) {
        let quiet = has("-q") || has("--quiet");
        let table = |images: &NodeImages| {
            let row = |(name, id): (&String, &String)| {
                format!("{name} application/vnd.docker.distribution.manifest.v2+json {id} 1.0 KiB linux/amd64 -")
            };
            let rows: Vec<String> =
                ["REF TYPE DIGEST SIZE PLATFORMS LABELS".to_owned()].into_iter().chain(images.iter().map(row)).collect();
            lines(&rows)
        };
        return ExecAnswer::ok(&if quiet { list(images) } else { table(images) });
    }
    if has("crictl") && has("images") {
        let mut by_id: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
        for (name, id) in images.iter() {
            by_id.entry(id).or_default().push(name);
        }
        let all: Vec<Value> = by_id
            .into_iter()
            .map(|(id, names)| {
                let (digests, tags): (Vec<&String>, Vec<&String>) = names.into_iter().partition(|name| name.contains('@'));
                json!({"id": id, "repoTags": tags, "repoDigests": digests, "size": "1024", "pinned": false})
            })
            .collect();
        return ExecAnswer::ok(&json!({"images": all}).to_string());
    }
    ExecAnswer::default()
}

/// What `kubeadm certs check-expiration -o json` says: when the certificates end, and when their authority does.
pub fn certificates(end: &str, authority: &str) -> String {
    let one = |name: &str, end: &str| json!({"name": name, "expirationDate": end, "residualTime": 1, "externallyManaged": false, "caName": "ca", "missing": false});
    json!({"kind": "CertificateExpirationInfo", "apiVersion": "output.kubeadm.k8s.io/v1alpha3",
        "certificates": [one("admin.conf", end), one("apiserver", "2099-06-01T00:00:00Z")], "certificateAuthorities": [one("ca", authority)]})
    .to_string()
}

/// A shell loop that tags its arguments pair by pair; it ends at the first failure.
fn tag_pairs(images: &mut NodeImages, pairs: &[String]) -> ExecAnswer {
    for pair in pairs.chunks_exact(2) {
        let Some(id) = images.get(&pair[0]).cloned() else {
            return ExecAnswer::failed(1, &format!("ctr: image \"{}\": not found\n", pair[0]));
        };
        images.insert(pair[1].clone(), id);
    }
    ExecAnswer::default()
}

fn lines<'a>(all: impl IntoIterator<Item = &'a String>) -> String {
    all.into_iter().flat_map(|one| [one.as_str(), "\n"]).collect()
}

/// A record of what ran.
pub fn ran(exec: &Exec, stdin: &[u8], code: i64) -> Ran {
    Ran { container: exec.container.clone(), argv: exec.argv.clone(), stdin: sha256(stdin), stdin_len: stdin.len(), code }
}
