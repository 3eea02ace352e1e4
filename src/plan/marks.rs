//! What differs from upstream's files: which object, in which fields, by whose will and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::catalog::{Object, differing};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which object: see [`Mark::of`].
    pub object: String,
    /// What happened to it.
    pub what: What,
    /// Whose change: `overlay lean-istiod`, `the bundle`, `your configuration file`.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Upstream has none of it.
    Added,
    /// It is not sent.
    LeftOut,
    /// These fields are others than upstream's.
    Changed(Vec<String>),
}

impl Mark {
    /// How marks call an object: `apps Deployment istio-system/istiod`, without the group where it has none.
    pub fn of(object: &Object) -> String {
        format!("{} {object}", object.gvk.group).trim_start().to_owned()
    }
}

/// Compares what the objects are with what they were at the last look.
#[derive(Debug, Default)]
pub(super) struct Marks {
    seen: BTreeMap<String, Arc<Value>>,
    marks: Vec<Mark>,
}

impl Marks {
    /// These are upstream's.
    pub(super) fn begin(&mut self, objects: &[Object]) {
        self.seen = bodies(objects);
    }

    /// What has changed since was changed by this, for this reason.
    pub(super) fn look(&mut self, by: &str, reason: &str, objects: &[Object]) {
        let now = bodies(objects);
        let mut tell = |object: &String, what: What| {
            self.marks.push(Mark { object: object.clone(), what, by: by.to_owned(), reason: reason.to_owned() });
        };
        let mut gone: BTreeMap<&String, &Arc<Value>> = self.seen.iter().filter(|(object, _)| !now.contains_key(*object)).collect();
        for (object, after) in &now {
            match self.seen.get(object) {
                Some(before) if Arc::ptr_eq(before, after) || before == after => {}
                Some(before) => tell(object, What::Changed(differing(before, after))),
                None => {
                    // One that has moved to another namespace is no other one.
                    let same = |(_, before): &(&&String, &&Arc<Value>)| kind_and_name(before) == kind_and_name(after);
                    let moved = gone.iter().find(same).map(|(object, before)| (*object, differing(before, after)));
                    tell(object, moved.as_ref().map_or(What::Added, |(_, fields)| What::Changed(fields.clone())));
                    moved.and_then(|(before, _)| gone.remove(before));
                }
            }
        }
        for object in gone.into_keys() {
            tell(object, What::LeftOut);
        }
        self.seen = now;
    }

    pub(super) fn all(self) -> Vec<Mark> {
        self.marks
    }
}

fn kind_and_name(body: &Value) -> [Option<&Value>; 3] {
    ["/apiVersion", "/kind", "/metadata/name"].map(|pointer| body.pointer(pointer))
}

fn bodies(objects: &[Object]) -> BTreeMap<String, Arc<Value>> {
    objects.iter().map(|object| (Mark::of(object), Arc::clone(&object.body))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::patch;

    #[test]
    fn each_change_is_told_once_with_its_reason() {
        let object = |name: &str| {
            let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "n"}, "spec": {}});
            Object::new(body, "t").unwrap()
        };
        let mut objects = vec![object("a"), object("b")];
        let mut marks = Marks::default();
        marks.begin(&objects);
        marks.look("nobody", "nothing", &objects);
        patch(&mut objects[0], &json!({"spec": {"replicas": 2}})).unwrap();
        marks.look("overlay x", "it is better", &objects);
        objects[1] = object("c");
        marks.look("you", "you know", &objects);
        let of = |name: &str| format!("apps Deployment n/{name}");
        let mark = |name: &str, what: What, by: &str, reason: &str| Mark { object: of(name), what, by: by.into(), reason: reason.into() };
        assert_eq!(
            marks.all(),
            [
                mark("a", What::Changed(vec!["spec.replicas".into()]), "overlay x", "it is better"),
                mark("c", What::Added, "you", "you know"),
                mark("b", What::LeftOut, "you", "you know"),
            ]
        );
        let mut marks = Marks::default();
        marks.begin(&objects);
        patch(&mut objects[0], &json!({"metadata": {"namespace": null}})).unwrap();
        marks.look("overlay y", "it has none", &objects);
        let fields = vec!["metadata.namespace".to_owned()];
        let moved =
            Mark { object: "apps Deployment a".into(), what: What::Changed(fields), by: "overlay y".into(), reason: "it has none".into() };
        assert_eq!(marks.all(), [moved]);
    }
}
