//! How models are served: their domain and namespace, the class of their Ingresses, their bucket, and KServe's own configuration.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use serde_saphyr::{Location, Spanned};

/// What the configuration file says of it; what it does not say stays as upstream ships it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Serving {
    /// `domain`: the end of every model's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// `namespace`: where the demo lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `ingressClass`: the class of the Ingresses that KServe makes without Knative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_class: Option<String>,
    /// `storage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    /// `kserve`: key of ConfigMap `inferenceservice-config` → fields of the JSON in it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kserve: BTreeMap<String, Map<String, Value>>,
}

/// Where `s3://` leads when a Secret does not say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// `https://HOST[:PORT]` or `http://…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// False: certificates of the endpoint are not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_ssl: Option<bool>,
    /// The bucket stands in the host instead of the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_bucket: Option<bool>,
    /// Without keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<bool>,
}

impl Serving {
    /// The domain where nobody names one: that of upstream's lessons.
    pub const DOMAIN: &str = "example.com";
    /// The namespace of the demo where nobody names one.
    pub const NAMESPACE: &str = "kserve-test";
    /// The class that our Istio serves.
    pub const INGRESS_CLASS: &str = "istio";

    /// The end of every model's host.
    pub fn domain(&self) -> &str {
        self.domain.as_deref().unwrap_or(Self::DOMAIN)
    }

    /// Where the demo lives.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(Self::NAMESPACE)
    }

    /// The class of KServe's Ingresses.
    pub fn ingress_class(&self) -> &str {
        self.ingress_class.as_deref().unwrap_or(Self::INGRESS_CLASS)
    }

    /// Does it say nothing?
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// As lines of `plan`: key and value, in the file's words.
    pub fn lines(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        let plain = [("domain", &self.domain), ("namespace", &self.namespace), ("ingressClass", &self.ingress_class)];
        lines.extend(plain.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))));
        lines.extend(self.storage.as_ref().map(|storage| ("storage".to_owned(), storage.to_string())));
        for (key, fields) in &self.kserve {
            lines.push((format!("kserve.{key}"), Value::Object(fields.clone()).to_string()));
        }
        lines
    }
}

