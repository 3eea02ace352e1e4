//! `down --on`: off a cluster that was there before us goes what carries our label, and nothing else.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::clear::{absent, delete_all, in_steps};
use super::inventory::{Item, beside, is_made, others, ours};
use crate::cluster::{Cluster, ClusterError, Served, managers};
use crate::error::{Exit, Failure};
use crate::health::interrupted;
use crate::stages;

/// Namespaces and definitions; a load balancer of a cloud takes minutes to go.
const GONE_WITHIN: Duration = Duration::from_secs(300);
/// Everything else, once it was deleted.
const LOOKED_FOR: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);
/// How many are named.
const NAMED: usize = 6;

/// The cluster, and how it is treated.
pub struct Site<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// kubectl's name for it.
    pub context: &'a str,
    /// What others have put into the kinds and namespaces that go is given up.
    pub yes: bool,
    /// How long finalizers get before they are taken off.
    pub patience: Duration,
    /// Told to stop.
    pub cancel: &'a CancellationToken,
    /// Who hears of it.
    pub told: &'a dyn Fn(String),
}

impl fmt::Debug for Site<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("context", &self.context).field("yes", &self.yes).finish_non_exhaustive()
    }
}

/// Takes off everything of ours: custom resources first, then webhooks, workloads, namespaces, the rest, definitions. Answers what is gone.
///
/// # Errors
/// `WOULD_LOSE` before anything is touched, where others use a kind that would go; `LEFTOVERS` where something stays.
pub async fn take_off(site: &Site<'_>) -> Result<String, Failure> {
    Box::pin(carry_out(site)).await.map_err(|failure| match failure.id.as_str() {
        "LEFTOVERS" => failure.hint(format!("`quickstart down --on {}` again goes on", site.context)),
        _ => failure,
    })
}

async fn carry_out(site: &Site<'_>) -> Result<String, Failure> {
    let (served, silent) = site.cluster.served().await?;
    for group in silent {
        (site.told)(format!("the API group {group} does not answer: what it holds is not looked at"));
    }
    let found = ours(site.cluster, &served).await?;
    if found.is_empty() {
        return Ok(format!("nothing of quickstart's is on context {}", site.context));
    }
    let defined = defined(&found, &served);
    if !site.yes {
        spare(site, &others(site.cluster, &defined).await?)?;
    }
    let mut going = Vec::new();
    let mut made = Vec::new();
    for namespace in found.iter().filter(|item| item.is_namespace()).map(Item::name) {
        let (theirs, of_controllers) = beside(site.cluster, &without(&served, &defined), namespace).await?;
        if theirs.is_empty() || site.yes {
            going.push(namespace);
        } else {
            (site.told)(format!("namespace {namespace} stays: {} is not ours (--yes takes it too)", named(&theirs)));
            made.extend(of_controllers);
        }
    }
    let secrets = secrets(site, &found, &served, &going).await?;
    (site.told)(format!("deleting {} objects of ours on context {}", found.len(), site.context));
    let all: Vec<(String, String)> = defined.iter().map(|served| (served.plural.clone(), served.collection())).collect();
    in_steps(site.cluster, &all, site.patience, site.cancel, |sentence| (site.told)(sentence), || webhooks(site, &found)).await?;
    webhooks(site, &found).await?;
    workloads(site, &found, &going).await?;
    let rest = found.iter().filter(|item| !item.is_namespace() && !item.is_definition() && !going.contains(&item.namespace()));
    delete(site, rest.chain(&made)).await?;
    delete_all(site.cluster, &secrets, site.cancel, || async { Ok(()) }).await?;
    traces(site, &found, &served).await?;
    let definitions: Vec<&Item> = found.iter().filter(|item| item.is_definition()).collect();
    delete(site, definitions.iter().copied()).await?;
    for item in &definitions {
        absent(site.cluster, &item.path, GONE_WITHIN, site.cancel).await?;
    }
    let stay: Vec<&Item> = found.iter().filter(|item| item.is_namespace() && !going.contains(&item.name())).collect();
    looked_for(site, &without(&served, &defined), &stay).await?;
    let names: Vec<&str> = stay.iter().map(|item| item.name()).collect();
    let kept = if names.is_empty() { String::new() } else { format!("; kept for what others have there: {}", names.join(", ")) };
    Ok(format!(
        "gone from context {}: {} objects, among them {} namespaces and {} definitions{kept}; kubeconfig and everything else on it is as it was",
        site.context,
        found.len() - stay.len(),
        going.len(),
        definitions.len()
    ))
}

/// The kinds whose definitions are ours.
fn defined(found: &[Item], served: &[Served]) -> Vec<Served> {
    let names: BTreeSet<&str> = found.iter().filter(|item| item.is_definition()).map(Item::name).collect();
    served.iter().filter(|served| names.contains(format!("{}.{}", served.plural, served.group).as_str())).cloned().collect()
}

fn without(served: &[Served], defined: &[Served]) -> Vec<Served> {
    served.iter().filter(|served| !defined.contains(served)).cloned().collect()
}

