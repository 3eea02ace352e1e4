//! Manifest texts → the objects that will be sent: documents chosen, bundle patches and overlays applied. Still pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::marks::{Mark, Marks};
use super::{MANAGED_BY, Plan, PlannedComponent, Wave, component_waves, foundation, https, resources, serving};
use crate::catalog::{CatalogError, Object, RestMap, embedded, patch, patch_text, yaml};

/// Manifest texts by component and file name.
pub type Texts = BTreeMap<(String, String), String>;

/// The objects of a plan.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// Component → objects, as they will be sent (before never-claimed fields are taken out).
    pub components: BTreeMap<String, Vec<Object>>,
    /// ClusterServingRuntimes, which go last.
    pub runtimes: Vec<Object>,
    /// The demo's objects.
    pub demo: Vec<Object>,
    /// The user's own objects.
    pub own: Vec<Object>,
    /// Kind → URL.
    pub rest: RestMap,
    /// What differs from upstream's files, and why.
    pub marks: Vec<Mark>,
}

impl Assembled {
    /// Namespaces and definitions of every component, and the demo's volume and claim: a claim that is looked at before its volume is
    /// there is looked at again only 15 s later (seen on the real cluster), so the two get their time now.
    pub fn foundation(&self) -> Vec<Wave> {
        let mut waves = foundation(self.components.values().flatten().chain(&self.demo));
        let of = |kind: &str| self.demo.iter().filter(|object| object.gvk.kind == kind).cloned().collect::<Vec<_>>();
        if let Some(namespaces) = waves.first_mut() {
            namespaces.objects.extend(of("PersistentVolume"));
        }
        let claims = of("PersistentVolumeClaim");
        if !claims.is_empty() {
            let path = |claim: &Object| {
                let namespace = claim.namespace.as_deref().unwrap_or("default");
                format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims/{}", claim.name)
            };
            let checks = vec![super::wave::present("crds/claims", claims.iter().map(path))];
            waves.insert(1, Wave { name: "storage", objects: claims, checks });
        }
        waves
    }

    /// What can be there before any webhook is: roles, configuration and services of all components, so that whatever starts finds them; and,
    /// of those that go on beside others, the certificates and what only a validating webhook guards, the runtimes among it.
    pub fn ahead(&self, plan: &Plan) -> Vec<Object> {
        let early = plan.components.iter().flat_map(|component| {
            let is_early = |wave: &Wave| match wave.name {
                Wave::BASE => true,
                Wave::CERTIFICATES | Wave::GUARDED => !component.beside.is_empty(),
                _ => false,
            };
            self.waves(plan, &component.name).into_iter().filter(is_early).flat_map(|wave| wave.objects).collect::<Vec<_>>()
        });
        early.chain(self.runtimes.iter().cloned()).collect()
    }

    /// The waves of the user's own objects: namespaces and definitions first, and what those define last.
    pub fn own_waves(&self) -> Vec<Wave> {
        let mut waves = foundation(&self.own);
        waves.retain(|wave| !wave.objects.is_empty());
        waves.extend(component_waves(&self.own, &[]));
        waves
    }

    /// Everything in the order in which it is sent where nothing runs side by side.
    pub fn in_order(&self, plan: &Plan) -> Vec<Object> {
        let mut waves = self.foundation();
        waves.extend(plan.components.iter().flat_map(|component| self.waves(plan, &component.name)));
        let objects = waves.into_iter().flat_map(|wave| wave.objects);
        let early = ["Namespace", "PersistentVolume", "PersistentVolumeClaim"];
        let demo = self.demo.iter().filter(|object| !early.contains(&object.gvk.kind.as_str()));
        objects.chain(self.runtimes.iter().chain(&self.own).chain(demo).cloned()).collect()
    }

    /// Every object says whose it is: so it is told apart from what was there before, and found again when it is taken away.
    fn label(&mut self) -> Result<(), CatalogError> {
        let mark = json!({"metadata": {"labels": {MANAGED_BY.0: MANAGED_BY.1}}});
        let Self { components, runtimes, demo, own, .. } = self;
        let mut all = components.values_mut().flatten().chain(runtimes).chain(demo).chain(own);
        all.try_for_each(|object| patch(object, &mark))
    }

    /// Puts the bundle's model into the demo's ConfigMap, on a cluster whose nodes we cannot reach; `text` is base64.
    pub fn put_model(&mut self, file: &str, text: &str) -> Result<(), CatalogError> {
        let mut maps = self.demo.iter_mut().filter(|object| object.gvk.kind == "ConfigMap");
        maps.try_for_each(|map| patch(map, &json!({"binaryData": {file: text}})))
    }

    /// The waves of one component.
    pub fn waves(&self, plan: &Plan, component: &str) -> Vec<Wave> {
        let checks = plan.stage(&super::StageId::component(component)).map(|stage| stage.checks.clone()).unwrap_or_default();
        component_waves(self.components.get(component).map(Vec::as_slice).unwrap_or_default(), &checks)
    }
}

