//! The table: which fields are old, why, and what they are today.

use super::{Document, Finding};
use crate::catalog::lines::Field;

/// Frameworks that were fields of a predictor; today they are names of formats.
const FRAMEWORKS: &[&str] =
    &["sklearn", "xgboost", "lightgbm", "pmml", "tensorflow", "pytorch", "onnx", "triton", "tensorrt", "paddle", "huggingface"];
/// Where a predictor stood before v1beta1, and where it stands.
const PREDICTORS: &[&[&str]] = &[&["spec", "predictor"], &["spec", "default", "predictor"], &["spec", "canary", "predictor"]];
const KEYS: &[(&str, &str)] = &[("awsAccessKeyID", "AWS_ACCESS_KEY_ID"), ("awsSecretAccessKey", "AWS_SECRET_ACCESS_KEY")];
/// Spellings that KServe's API server refuses or drops.
const SPELLINGS: &[&str] = &["storageURI", "storageUrl", "storage_uri", "storageuri", "modelUri"];

const SPLIT: &str =
    "v1alpha2 had two predictors side by side; today there is one, and KServe keeps the revision before for the rest of the requests";
const S3: &str = "keys of a bucket are a Secret's, and a ServiceAccount's name leads to it";
const S3_TODAY: &str = "kind: Secret        # annotations serving.kserve.io/s3-endpoint, s3-region, s3-usehttps; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY\nkind: ServiceAccount # secrets: [{name: THE_SECRET}]\nspec:\n  predictor:\n    serviceAccountName: THE_SERVICEACCOUNT";

/// All old fields of an object.
pub(super) fn findings(document: &Document<'_>) -> Vec<Finding> {
    let kind = document.text(&["kind"]).unwrap_or_default();
    let serving = document.is_serving();
    let service = serving && matches!(kind, "InferenceService" | "KFService");
    let one = |(path, field): &(&[String], &Field)| {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let value = field.value.as_deref().unwrap_or_default();
        let (why, today) = group(&path, value, kind, serving)
            .or_else(|| if service { of_service(&path, field, document) } else { None })
            .or_else(|| if kind == "Secret" { of_secret(&path) } else { None })?;
        Some(Finding { line: field.line, field: path.join("."), why, today })
    };
    document.fields.iter().filter_map(one).collect()
}

type Found = Option<(String, String)>;

#[expect(clippy::unnecessary_wraps, reason = "an arm of a match that is an answer")]
fn told(why: &str, today: impl Into<String>) -> Found {
    Some((why.to_owned(), today.into()))
}

/// API group, kind, and names of annotations and labels.
fn group(path: &[&str], value: &str, kind: &str, serving: bool) -> Found {
    match path {
        ["apiVersion"] if value.starts_with("serving.kubeflow.org/") => told(
            "the group before KServe 0.7",
            format!("apiVersion: {}", if kind == "TrainedModel" { "serving.kserve.io/v1alpha1" } else { "serving.kserve.io/v1beta1" }),
        ),
        ["apiVersion"] if kind == "InferenceService" && value.starts_with("serving.kserve.io/") && value != "serving.kserve.io/v1beta1" => {
            told("an InferenceService has one version", "apiVersion: serving.kserve.io/v1beta1")
        }
        ["kind"] if value == "KFService" && serving => told("its name before v1alpha2", "kind: InferenceService"),
        ["metadata", "annotations" | "labels", key] => {
            let rest = key.strip_prefix("serving.kubeflow.org/")?;
            told("the group before KServe 0.7: nobody reads it any more", format!("serving.kserve.io/{rest}: {value}"))
        }
        _ => None,
    }
}

fn of_secret(path: &[&str]) -> Found {
    let ["data" | "stringData", key] = path else { return None };
    let (_, today) = KEYS.iter().find(|(old, _)| old == key)?;
    told("the storage initializer looks for another key", *today)
}

fn of_service(path: &[&str], field: &Field, document: &Document<'_>) -> Found {
    let value = field.value.as_deref();
    match path {
        ["spec", "default"] => told(SPLIT, "spec:\n  predictor:   # what stands under spec.default.predictor"),
        ["spec", "predictor", "default"] => told(SPLIT, "spec:\n  predictor:   # what stands under default"),
        ["spec", "canary"] | ["spec", "predictor", "canary"] => {
            let percent = document.text(&["spec", "canaryTrafficPercent"]).unwrap_or("10");
            told(SPLIT, format!("spec:\n  predictor:\n    canaryTrafficPercent: {percent}\n    model:   # the new model"))
        }
        ["spec", "canaryTrafficPercent"] => told(
            "the share is a field of the predictor",
            format!("spec:\n  predictor:\n    canaryTrafficPercent: {}", value.unwrap_or("10")),
        ),
        ["spec", replicas @ ("minReplicas" | "maxReplicas")] => {
            told("each component has its own", format!("spec:\n  predictor:\n    {replicas}: {}", value.unwrap_or("1")))
        }
        [.., "s3", "secretName"] => told(S3, S3_TODAY),
        ["spec", .., component @ ("predictor" | "transformer" | "explainer"), "custom"] => told(
            "a component is a pod: its containers stand in it",
            format!("{component}:\n  containers:\n    - name: kserve-container\n      image: …"),
        ),
        ["spec", .., "explainer", kind @ ("alibi" | "aix")] => told(
            &format!("KServe has no {kind} explainer any more"),
            "explainer:\n  containers:   # an image of your own; or art:\n    - name: kserve-container\n      image: …",
        ),
        ["spec", .., "parallelism"] => told("renamed", format!("containerConcurrency: {}", value.unwrap_or("1"))),
        ["spec", .., "model", "modelFormat"] if value.is_some_and(|value| !value.is_empty()) => {
            told("a format has a name, and may have a version", format!("modelFormat:\n  name: {}", value.unwrap_or_default()))
        }
        ["spec", .., "model", "framework"] => told("renamed", format!("modelFormat:\n  name: {}", value.unwrap_or("sklearn"))),
        ["spec", .., spelling] if SPELLINGS.contains(spelling) => told("renamed", format!("storageUri: {}", value.unwrap_or("…"))),
        [before @ .., framework] if FRAMEWORKS.contains(framework) && PREDICTORS.contains(&before) => {
            let uri = ["storageUri", "modelUri"].iter().find_map(|key| document.text(&[path, &[*key]].concat()));
            told(
                "the framework is no field any more but a model's format",
                format!("predictor:\n  model:\n    modelFormat:\n      name: {framework}\n    storageUri: {}", uri.unwrap_or("…")),
            )
        }
        _ => None,
    }
}
