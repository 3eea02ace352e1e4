//! Requests and limits of the configuration file into the workloads that run such containers.

use serde_json::{Value, json};

use super::Plan;
use crate::catalog::{CatalogError, Object, patch};

/// Both lists of a pod's containers.
const LISTS: [&str; 2] = ["containers", "initContainers"];

/// Puts them in. Those for a container that no workload of the component has are a mistake that would show only when somebody misses
/// them.
pub(super) fn put(plan: &Plan, component: &str, objects: &mut [Object]) -> Result<(), CatalogError> {
    for wanted in plan.resources.iter().filter(|wanted| wanted.component == component) {
        let mut resources = json!({});
        for (key, quantities) in [("requests", &wanted.requests), ("limits", &wanted.limits)] {
            if !quantities.is_empty() {
                resources[key] = json!(quantities);
            }
        }
        let mut met = false;
        for object in objects.iter_mut() {
            for list in LISTS {
                if names(object, list).any(|name| name == wanted.container) {
                    let change = json!({"spec": {"template": {"spec": {list: [{"name": wanted.container, "resources": resources}]}}}});
                    patch(object, &change)?;
                    met = true;
                }
            }
        }
        if !met {
            let mut there: Vec<&str> = objects.iter().flat_map(|object| LISTS.iter().flat_map(|list| names(object, list))).collect();
            there.sort_unstable();
            there.dedup();
            return Err(CatalogError::Resources {
                place: wanted.place.clone(),
                what: component.to_owned(),
                message: format!("there is no container `{}` (there are {})", wanted.container, there.join(", ")),
            });
        }
    }
    Ok(())
}

/// The containers of a workload's pods.
fn names<'a>(object: &'a Object, list: &str) -> impl Iterator<Item = &'a str> {
    let workload = object.gvk.group == "apps" || object.gvk.group == "batch";
    let containers = object.body.pointer("/spec/template/spec").filter(|_| workload).and_then(|spec| spec.get(list)?.as_array());
    containers.into_iter().flatten().filter_map(|container| container.get("name").and_then(Value::as_str))
}
