//! Applying a sample step by step, waiting as `up` waits, and taking it away again.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::manifest::{self, Place};
use super::wait::{Look, until};
use super::{Sample, SampleError};
use crate::catalog::{Object, RestMap};
use crate::cluster::{Cluster, ClusterError};
use crate::error::Failure;
use crate::gateway::Authority;
use crate::health::{World, conditions, interrupted, rollout, until_ready};
use crate::plan::{Check, DEMO, Names, Probe};
use crate::stages::emptied;

/// Where samples go unless another namespace is named: beside the demo, not into its namespace.
pub const NAMESPACE: &str = "samples";
/// On namespaces that were made for samples, and only those are deleted.
const LABEL: &str = "quickstart/samples";
/// How long transient answers to one object are tried again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long deleted objects may take to go.
const GOING: Duration = Duration::from_secs(150);
/// A model's pod drains for as long as a request may take, five minutes; nobody asks a deleted one.
const GRACE: u32 = 1;

/// The name and value of a label on namespaces that were made for samples.
pub const fn label() -> (&'static str, &'static str) {
    (LABEL, "true")
}

/// Where and how a sample is tried.
pub struct Bench<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Namespace of the sample.
    pub namespace: String,
    /// How the cluster calls its models.
    pub names: Names<'a>,
    /// Namespace of the demo, which is `up`'s.
    pub demo: &'a str,
    /// Port of 127.0.0.1 that leads to the gateway.
    pub port: u16,
    /// What the gateway's certificate is held against; `None`: it speaks HTTP.
    pub authority: Option<Authority>,
    /// For each wait.
    pub timeout: Duration,
    /// Told to stop.
    pub cancel: &'a CancellationToken,
    /// Hears what is waited for.
    pub tell: &'a dyn Fn(&str),
}

impl std::fmt::Debug for Bench<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bench").field("namespace", &self.namespace).field("names", &self.names).finish_non_exhaustive()
    }
}

/// What an apply did.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// As `InferenceService samples/canary`.
    pub objects: Vec<String>,
    /// How long until all was ready.
    pub took: Duration,
}

