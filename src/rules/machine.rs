//! The machine and its container engine: disk, kernel limits, proxies, ports.

use super::sign::{Sign, Source};
use super::{Rule, named};
use crate::error::Exit::{Deadline, Degraded, Prerequisite, StageFailed};

/// Words of a full disk or quota.
const FULL: &[&str] = &["no space left on device", "disk quota exceeded"];
/// What kind, runc and the kubelet say of control groups that will not do; the word alone is in every log of kubeadm.
const CGROUPS: &[&str] = &[
    "requires cgroup",
    "required cgroups disabled",
    "missing required cgroups",
    "missing cgroups",
    "cgroup mountpoint does not exist",
    "not run on a host using cgroup v1",
    "cgroup v1 support is",
    "property \"delegate=yes\"",
    "property delegate=yes",
];
/// A proxy that does not answer, as Go's and Rust's clients say it.
const PROXY: &[&str] = &["proxyconnect", "connect to proxy", "proxy connect", "tunnel error", "unsuccessful tunnel"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "NO_SPACE",
        exits: &[Prerequisite, StageFailed, Deadline],
        meaning: "a disk is full",
        hint: "`docker system df` tells what takes the space; `docker system prune` frees what nothing uses",
        threads: &["bsycorp/kind#15", "minikube#6820", "minikube#7073"],
        signs: &[
            Sign::says(&[Source::Kind, Source::Engine, Source::Download, Source::Waiting, Source::Ended], FULL),
            Sign::because(&[Source::Event], &["Evicted", "FreeDiskSpaceFailed", "Failed"], FULL),
            Sign::says(&[Source::Scheduling], &["disk-pressure", "insufficient ephemeral-storage"]).lasting(15),
        ],
    },
    Rule {
        id: "INOTIFY_LIMIT",
        exits: &[Prerequisite, StageFailed, Deadline],
        meaning: "the kernel's inotify limits are too low for a node",
        hint: "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288; then run the same command again",
        threads: &["kubernetes#104303", "kind#2972", "colima#1000"],
        signs: &[
            Sign::says(&[Source::Kind, Source::Engine], &["inotify", "too many open files"]),
            Sign::says(&[Source::Ended], &["too many open files"]).lasting(15),
        ],
    },
    Rule {
        id: "CGROUP_UNSUPPORTED",
        exits: &[Prerequisite],
        meaning: "the host's control groups do not suit a node",
        hint: "the engine must run with cgroup v2, or with v1 and every controller: `docker info` tells; update the host or its engine",
        threads: &["kind#3433", "kind#2323", "podman-desktop#2796"],
        signs: &[Sign::says(&[Source::Kind], CGROUPS)],
    },
    Rule {
        id: "PROXY_ENV",
        exits: &[Prerequisite, StageFailed, Deadline],
        meaning: "the proxy of the environment does not answer, or stands in the way of the cluster's own addresses",
        hint: "correct or unset HTTPS_PROXY and HTTP_PROXY; add localhost, 127.0.0.1, 10.0.0.0/8, 172.16.0.0/12, .svc and .cluster.local to NO_PROXY",
        threads: &["knative/serving#8092", "knative/serving#11672", "kserve#825"],
        signs: &[
            Sign::says(&[Source::Kind, Source::Engine, Source::Download], PROXY),
            Sign::says(&[Source::Waiting, Source::Event, Source::Ended, Source::Condition], PROXY).lasting(30),
        ],
    },
    Rule {
        id: "DNS_IN_CLUSTER",
        exits: &[StageFailed, Deadline],
        meaning: "names cannot be resolved inside the cluster",
        hint: "`kubectl -n kube-system logs -l k8s-app=kube-dns` says why; a VPN, a firewall or a network of the same addresses are the usual reasons",
        threads: &["kind#3443", "kind#3547"],
        signs: &[Sign::says(
            &[Source::Ended, Source::Condition, Source::Event],
            &[
                "on 10.96.0.10:53",
                "temporary failure in name resolution",
                "name or service not known",
                "could not resolve host",
                "server misbehaving",
            ],
        )
        .lasting(45)],
    },
    Rule {
        id: "PORT_BUSY",
        exits: &[Prerequisite],
        meaning: "a port of localhost is taken",
        hint: "choose another with --port, or stop what listens there (`ss -ltnp` tells)",
        threads: &["kubeapps#981", "eks-workshop#325", "cube-idp#211"],
        signs: &[Sign::says(&[Source::Kind], &["port is already allocated", "address already in use", "ports are not available"])],
    },
    Rule {
        id: "ENGINE_UNREACHABLE",
        exits: &[Prerequisite],
        meaning: "no container engine answers",
        hint: "start one (`sudo systemctl start docker`, Docker Desktop, `colima start`); another address is taken from DOCKER_HOST; `quickstart doctor` tells what is seen",
        threads: &["colima#365", "colima#142"],
        signs: &[Sign::says(
            &[Source::Kind],
            &["cannot connect to the docker daemon", "error during connect", "is the docker daemon running"],
        )],
    },
    Rule {
        id: "ENGINE_TOO_OLD",
        exits: &[Prerequisite],
        meaning: "the container engine is too old for kind",
        hint: "install Docker 20.10 or newer",
        threads: &["wagoodman/dive#664"],
        signs: &[Sign::says(
            &[Source::Kind, Source::Engine],
            &["is too old. minimum supported api version", "is too new. maximum supported api version"],
        )],
    },
    named(
        "ENGINE_ADDRESS",
        &[Prerequisite],
        "the engine's address or context cannot be used",
        "correct DOCKER_HOST or `docker context use default`",
    ),
    named(
        "ENGINE_ERROR",
        &[StageFailed, Deadline],
        "the container engine did not do what it was asked for",
        "look at `docker ps`, restart the engine, run the same command again",
    ),
    Rule {
        id: "CERT_EXPIRED",
        exits: &[Degraded, StageFailed, Prerequisite],
        meaning: "a certificate of the cluster is no longer valid, or not yet",
        hint: "`kubeadm certs renew all` in the node and a restart of it; or `quickstart down` and `up`",
        threads: &["kind#3425"],
        signs: &[],
    },
    named(
        "CLOCK_SKEW",
        &[Prerequisite, StageFailed],
        "the engine's clock is not this machine's",
        "set both by the network's time; Docker Desktop and colima: restart them after the machine slept",
    ),
];
