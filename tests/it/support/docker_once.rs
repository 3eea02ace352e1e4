//! Containers of the fake engine that do one thing and go: those that look after the nodes' image stores.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    docker_engine::{Engine, missing, unknown},
    docker_exec::{ExecAnswer, NodeImages},
    docker_images::find_image,
    kind_program::ClusterRecord,
    wire::{Got, Reply},
};

/// Where the fake has the volume for kept images.
pub const MOUNT: &str = "/var/lib/docker/volumes/quickstart-images/_data";

/// Image stores of nodes, in one volume.
#[derive(Debug, Default)]
pub struct Stores {
    /// Cluster → what its node has at `/var/lib/containerd`.
    pub nodes: BTreeMap<String, NodeImages>,
    /// Node image → what is kept for the next node.
    pub kept: BTreeMap<String, NodeImages>,
    /// What the containers were told to do, in order.
    pub log: Vec<String>,
    /// What the next one answers instead of doing anything.
    pub refuses: Option<ExecAnswer>,
    /// An engine that makes of a container an image that starts as the container did, whatever it is told.
    pub commits_the_container: bool,
    /// A mount point of the volume that the engine's machine does not have under that path.
    pub elsewhere: bool,
    containers: BTreeMap<String, Once>,
}

#[derive(Clone, Debug)]
struct Once {
    image: String,
    entrypoint: Value,
    words: Vec<String>,
    labels: Value,
    goes_by_itself: bool,
    answer: ExecAnswer,
}

impl Stores {
    /// As elements of `/containers/json`.
    pub fn summaries(&self) -> Vec<Value> {
        let one = |(id, once): (&String, &Once)| json!({"Id": id, "Names": [format!("/once-{id}")], "State": "exited", "Labels": once.labels, "Ports": [], "Mounts": []});
        self.containers.iter().map(one).collect()
    }

    fn run(&mut self, words: &[String]) -> ExecAnswer {
        // Not `kept.sh`: the node image is emptied.
        if words.is_empty() {
            return ExecAnswer::default();
        }
        self.log.push(words.join(" "));
        if let Some(answer) = self.refuses.take() {
            return answer;
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["prepare", ..] if self.elsewhere => ExecAnswer::failed(1, "the engine's volume is not at its mount point\n"),
            ["prepare", cluster, key] => {
                let kept = self.kept.get(*key).cloned();
                let said = if kept.is_some() { "kept 100\n" } else { "new\n" };
                self.nodes.insert((*cluster).to_owned(), kept.unwrap_or_default());
                ExecAnswer::ok(said)
            }
            ["keep", cluster, key, names @ ..] => {
                if let Some(mut images) = self.nodes.remove(*cluster) {
                    images.retain(|name, _| names.contains(&name.as_str()));
                    self.kept.insert((*key).to_owned(), images);
                }
                ExecAnswer::default()
            }
            ["drop", cluster] => {
                self.nodes.remove(*cluster);
                ExecAnswer::default()
            }
            ["distrust", key] => {
                self.kept.remove(*key);
                ExecAnswer::default()
            }
            _ => ExecAnswer::failed(127, "kept.sh: no such thing\n"),
        }
    }
}

/// The store that a node was made with.
pub fn store_of(cluster: &ClusterRecord) -> Option<String> {
    let rest = cluster.config.split_once(&format!("{MOUNT}/nodes/"))?.1;
    Some(rest.split('"').next()?.to_owned())
}

/// A request about a container that is no node; `None`: there is no such container.
pub fn containers(engine: &mut Engine, got: &Got, method: &str, parts: &[&str]) -> Option<Reply> {
    if let ("POST", ["create"]) = (method, parts) {
        return Some(create(engine, got));
    }
    let [id, rest @ ..] = parts else { return None };
    let once = engine.stores.containers.get(*id)?.clone();
    Some(match (method, rest) {
        ("POST", ["start"]) => {
            let answer = engine.stores.run(&once.words);
            if once.goes_by_itself {
                engine.stores.containers.remove(*id);
            } else if let Some(kept) = engine.stores.containers.get_mut(*id) {
                kept.answer = answer;
            }
            Reply::empty(204)
        }
        ("POST", ["wait"]) => Reply::json(200, &json!({"StatusCode": once.answer.code})),
        ("GET", ["logs"]) => Reply::Full(200, "application/vnd.docker.multiplexed-stream", once.answer.frames()),
        ("DELETE", []) => {
            engine.stores.containers.remove(*id);
            Reply::empty(204)
        }
        _ => unknown(engine, method, &got.path),
    })
}

/// An image of a container. As with the engine, what the request does not say of it is what the container was made with; `-v /var` is filled
/// from it, so a node that is made of one brings no images of its own.
pub fn commit(engine: &mut Engine, got: &Got, query: &BTreeMap<String, String>) -> Reply {
    let asked = |key: &str| query.get(key).map(String::as_str).unwrap_or_default();
    let Some(once) = engine.stores.containers.get(asked("container")).cloned() else { return missing("container", asked("container")) };
    let name = format!("{}:{}", asked("repo"), asked("tag"));
    let mut config: Value = serde_json::from_slice(&got.body).unwrap_or_default();
    if engine.stores.commits_the_container || config["Entrypoint"].is_null() {
        config["Entrypoint"] = once.entrypoint;
    }
    let Some(image) = find_image(engine, &once.image).map(|base| base.made(&name, &config)) else { return missing("image", &once.image) };
    let id = image.id();
    engine.images.push(image);
    Reply::json(201, &json!({"Id": id}))
}

fn create(engine: &mut Engine, got: &Got) -> Reply {
    let body: Value = serde_json::from_slice(&got.body).unwrap_or_default();
    let image = body["Image"].as_str().unwrap_or_default();
    if find_image(engine, image).is_none() {
        return missing("image", image);
    }
    let words = |key: &str| body[key].as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned));
    let argv: Vec<String> = words("Entrypoint").chain(words("Cmd")).collect();
    let id = format!("{:064x}", 0xc0de_0000 + engine.stores.containers.len() + engine.stores.log.len());
    let once = Once {
        image: image.to_owned(),
        entrypoint: body["Entrypoint"].clone(),
        words: argv.get(4..).unwrap_or_default().to_vec(),
        labels: body["Labels"].clone(),
        goes_by_itself: body["HostConfig"]["AutoRemove"] == true,
        answer: ExecAnswer::default(),
    };
    engine.stores.containers.insert(id.clone(), once);
    Reply::json(201, &json!({"Id": id, "Warnings": []}))
}