/// Builds the objects of a plan.
pub fn assemble(plan: &Plan, texts: &Texts) -> Result<Assembled, CatalogError> {
    let mut components = BTreeMap::new();
    let mut runtimes = Vec::new();
    let mut marks = Marks::default();
    for component in &plan.components {
        let mut objects = Vec::new();
        for file in &component.files {
            let place = format!("{}/{}", component.name, file.name);
            let text = texts
                .get(&(component.name.clone(), file.name.clone()))
                .ok_or_else(|| CatalogError::Object { place: place.clone(), message: "the manifest is not at hand".into() })?;
            for document in yaml::documents(text, &place, &file.include, &file.exclude)? {
                objects.push(Object::new(document, &place)?);
            }
        }
        marks.begin(&objects);
        if component.addon {
            objects.extend(embedded::addon(&component.name)?);
            marks.look(
                &format!("add-on {}", component.name),
                "objects of quickstart's own: there is no file of upstream's to take",
                &objects,
            );
        }
        for change in plan.patches.iter().filter(|change| change.component == component.name) {
            for object in objects.iter_mut().filter(|object| object.is(&change.object)) {
                patch(object, &change.patch)?;
            }
            marks.look("the bundle", &change.reason, &objects);
        }
        let mut told = |id: &str, reason: &str, now: &[Object]| marks.look(&format!("overlay {id}"), reason, now);
        embedded::overlays(&component.name)?.apply_telling(&mut objects, &component.version, plan.is_local(), &mut told)?;
        adjust(plan, component, &mut objects)?;
        let reason = match (plan.profile.as_str(), plan.component("prometheus")) {
            ("raw", _) => "what profile raw needs",
            (_, Some(_)) => "tags of these registries are not to be resolved; metrics that Prometheus can read",
            _ => "tags of these registries are not to be resolved",
        };
        marks.look("the plan", reason, &objects);
        https::put(plan, component, &mut objects)?;
        marks.look("the plan", "HTTPS at the gateway", &objects);
        serving::put(plan, component, &mut objects)?;
        marks.look("your configuration file", "how models are served", &objects);
        resources::put(plan, &component.name, &mut objects)?;
        marks.look("your configuration file", "its resources", &objects);
        change(plan, &component.name, &mut objects)?;
        marks.look("your configuration file", "its patches", &objects);
        runtimes.extend(objects.extract_if(.., |object| object.gvk.kind == "ClusterServingRuntime"));
        components.insert(component.name.clone(), objects);
    }
    let own = own(plan)?;
    let mut rest = RestMap::default();
    rest.learn(components.values().flatten().chain(&own));
    let unknown = |object: &&Object| rest.path(object).is_err();
    if let Some(object) = own.iter().find(unknown) {
        let message = format!("neither Kubernetes nor a definition of this plan knows kind {} of {}", object.gvk.kind, object.gvk.group);
        return Err(CatalogError::Own { place: object.to_string(), message });
    }
    let demo = demo(plan)?;
    let mut assembled = Assembled { components, runtimes, demo, own, rest, marks: marks.all() };
    if !plan.is_local() {
        assembled.label()?;
    }
    Ok(assembled)
}

/// The user's own files. What is wrong with them is the user's to mend: a bad input, not a damaged download.
fn own(plan: &Plan) -> Result<Vec<Object>, CatalogError> {
    let mut objects = Vec::new();
    let all = crate::catalog::Filter::default();
    for manifest in &plan.manifests {
        let documents = yaml::documents(&manifest.text, &manifest.file, &all, &all).map_err(CatalogError::of_the_user)?;
        for document in documents {
            objects.push(Object::new(document, &manifest.file).map_err(CatalogError::of_the_user)?);
        }
    }
    Ok(objects)
}

