//! Whether this user may do all that an installation needs, and its removal.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};

use super::refused;
use crate::cluster::{Access, Cluster, ClusterError};
use crate::config::Ingress;
use crate::error::Failure;
use crate::plan::Assembled;
use crate::stages::Context;

/// Requests in flight.
const IN_FLIGHT: usize = 16;
/// What is done with each kind: looked at, applied (a patch that also creates), taken away.
const VERBS: [&str; 5] = ["get", "list", "create", "patch", "delete"];

/// Refuses with the missing permissions; one question suffices for a cluster-admin.
pub(super) async fn all_there(ctx: &Context, context: &str) -> Result<(), Failure> {
    let cluster = ctx.cluster()?;
    if cluster.may(&Access::everything()).await? {
        return Ok(());
    }
    let wanted = wanted(ctx.assembled()?, ctx.plan.ingress == Ingress::Tunnel);
    let asked: Vec<_> = wanted.iter().map(|access| async move { (access, allowed(cluster, access).await) }).collect();
    let mut asked = stream::iter(asked).buffered(IN_FLIGHT);
    let mut missing: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    while let Some((access, answer)) = asked.next().await {
        if !answer? {
            missing.entry(access.of_what()).or_default().push(access.verb);
        }
    }
    if missing.is_empty() {
        return no_escalation(ctx, cluster, context).await;
    }
    let lines: Vec<String> = missing.iter().map(|(what, verbs)| format!("{}: {what}", verbs.join(", "))).collect();
    Err(refused("RBAC_MISSING", format!("the user of context {context} may not do all that is needed"), lines.join("; ")))
}

/// In all namespaces, else in the one where it is needed.
async fn allowed(cluster: &Cluster, access: &Access) -> Result<bool, ClusterError> {
    let everywhere = Access { namespace: None, ..access.clone() };
    Ok(cluster.may(&everywhere).await? || (access.namespace.is_some() && cluster.may(access).await?))
}

fn wanted(assembled: &Assembled, tunnel: bool) -> BTreeSet<Access> {
    let objects = assembled.components.values().flatten().chain(&assembled.runtimes).chain(&assembled.demo).chain(&assembled.own);
    let mut wanted = BTreeSet::new();
    for object in objects {
        let Some(resource) = assembled.rest.resource(&object.gvk) else { continue };
        let namespace = resource.namespaced.then(|| object.namespace.clone().unwrap_or_else(|| "default".into()));
        for verb in VERBS {
            let (group, resource) = (object.gvk.group.clone(), resource.plural.clone());
            wanted.insert(Access { verb, group, resource, namespace: namespace.clone() });
        }
    }
    if tunnel {
        let of =
            |verb, resource: &str| Access { verb, group: String::new(), resource: resource.into(), namespace: Some("istio-system".into()) };
        wanted.extend([of("list", "pods"), of("create", "pods/portforward")]);
    }
    wanted
}

/// Nobody may hand out more than they have, unless they have the verb `escalate` (kubernetes.io/docs/reference/access-authn-authz/rbac,
/// "Privilege escalation prevention"): only the server knows, so it is asked for each role by a dry run.
async fn no_escalation(ctx: &Context, cluster: &Cluster, context: &str) -> Result<(), Failure> {
    let assembled = ctx.assembled()?;
    for role in assembled.components.values().flatten().filter(|object| object.gvk.kind == "ClusterRole") {
        let path = assembled.rest.path(role)?;
        if let Err(ClusterError::Api { code: 403, message, .. }) = cluster.dry_run_apply(&path, role.json().into_owned().into_bytes()).await
        {
            let what = format!("the user of context {context} may not grant what {role} grants");
            return Err(refused("RBAC_MISSING", what, format!("escalate: clusterroles.rbac.authorization.k8s.io ({message})")));
        }
    }
    Ok(())
}
