//! Pulls by registry, against what a registry gives to those without an account.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a registry allows without an account to everybody behind one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// Pulls: an image of one architecture is one, whatever its size.
    pub pulls: u64,
    /// Within so many hours.
    pub hours: u64,
}

/// Registries whose limit is published. Docker Hub: "100 per IPv4 address or IPv6 /64 subnet" for unauthenticated users, per 6 hours
/// (docs.docker.com/docker-hub/usage/pulls; the header `ratelimit-limit: 100;w=21600` says the same). quay.io, gcr.io, ghcr.io and
/// registry.k8s.io publish no number of pulls.
const LIMITS: &[(&str, Limit)] = &[("docker.io", Limit { pulls: 100, hours: 6 })];

/// What one machine pulls from one registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pulls {
    /// `docker.io`, `quay.io`, …
    pub registry: String,
    /// Images still to be pulled.
    pub pulls: u64,
    /// Where it is known.
    pub limit: Option<Limit>,
    /// How many machines behind one address it is enough for.
    pub machines: Option<u64>,
}

/// The registry of a reference as Docker reads it: a first part without a dot, a port or the name `localhost` is a name on Docker Hub.
pub(super) fn registry(reference: &str) -> &str {
    match reference.split_once('/') {
        Some(("index.docker.io" | "registry-1.docker.io", _)) => "docker.io",
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => "docker.io",
    }
}

/// Most pulls first.
pub(super) fn pulls<'a>(references: impl IntoIterator<Item = &'a str>) -> Vec<Pulls> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for reference in references {
        *counts.entry(registry(reference)).or_default() += 1;
    }
    let mut all: Vec<Pulls> = counts
        .into_iter()
        .map(|(registry, pulls)| {
            let limit = LIMITS.iter().find(|(name, _)| *name == registry).map(|(_, limit)| *limit);
            Pulls { registry: registry.to_owned(), pulls, limit, machines: limit.map(|limit| limit.pulls / pulls) }
        })
        .collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.pulls));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_as_docker_reads_them() {
        for (reference, expected) in [
            ("kserve/agent:v0.20.0", "docker.io"),
            ("docker.io/istio/pilot:1", "docker.io"),
            ("index.docker.io/a/b", "docker.io"),
            ("busybox", "docker.io"),
            ("quay.io/a/b@sha256:0", "quay.io"),
            ("localhost/a", "localhost"),
            ("127.0.0.1:5000/a", "127.0.0.1:5000"),
        ] {
            assert_eq!(registry(reference), expected, "{reference}");
        }
    }

    /// Forty laptops behind one address: six pulls each from Docker Hub are enough for sixteen.
    #[test]
    fn six_pulls_are_enough_for_sixteen_machines() {
        let all = pulls(["a/a", "a/b", "a/c", "a/d", "a/e", "a/f", "quay.io/x/y"]);
        assert_eq!((all[0].registry.as_str(), all[0].pulls, all[0].machines), ("docker.io", 6, Some(16)));
        assert_eq!((all[1].registry.as_str(), all[1].pulls, all[1].machines), ("quay.io", 1, None));
    }
}
