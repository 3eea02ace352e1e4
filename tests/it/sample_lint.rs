//! `sample lint`: what it prints, and its exit codes.

use serde_json::json;

use crate::small::{Machine, refused};

const OLD: &str = "apiVersion: serving.kubeflow.org/v1alpha2\nkind: InferenceService\nmetadata:\n  name: iris\nspec:\n  default:\n    predictor:\n      sklearn:\n        storageUri: gs://models/iris\n";

/// Lines and today's form, from a file and from standard input.
#[tokio::test]
async fn old_fields_are_named_with_their_lines() {
    let machine = Machine::new().await;
    fs_err::write(machine.home().join("old.yaml"), OLD).unwrap();
    let output = machine.quickstart(&["sample", "lint", "old.yaml"]).await.expect(2);
    machine.snapshots().bind(|| insta::assert_snapshot!("lint_old", output.text()));
    let found = machine.quickstart_with_input(&["sample", "lint", "-", "-o", "json"], OLD).await.expect(2).json();
    assert_eq!((&found["findings"][0]["line"], &found["findings"][0]["field"]), (&json!(1), &json!("apiVersion")));
}

/// Clean is 0; what is not YAML, or not there, is a usage error.
#[tokio::test]
async fn clean_files_and_files_that_cannot_be_read() {
    let machine = Machine::new().await;
    let today = machine.quickstart(&["sample", "show", "canary"]).await.expect(0).stdout;
    let output = machine.quickstart_with_input(&["sample", "lint", "-"], &today).await.expect(0);
    assert_eq!(output.stdout, "");
    let output = refused(machine.quickstart_with_input(&["sample", "lint", "-"], "a: [1\n").await, 2, "USAGE");
    assert!(output.stderr.contains("line:1:4: unclosed bracket"), "{}", output.text());
    refused(machine.quickstart(&["sample", "lint", "nothing.yaml"]).await, 2, "USAGE");
}
