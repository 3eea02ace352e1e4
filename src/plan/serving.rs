//! What the configuration file says about serving, put into the objects that decide about it.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Plan, PlannedComponent};
use crate::catalog::{CatalogError, Object, patch, patch_text};
use crate::config::{Serving, nearest};

/// On the template of KServe's controller: another configuration means another pod.
const NOTE: &str = "quickstart.kserve.io/configuration";

/// Domain, class, bucket and KServe's own keys, in one component's objects.
pub(super) fn put(plan: &Plan, component: &PlannedComponent, objects: &mut Vec<Object>) -> Result<(), CatalogError> {
    let serving = &plan.serving;
    match component.name.as_str() {
        "knative" if serving.domain.is_some() => domain(serving, objects),
        "istio" if serving.ingress_class.is_some() => class(plan, objects),
        "kserve" => kserve(plan, component, objects),
        _ => Ok(()),
    }
}

/// The only one without a selector is every route's.
fn domain(serving: &Serving, objects: &mut [Object]) -> Result<(), CatalogError> {
    for object in objects.iter_mut().filter(|object| is_map(object, "config-domain")) {
        let mut data = json!({ (serving.domain()): "" });
        if serving.domain() != Serving::DOMAIN {
            data[Serving::DOMAIN] = Value::Null;
        }
        patch(object, &json!({ "data": data }))?;
    }
    Ok(())
}

/// On a cluster of ours the class is ours under any name (istiod asks for the class's controller, not its name); elsewhere another name is
/// somebody else's class.
fn class(plan: &Plan, objects: &mut Vec<Object>) -> Result<(), CatalogError> {
    let name = plan.serving.ingress_class();
    if plan.is_local() {
        for object in objects.iter_mut().filter(|object| object.gvk.kind == "IngressClass") {
            patch(object, &json!({"metadata": {"name": name}}))?;
        }
    } else if name != Serving::INGRESS_CLASS {
        objects.retain(|object| object.gvk.kind != "IngressClass");
    }
    Ok(())
}

fn kserve(plan: &Plan, component: &PlannedComponent, objects: &mut [Object]) -> Result<(), CatalogError> {
    let serving = &plan.serving;
    let mut configuration = None;
    for object in objects.iter_mut().filter(|object| is_map(object, "inferenceservice-config")) {
        let mut ingress = Map::new();
        ingress.extend(serving.domain.as_ref().map(|domain| ("ingressDomain".to_owned(), json!(domain))));
        ingress.extend(serving.ingress_class.as_ref().map(|class| ("ingressClassName".to_owned(), json!(class))));
        if !ingress.is_empty() {
            patch_text(object, "/data/ingress", &Value::Object(ingress))?;
        }
        if let Some(storage) = &serving.storage {
            patch_text(object, "/data/credentials", &storage.credentials())?;
        }
        for (key, fields) in &serving.kserve {
            known(object, key, fields, component)?;
            patch_text(object, &format!("/data/{key}"), &Value::Object(fields.clone()))?;
        }
        configuration = Some(hex::encode(Sha256::digest(object.json().as_bytes())));
    }
    // KServe decides at its start which kinds it watches and remembers which are served (`SetupWithManager`, `IsCrdAvailable` in 0.20), and
    // an Ingress gets another domain only when its model is looked at again: so the pod that read the old configuration must go.
    if let Some(configuration) = configuration.filter(|_| plan.profile == "raw" || !serving.is_default() || !plan.scheme().is_http()) {
        let note = json!({"spec": {"template": {"metadata": {"annotations": {NOTE: &configuration[..16]}}}}});
        for object in objects.iter_mut().filter(|object| object.gvk.kind == "Deployment") {
            patch(object, &note)?;
        }
    }
    Ok(())
}

/// KServe ignores what it does not know, so a typing error would be a silently missing setting. What a version knows stands in its own
/// file: in the JSON that it ships, or in the `_example` beside it.
fn known(config: &Object, key: &str, fields: &Map<String, Value>, component: &PlannedComponent) -> Result<(), CatalogError> {
    let refused = |place: String, word: &str, known: Vec<&str>| {
        let near = nearest(word, known.iter().copied()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let message = format!("{} {} has no such key; {near}it has {}", component.title, component.version, known.join(", "));
        CatalogError::Own { place: format!("`kserve.{place}` of the configuration file"), message }
    };
    let data = config.body.get("data").and_then(Value::as_object);
    let keys = || data.into_iter().flatten().map(|(key, _)| key.as_str()).filter(|key| !key.starts_with('_')).collect::<Vec<_>>();
    let Some(text) = data.and_then(|data| data.get(key)).and_then(Value::as_str).filter(|_| !key.starts_with('_')) else {
        return Err(refused(key.to_owned(), key, keys()));
    };
    let shipped: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let example = data.and_then(|data| data.get("_example")).and_then(Value::as_str).unwrap_or_default();
    let unknown = fields.keys().find(|field| !shipped.contains_key(*field) && !example.contains(&format!("\"{field}\"")));
    match unknown {
        None => Ok(()),
        Some(field) => Err(refused(format!("{key}.{field}"), field, shipped.keys().map(String::as_str).collect())),
    }
}

fn is_map(object: &Object, name: &str) -> bool {
    object.gvk.kind == "ConfigMap" && object.name == name
}
