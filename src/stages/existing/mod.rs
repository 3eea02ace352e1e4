//! A cluster that was there before us: what is on it and what may be done, asked before anything is touched.

mod objects;
mod rights;
mod survey;

use tokio_util::sync::CancellationToken;

pub use survey::{Found, Who, survey};

use super::{Context, Ended, checks, unless_stopped};
use crate::catalog::KubernetesRange;
use crate::error::{Exit, Failure};
use crate::plan::{Stage, Target, minor};
use crate::rules;

/// Refuses, with everything in its place, what would end half way or touch what is somebody else's.
pub(super) async fn preflight(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let Target::Existing { context, kubernetes, .. } = &ctx.plan.target else { return Ok(Ended::Skipped("the cluster is ours".into())) };
    let cluster = ctx.cluster()?;
    let version = cluster.version().await?;
    if let Some(note) = fits(&version, kubernetes)? {
        ctx.events.note(note);
    }
    if ctx.bundle.as_ref().is_some_and(|bundle| !bundle.images.is_empty()) {
        ctx.events.note("the nodes pull their images themselves: those of the bundle reach no node of somebody else's");
    }
    unless_stopped(cancel, rights::all_there(ctx, context)).await?;
    let found = unless_stopped(cancel, survey(cluster, &ctx.plan)).await?;
    foreign(ctx, &found)?;
    for adopted in ctx.plan.adopted() {
        ctx.events.note(adopted.to_string());
    }
    unless_stopped(cancel, objects::none_foreign(ctx)).await?;
    checks::all_green(ctx, &stage.id, &stage.checks, cancel).await?;
    Ok(Ended::Done)
}

/// Too old is refused; newer than what was tried is only said.
fn fits(version: &str, range: &KubernetesRange) -> Result<Option<String>, Failure> {
    let (Some(found), Some(oldest), Some(newest)) = (minor(version), minor(&range.min), minor(&range.max)) else { return Ok(None) };
    if found < oldest {
        let what = format!("the cluster runs Kubernetes {version}, older than {}", range.min);
        return Err(refused("KUBERNETES_TOO_OLD", what, format!("the components run on {} to {}", range.min, range.max)));
    }
    Ok((found > newest).then(|| format!("Kubernetes {version} is newer than the newest that was tried, {}", range.max)))
}

/// A component that somebody else installed is used as it is, or it is in the way; and what was used a moment ago is still there.
fn foreign(ctx: &Context, found: &[Found]) -> Result<(), Failure> {
    let theirs = found.iter().filter_map(|found| match &found.who {
        Who::Theirs(theirs) if !ctx.plan.adopted().iter().any(|adopted| adopted.component == found.component) => Some((found, theirs)),
        _ => None,
    });
    let all: Vec<String> = theirs.clone().map(|(found, theirs)| format!("{}: {theirs}", found.title)).collect();
    if let Some((first, theirs)) = theirs.clone().next() {
        let what = match all.len() {
            1 => format!("{} is on this cluster already, and quickstart did not install it", first.title),
            count => format!("{count} components are on this cluster already, and quickstart did not install them"),
        };
        let failure = refused("COMPONENT_FOREIGN", what, all.join("; "));
        // It came, or became whole, after the plan was made.
        return Err(if theirs.usable { failure.hint("`quickstart up` again uses it as it is") } else { failure });
    }
    let gone = ctx
        .plan
        .adopted()
        .iter()
        .find(|adopted| !found.iter().any(|found| found.component == adopted.component && matches!(found.who, Who::Theirs(_))));
    match gone {
        Some(gone) => Err(refused("COMPONENT_FOREIGN", format!("{} was there and is gone", gone.title), gone.to_string())
            .hint("`quickstart up` again installs it")),
        None => Ok(()),
    }
}

/// A prerequisite that is unmet, with the table's hint.
fn refused(id: &str, what: impl Into<String>, cause: impl Into<String>) -> Failure {
    let failure = Failure::new(id, Exit::Prerequisite, what).cause(cause);
    match rules::rule(id) {
        Some(rule) => failure.hint(rule.hint),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_is_refused_and_a_new_one_is_said() {
        let range = KubernetesRange { min: "1.33".into(), max: "1.35".into(), default: None };
        let old = fits("v1.32.9-eks-113cf36", &range).unwrap_err();
        assert_eq!((old.id.as_str(), old.exit), ("KUBERNETES_TOO_OLD", Exit::Prerequisite));
        assert!(old.what.contains("v1.32.9-eks-113cf36") && old.hint.is_some(), "{old:?}");
        assert_eq!(fits("v1.34.3", &range).unwrap(), None);
        assert!(fits("v1.36.0+k3s1", &range).unwrap().unwrap().contains("newer"));
        assert_eq!(fits("unknown", &range).unwrap(), None);
    }
}