/// What depends on the run, not on the component: registries of the bundle, what the profile needs.
fn adjust(plan: &Plan, component: &PlannedComponent, objects: &mut Vec<Object>) -> Result<(), CatalogError> {
    let raw = plan.profile == "raw";
    // Since Serving 1.19 nobody exports metrics until told so (`none` is the default of both keys).
    let watched = plan.component("prometheus").is_some();
    if watched {
        // Its programs read the setting when they start: on a cluster that runs they are to start anew.
        let anew = json!({"spec": {"template": {"metadata": {"annotations": {"quickstart/metrics": "prometheus"}}}}});
        let is_knative = |object: &&mut Object| object.gvk.kind == "Deployment" && object.namespace.as_deref() == Some("knative-serving");
        objects.iter_mut().filter(is_knative).try_for_each(|object| patch(object, &anew))?;
    }
    for object in objects.iter_mut().filter(|object| object.gvk.kind == "ConfigMap") {
        if (plan.is_local() || plan.bundle.is_some())
            && object.name == "config-deployment"
            && object.namespace.as_deref() == Some("knative-serving")
        {
            patch(object, &json!({"data": {"registries-skipping-tag-resolving": plan.skip_tag_resolution.join(",")}}))?;
        }
        if watched && object.name == "config-observability" && object.namespace.as_deref() == Some("knative-serving") {
            patch(object, &json!({"data": {"metrics-protocol": "prometheus", "request-metrics-protocol": "prometheus"}}))?;
        }
        if raw && object.name == "inferenceservice-config" {
            // Named Standard since 0.16, which takes the older name too (`ParseDeploymentMode`); the older ones know no other.
            let older = component.is_before(0, 16);
            let mode = if older { "RawDeployment" } else { "Standard" };
            patch_text(object, "/data/deploy", &json!({"defaultDeploymentMode": mode}))?;
            let mut by_istio = json!({"ingressClassName": "istio", "enableGatewayApi": false, "disableIngressCreation": false});
            if component.is_before(0, 15) {
                by_istio = json!({"ingressClassName": "istio"});
            }
            patch_text(object, "/data/ingress", &by_istio)?;
        }
    }
    if plan.component("kourier").is_some() {
        kourier(objects)?;
    }
    // Without a Gateway or an Ingress Envoy opens no port, and a cluster without models would look broken; one of ours makes it say 404.
    if raw && component.name == "istio" {
        let server = json!({"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]});
        let gateway = json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "Gateway",
            "metadata": {"name": "quickstart", "namespace": "istio-system"},
            "spec": {"selector": {"istio": "ingressgateway"}, "servers": [server]}});
        objects.push(Object::new(gateway, "the raw profile's Gateway")?);
    }
    Ok(())
}

/// KServe's own scripts for Kourier write just these two (`KSERVE_CUSTOM_ISVC_CONFIGS` of its CI job test-kourier, 0.20).
fn kourier(objects: &mut [Object]) -> Result<(), CatalogError> {
    for object in objects.iter_mut().filter(|object| object.gvk.kind == "ConfigMap") {
        match object.name.as_str() {
            "config-network" => patch(object, &json!({"data": {"ingress-class": "kourier.ingress.networking.knative.dev"}}))?,
            "inferenceservice-config" => patch_text(object, "/data/ingress", &json!({"disableIstioVirtualHost": true}))?,
            _ => {}
        }
    }
    Ok(())
}

/// The user's own changes come last. One that meets nothing is a mistake that would show only when somebody misses it.
fn change(plan: &Plan, component: &str, objects: &mut [Object]) -> Result<(), CatalogError> {
    for wanted in plan.changes.iter().filter(|wanted| wanted.component == component) {
        let is_meant = |object: &&mut Object| {
            object.gvk.kind == wanted.kind
                && object.name == wanted.name
                && wanted.namespace.as_ref().is_none_or(|namespace| Some(namespace) == object.namespace.as_ref())
        };
        let mut met = false;
        for object in objects.iter_mut().filter(is_meant) {
            patch(object, &wanted.patch)?;
            met = true;
        }
        if !met {
            return Err(CatalogError::Change {
                what: format!("{} {}", wanted.kind, wanted.name),
                message: format!("{component} has no such object"),
            });
        }
    }
    Ok(())
}

fn demo(plan: &Plan) -> Result<Vec<Object>, CatalogError> {
    let Some(demo) = &plan.demo else { return Ok(Vec::new()) };
    let (text, place) = match (demo.offline, plan.is_local()) {
        (true, true) => (embedded::SAMPLE_OFFLINE, "samples/sklearn-iris-offline.yaml"),
        (true, false) => (embedded::SAMPLE_CONFIG_MAP, "samples/sklearn-iris-configmap.yaml"),
        (false, _) => (embedded::SAMPLE_ONLINE, "samples/sklearn-iris.yaml"),
    };
    let documents = yaml::documents(text, place, &crate::catalog::Filter::default(), &crate::catalog::Filter::default())?;
    let namespaced = |document| Object::new(in_namespace(document, &demo.namespace), place);
    let mut objects: Vec<Object> = documents.into_iter().map(namespaced).collect::<Result<_, _>>()?;
    let images = plan.components.iter().flat_map(|component| &component.images);
    let server = images.map(|image| image.reference.as_str()).find(|reference| reference.contains("/sklearnserver:"));
    // Only the demo that names its server itself has containers.
    let bare = |object: &&mut Object| object.body.pointer("/spec/predictor/containers").is_some();
    for (object, image) in objects.iter_mut().filter(bare).zip(server) {
        patch(object, &json!({"spec": {"predictor": {"containers": [{"name": "kserve-container", "image": image}]}}}))?;
    }
    Ok(objects)
}

/// The samples are written for the ordinary namespace.
fn in_namespace(mut document: Value, namespace: &str) -> Value {
    for pointer in ["/metadata/namespace", "/spec/claimRef/namespace"] {
        if let Some(slot) = document.pointer_mut(pointer) {
            *slot = json!(namespace);
        }
    }
    if document.get("kind").and_then(Value::as_str) == Some("Namespace")
        && let Some(slot) = document.pointer_mut("/metadata/name")
    {
        *slot = json!(namespace);
    }
    document
}
