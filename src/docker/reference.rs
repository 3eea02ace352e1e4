//! Image references as the kubelet's runtime looks them up.

/// The full form of a reference: with its registry, with `library/` where Docker Hub implies it, with a tag, or with a digest and
/// then without the tag, which containerd ignores.
///
/// The rule is that of `ParseDockerRef` in distribution's reference package, by which containerd's CRI plugin finds images.
pub fn normalize_reference(reference: &str) -> String {
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (reference, None),
    };
    let after_slash = name.rfind('/').map_or(0, |at| at + 1);
    let (path, tag) = match name[after_slash..].find(':') {
        Some(at) => (&name[..after_slash + at], Some(&name[after_slash + at + 1..])),
        None => (name, None),
    };
    let (domain, rest) = match path.split_once('/') {
        Some((first, rest)) if is_domain(first) => (first, rest),
        _ => ("docker.io", path),
    };
    let domain = if domain == "index.docker.io" { "docker.io" } else { domain };
    let library = if domain == "docker.io" && !rest.contains('/') { "library/" } else { "" };
    match (digest, tag) {
        (Some(digest), _) => format!("{domain}/{library}{rest}@{digest}"),
        (None, tag) => format!("{domain}/{library}{rest}:{}", tag.unwrap_or("latest")),
    }
}

fn is_domain(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.chars().any(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_get_the_form_in_which_the_kubelet_asks() {
        for (written, full) in [
            ("kserve/agent:v1", "docker.io/kserve/agent:v1"),
            ("busybox", "docker.io/library/busybox:latest"),
            ("docker.io/busybox:1", "docker.io/library/busybox:1"),
            ("index.docker.io/kserve/agent:v1", "docker.io/kserve/agent:v1"),
            ("quay.io/jetstack/cert-manager-controller:v1.18.0", "quay.io/jetstack/cert-manager-controller:v1.18.0"),
            ("localhost/x:1", "localhost/x:1"),
            ("localhost:5001/x", "localhost:5001/x:latest"),
            ("gcr.io/knative-releases/a/b@sha256:00ff", "gcr.io/knative-releases/a/b@sha256:00ff"),
            ("kserve/agent@sha256:00ff", "docker.io/kserve/agent@sha256:00ff"),
            ("registry.k8s.io/x/y:v1.2@sha256:00ff", "registry.k8s.io/x/y@sha256:00ff"),
        ] {
            assert_eq!(normalize_reference(written), full, "{written}");
            assert_eq!(normalize_reference(full), full, "{full} twice");
        }
    }
}