impl Storage {
    /// The field `s3` of `credentials` in `inferenceservice-config` (`S3Config` in kserve 0.20, `pkg/credentials/s3`): all of it strings. The
    /// storage initializer takes a scheme off the endpoint and reads `0` and `1`, but `true` and `false` for the last two.
    pub fn credentials(&self) -> Value {
        let mut s3 = Map::new();
        if let Some(endpoint) = &self.endpoint {
            let (https, host) = match endpoint.split_once("://") {
                Some((scheme, host)) => (scheme != "http", host),
                None => (true, endpoint.as_str()),
            };
            s3.insert("s3Endpoint".into(), json!(host.trim_end_matches('/')));
            s3.insert("s3UseHttps".into(), json!(if https { "1" } else { "0" }));
        }
        if let Some(region) = &self.region {
            s3.insert("s3Region".into(), json!(region));
        }
        if let Some(verify) = self.verify_ssl {
            s3.insert("s3VerifySSL".into(), json!(if verify { "1" } else { "0" }));
        }
        for (key, value) in [("s3UseVirtualBucket", self.virtual_bucket), ("s3UseAnonymousCredential", self.anonymous)] {
            if let Some(value) = value {
                s3.insert(key.into(), json!(value.to_string()));
            }
        }
        json!({ "s3": s3 })
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |key: &str, value: &Option<String>| value.as_ref().map(|value| format!("{key}={value}"));
        let flag = |key: &str, value: Option<bool>| value.map(|value| format!("{key}={value}"));
        let all = [
            text("endpoint", &self.endpoint),
            text("region", &self.region),
            flag("verifySsl", self.verify_ssl),
            flag("virtualBucket", self.virtual_bucket),
            flag("anonymous", self.anonymous),
        ];
        f.write_str(&all.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}

/// `storage:` as written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenStorage {
    endpoint: Option<Spanned<String>>,
    region: Option<String>,
    verify_ssl: Option<bool>,
    virtual_bucket: Option<bool>,
    anonymous: Option<bool>,
}

/// What is written of it, before a second look.
pub(super) struct Written {
    pub(super) domain: Option<Spanned<String>>,
    pub(super) namespace: Option<Spanned<String>>,
    pub(super) ingress_class: Option<Spanned<String>>,
    pub(super) storage: Option<WrittenStorage>,
    pub(super) kserve: BTreeMap<String, Spanned<Map<String, Value>>>,
}

impl Written {
    /// Names that Kubernetes would refuse are errors with their place.
    pub(super) fn read(self) -> Result<Serving, (Location, String)> {
        let named = |key: &str, value: Option<Spanned<String>>, good: fn(&str) -> bool, what: &str| match value {
            Some(value) if good(&value.value) => Ok(Some(value.value)),
            Some(value) => Err((value.referenced, format!("`{key}`: `{}` is not {what}", value.value))),
            None => Ok(None),
        };
        let domain = named("domain", self.domain, is_domain, "a domain such as models.example.com")?;
        let namespace = named("namespace", self.namespace, is_label, "a name of small letters, digits and -")?;
        let ingress_class = named("ingressClass", self.ingress_class, is_domain, "a name of small letters, digits, - and .")?;
        let storage = self.storage.map(|written| -> Result<Storage, (Location, String)> {
            let endpoint = named("storage.endpoint", written.endpoint, is_endpoint, "an address such as https://s3.example.com:9000")?;
            let WrittenStorage { region, verify_ssl, virtual_bucket, anonymous, .. } = written;
            Ok(Storage { endpoint, region, verify_ssl, virtual_bucket, anonymous })
        });
        let mut kserve = BTreeMap::new();
        for (key, fields) in self.kserve {
            let taken = match key.as_str() {
                "ingress" => ["ingressDomain", "ingressClassName"]
                    .into_iter()
                    .zip(["domain", "ingressClass"])
                    .find(|(inner, _)| fields.value.contains_key(*inner)),
                "deploy" => Some(("defaultDeploymentMode", "profile")).filter(|(inner, _)| fields.value.contains_key(*inner)),
                _ => None,
            };
            if let Some((inner, outer)) = taken {
                return Err((
                    fields.referenced,
                    format!("`kserve.{key}.{inner}`: write `{outer}:` instead, which everything else follows"),
                ));
            }
            kserve.insert(key, fields.value);
        }
        Ok(Serving { domain, namespace, ingress_class, storage: storage.transpose()?, kserve })
    }
}

fn is_label(text: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(good) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_endpoint(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let host = rest.trim_end_matches('/');
    let (host, port) = host.rsplit_once(':').map_or((host, None), |(host, port)| (host, Some(port)));
    is_domain(host) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_said_in_kserves_words() {
        let endpoint = |text: &str| Storage { endpoint: Some(text.into()), ..Storage::default() }.credentials()["s3"].clone();
        assert_eq!(endpoint("http://minio.minio:9000/"), json!({"s3Endpoint": "minio.minio:9000", "s3UseHttps": "0"}));
        assert_eq!(endpoint("s3.example.com"), json!({"s3Endpoint": "s3.example.com", "s3UseHttps": "1"}));
        let all = Storage {
            region: Some("eu-central-1".into()),
            verify_ssl: Some(false),
            virtual_bucket: Some(true),
            anonymous: Some(true),
            endpoint: None,
        };
        let said =
            json!({"s3Region": "eu-central-1", "s3VerifySSL": "0", "s3UseVirtualBucket": "true", "s3UseAnonymousCredential": "true"});
        assert_eq!(all.credentials()["s3"], said);
        assert_eq!(all.to_string(), "region=eu-central-1 verifySsl=false virtualBucket=true anonymous=true");
    }

    /// The page's example can be read, all of it.
    #[test]
    fn the_page_says_what_can_be_written() {
        let page = include_str!("../../docs/configuration.md");
        let block = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let serving = crate::config::ConfigFile::parse(block, std::path::Path::new("q.yaml")).unwrap().serving;
        assert_eq!((serving.domain(), serving.namespace(), serving.ingress_class()), ("models.example.com", "models", "istio"));
        assert_eq!(serving.storage.unwrap().region.as_deref(), Some("eu-central-1"));
        assert_eq!(serving.kserve["storageInitializer"]["memoryLimit"], "2Gi");
    }

    #[test]
    fn names_that_kubernetes_refuses_are_known_before() {
        for good in ["example.com", "models", "a-b.c1"] {
            assert!(is_domain(good), "{good}");
        }
        for bad in ["", "Example.com", "a..b", "-a.b", "*.example.com", "a_b", "http://a"] {
            assert!(!is_domain(bad), "{bad}");
        }
        for (text, good) in [("https://s3.example.com", true), ("minio:9000", true), ("ftp://x", false), ("minio:0", false), ("a/b", false)]
        {
            assert_eq!(is_endpoint(text), good, "{text}");
        }
    }
}
