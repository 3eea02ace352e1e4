//! The JSON schema of `quickstart.yaml`, for editors and for people.

/// JSON Schema, draft 2020-12 (`manifests/quickstart.schema.json`).
pub const SCHEMA: &str = include_str!("../../manifests/quickstart.schema.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::*;
    use crate::config::ConfigFile;
    use crate::error::Explain as _;

    fn schema() -> Value {
        serde_json::from_str(SCHEMA).unwrap()
    }

    fn keys(value: &Value) -> BTreeSet<String> {
        value["properties"].as_object().unwrap().keys().cloned().collect()
    }

    /// The reader lists its keys when it meets one that it does not know.
    fn known(text: &str) -> BTreeSet<String> {
        let hint = ConfigFile::parse(text, Path::new("q.yaml")).unwrap_err().hint().unwrap();
        hint.rsplit_once("known keys: ").unwrap().1.split(", ").map(str::to_owned).collect()
    }

    #[test]
    fn the_schema_has_just_the_keys_that_the_reader_knows() {
        let schema = schema();
        assert_eq!(keys(&schema), known("unheard: 1"));
        assert_eq!(keys(&schema["properties"]["node"]), known("node: {unheard: 1}"));
        assert_eq!(keys(&schema["properties"]["storage"]), known("storage: {unheard: 1}"));
        let container = &schema["properties"]["resources"]["additionalProperties"]["additionalProperties"];
        assert_eq!(keys(container), known("resources: {a: {b: {unheard: 1}}}"));
        assert_eq!(keys(&schema["properties"]["patches"]["items"]), known("patches: [{unheard: 1}]"));
        for place in
            [&schema, container, &schema["properties"]["storage"], &schema["properties"]["node"], &schema["properties"]["patches"]["items"]]
        {
            assert_eq!(place["additionalProperties"], false, "what the reader refuses, the schema refuses");
            assert!(place["properties"].as_object().unwrap().values().all(|key| key["description"].is_string()));
        }
    }

    #[test]
    fn its_examples_can_be_read() {
        let schema = schema();
        for (key, property) in schema["properties"].as_object().unwrap() {
            for example in property["examples"].as_array().unwrap() {
                let text = format!("{key}: {example}");
                ConfigFile::parse(&text, Path::new("q.yaml")).unwrap_or_else(|error| panic!("{text}: {error}"));
            }
        }
    }
}
