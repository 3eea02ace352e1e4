//! A manifest: cut, filtered, parsed, sorted into waves, patched. The first line names kinds to take and names to leave.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use quickstart::catalog::{Filter, NeverClaimed, Object, RestMap, embedded, merge, patch, served_collections, yaml};
use quickstart::plan::{component_waves, foundation};

fuzz_target!(|data: &str| {
    static NEVER: OnceLock<NeverClaimed> = OnceLock::new();
    let never = NEVER.get_or_init(|| embedded::never_claimed().expect("the rules inside"));
    let Some((words, text)) = data.split_once('\n') else { return };
    let list = |part: Option<&str>| part.unwrap_or_default().split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let mut parts = words.split(' ');
    let include = Filter { kinds: list(parts.next()), names: Vec::new() };
    let exclude = Filter { kinds: Vec::new(), names: list(parts.next()) };
    let chosen = yaml::documents(text, "m.yaml", &include, &exclude);
    let Ok(all) = yaml::documents(text, "m.yaml", &Filter::default(), &Filter::default()) else { return };
    let chosen = chosen.expect("less is read, and all of it can be");
    assert!(chosen.iter().all(|document| all.contains(document)), "a filter made something up");
    let mut rest = RestMap::default();
    let mut objects: Vec<Object> = Vec::new();
    for document in &all {
        served_collections(document);
        objects.extend(Object::new(document.clone(), "m.yaml").ok());
    }
    rest.learn(&objects);
    for object in &mut objects {
        let _ = rest.path(object);
        never.strip(object, None);
        never.strip(object, all.first());
        if let Some(change) = all.last() {
            let _ = patch(object, change);
        }
    }
    for waves in [foundation(&objects), component_waves(&objects, &[])] {
        assert!(waves.iter().all(|wave| !wave.name.is_empty()));
    }
    if let [first, .., last] = &all[..] {
        let mut merged = first.clone();
        merge::merge(&mut merged, last);
    }
});
