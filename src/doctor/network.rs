//! The way to the registries that `up` pulls from, as far as this machine can tell.

use std::collections::BTreeMap;

use super::check::CheckResult;
use crate::docker::normalize_reference;
use crate::plan::{Plan, Target};
use crate::rules::{self, Source};

/// Pulls that a registry still gives to this address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Until the window is over.
    pub(super) left: u64,
    /// In a whole window.
    pub(super) of: Option<u64>,
}

/// A registry of the plan, asked.
#[derive(Clone, Debug)]
pub(super) struct Registry {
    /// As references name it: `docker.io`.
    pub(super) name: String,
    /// Images that `up` would pull from it.
    pub(super) images: usize,
    /// It answers, and what it still allows where it says so; or the transport's words.
    pub(super) answer: Result<Option<Allowance>, String>,
}

/// Registry → references of the plan, in their full form.
pub(super) fn registries(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let node = match &plan.target {
        Target::Kind { node_image, .. } => Some(node_image.as_str()),
        Target::Existing { .. } => None,
    };
    let images = plan.components.iter().flat_map(|component| &component.images).map(|image| image.reference.as_str());
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for reference in images.chain(node).map(normalize_reference) {
        let Some((registry, _)) = reference.split_once('/') else { continue };
        let of_registry = found.entry(registry.to_owned()).or_default();
        if !of_registry.contains(&reference) {
            of_registry.push(reference);
        }
    }
    found
}

/// What the answers mean. `elsewhere`: the engine is on another machine, whose network may be another one.
pub(super) fn reachable(registries: &[Registry], elsewhere: bool) -> Vec<CheckResult> {
    let silent: Vec<(&Registry, &String)> = registries.iter().filter_map(|one| Some((one, one.answer.as_ref().err()?))).collect();
    if let Some((_, message)) = silent.first()
        && silent.len() == registries.len()
    {
        let names: Vec<&str> = registries.iter().map(|one| one.name.as_str()).collect();
        let saw = format!("none of {} answers: {message}", names.join(", "));
        let hint = "nothing can be pulled: `quickstart up --bundle FILE` needs no network; behind a proxy set HTTPS_PROXY";
        let check = CheckResult::error("registries", "the registries of the images answer", saw, hint).named(id(message));
        return vec![if elsewhere { check.as_warning() } else { check }];
    }
    registries.iter().map(one).collect()
}

fn one(registry: &Registry) -> CheckResult {
    let (id_of, title) = (format!("registry-{}", registry.name), format!("{} answers", registry.name));
    let images = registry.images;
    match &registry.answer {
        Err(message) => {
            let hint = format!("{images} images of the plan come from there: a proxy? a firewall? else `quickstart up --bundle FILE`");
            CheckResult::warning(&id_of, &title, message, hint).named(id(message))
        }
        Ok(None) => CheckResult::ok(&id_of, &title, format!("{images} images come from there")),
        Ok(Some(allowance)) => {
            let of = allowance.of.map(|of| format!(" of {of}")).unwrap_or_default();
            let saw = format!("{images} images come from there, {}{of} pulls are left for this address", allowance.left);
            if usize::try_from(allowance.left).is_ok_and(|left| left < images) {
                let hint = "everybody behind one router shares them: wait some hours, or `quickstart up --bundle FILE`";
                return CheckResult::warning(&id_of, &title, saw, hint).named("IMAGE_RATE_LIMIT");
            }
            CheckResult::ok(&id_of, &title, saw)
        }
    }
}

fn id(message: &str) -> &'static str {
    if message.to_lowercase().contains("certificate") {
        return "REGISTRY_TLS";
    }
    rules::find(Source::Download, "", message).map_or("DOWNLOAD_FAILED", |found| found.rule.id)
}

/// A name that was to be resolved, and how many addresses it has.
pub(super) fn dns(host: &str, resolved: &Result<usize, String>, bundled: bool, proxied: bool) -> CheckResult {
    let (id, title) = ("dns", "names of registries can be resolved");
    match resolved {
        Ok(count) => CheckResult::ok(id, title, format!("{host} has {count} addresses")),
        Err(_) if proxied => CheckResult::ok(id, title, "not from here: the proxy resolves them"),
        Err(message) if bundled => {
            let hint = "`up` needs no network with this bundle; a model that is somewhere else does";
            CheckResult::warning(id, title, format!("{host}: {message}"), hint)
        }
        Err(message) => {
            let hint = "offline, a captive portal, a VPN? `quickstart up --bundle FILE` needs no network";
            CheckResult::warning(id, title, format!("{host}: {message}"), hint).named("DOWNLOAD_FAILED")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    fn registry(name: &str, answer: Result<Option<Allowance>, String>) -> Registry {
        Registry { name: name.into(), images: 10, answer }
    }

    fn refused() -> Result<Option<Allowance>, String> {
        Err("connection refused".into())
    }

    #[test]
    fn one_silent_registry_is_a_warning_and_all_of_them_one_error() {
        let some = reachable(&[registry("docker.io", Ok(None)), registry("quay.io", refused())], false);
        assert_eq!([some[0].result, some[1].result], [Outcome::Ok, Outcome::Warning]);
        let none = [registry("docker.io", refused()), registry("quay.io", refused())];
        let all = reachable(&none, false);
        assert_eq!((all.len(), all[0].result, all[0].error_id.as_deref()), (1, Outcome::Error, Some("DOWNLOAD_FAILED")));
        assert!(all[0].saw.contains("docker.io, quay.io") && all[0].hint.as_deref().unwrap().contains("--bundle"), "{all:?}");
        assert_eq!(reachable(&none, true)[0].result, Outcome::Warning, "the engine's network is not this one");
    }

    #[test]
    fn the_way_of_failing_has_its_own_name() {
        let of = |message: &str| reachable(&[registry("docker.io", Err(message.into()))], false).remove(0).error_id;
        assert_eq!(of("invalid peer certificate: UnknownIssuer"), Some("REGISTRY_TLS".into()));
        assert_eq!(of("something else"), Some("DOWNLOAD_FAILED".into()));
    }

    #[test]
    fn pulls_that_are_left_are_compared_with_those_of_the_plan() {
        let of = |left| reachable(&[registry("docker.io", Ok(Some(Allowance { left, of: Some(100) })))], false).remove(0);
        assert_eq!(of(10).result, Outcome::Ok);
        assert_eq!((of(9).result, of(9).error_id.as_deref()), (Outcome::Warning, Some("IMAGE_RATE_LIMIT")));
        assert!(of(9).saw.contains("9 of 100 pulls"), "{:?}", of(9));
    }

    #[test]
    fn names_that_nobody_resolves_are_a_warning_unless_a_proxy_does_it() {
        let failed = Err("no such host".to_owned());
        assert_eq!(dns("h", &Ok(2), false, false).result, Outcome::Ok);
        assert_eq!(dns("h", &failed, false, true).result, Outcome::Ok);
        let bundled = dns("h", &failed, true, false);
        assert_eq!((bundled.result, bundled.error_id), (Outcome::Warning, None));
        assert_eq!(dns("h", &failed, false, false).error_id.as_deref(), Some("DOWNLOAD_FAILED"));
    }
}