/// Somebody's model dies with the definition of its kind: that is said before anything is.
fn spare(site: &Site<'_>, theirs: &[Item]) -> Result<(), Failure> {
    if theirs.is_empty() {
        return Ok(());
    }
    let what = match theirs.len() {
        1 => "an object that is not ours would be lost with the kind that it is of".to_owned(),
        count => format!("{count} objects that are not ours would be lost with the kinds that they are of"),
    };
    Err(Failure::new("WOULD_LOSE", Exit::Usage, what)
        .cause(named(theirs))
        .hint(format!("nothing was touched: take them away, or `quickstart down --on {} --yes` gives them up", site.context)))
}

fn named(items: &[Item]) -> String {
    let names: Vec<String> = items.iter().take(NAMED).map(Item::say).collect();
    let more = if items.len() > NAMED { format!(" and {} more", items.len() - NAMED) } else { String::new() };
    format!("{}{more}", names.join(", "))
}

async fn delete(site: &Site<'_>, items: impl Iterator<Item = &Item>) -> Result<(), Failure> {
    let paths: Vec<String> = items.map(|item| item.path.clone()).collect();
    delete_all(site.cluster, &paths, site.cancel, || async { Ok(()) }).await
}

async fn webhooks(site: &Site<'_>, found: &[Item]) -> Result<(), Failure> {
    delete(site, found.iter().filter(|item| item.served.group == "admissionregistration.k8s.io")).await
}

/// What runs, and the namespaces that nobody else uses.
async fn workloads(site: &Site<'_>, found: &[Item], going: &[&str]) -> Result<(), Failure> {
    delete(site, found.iter().filter(|item| matches!(item.served.group.as_str(), "apps" | "batch"))).await?;
    if going.is_empty() {
        return Ok(());
    }
    (site.told)(format!("deleting namespaces {}", going.join(", ")));
    stages::emptied(site.cluster, going, site.cancel).await?;
    let namespaces: Vec<&Item> = found.iter().filter(|item| item.is_namespace() && going.contains(&item.name())).collect();
    delete(site, namespaces.iter().copied()).await?;
    for item in namespaces {
        absent(site.cluster, &item.path, GONE_WITHIN, site.cancel).await?;
    }
    Ok(())
}

/// The Secrets of our Certificates in namespaces that stay: cert-manager leaves them behind (its default; certificate-owner-ref is off).
async fn secrets(site: &Site<'_>, found: &[Item], served: &[Served], going: &[&str]) -> Result<Vec<String>, Failure> {
    let mut paths = Vec::new();
    let Some(kind) = served.iter().find(|served| served.group.is_empty() && served.plural == "secrets") else { return Ok(paths) };
    let stays =
        |item: &&Item| item.served.kind == "Certificate" && item.served.group == "cert-manager.io" && !going.contains(&item.namespace());
    for certificate in found.iter().filter(stays) {
        let Some(live) = site.cluster.find(&certificate.path).await? else { continue };
        let Some(name) = live.pointer("/spec/secretName").and_then(Value::as_str) else { continue };
        let path = format!("{}/{name}", kind.within(certificate.namespace()));
        paths.extend(site.cluster.find_metadata(&path).await?.filter(is_made).map(|_| path));
    }
    Ok(paths)
}

/// What our controllers left outside of their namespaces, under nobody's label: leases, and what istiod puts into every namespace
/// (its root certificate) and beside the Gateway API's definitions (its classes).
async fn traces(site: &Site<'_>, found: &[Item], served: &[Served]) -> Result<(), Failure> {
    let deployments: Vec<&str> = found.iter().filter(|item| item.served.plural == "deployments").map(Item::name).collect();
    stages::release_of(site.cluster, &deployments).await?;
    // Another istiod would only write them again.
    if !deployments.contains(&"istiod") || !site.cluster.list_metadata("/apis/apps/v1/deployments", "app=istiod").await?.is_empty() {
        return Ok(());
    }
    let mut paths = Vec::new();
    let written = |live: &Value| managers(live).all(|manager| manager == "pilot-discovery");
    for map in site.cluster.list_metadata("/api/v1/configmaps", "istio.io/config=true").await?.iter().filter(|live| written(live)) {
        let text = |pointer: &str| map.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        paths.push(format!("/api/v1/namespaces/{}/configmaps/{}", text("/metadata/namespace"), text("/metadata/name")));
    }
    if let Some(classes) = served.iter().find(|served| served.group == "gateway.networking.k8s.io" && served.plural == "gatewayclasses") {
        let all = site.cluster.list_metadata(&classes.collection(), "").await?;
        paths.extend(all.iter().filter(|live| managers(live).next().is_some() && written(live)).map(|live| classes.path(live)));
    }
    delete_all(site.cluster, &paths, site.cancel, || async { Ok(()) }).await
}

/// What was said to be gone is looked for.
async fn looked_for(site: &Site<'_>, served: &[Served], stay: &[&Item]) -> Result<(), Failure> {
    let started = Instant::now();
    loop {
        let left: Vec<Item> = match ours(site.cluster, served).await {
            Ok(found) => found.into_iter().filter(|item| !stay.iter().any(|known| known.path == item.path)).collect(),
            Err(ClusterError::Api { code: 404, .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        if left.is_empty() {
            return Ok(());
        }
        if started.elapsed() >= LOOKED_FOR {
            return Err(Failure::new("LEFTOVERS", Exit::StageFailed, "not everything of ours could be removed").cause(named(&left)));
        }
        tokio::select! {
            () = site.cancel.cancelled() => return Err(interrupted()),
            () = sleep(PAUSE) => {}
        }
    }
}
