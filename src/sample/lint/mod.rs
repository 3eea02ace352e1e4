//! `sample lint`: fields of APIs before `serving.kserve.io/v1beta1` that tutorials still show. It reads text and nothing else.

mod old;

use serde::Serialize;

use crate::catalog::{CatalogError, lines};
use lines::Field;

/// A field that has another form today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// From 1.
    pub line: usize,
    /// Its path in the document.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
    /// What to write instead.
    pub today: String,
}

/// One object of the file: of a list of objects each is one.
struct Document<'a> {
    /// Its fields, with paths from its own root.
    fields: Vec<(&'a [String], &'a Field)>,
}

impl<'a> Document<'a> {
    /// The text of a field.
    fn text(&self, path: &[&str]) -> Option<&'a str> {
        let found = self.fields.iter().find(|(own, _)| own.iter().map(String::as_str).eq(path.iter().copied()));
        found.and_then(|(_, field)| field.value.as_deref())
    }

    fn is_serving(&self) -> bool {
        let group = self.text(&["apiVersion"]).unwrap_or_default();
        group.starts_with("serving.kserve.io/") || group.starts_with("serving.kubeflow.org/")
    }
}

/// All findings of a file, by line.
///
/// # Errors
/// Text that is not YAML.
pub fn lint(text: &str) -> Result<Vec<Finding>, CatalogError> {
    let fields = lines::fields(text, "line")?;
    let mut findings: Vec<Finding> = documents(&fields).iter().flat_map(old::findings).collect();
    findings.sort_by(|one, other| (one.line, &one.field).cmp(&(other.line, &other.field)));
    findings.dedup();
    Ok(findings)
}

fn documents(fields: &[Field]) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    for of_one in fields.chunk_by(|one, other| one.document == other.document) {
        let list = of_one.iter().any(|field| field.path == ["kind"] && field.value.as_deref() == Some("List"));
        let root = |field: &Field| match field.path.as_slice() {
            [items, number, ..] if list && items == "items" => Some(number.clone()),
            _ => None,
        };
        for part in of_one.chunk_by(|one, other| root(one) == root(other)) {
            let skip = if part.first().is_some_and(|first| root(first).is_some()) { 2 } else { 0 };
            documents.push(Document { fields: part.iter().filter_map(|field| Some((field.path.get(skip..)?, field))).collect() });
        }
    }
    documents
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<(usize, String)> {
        lint(text).unwrap().into_iter().map(|finding| (finding.line, finding.field)).collect()
    }

    fn places(wanted: &[(usize, &str)]) -> Vec<(usize, String)> {
        wanted.iter().map(|(line, field)| (*line, (*field).to_owned())).collect()
    }

    /// The first InferenceService of many a lesson.
    #[test]
    fn a_service_of_v1alpha2() {
        let text = "apiVersion: serving.kubeflow.org/v1alpha2\nkind: InferenceService\nmetadata:\n  name: iris\nspec:\n  default:\n    predictor:\n      sklearn:\n        storageUri: gs://models/iris\n  canary:\n    predictor:\n      sklearn: {storageUri: gs://models/next}\n  canaryTrafficPercent: 10\n";
        assert_eq!(
            found(text),
            places(&[
                (1, "apiVersion"),
                (6, "spec.default"),
                (8, "spec.default.predictor.sklearn"),
                (10, "spec.canary"),
                (12, "spec.canary.predictor.sklearn"),
                (13, "spec.canaryTrafficPercent"),
            ])
        );
        let findings = lint(text).unwrap();
        assert_eq!(findings[2].today, "predictor:\n  model:\n    modelFormat:\n      name: sklearn\n    storageUri: gs://models/iris");
        assert!(findings[5].today.contains("canaryTrafficPercent: 10"));
    }

    #[test]
    fn what_is_named_in_the_issue() {
        let text = "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nspec:\n  predictor:\n    canary: {trafficPercent: 10}\n    model:\n      modelFormat: sklearn\n      storageUri: s3://b/m\n      s3:\n        secretName: keys\n";
        assert_eq!(
            found(text),
            places(&[(5, "spec.predictor.canary"), (7, "spec.predictor.model.modelFormat"), (10, "spec.predictor.model.s3.secretName")])
        );
    }

    #[test]
    fn secrets_annotations_and_lists() {
        let text = "kind: List\napiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata:\n    annotations:\n      serving.kubeflow.org/s3-endpoint: minio:9000\n  data:\n    awsAccessKeyID: eA==\n- apiVersion: serving.kserve.io/v1alpha1\n  kind: InferenceService\n  spec:\n    predictor:\n      custom:\n        container: {image: x}\n";
        assert_eq!(
            found(text),
            places(&[
                (8, "metadata.annotations.serving.kubeflow.org/s3-endpoint"),
                (10, "data.awsAccessKeyID"),
                (11, "apiVersion"),
                (15, "spec.predictor.custom")
            ])
        );
    }

    /// Names that mean something else elsewhere, and all of our own samples.
    #[test]
    fn what_is_of_today_is_left_alone() {
        let text = "apiVersion: v1\nkind: ConfigMap\ndata: {default: x, custom: y, modelUri: z}\n---\napiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec: {canary: {}, default: 1}\n---\napiVersion: serving.kserve.io/v1alpha1\nkind: TrainedModel\nspec: {model: {framework: sklearn}}\n---\nnot an object\n";
        assert_eq!(found(text), []);
        for sample in crate::sample::index().unwrap().samples {
            assert_eq!(found(&crate::sample::text(&sample).unwrap()), [], "{}", sample.name);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(words in proptest::collection::vec("(apiVersion: serving.kserve.io/v1beta1|kind: InferenceService|kind: List|items:|- |  |\n|spec:|predictor:|canary:|sklearn: \\{\\}|default:|s3: \\{secretName: x\\}|metadata:|annotations:|[a-z]{1,4}: |\\[|\\]|&a |\\*a)", 0..40)) {
            drop(lint(&words.concat()));
        }
    }
}
