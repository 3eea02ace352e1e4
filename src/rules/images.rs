//! Images and downloads: limits, names, architectures, certificates.

use super::sign::{Sign, Source};
use super::{Rule, named};
use crate::error::Exit::{Deadline, Prerequisite, StageFailed, Verification};

/// Waiting reasons of a pull that failed.
const PULL: &[&str] = &["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError"];
const X509: &[&str] =
    &["x509:", "certificate signed by unknown authority", "certificate is not trusted", "tls: failed to verify certificate"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "IMAGE_RATE_LIMIT",
        exits: &[StageFailed, Prerequisite, Deadline],
        meaning: "the registry's pull limit is reached",
        hint: "`docker login`, wait an hour, or `quickstart up --bundle FILE`, which asks no registry",
        threads: &["kind#3977", "idpbuilder#229", "kserve#4328", "kind#1895"],
        signs: &[
            Sign::because(&[Source::Waiting], PULL, &["toomanyrequests", "too many requests", "rate limit"]),
            Sign::says(&[Source::Kind, Source::Engine, Source::Condition], &["toomanyrequests", "too many requests"]),
        ],
    },
    Rule {
        id: "IMAGE_ARCH",
        exits: &[StageFailed, Prerequisite, Deadline],
        meaning: "an image does not exist for this processor",
        hint: "use an engine of the image's architecture, or a version that has this one",
        threads: &["kserve#4436", "kserve#4261", "MLServer#2057"],
        signs: &[
            Sign::because(&[Source::Waiting], PULL, &["no match for platform"]),
            Sign::says(&[Source::Waiting, Source::Ended], &["exec format error"]),
            Sign::says(
                &[Source::Kind, Source::Engine],
                &["no match for platform", "exec format error", "does not match the specified platform"],
            ),
        ],
    },
    Rule {
        id: "IMAGE_DIGEST_RESOLVE",
        exits: &[StageFailed, Deadline],
        meaning: "Knative could not resolve an image's tag to a digest: its controller asks the registry itself",
        hint: "is the registry reachable from the cluster? offline or local images: add their registry to registries-skipping-tag-resolving of ConfigMap knative-serving/config-deployment",
        threads: &["knative/serving#12446", "kn-plugin-quickstart#467", "kserve#3689"],
        signs: &[Sign::says(&[Source::Condition], &["failed to resolve image to digest", "unable to fetch image"]).lasting(20)],
    },
    Rule {
        id: "REGISTRY_TLS",
        exits: &[Prerequisite, StageFailed, Deadline],
        meaning: "a TLS certificate is not trusted",
        hint: "a proxy that opens TLS needs its CA in the engine's and the node's trust store; a wrong clock looks the same; or use --bundle FILE",
        threads: &["kind#1010", "minikube#3613", "moby#36820"],
        signs: &[
            Sign::because(&[Source::Waiting], PULL, X509).lasting(10),
            Sign::says(&[Source::Kind, Source::Engine, Source::Download], X509),
        ],
    },
    Rule {
        id: "IMAGE_NOT_FOUND",
        exits: &[StageFailed, Prerequisite, Deadline],
        meaning: "an image is neither here nor at its registry",
        hint: "check its name; a bundle that holds it (`quickstart up --bundle FILE`) needs no registry",
        threads: &["kn-plugin-quickstart#91"],
        signs: &[
            Sign::because(&[Source::Waiting], PULL, &["not found", "manifest unknown", "does not exist"]).unless(&["no such host"]),
            Sign::because(&[Source::Waiting], &["InvalidImageName"], &[]),
            Sign::says(&[Source::Engine], &["no such image", "manifest unknown", "image not known", "reference does not exist"]),
            Sign::says(&[Source::Kind], &["failed to pull image", "failed to resolve reference", "manifest unknown"]),
        ],
    },
    Rule {
        id: "IMAGE_PULL",
        exits: &[StageFailed, Deadline],
        meaning: "an image cannot be pulled",
        hint: "is the registry reachable from the node? offline: `quickstart up --bundle FILE`",
        threads: &["kn-plugin-quickstart#91", "knative/serving#14141"],
        signs: &[Sign::because(&[Source::Waiting], PULL, &[]).lasting(90)],
    },
    Rule {
        id: "DOWNLOAD_404",
        exits: &[Prerequisite],
        meaning: "a pinned file is not where it was",
        hint: "the file was moved: use a newer quickstart, or --bundle FILE",
        threads: &["kserve#4977"],
        signs: &[],
    },
    named("REGISTRY_LOGIN", &[Prerequisite], "a registry wants another login", "`docker login REGISTRY`, then run the same command again"),
    named(
        "UNPINNED",
        &[Prerequisite],
        "the checksum of a download is not known",
        "accept the unverified file with --accept-unpinned, or name one of your own",
    ),
    named("DOWNLOAD_FAILED", &[Prerequisite], "a download did not succeed", "offline? --bundle FILE; behind a proxy? HTTPS_PROXY"),
    named("CHECKSUM", &[Verification], "a download is not the pinned file", "do not use it: try another network, or --bundle FILE"),
];
