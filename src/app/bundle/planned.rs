//! The plan as the specification of a bundle: computed, nothing is asked.

use super::pull::Wanted;
use crate::bundle::{Image, KindSettings, Manifest, Node, Spec, VERSION};
use crate::catalog::Catalog;
use crate::config::Settings;
use crate::error::{Exit, Failure};
use crate::plan::{Plan, Target, archive_name, build};

/// Images of serving runtimes that nothing of the plan starts.
const RUNTIMES: &str = "runtimes";
const DEMO: &str = "demo";

/// What a bundle of the plan is made of.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// Without paths, kind and model: those are known when they are there.
    pub(super) spec: Spec,
    pub(super) wanted: Vec<Wanted>,
    /// Images of the plan that stay out.
    pub(super) left_out: usize,
}

impl Planned {
    pub(super) fn new(settings: &Settings, catalog: &Catalog, architecture: &str, with_runtimes: bool) -> Result<Self, Failure> {
        // A bundle is for clusters of ours, and made from what upstream publishes.
        let settings = Settings { on: None, bundle: None, ..settings.clone() };
        let plan = build(&settings, catalog, None)?;
        let is_meant = |group: &str| (group != RUNTIMES || with_runtimes) && (group != DEMO || plan.demo.is_some());
        let (mut images, mut wanted, mut left_out) = (Vec::new(), Vec::new(), 0);
        let pins = catalog.components.iter().flat_map(|component| &component.versions).flat_map(|version| &version.images);
        for image in plan.components.iter().flat_map(|component| &component.images) {
            if !is_meant(&image.group) {
                left_out += usize::from(image.group == RUNTIMES);
                continue;
            }
            if images.iter().any(|known: &Image| known.reference == image.reference) {
                continue;
            }
            let local = archive_name(&image.reference);
            let digest = pins.clone().find(|pin| pin.reference == image.reference).and_then(|pin| pin.digest.clone());
            wanted.push(Wanted {
                group: Some(image.group.clone()),
                reference: image.reference.clone(),
                source: image.reference.clone(),
                local: local.clone(),
                digest,
            });
            images.push(Image {
                reference: image.reference.clone(),
                local,
                group: image.group.clone(),
                archive: String::new(),
                id: String::new(),
                substitute: None,
            });
        }
        let node = node(&plan)?;
        wanted.push(Wanted {
            group: None,
            reference: node.reference.clone(),
            source: node_image(&plan),
            local: node.local.clone(),
            digest: None,
        });
        let manifests = plan
            .components
            .iter()
            .flat_map(|component| {
                component.files.iter().map(|file| Manifest {
                    component: component.name.clone(),
                    file: file.name.clone(),
                    path: String::new(),
                    substitute: None,
                })
            })
            .collect();
        let spec = Spec {
            version: VERSION,
            name: if plan.profile == "serverless" { plan.set.clone() } else { format!("{}-{}", plan.set, plan.profile) },
            architecture: architecture.to_owned(),
            set: plan.set.clone(),
            manifests,
            images,
            node: Some(node),
            kind: None,
            model: None,
            patches: Vec::new(),
            kind_settings: KindSettings::default(),
        };
        Ok(Self { plan, spec, wanted, left_out })
    }
}

fn node_image(plan: &Plan) -> String {
    match &plan.target {
        Target::Kind { node_image, .. } => node_image.clone(),
        Target::Existing { .. } => String::new(),
    }
}

/// An engine that loaded an archive does not know its image by a digest: kind is given the name without it.
fn node(plan: &Plan) -> Result<Node, Failure> {
    let Target::Kind { node_image, .. } = &plan.target else { return Err(Failure::internal("the plan has no node image")) };
    let reference = node_image.split('@').next().unwrap_or_default().to_owned();
    let kubernetes = plan.target.node_kubernetes().ok_or_else(|| {
        Failure::new("USAGE", Exit::Usage, format!("the Kubernetes version of node image {node_image} is not known"))
            .hint("name it with its tag, as kindest/node:v1.34.0")
    })?;
    Ok(Node { local: reference.clone(), reference, kubernetes, archive: String::new(), id: String::new(), substitute: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::embedded;
    use crate::cli::parse;
    use crate::config::Environment;

    fn planned(more: &[&str]) -> Planned {
        let words = ["quickstart", "bundle", "create"].iter().chain(more).chain(&["out.tar"]).map(std::ffi::OsString::from);
        let cli = parse(words).unwrap_or_else(|_| panic!("{more:?}"));
        let settings =
            Settings::resolve(&cli, Environment::from_vars([("HOME", "/nowhere"), ("QUICKSTART_BUNDLE", "old.tar")], "/nowhere")).unwrap();
        Planned::new(&settings, &embedded::catalog().unwrap(), "arm64", more.contains(&"--with-runtimes")).unwrap()
    }

    #[test]
    fn every_image_of_the_plan_is_wanted_and_runtimes_only_when_asked_for() {
        let all = planned(&[]);
        let groups: std::collections::BTreeSet<&str> = all.spec.images.iter().map(|image| image.group.as_str()).collect();
        assert_eq!(groups.into_iter().collect::<Vec<_>>(), ["cert-manager", "demo", "istio", "knative", "kserve", "net-istio"]);
        assert_eq!((all.wanted.len(), all.spec.architecture.as_str()), (all.spec.images.len() + 1, "arm64"));
        assert_eq!(planned(&["--with-runtimes"]).wanted.len(), all.wanted.len() + all.left_out);
        assert!(planned(&["--without-demo"]).spec.images.iter().all(|image| image.group != "demo"));
        assert!(planned(&["--profile", "raw"]).spec.images.iter().all(|image| image.group != "knative"));
        let pinned = all.wanted.iter().find(|wanted| wanted.reference.contains("/activator@")).unwrap();
        assert_eq!(pinned.local, "gcr.io/knative-releases/knative.dev/serving/cmd/activator:sha256-3670960eaa9b");
        assert!(pinned.digest.as_ref().is_some_and(|digest| pinned.source.ends_with(digest)));
    }

    /// An engine that was given the digest looked for it at Docker Hub, though the image had just been loaded.
    #[test]
    fn the_node_image_has_a_name_that_a_loaded_archive_can_have() {
        let all = planned(&[]);
        let node = all.spec.node.unwrap();
        assert_eq!((node.reference.as_str(), node.kubernetes.as_str()), ("kindest/node:v1.34.0", "1.34.0"));
        assert!(all.wanted.last().unwrap().source.contains("@sha256:"), "it is read by its digest all the same");
    }
}
