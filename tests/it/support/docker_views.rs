//! How the fake engine describes itself and its containers.

use serde_json::{Value, json};

use super::{docker_engine::Engine, kind_program::ClusterRecord};

/// `/info`.
pub fn info(engine: &Engine) -> Value {
    let mut info = json!({"ID": "fake", "Name": "laptop", "NCPU": 4, "MemTotal": 8_u64 << 30, "Architecture": "x86_64", "OSType": "linux",
        "OperatingSystem": "Fake Linux", "KernelVersion": "6.1.0", "ServerVersion": "28.0.0", "Driver": "overlay2", "CgroupVersion": "2", "CgroupDriver": "systemd",
        "DockerRootDir": "/var/lib/docker", "SecurityOptions": ["name=seccomp,profile=builtin"], "Images": engine.images.len(), "Warnings": []});
    for (key, value) in &engine.info {
        info[key] = value.clone();
    }
    info
}

/// An element of `/containers/json`.
pub fn summary(engine: &Engine, cluster: &ClusterRecord) -> Value {
    let state = engine.states.get(&cluster.node()).map_or("running", String::as_str);
    let ports: Vec<Value> = cluster
        .published()
        .map(|(inside, outside)| json!({"IP": "127.0.0.1", "PrivatePort": inside, "PublicPort": outside, "Type": "tcp"}))
        .collect();
    json!({"Id": cluster.id(), "Names": [format!("/{}", cluster.node())], "Image": cluster.image, "ImageID": "sha256:0", "Created": 1, "State": state, "Status": "Up 1 minute",
        "Labels": labels(cluster), "Ports": ports, "Mounts": []})
}

fn labels(cluster: &ClusterRecord) -> Value {
    json!({"io.x-k8s.kind.cluster": cluster.name, "io.x-k8s.kind.role": "control-plane"})
}

/// `/containers/ID/json`.
pub fn inspect(engine: &Engine, cluster: &ClusterRecord) -> Value {
    let state = engine.states.get(&cluster.node()).map_or("running", String::as_str);
    let ports: serde_json::Map<String, Value> = cluster
        .published()
        .map(|(inside, outside)| (format!("{inside}/tcp"), json!([{"HostIp": "127.0.0.1", "HostPort": outside.to_string()}])))
        .collect();
    let started = engine.started.get(&cluster.node()).map_or("2026-01-01T00:00:00Z", String::as_str);
    let address = engine.addresses.get(&cluster.node()).map_or("172.18.0.2", String::as_str);
    json!({"Id": cluster.id(), "Name": format!("/{}", cluster.node()), "Image": "sha256:0", "Created": "2026-01-01T00:00:00Z",
        "State": {"Status": state, "Running": state == "running", "Paused": state == "paused", "ExitCode": 0, "Pid": 1, "StartedAt": started},
        "Config": {"Image": cluster.image, "Labels": labels(cluster), "Env": [], "Hostname": cluster.node()},
        "HostConfig": {"PortBindings": ports}, "Mounts": [{"Type": "volume", "Name": cluster.volume(), "Destination": "/var", "RW": true}],
        "NetworkSettings": {"Ports": ports, "Networks": {"kind": {"IPAddress": address}}}})
}
