//! The command itself: what was typed, what else runs, kind, deadlines.

use super::sign::{Sign, Source};
use super::{Rule, named};
use crate::error::Exit::{Deadline, Internal, Interrupted, NotRunning, Prerequisite, StageFailed, Usage};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "CLUSTER_EXISTS",
        exits: &[Prerequisite],
        meaning: "kind knows a cluster of that name already",
        hint: "another --name, or `kind delete cluster --name NAME`",
        threads: &["crossplane-tutorial#25", "volcano#2889"],
        signs: &[Sign::says(&[Source::Kind], &["already exist for a cluster with the name"])],
    },
    Rule {
        id: "CLUSTER_FOREIGN",
        exits: &[Prerequisite],
        meaning: "a cluster of that name is not ours, and left alone",
        hint: "another --name, or `kind delete cluster --name NAME`",
        threads: &["curie#2723"],
        signs: &[],
    },
    named("BUSY", &[Prerequisite], "another command is at work on this cluster", "wait for it, or stop it with Ctrl-C there"),
    named(
        "CLUSTER_DIFFERS",
        &[Usage],
        "the cluster was made with other versions or another profile",
        "`quickstart down`, then `up`; or another --name",
    ),
    named(
        "CERTIFICATES_EXPIRED",
        &[StageFailed],
        "the cluster's certificates end, and cannot be renewed",
        "`quickstart reset --keep-user` makes a fresh cluster",
    ),
    named("CLUSTER_GONE", &[StageFailed], "the node's container is gone", "`quickstart up` makes it again"),
    named(
        "DEADLINE",
        &[Deadline],
        "something was still on its way when its time was up",
        "`quickstart up` goes on; --timeout gives it longer",
    ),
    named("INTERNAL", &[Internal], "a defect of quickstart", "please report it with the events.jsonl of its state folder"),
    named("INTERRUPTED", &[Interrupted], "Ctrl-C or SIGTERM", "the same command goes on where it stopped"),
    named(
        "KIND_FAILED",
        &[StageFailed],
        "kind failed for a reason we do not know",
        "its last words are in the cause; `quickstart up` again goes on",
    ),
    named("KIND_MISSING", &[Prerequisite], "no kind program can be had", "install kind, or --bundle FILE, which holds it"),
    named("KIND_TIMEOUT", &[Deadline], "kind did not end in time", "`quickstart up` again goes on"),
    named("KIND_TOO_OLD", &[Prerequisite], "the kind program is too old", "install a newer one, or --bundle FILE, which holds it"),
    named("LEFTOVERS", &[StageFailed], "`down` could not remove everything", "run `quickstart down` again"),
    named(
        "NODE_DOWN",
        &[StageFailed],
        "the node's container ends right after its start",
        "`docker logs NAME-control-plane` says why; `quickstart reset` makes a fresh cluster",
    ),
    named("NOT_RUNNING", &[NotRunning], "there is no such cluster, or it is stopped", "`quickstart up`"),
    named(
        "PORT_FIXED",
        &[Prerequisite],
        "the port of an existing cluster cannot be changed",
        "`quickstart forward start --port N`, or `down` and `up --port N`",
    ),
    named("WOULD_LOSE", &[Usage], "InferenceServices of yours would be lost", "--keep-user carries them over, --yes gives them up"),
    named("USAGE", &[Usage], "a flag or a value is wrong", "`quickstart VERB --help` lists what it takes"),
];
