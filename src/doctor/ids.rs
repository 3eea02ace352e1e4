//! Every ID that an error can carry, as `doctor --list` prints them. A test reads the sources and compares.

use serde::Serialize;

use crate::error::Exit::{self, Deadline, Degraded, Internal, Interrupted, NotRunning, Prerequisite, StageFailed, Usage, Verification};

/// An error ID, which stays the same from version to version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorId {
    /// Such as `PORT_BUSY`.
    pub id: &'static str,
    /// The exit codes it comes with: the usual one first.
    #[serde(serialize_with = "codes")]
    pub exits: &'static [Exit],
    /// What it means, in one line.
    pub meaning: &'static str,
    /// What to do.
    pub hint: &'static str,
}

fn codes<S: serde::Serializer>(exits: &&'static [Exit], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(exits.iter().map(|exit| exit.code()))
}

const fn id(id: &'static str, exits: &'static [Exit], meaning: &'static str, hint: &'static str) -> ErrorId {
    ErrorId { id, exits, meaning, hint }
}

/// All of them, by name: a table, so a line each.
#[rustfmt::skip]
pub const ERROR_IDS: &[ErrorId] = &[
    id("API_REFUSED", &[StageFailed], "the API server refused a request", "`quickstart status` shows every component; `quickstart up` goes on"),
    id("API_UNREACHABLE", &[NotRunning, Deadline], "the API server does not answer", "`quickstart up` brings the cluster back"),
    id("BUNDLE_ARCH", &[Verification], "the bundle is for another processor than the engine's", "ask for a bundle made for the engine's architecture"),
    id("BUNDLE_DAMAGED", &[Verification], "the bundle is cut off, changed, or none", "copy it again, then `quickstart bundle verify`"),
    id("BUNDLE_UNREADABLE", &[Usage], "the bundle cannot be opened", "check its path"),
    id("BUNDLE_UNSAFE", &[Verification], "the bundle holds paths or sizes that no bundle of ours has", "do not use it"),
    id("BUNDLE_VERSION", &[Verification], "the bundle was made by a newer quickstart", "use that newer quickstart"),
    id("BUNDLE_WRITE", &[Prerequisite], "the bundle cannot be written or unpacked", "check the folder and its rights, then run the same command again"),
    id("BUSY", &[Prerequisite], "another command is at work on this cluster", "wait for it, or stop it with Ctrl-C there"),
    id("CACHE_IO", &[Prerequisite], "the cache folder cannot be used", "make it yours, or name another one with QUICKSTART_CACHE_DIR"),
    id("CGROUP_UNSUPPORTED", &[Prerequisite], "the host's control groups do not suit a node", "move the host to cgroup v2; `docker info` tells"),
    id("CHECKSUM", &[Verification], "a download is not the pinned file", "do not use it: try another network, or --bundle FILE"),
    id("CLUSTER_DIFFERS", &[Usage], "the cluster was made with other versions or another profile", "`quickstart down`, then `up`; or another --name"),
    id("CLUSTER_EXISTS", &[Prerequisite], "kind knows a cluster of that name already", "another --name, or `kind delete cluster --name NAME`"),
    id("CLUSTER_FOREIGN", &[Prerequisite], "a cluster of that name is not ours, and left alone", "another --name, or `kind delete cluster --name NAME`"),
    id("CLUSTER_GONE", &[StageFailed], "the node's container is gone", "`quickstart up` makes it again"),
    id("COMPONENT_FOREIGN", &[Prerequisite], "a component was installed by somebody else", "another cluster, or `up` without --on"),
    id("CONFIG_INVALID", &[Usage], "the configuration file is wrong", "correct the line that is named"),
    id("CRASH_LOOP", &[Deadline], "a container ends again and again", "`kubectl logs --previous` holds its last words"),
    id("DEADLINE", &[Deadline], "something was still on its way when its time was up", "`quickstart up` goes on; --timeout gives it longer"),
    id("DOWNLOAD_404", &[Prerequisite], "a pinned file is not where it was", "use --bundle FILE"),
    id("DOWNLOAD_FAILED", &[Prerequisite], "a download did not succeed", "offline? --bundle FILE; behind a proxy? HTTPS_PROXY"),
    id("ENGINE_ADDRESS", &[Prerequisite], "the engine's address or context cannot be used", "correct DOCKER_HOST or `docker context use default`"),
    id("ENGINE_ERROR", &[StageFailed, Deadline], "the container engine did not do what it was asked for", "look at `docker ps`, restart the engine, run the same command again"),
    id("ENGINE_TOO_OLD", &[Prerequisite], "the container engine is too old for kind", "install Docker 20.10 or newer"),
    id("ENGINE_UNREACHABLE", &[Prerequisite], "no container engine answers", "start one; another address is taken from DOCKER_HOST"),
    id("FORWARD_NO_POD", &[Degraded], "no ready pod stands behind the service", "`quickstart status` says why"),
    id("GATEWAY_404", &[StageFailed], "the gateway has no route for this host", "is the InferenceService Ready? `quickstart status` shows it"),
    id("GATEWAY_UNREACHABLE", &[NotRunning], "nothing answers on the ingress port", "`quickstart status` tells whether the cluster runs, and where"),
    id("IMAGE_ARCH", &[StageFailed], "an image does not exist for this processor", "use an engine of the image's architecture"),
    id("IMAGE_NOT_FOUND", &[Prerequisite, StageFailed], "an image is neither here nor at its registry", "check its name; --bundle FILE needs no registry"),
    id("IMAGE_PULL", &[Deadline], "an image cannot be pulled", "is the registry reachable from the node? --bundle FILE needs none"),
    id("IMAGE_RATE_LIMIT", &[Prerequisite, StageFailed], "the registry's pull limit is reached", "`docker login`, wait an hour, or --bundle FILE"),
    id("INOTIFY_LIMIT", &[Prerequisite], "the kernel's inotify limits are too low for a node", "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288"),
    id("INSUFFICIENT_CPU", &[Prerequisite, StageFailed], "the engine has too few CPUs", "give it more, or remove other InferenceServices"),
    id("INSUFFICIENT_MEMORY", &[Prerequisite, StageFailed], "the engine has too little memory", "give it more, or remove other InferenceServices"),
    id("INTERNAL", &[Internal], "a defect of quickstart", "please report it with the events.jsonl of its state folder"),
    id("INTERRUPTED", &[Interrupted], "Ctrl-C or SIGTERM", "the same command goes on where it stopped"),
    id("ISVC_MISSING", &[NotRunning], "there is no InferenceService of that name", "`kubectl get inferenceservices -A` lists them"),
    id("KIND_FAILED", &[StageFailed], "kind failed for a reason we do not know", "its last words are in the cause; `quickstart up` again goes on"),
    id("KIND_MISSING", &[Prerequisite], "no kind program can be had", "install kind, or --bundle FILE, which holds it"),
    id("KIND_TIMEOUT", &[Deadline], "kind did not end in time", "`quickstart up` again goes on"),
    id("KIND_TOO_OLD", &[Prerequisite], "the kind program is too old", "install a newer one, or --bundle FILE, which holds it"),
    id("KUBECONFIG_INVALID", &[Prerequisite], "a kubeconfig cannot be read or written", "correct it or its rights, or name another one with KUBECONFIG"),
    id("KUBECONFIG_LOCKED", &[Prerequisite], "the kubeconfig's lock is held, or was left behind", "when no kubectl or kind runs, remove the lock file"),
    id("LEFTOVERS", &[StageFailed], "`down` could not remove everything", "run `quickstart down` again"),
    id("MANIFEST_INVALID", &[Verification], "a manifest, an overlay or the catalog cannot be read", "remove the file from the cache; with a bundle, `quickstart bundle verify`"),
    id("NOT_READY", &[Deadline], "a container is not ready", "`quickstart status` shows what it waits for"),
    id("NOT_RUNNING", &[NotRunning], "there is no such cluster, or it is stopped", "`quickstart up`"),
    id("NOT_SCHEDULED", &[Deadline], "a pod found no node", "`kubectl describe pod` gives the reason"),
    id("NO_INGRESS", &[Prerequisite], "the cluster has no port on localhost", "`quickstart forward run` opens one"),
    id("NO_SPACE", &[Prerequisite, StageFailed], "a disk is full", "`docker system df` tells what takes the space"),
    id("OOM_KILLED", &[StageFailed], "a container used more memory than there is", "give the engine more memory"),
    id("PORT_BUSY", &[Prerequisite], "a port of localhost is taken", "stop what listens there, or another --port"),
    id("PORT_FIXED", &[Prerequisite], "the port of an existing cluster cannot be changed", "`quickstart forward run --port N`, or `down` and `up --port N`"),
    id("PREDICTION_FAILED", &[StageFailed], "the model answered with an error", "`kubectl logs` of its pod holds its side of the story"),
    id("PREDICTION_WRONG", &[StageFailed], "the demo answered something else than it should", "`quickstart up` puts the demo's own model back"),
    id("REGISTRY_TLS", &[Prerequisite], "a TLS certificate is not trusted", "trust the proxy's CA, set the clock, or --bundle FILE"),
    id("SECRET_MISSING", &[Deadline], "a Secret or ConfigMap that a pod names is not there", "`kubectl describe pod` names it"),
    id("STATE_DAMAGED", &[Prerequisite], "the cluster's state file cannot be read", "`quickstart down` takes the cluster away without it"),
    id("STATE_IO", &[Prerequisite], "the state folder cannot be used", "free some space, or name another one with QUICKSTART_STATE_DIR"),
    id("STATE_NEWER", &[Prerequisite], "a file was written by a newer quickstart", "use that newer quickstart"),
    id("USAGE", &[Usage], "a flag or a value is wrong", "`quickstart VERB --help` lists what it takes"),
    id("WEBHOOK_CERT", &[StageFailed], "a webhook's certificate is not trusted by the API server", "`quickstart up` again; `quickstart status` names the Deployment"),
    id("WEBHOOK_UNREACHABLE", &[StageFailed], "a webhook does not answer the API server", "`quickstart status` names the Deployment behind it"),
];

#[cfg(test)]
#[path = "ids_tests.rs"]
mod tests;
