//! The objects of a plan as YAML, each with what differs from upstream's file above it.

use std::fmt::Write as _;

use super::one_line;
use crate::catalog::Object;
use crate::error::Failure;
use crate::plan::{Mark, What};

/// One document an object, in this order; `sent` is what of an object is sent where that is not the whole.
///
/// # Errors
/// An object cannot be written as YAML, which is a defect.
pub fn manifests(objects: &[Object], marks: &[Mark], sent: impl Fn(&Object) -> Option<serde_json::Value>) -> Result<String, Failure> {
    let mut out = String::new();
    for mark in marks.iter().filter(|mark| mark.what == What::LeftOut) {
        let _ = writeln!(out, "# left out by {}: {}: {}", one_line(&mark.by), one_line(&mark.object), one_line(&mark.reason));
    }
    for (number, object) in objects.iter().enumerate() {
        if number > 0 {
            out.push_str("---\n");
        }
        let name = Mark::of(object);
        for mark in marks.iter().filter(|mark| mark.object == name) {
            out.push_str(&comment(mark));
        }
        let text = match sent(object) {
            Some(sent) => serde_saphyr::to_string(&sent),
            None => serde_saphyr::to_string(&*object.whole()),
        };
        out.push_str(&text.map_err(|error| Failure::internal(error.to_string()))?);
    }
    Ok(out)
}

/// Comment lines; nothing that comes from a bundle or a file gets out of them.
fn comment(mark: &Mark) -> String {
    let what = match &mark.what {
        What::Changed(fields) => format!("changes {}", one_line(&fields.join(", "))),
        What::Added => "adds this object".to_owned(),
        What::LeftOut => return String::new(),
    };
    format!("# {} {what}\n#   because: {}\n", one_line(&mark.by), one_line(&mark.reason))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reason_cannot_become_a_document() {
        let object = Object::new(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}), "t").unwrap();
        let mark = |object: &str, what: What| Mark {
            object: object.into(),
            what,
            by: "the\nbundle".into(),
            reason: "x\r\n---\nkind: Pod\u{85}y".into(),
        };
        let marks = [mark("Namespace a", What::Changed(vec!["spec.a\nb".into()])), mark("Pod b", What::LeftOut)];
        let text = manifests(&[object], &marks, |_| None).unwrap();
        assert_eq!(
            text,
            "# left out by the; bundle: Pod b: x; ---; kind: Pod\\u{85}y\n\
             # the; bundle changes spec.a; b\n#   because: x; ---; kind: Pod\\u{85}y\n\
             apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n"
        );
    }
}
