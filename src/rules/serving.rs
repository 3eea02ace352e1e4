//! The way to a prediction: gateway, routes, runtimes, models.

use super::sign::{Sign, Source};
use super::{Rule, named};
use crate::error::Exit::{Deadline, Degraded, NotRunning, Prerequisite, StageFailed, Usage, Verification};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "ISVC_NO_RUNTIME",
        exits: &[StageFailed, Deadline],
        meaning: "no ServingRuntime supports the model's format",
        hint: "`kubectl get clusterservingruntimes` lists what there is; `quickstart up` puts the missing ones back",
        threads: &["kserve#5035", "kserve#2372", "kserve#2109"],
        signs: &[
            Sign::because(
                &[Source::Condition],
                &["NoSupportingRuntime", "RuntimeNotRecognized", "RuntimeDisabled", "RuntimeUnhealthy"],
                &[],
            )
            .lasting(10),
            Sign::says(&[Source::Condition], &["no runtime found", "no supporting runtime"]).lasting(10),
        ],
    },
    Rule {
        id: "MODEL_DOWNLOAD",
        exits: &[StageFailed, Deadline],
        meaning: "the model cannot be fetched from its storageUri",
        hint: "is the storageUri right and reachable from the cluster, with its credentials? the storage-initializer's log says more",
        threads: &["kserve#2234", "kserve#1348", "kserve#825"],
        signs: &[
            Sign::because(
                &[Source::Ended],
                &["Error"],
                &[
                    "failed to fetch model",
                    "storage-initializer",
                    "failed to download",
                    "does not exist in the storage",
                    "no such bucket",
                    "nosuchbucket",
                ],
            )
            .lasting(30),
            Sign::because(&[Source::Condition], &["ModelLoadFailed"], &[]).lasting(30),
        ],
    },
    Rule {
        id: "GATEWAY_404",
        exits: &[StageFailed, Deadline],
        meaning: "the gateway has no route for this host",
        hint: "`quickstart doctor route NAME` goes along its way hop by hop; a host under another domain than the cluster's has no route",
        threads: &["kserve#2596", "kserve#2757", "kserve#1665"],
        signs: &[],
    },
    Rule {
        id: "GATEWAY_PENDING",
        exits: &[Degraded],
        meaning: "istio-ingressgateway has no external address: normal on kind, where a port of localhost is mapped instead",
        hint: "use the URL that `quickstart status` prints; elsewhere a LoadBalancer must be provided, or `quickstart forward run`",
        threads: &["kserve#1005", "kind#2374", "istio#40324"],
        signs: &[],
    },
    named(
        "GATEWAY_UNREACHABLE",
        &[NotRunning, Deadline],
        "nothing answers on the ingress port",
        "`quickstart status` tells whether the cluster runs, and where",
    ),
    named(
        "GATEWAY_CERTIFICATE",
        &[Verification, Deadline],
        "the gateway's certificate cannot be verified with the authority of this cluster",
        "another program may listen there: `quickstart status` names the port, `quickstart up` makes a new certificate",
    ),
    named(
        "PREDICTION_FAILED",
        &[StageFailed, Deadline],
        "the model answered with an error",
        "`kubectl logs` of its pod holds its side of the story",
    ),
    named(
        "GRPC_HTTP_ONLY",
        &[StageFailed],
        "the service speaks HTTP, not gRPC",
        "its container's port must be the server's gRPC port (8081 of KServe's own) and be named h2c; `quickstart sample show grpc` does it; \
         over HTTP: `--protocol v2`",
    ),
    named(
        "GRPC_INVALID_ARGUMENT",
        &[StageFailed],
        "the model does not accept the input",
        "names, shapes and datatypes of `inputs` must be those that the model was made with",
    ),
    named(
        "GRPC_NOT_FOUND",
        &[StageFailed],
        "the server has no model of this name",
        "`quickstart predict` asks for the InferenceService's name; the server's argument --model_name must be the same",
    ),
    named(
        "GRPC_UNAVAILABLE",
        &[StageFailed],
        "nobody behind the gateway takes gRPC requests now",
        "is the InferenceService Ready? a container's port that speaks gRPC must be named h2c, or the gateway sends HTTP/1 to it",
    ),
    named(
        "GRPC_UNIMPLEMENTED",
        &[StageFailed],
        "the server speaks gRPC, but not the Open Inference Protocol",
        "ask a service whose server has inference.GRPCInferenceService, or another protocol: `--protocol v1`",
    ),
    named(
        "PREDICTION_WRONG",
        &[StageFailed, Deadline],
        "the demo answered something else than it should",
        "`quickstart up` puts the demo's own model back",
    ),
    named("ISVC_MISSING", &[NotRunning], "there is no InferenceService of that name", "`kubectl get inferenceservices -A` lists them"),
    named(
        "FORWARD_NOT_ENDED",
        &[StageFailed],
        "a tunnel's background process does not end",
        "`quickstart forward status` names the process; `kill -9` ends it",
    ),
    named(
        "FORWARD_NOT_STARTED",
        &[StageFailed],
        "a tunnel's background process did not start",
        "its last words are in forward.log of the cluster's state folder",
    ),
    named("FORWARD_NO_POD", &[Degraded], "no ready pod stands behind the service", "`quickstart status` says why"),
    named("SAMPLE_UNKNOWN", &[Usage], "there is no sample of that name", "`quickstart sample list` shows them"),
    named(
        "SAMPLE_PROFILE",
        &[Prerequisite],
        "a sample needs another profile than the cluster has",
        "`quickstart --name OTHER up --profile serverless` makes a cluster for it beside this one",
    ),
    named(
        "SAMPLE_NAME_TAKEN",
        &[Prerequisite],
        "a sample would overwrite or delete something that is not its own",
        "take another namespace with -n",
    ),
    named(
        "SAMPLE_UNPROVEN",
        &[StageFailed],
        "a sample runs and does not do what it promises",
        "`quickstart sample test NAME --keep` leaves it there to be looked at",
    ),
    named(
        "CANARY_MISSING",
        &[Prerequisite],
        "an InferenceService has no canary to promote or to roll back",
        "`quickstart sample apply canary` makes one; your own gets one by `canaryTrafficPercent` beside a changed model",
    ),
    named("NO_INGRESS", &[Prerequisite], "the cluster has no port on localhost", "`quickstart forward start` opens one"),
];