impl Bench<'_> {
    /// Where the sample's objects go and what they need of this cluster.
    async fn place(&self) -> Result<Place, Failure> {
        let runtime = self.cluster.find("/apis/serving.kserve.io/v1alpha1/clusterservingruntimes/kserve-sklearnserver").await?;
        let image = runtime.as_ref().and_then(|runtime| runtime.pointer("/spec/containers/0/image")).and_then(Value::as_str);
        let volume = format!("/api/v1/persistentvolumes/quickstart-{}", DEMO.1);
        let model = self.cluster.find(&volume).await?.map(|_| manifest::folder_of_demo()).transpose()?;
        Ok(Place { namespace: self.namespace.clone(), server: image.map(str::to_owned), model })
    }

    /// Applies every step and waits until it is ready.
    pub async fn apply(&self, sample: &Sample) -> Result<Applied, Failure> {
        manifest::suits(sample, self.names.profile)?;
        self.free(sample)?;
        let started = Instant::now();
        let steps = manifest::steps(sample, &self.place().await?)?;
        self.make_namespace().await?;
        let mut applied = Applied::default();
        let rest = RestMap::default();
        for objects in steps {
            let mut before = Vec::new();
            for object in &objects {
                let path = rest.path(object)?;
                before.push(self.cluster.find(&path).await?);
                self.send(object, &path).await?;
                if !applied.objects.contains(&object.to_string()) {
                    applied.objects.push(object.to_string());
                }
            }
            for (object, before) in objects.iter().zip(before) {
                self.ready(object, &rest.path(object)?, before.as_ref()).await?;
            }
        }
        applied.took = started.elapsed();
        Ok(applied)
    }

    /// The demo is `up`'s: a sample neither changes nor deletes it.
    fn free(&self, sample: &Sample) -> Result<(), SampleError> {
        let demo = self.namespace == self.demo && sample.service == DEMO.1;
        let taken = || SampleError::Taken {
            object: format!("InferenceService {}/{}", self.demo, DEMO.1),
            why: "it is the demo, which `quickstart up` keeps".into(),
        };
        if demo { Err(taken()) } else { Ok(()) }
    }

    async fn make_namespace(&self) -> Result<(), Failure> {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        let gone = async || {
            Ok(match self.cluster.find(&path).await? {
                Some(live) if live.pointer("/metadata/deletionTimestamp").is_some() => {
                    Look::Yet(format!("namespace {} is still being deleted", self.namespace))
                }
                found => Look::Done(found.is_some()),
            })
        };
        if until(self, &format!("the end of namespace {}", self.namespace), self.timeout, gone).await? {
            return Ok(());
        }
        let (key, value) = label();
        let body = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": self.namespace, "labels": {(key): value, "app.kubernetes.io/managed-by": "quickstart"}}});
        Ok(self.cluster.apply(&path, body.to_string().into_bytes()).await.map(drop)?)
    }

    async fn send(&self, object: &Object, path: &str) -> Result<(), Failure> {
        let started = Instant::now();
        loop {
            match self.cluster.apply(path, object.json().into_owned().into_bytes()).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_transient() && started.elapsed() < PATIENCE => (self.tell)(&error.to_string()),
                Err(error) => return Err(refused(object, &error)),
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Err(interrupted().cause(format!("apply {object}"))),
                () = sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    /// Waits for one object as its kind wants it; `before`: what was there when it was applied.
    async fn ready(&self, object: &Object, path: &str, before: Option<&Value>) -> Result<(), Failure> {
        let (namespace, name) = (self.namespace.clone(), object.name.clone());
        match object.gvk.kind.as_str() {
            "Deployment" => self.check(object, Probe::Rollout { namespace, name }).await,
            "Job" => self.job(path, &name).await,
            "InferenceGraph" => self.graph(path, &name).await,
            "InferenceService" => {
                if let Some(before) = before {
                    self.taken_up(path, before).await?;
                }
                self.check(object, Probe::InferenceServiceReady { namespace, name }).await
            }
            _ => Ok(()),
        }
    }

    async fn check(&self, object: &Object, probe: Probe) -> Result<(), Failure> {
        let check = Check {
            id: object.to_string(),
            probe,
            hint: format!("`kubectl get pods -n {}` shows its pods", self.namespace),
            deadline: self.timeout.as_secs(),
        };
        let rest = RestMap::default();
        let world = World { cluster: self.cluster, rest: &rest, demo: None, waited: Duration::ZERO, closely: true };
        let (seen, mut heard) = tokio::sync::mpsc::unbounded_channel::<String>();
        let mut saw = move |text: &str| drop(seen.send(text.to_owned()));
        let work = until_ready(world, &check, self.cancel, &mut saw);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done.map(drop),
                Some(text) = heard.recv() => (self.tell)(&format!("{object}: {text}")),
            }
        }
    }

    /// A changed InferenceService still says that it is ready: of what it was. Its new revision is waited for.
    async fn taken_up(&self, path: &str, before: &Value) -> Result<(), Failure> {
        const CREATED: &str = "/status/components/predictor/latestCreatedRevision";
        const READY: &str = "/status/components/predictor/latestReadyRevision";
        let generation = |object: &Value| object.pointer("/metadata/generation").and_then(Value::as_i64);
        let live = self.cluster.get(path).await?;
        let had = before.pointer(CREATED).cloned();
        if generation(&live) == generation(before) || had.is_none() {
            return Ok(());
        }
        until(self, "a new revision", self.timeout, async || {
            let live = self.cluster.get(path).await?;
            let created = live.pointer(CREATED).cloned();
            Ok(match () {
                () if created == had => Look::Yet("its new revision is not there yet".into()),
                () if live.pointer(READY) == created.as_ref() => Look::Done(()),
                // The check that follows names what keeps it from getting ready.
                () if conditions(&live).is_some_and(|verdict| verdict.id().is_some()) => Look::Done(()),
                () => Look::Yet("its new revision is not ready yet".into()),
            })
        })
        .await
    }

    async fn job(&self, path: &str, name: &str) -> Result<(), Failure> {
        until(self, &format!("the end of job {name}"), self.timeout, async || {
            let live = self.cluster.get(path).await?;
            if rollout::condition(&live, "Complete").is_some_and(|(status, _)| status == "True") {
                return Ok(Look::Done(()));
            }
            if let Some((_, message)) = rollout::condition(&live, "Failed").filter(|(status, _)| status == "True") {
                return Err(SampleError::Unproven { name: name.to_owned(), saw: format!("its job failed: {message}") }.into());
            }
            Ok(Look::Yet(format!("job {name} is at work")))
        })
        .await
    }

    async fn graph(&self, path: &str, name: &str) -> Result<(), Failure> {
        until(self, &format!("InferenceGraph {name} ready"), self.timeout, async || {
            let live = self.cluster.get(path).await?;
            Ok(match rollout::condition(&live, "Ready") {
                Some((status, _)) if status == "True" => Look::Done(()),
                Some((_, message)) => Look::Yet(format!("InferenceGraph {name}: {message}")),
                None => Look::Yet(format!("InferenceGraph {name}: no condition reported yet")),
            })
        })
        .await
    }

    /// Deletes what the sample consists of, models first; answers what was there. A namespace goes with its last model where it was made for samples.
    pub async fn delete(&self, sample: &Sample) -> Result<Vec<String>, Failure> {
        self.free(sample)?;
        let rest = RestMap::default();
        let mut objects: Vec<Object> = manifest::steps(sample, &self.place().await?)?.concat();
        objects.reverse();
        objects.sort_by_key(|object| object.gvk.group != "serving.kserve.io");
        let (mut deleted, mut paths) = (Vec::new(), Vec::new());
        for object in &objects {
            let path = rest.path(object)?;
            if paths.contains(&path) || self.shared(object).await? {
                continue;
            }
            if self.cluster.delete(&path).await? {
                deleted.push(object.to_string());
            }
            paths.push(path);
        }
        self.end_pods(&objects).await?;
        until(self, "the end of the sample's objects", GOING, async || {
            for path in &paths {
                if self.cluster.find(path).await?.is_some() {
                    return Ok(Look::Yet(format!("{} is being deleted", path.rsplit('/').next().unwrap_or(path))));
                }
            }
            Ok(Look::Done(()))
        })
        .await?;
        self.empty_namespace().await?;
        Ok(deleted)
    }

    /// The source of models stays as long as another sample of the namespace needs it.
    async fn shared(&self, object: &Object) -> Result<bool, Failure> {
        if object.gvk.group == "serving.kserve.io" || object.name != "sample-models" {
            return Ok(false);
        }
        let services = self.cluster.list(&self.services(), "").await?;
        let needs = |service: &Value| {
            service.pointer("/metadata/deletionTimestamp").is_none() && service.to_string().contains("http://sample-models/")
        };
        Ok(services.iter().any(needs))
    }

    fn services(&self) -> String {
        format!("/apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices", self.namespace)
    }

    async fn end_pods(&self, objects: &[Object]) -> Result<(), Failure> {
        let pods = format!("/api/v1/namespaces/{}/pods", self.namespace);
        for object in objects.iter().filter(|object| object.gvk.group == "serving.kserve.io") {
            for key in ["serving.kserve.io/inferenceservice", "serving.kserve.io/inferencegraph"] {
                for pod in self.cluster.list(&pods, &format!("{key}={}", object.name)).await? {
                    let name = crate::health::pods::name(&pod);
                    self.cluster.delete_within(&format!("{pods}/{name}"), Some(GRACE)).await?;
                }
            }
        }
        Ok(())
    }

    /// Deletes the namespace if it was made for samples and holds no model any more.
    async fn empty_namespace(&self) -> Result<(), Failure> {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        let Some(live) = self.cluster.find(&path).await? else { return Ok(()) };
        let (key, value) = label();
        let ours = live.pointer("/metadata/labels").and_then(|labels| labels.get(key)).and_then(Value::as_str) == Some(value);
        if !ours || !self.cluster.names(&self.services()).await?.is_empty() {
            return Ok(());
        }
        self.cluster.delete(&path).await?;
        emptied(self.cluster, &[&self.namespace], self.cancel).await?;
        let mut looks = 0_u32;
        until(self, &format!("the end of namespace {}", self.namespace), GOING, async || {
            // Its controller met pods that still ended, and looks again only after half of their grace, or when it is touched.
            if looks.is_multiple_of(8) {
                drop(self.cluster.touch(&path).await);
            }
            looks += 1;
            Ok(match self.cluster.find(&path).await? {
                None => Look::Done(()),
                Some(_) => Look::Yet(format!("namespace {} is being deleted", self.namespace)),
            })
        })
        .await
    }
}

fn refused(object: &Object, error: &ClusterError) -> Failure {
    let mut failure = Failure::from(error.clone());
    failure.cause = Some(error.to_string());
    failure.what = format!("cannot apply {object}");
    failure
}
