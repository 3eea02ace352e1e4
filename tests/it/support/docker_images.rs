//! Images of the fake engine: list, inspect, load, save, tag, pull, remove.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    docker_archive::{self, Image},
    docker_engine::{Engine, missing, unknown},
    wire::{Got, Reply, pairs, percent},
};

/// By name or ID.
pub fn find_image<'a>(engine: &'a Engine, name: &str) -> Option<&'a Image> {
    let wanted = docker_archive::full_name(name);
    engine.images.iter().find(|image| image.id() == name || image.tags.iter().any(|tag| docker_archive::full_name(tag) == wanted))
}

/// Everything under `/images`.
pub fn images(engine: &mut Engine, got: &Got, method: &str, path: &str, query: &BTreeMap<String, String>) -> Reply {
    let rest = path.trim_start_matches("/images/");
    let named = |suffix: &str| rest.strip_suffix(suffix).map(percent);
    match (method, rest) {
        ("GET", "json") => {
            return Reply::json(
                200,
                &engine
                    .images
                    .iter()
                    .map(|image| {
                        json!({"Id": image.id(), "ParentId": "", "RepoTags": image.tags, "RepoDigests": [], "Size": 1024, "SharedSize": -1,
                            "Created": 1, "Containers": -1, "Labels": image.inspect()["Config"]["Labels"]})
                    })
                    .collect(),
            );
        }
        ("POST", "load") => {
            return match docker_archive::load(&got.body) {
                Err(error) => Reply::json(500, &json!({"message": error})),
                Ok(loaded) => {
                    let said: String = loaded
                        .iter()
                        .flat_map(|image| &image.tags)
                        .map(|tag| json!({"stream": format!("Loaded image: {tag}\n")}).to_string() + "\r\n")
                        .collect();
                    for new in loaded {
                        // A name moves to the image that was loaded last.
                        engine.images.iter_mut().for_each(|old| old.tags.retain(|tag| !new.tags.contains(tag)));
                        match engine.images.iter_mut().find(|old| old.id() == new.id()) {
                            Some(old) => old.tags.extend(new.tags),
                            None => engine.images.push(new),
                        }
                    }
                    Reply::Full(200, "application/json", said.into_bytes())
                }
            };
        }
        ("POST", "create") => {
            let (image, tag) = (query.get("fromImage").cloned().unwrap_or_default(), query.get("tag").cloned().unwrap_or_default());
            let separator = if tag.contains("sha256:") { "@" } else { ":" };
            let name = if tag.is_empty() { image } else { format!("{image}{separator}{tag}") };
            if !engine.pullable.contains(&name) {
                return Reply::json(404, &json!({"message": format!("manifest for {name} not found: manifest unknown: manifest unknown")}));
            }
            engine.images.push(Image::new(&name, "amd64"));
            let said = json!({"status": format!("Status: Downloaded newer image for {name}")}).to_string();
            return Reply::Full(200, "application/json", (said + "\r\n").into_bytes());
        }
        ("GET", "get") => {
            let wanted: Vec<String> = got.query.split('&').filter_map(|pair| pairs(pair).remove("names")).collect();
            return save(engine, &wanted);
        }
        _ => {}
    }
    if let ("GET", Some(name)) = (method, named("/get")) {
        return save(engine, &[name]);
    }
    if let ("GET", Some(name)) = (method, named("/json")) {
        return match find_image(engine, &name) {
            Some(image) => Reply::json(200, &image.inspect()),
            None => Reply::json(404, &json!({"message": format!("No such image: {name}")})),
        };
    }
    if let ("POST", Some(name)) = (method, named("/tag")) {
        let new = format!("{}:{}", query.get("repo").map_or("", String::as_str), query.get("tag").map_or("latest", String::as_str));
        let Some(id) = find_image(engine, &name).map(Image::id) else { return missing("image", &name) };
        engine.images.iter_mut().filter(|image| image.id() == id).for_each(|image| image.tags.push(new.clone()));
        return Reply::empty(201);
    }
    if method == "DELETE" {
        let name = percent(rest);
        let Some(id) = find_image(engine, &name).map(Image::id) else { return missing("image", &name) };
        engine.images.retain(|image| image.id() != id);
        return Reply::json(200, &json!([{"Deleted": id}]));
    }
    unknown(engine, method, path)
}

fn save(engine: &Engine, names: &[String]) -> Reply {
    let mut chosen = Vec::new();
    for name in names {
        match find_image(engine, name) {
            Some(image) => chosen.push((image.clone(), vec![name.clone()])),
            None => return Reply::json(404, &json!({"message": format!("reference does not exist: {name}")})),
        }
    }
    Reply::Full(200, "application/x-tar", docker_archive::save(&chosen))
}
