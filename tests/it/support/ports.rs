//! Node ports: who has which, and which are taken by nobody.

use serde_json::Value;

use super::{
    resources::Resource,
    status::Refusal,
    store::{Key, World},
};

fn of(service: &Value) -> Vec<u64> {
    let ports = service.pointer("/spec/ports").and_then(Value::as_array);
    ports.into_iter().flatten().filter_map(|port| port["nodePort"].as_u64()).collect()
}

/// A node port of another Service, or of nobody, is refused; those that the object has already (`key`; none in a create) are its own.
pub fn check(world: &World, resource: &Resource, key: Option<&Key>, name: &str, new: &Value) -> Result<(), Refusal> {
    if !resource.group.is_empty() || resource.plural != "services" {
        return Ok(());
    }
    let own = key.and_then(|key| world.get(key)).map(of).unwrap_or_default();
    let mut taken = world.leaked_ports.clone();
    taken.extend(world.keys("", "services").iter().filter_map(|other| world.get(other)).flat_map(of));
    let held = of(new).into_iter().enumerate().find(|(_, port)| !own.contains(port) && taken.contains(port));
    match held {
        Some((index, port)) => {
            let problem = format!("Invalid value: {port}: provided port is already allocated");
            Err(Refusal::invalid(resource, name, &format!("spec.ports[{index}].nodePort"), &problem))
        }
        None => Ok(()),
    }
}

/// The client of a write is gone before anything was stored. What a POST took is given back; what a PATCH that creates took stays taken
/// (k8s.io/apiserver `registry.Store.Update`; seen on a real 1.34.3).
pub fn given_up(world: &mut World, method: &str, body: &[u8]) {
    let Ok(object) = serde_json::from_slice::<Value>(body) else { return };
    if method == "PATCH" && object["kind"] == "Service" {
        world.leaked_ports.extend(of(&object));
    }
}
