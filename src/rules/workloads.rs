//! Pods and what guards them: scheduling, memory, crashes, volumes, webhooks, definitions.

use super::sign::{Sign, Source};
use super::{Rule, named};
use crate::error::Exit::{Deadline, NotRunning, Prerequisite, StageFailed};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "INSUFFICIENT_CPU",
        exits: &[StageFailed, Prerequisite, Deadline],
        meaning: "the engine has too few CPUs",
        hint: "give the container engine more CPUs, or remove other InferenceServices",
        threads: &["kn-plugin-quickstart#359", "kn-plugin-quickstart#104", "kserve#939"],
        // A pod that is being replaced may still hold the CPU that its successor needs.
        signs: &[Sign::says(&[Source::Scheduling], &["insufficient cpu"]).lasting(15)],
    },
    Rule {
        id: "INSUFFICIENT_MEMORY",
        exits: &[StageFailed, Prerequisite, Deadline],
        meaning: "the engine has too little memory",
        hint: "give the container engine more memory, or remove other InferenceServices",
        threads: &["minikube#9373", "kserve#939"],
        signs: &[Sign::says(&[Source::Scheduling], &["insufficient memory"]).lasting(15)],
    },
    Rule {
        id: "NOT_SCHEDULED",
        exits: &[Deadline],
        meaning: "a pod found no node",
        hint: "`kubectl describe pod` gives the reason",
        threads: &[],
        signs: &[Sign::says(&[Source::Scheduling], &[]).until_deadline()],
    },
    Rule {
        id: "OOM_KILLED",
        exits: &[StageFailed, Deadline],
        meaning: "a container used more memory than there is",
        hint: "give the container engine more memory, or the container a higher limit",
        threads: &["kserve#939", "WSL#13142"],
        signs: &[Sign::because(&[Source::Ended], &["OOMKilled"], &[])],
    },
    Rule {
        id: "CRASH_LOOP",
        exits: &[StageFailed, Deadline],
        meaning: "a container ends again and again",
        hint: "`kubectl logs --previous` holds all of its last words",
        threads: &["kserve#3102", "knative/serving#8092"],
        signs: &[
            // Controllers may end a few times while what they need comes up; the restarts' pauses grow to 10 s, 20 s, 40 s.
            Sign::because(&[Source::Waiting], &["CrashLoopBackOff"], &[]).lasting(90),
            Sign::because(&[Source::Ended], &["Error", "Completed", "ContainerCannotRun", "StartError"], &[]).lasting(90),
        ],
    },
    Rule {
        id: "SECRET_MISSING",
        exits: &[StageFailed, Deadline],
        meaning: "a Secret or ConfigMap that a pod names is not there",
        hint: "`kubectl get certificates,secrets -n NAMESPACE` shows whether cert-manager has made it",
        threads: &["kserve#1867", "kserve#1710", "kserve#1421", "kserve#2597"],
        signs: &[
            Sign::because(&[Source::Waiting], &["CreateContainerConfigError"], &[]).lasting(60),
            Sign::because(&[Source::Event], &["FailedMount"], &["secret \"", "configmap \"", "references non-existent"]).lasting(60),
        ],
    },
    Rule {
        id: "WEBHOOK_CERT",
        exits: &[StageFailed, Deadline],
        meaning: "a webhook's certificate is not trusted by the API server",
        hint: "`quickstart up` again; `quickstart status` names the Deployment behind the webhook",
        threads: &["cert-manager#2908", "cert-manager#3045", "cert-manager#1873"],
        signs: &[Sign { texts: &["x509"], ..WEBHOOK }],
    },
    Rule {
        id: "WEBHOOK_UNREACHABLE",
        exits: &[StageFailed, Deadline],
        meaning: "a webhook does not answer the API server",
        hint: "`quickstart status` names the Deployment behind the webhook and why it is not ready",
        threads: &["kserve#1635", "kserve#3102", "knative/serving#13045"],
        signs: &[Sign { texts: &["failed calling webhook", "no endpoints available for service"], ..WEBHOOK }],
    },
    Rule {
        id: "CRD_NOT_ESTABLISHED",
        exits: &[Deadline],
        meaning: "a custom resource is not served by the API server",
        hint: "`kubectl get crds` shows which; `quickstart up` sends them again",
        threads: &["kserve#2069", "kserve#2825", "kube-rs#951"],
        signs: &[],
    },
    Rule {
        id: "NODE_PORT_HELD",
        exits: &[StageFailed, Deadline],
        meaning: "a node port that a Service needs is taken: by another Service, or by one that was never stored",
        hint: "`kubectl get services -A` shows who has it; if nobody has, the API server gives it back within ten minutes: `quickstart up` again, or `quickstart reset`",
        threads: &["kubernetes#73140", "kubernetes#85894"],
        signs: &[Sign::because(&[Source::Api], &["422"], &["provided port is already allocated"])],
    },
    named("NOT_READY", &[Deadline], "a container is not ready", "`quickstart status` shows what it waits for"),
    named(
        "API_REFUSED",
        &[StageFailed, Deadline],
        "the API server refused a request",
        "`quickstart status` shows every component; `quickstart up` goes on",
    ),
    named(
        "API_UNREACHABLE",
        &[NotRunning, Deadline, StageFailed],
        "the API server does not answer",
        "is the node's container running? `quickstart status` tells; `quickstart up` brings the cluster back",
    ),
    named(
        "COMPONENT_FOREIGN",
        &[Prerequisite],
        "a component was installed by somebody else",
        "nothing was touched: use another cluster, or `quickstart up --name OTHER` without --on for one of its own",
    ),
    named(
        "OBJECT_FOREIGN",
        &[Prerequisite],
        "an object that would be applied is there and is not ours",
        "nothing of it was changed: take it away if it is yours and not needed, or use another cluster",
    ),
    named(
        "RBAC_MISSING",
        &[Prerequisite],
        "the user of a context may not do all that is needed there",
        "nothing was touched: ask whoever runs the cluster for these permissions, or for the role cluster-admin; `kubectl auth can-i --list` shows yours",
    ),
    named(
        "KUBERNETES_TOO_OLD",
        &[Prerequisite],
        "an existing cluster's Kubernetes is older than the components run on",
        "nothing was touched: upgrade the cluster, or take older versions with --set COMPONENT=VERSION",
    ),
];

/// The API server's own words for a webhook that it could not ask.
const WEBHOOK: Sign = Sign {
    from: &[Source::Api, Source::Condition],
    reasons: &[],
    texts: &["failed calling webhook"],
    unless: &[],
    patience: super::Patience::Deadline,
};
